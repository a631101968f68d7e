"""Which row or column of a table is the largest or smallest, in English and Korean."""

from __future__ import annotations

import pytest

from rag.types import Page, Support
from tests.answering.table_shelf import TableShelf, ask, table_page, values

CITIES = TableShelf(
    *table_page(
        ("Inhabitants", "Area (km²)", "Schools"),
        (
            ("Arden", "48,200", "61", "12"),
            ("Brook", "112,900", "40", "31"),
            ("Corley", "9,700", "88", "4"),
            ("Total", "170,800", "189", "47"),
        ),
        head="Cities of the county\n",
        over_labels="City",
        unit="",
    )
)
SHOPS = TableShelf(
    *table_page(
        ("매출액", "직원 수", "면적"),
        (
            ("연남점", "1,720", "14", "88"),
            ("망원점", "1,201", "9", "132"),
            ("합정점", "2,044", "17", "75"),
            ("전 지점", "4,965", "40", "295"),
        ),
        head="지점별 현황 (단위: 백만원)\n",
        over_labels="지점",
        unit="백만원",
    )
)
QUARTERS = TableShelf(
    *table_page(
        ("1분기", "2분기", "3분기", "4분기"),
        (("연남점", "412", "438", "399", "471"), ("망원점", "287", "301", "314", "299")),
        head="지점별 매출\n",
        over_labels="지점",
        unit="",
    )
)
REGIONS = TableShelf(
    *table_page(
        ("North", "South", "East", "Group"),
        (("Revenue", "310", "420", "95", "825"), ("Headcount", "12", "9", "14", "35")),
        head="Figures by region\n",
        unit="",
    )
)
SALES = TableShelf(
    *table_page(
        ("2019", "2018"),
        (
            ("Canada", "96", "170"),
            ("France", "1,079", "155"),
            ("Norway", "71", "40"),
            ("Total", "1,246", "365"),
        ),
        head="Sales by country\n",
        over_labels="Country",
    )
)


@pytest.mark.parametrize(
    ("shelf", "question", "row", "value"),
    [
        (CITIES, "Which city has the most inhabitants?", "Brook", "112,900"),
        (CITIES, "What city has the smallest area?", "Brook", "40"),
        (CITIES, "Which of the cities has the largest area?", "Corley", "88"),
        (CITIES, "Name the city with the fewest schools.", "Corley", "4"),
        (CITIES, "Where is the number of schools highest?", "Brook", "31"),
        (SHOPS, "매출액이 가장 큰 지점은 어디인가요?", "합정점", "2,044"),
        (SHOPS, "직원 수가 가장 적은 지점은?", "망원점", "9"),
        (SHOPS, "어느 지점의 면적이 가장 넓습니까?", "망원점", "132"),
        (SHOPS, "면적이 제일 작은 곳은 어디예요?", "합정점", "75"),
        (SHOPS, "연남점과 망원점 중 면적이 더 넓은 지점은?", "망원점", "132"),
        (QUARTERS, "2분기 매출이 가장 큰 지점은?", "연남점", "438"),
        (QUARTERS, "망원점은 몇 분기 매출이 가장 높았나요?", "망원점", "314"),
        (REGIONS, "Which region had the highest revenue?", "Revenue", "420"),
        (REGIONS, "Which region had the lowest headcount?", "Headcount", "9"),
        (SALES, "Which country had the highest sales in 2018?", "Canada", "170"),
        (SALES, "Which country had the lowest sales in 2019?", "Norway", "71"),
        (SALES, "Which had higher sales in 2018, Norway or France?", "France", "155"),
    ],
)
def test_the_largest_or_smallest_is_a_cell(shelf: TableShelf, question: str, row: str, value: str) -> None:
    checked = ask(shelf, question)
    assert [(c.cell.row, c.cell.value) for c in checked.citations if c.cell is not None] == [((row,), value)]
    assert checked.sentences[0].support is Support.VERIFIED
    assert checked.citations[0].quote.startswith(row)


def test_the_table_decides_and_no_sentence_beside_it() -> None:
    page, table = table_page(
        ("Inhabitants",),
        (("Arden", "48,200"), ("Brook", "112,900")),
        head="Cities\n",
        over_labels="City",
        unit="",
    )
    prose = "Arden is the city that has the most inhabitants of 1850, 3,100, and most of them farmers."
    assert values(
        ask(TableShelf(Page(1, f"{page.text}\n\n{prose}"), table), "Which city has the most inhabitants?")
    ) == ["112,900"]


def test_all_that_share_the_largest_figure_are_told() -> None:
    shelf = TableShelf(
        *table_page(
            ("Schools",),
            (("Arden", "12"), ("Brook", "31"), ("Corley", "31")),
            head="Cities\n",
            over_labels="City",
            unit="",
        )
    )
    checked = ask(shelf, "Which city has the most schools?")
    assert [c.cell.row for c in checked.citations if c.cell is not None] == [("Brook",), ("Corley",)]


@pytest.mark.parametrize("missing", ["–", "n/a", "-"])
def test_a_row_without_a_figure_is_not_the_smallest(missing: str) -> None:
    shelf = TableShelf(
        *table_page(
            ("Schools", "Parks"),
            (("Arden", "12", "3"), ("Brook", missing, "8"), ("Corley", "4", "5")),
            head="Cities\n",
            over_labels="City",
            unit="",
        )
    )
    assert values(ask(shelf, "Which city has the fewest schools?")) == ["4"]


@pytest.mark.parametrize(
    ("rows", "question"),
    [
        ((("Arden", "900 m"), ("Brook", "5 km"), ("Corley", "3 km")), "Which road has the largest length?"),
        ((("Arden", "$900"), ("Brook", "€800"), ("Corley", "$30")), "Which road has the largest length?"),
        ((("Arden", "90%"), ("Brook", "800"), ("Corley", "75")), "Which road has the largest length?"),
    ],
    ids=["metres and kilometres", "currencies", "a share"],
)
def test_figures_of_different_units_are_not_compared(
    rows: tuple[tuple[str, str], ...], question: str
) -> None:
    shelf = TableShelf(*table_page(("Length",), rows, head="Roads\n", over_labels="Road", unit=""))
    assert not values(ask(shelf, question))


@pytest.mark.parametrize("label", ["Total", "All cities", "Average"])
def test_what_sums_the_rows_up_is_none_of_them(label: str) -> None:
    figures = ("58", "92") if label != "Average" else ("29", "46")
    shelf = TableShelf(
        *table_page(
            ("Schools", "Parks"),
            (("Arden", "12", "60"), ("Brook", "30", "8"), ("Corley", "16", "24"), (label, *figures)),
            head="Cities\n",
            over_labels="City",
            unit="",
        )
    )
    (citation,) = ask(shelf, "Which city has the most schools?").citations
    assert citation.cell is not None
    assert citation.cell.row == ("Brook",)


def test_what_the_table_does_not_measure_has_no_largest() -> None:
    assert not values(ask(CITIES, "Which city has the most hospitals?"))
    assert not values(ask(SHOPS, "주차장이 가장 넓은 지점은 어디인가요?"))
