"""Questions for cells of tables, answered without a model, and figures checked against their headers."""

from __future__ import annotations

import pytest

from rag.answering.reply import parse_reply
from rag.answering.verification import check_draft, strict
from rag.rendering.footnotes import distinct
from rag.types import Page, Sentence, Support
from tests.answering.table_shelf import TableShelf, ask, table_page, values

ENGLISH = TableShelf(
    *table_page(
        ("2019", "2018", "2017"),
        (
            ("Revenue", "$481,985", "$402,100", "$390,000"),
            ("Cost of revenue", "200,000", "180,500", "170,250"),
            ("Gross profit", "281,985", "221,600", "219,750"),
            ("Operating income (loss)", "(1,200)", "3,400", "5,600"),
        ),
    )
)
KOREAN = TableShelf(
    *table_page(
        ("2023년", "2022년"),
        (("매출액", "1,234", "1,100"), ("영업이익", "150", "120")),
        head="요약 손익계산서 (단위: 백만원)\n",
        unit="백만원",
    )
)

QUARTERS = TableShelf(
    *table_page(
        ("1분기", "2분기", "3분기", "4분기"),
        (("연남점", "412", "438", "399", "471"), ("망원점", "287", "301", "314", "299")),
        head="지점별 실적\n",
        unit="",
    )
)
SALES = TableShelf(
    *table_page(
        ("2019", "2018"),
        (
            ("Canada", "96", "70"),
            ("United States", "1,079", "755"),
            ("Other", "71", "40"),
            ("Total external revenue", "1,246", "865"),
            ("Goodwill, beginning of the year", "500", "450"),
            ("Goodwill, end of the year", "620", "500"),
        ),
        head="Geographic information (in thousands)\n",
    )
)
PRICES = TableShelf(
    *table_page(
        ("High", "Low"),
        (("First quarter of 2019", "$18.19", "$8.87"), ("Second quarter of 2019", "$20.91", "$12.61")),
        head="Price of the common stock\n",
        unit="",
    )
)

PARCELS = TableShelf(
    *table_page(
        ("2024", "2023"),
        (
            ("Oakhanger to Lacey", "31,400", "29,800"),
            ("Oakhanger to Mill", "12,300", "12,900"),
            ("All routes", "43,700", "42,700"),
        ),
        head="Table 4. Parcels carried by route\n",
        unit="",
    )
)
STATIONS = TableShelf(
    *table_page(
        ("2024", "2023"),
        (
            *((f"Station {n} north", str(3000 + n), str(2000 + n)) for n in range(1, 1001)),
            ("All stations", "9,100", "8,200"),
        ),
        head="Table 5. Parcels carried by station\n",
        unit="",
    )
)
TYPES = TableShelf(
    *table_page(
        ("Type", "Stands for", "Width"),
        (
            ("?", "flag", "truth value", "1"),
            ("h", "short", "integer", "2"),
            ("l", "long", "integer", "4"),
            ("q", "long long", "integer", "8"),
            ("=", "native", "order", "9"),
        ),
        head="Table 6. Signs\n",
        unit="",
    )
)
PLANTS = TableShelf(
    *table_page(
        ("용량(kW)", "2024년 발전량(kWh)"),
        (("1호 정수장", "420", "515,300"), ("2호 체육관", "240", "214,600"), ("합계", "660", "729,900")),
        head="표 2. 발전소별 용량과 발전량\n",
        unit="",
    )
)

FARES = TableShelf(
    *table_page(
        ("어른", "청소년"),
        (("1회", "2,500", "1,800"), ("1개월", "52,000", "39,000"), ("2시간", "4,100", "3,300")),
        head="표 3. 배를 타는 요금 (단위: 원)\n",
        unit="원",
    )
)


def said(shelf: TableShelf, sentence: str, row: str, question: str = "") -> Sentence:
    """The verdict on a sentence of a model that quotes a row."""
    passages = [shelf.passage("report.pdf", 1)]
    draft = parse_reply(f'{sentence} [1: "{row}"]')
    return check_draft(draft, passages, shelf, question=question, tables=shelf).sentences[0]


@pytest.mark.parametrize(
    ("shelf", "question", "expected"),
    [
        (ENGLISH, "What was Revenue in 2017?", ["$390,000"]),
        (ENGLISH, "What was the cost of revenue in 2018?", ["180,500"]),
        (ENGLISH, "What was the gross profit in 2019 and 2018, respectively?", ["281,985", "221,600"]),
        (ENGLISH, "What were the respective revenue and gross profit in 2018?", ["$402,100", "221,600"]),
        (SALES, "What was the external revenue from Canada in 2018?", ["70"]),
        (SALES, "What was Other in 2019?", ["71"]),
        (SALES, "What was the ending goodwill in 2018?", ["500"]),
        (SALES, "Which country had the highest external revenue in 2018?", ["755"]),
        (PRICES, "What were the high and low prices in the second quarter of 2019?", ["$20.91", "$12.61"]),
        (
            ENGLISH,
            "What was the gross profit for fiscal years 2017 to 2019?",
            ["219,750", "221,600", "281,985"],
        ),
        (PARCELS, "How many parcels were carried in 2024?", ["43,700"]),
        (PARCELS, "How many parcels were carried to Lacey in 2023?", ["29,800"]),
        (STATIONS, "How many parcels were carried at Station 7 in 2024?", ["3007"]),
        (STATIONS, "How many parcels were carried in 2024?", ["9,100"]),
        (TYPES, "What is the width of a long long?", ["8"]),
        (TYPES, "What is the width of a long?", ["4"]),
        (TYPES, "What width does the sign = have?", ["9"]),
        (PLANTS, "2024년 발전량은 얼마인가요?", ["729,900"]),
        (PLANTS, "2024년 체육관 발전량은 얼마인가요?", ["214,600"]),
        (FARES, "청소년이 한 달 타면 얼마인가요?", ["39,000"]),
        (FARES, "어른 두 시간 요금은 얼마인가요?", ["4,100"]),
        (FARES, "어른 한 번 요금은?", ["2,500"]),
        (KOREAN, "2022년 매출액은 얼마인가요?", ["1,100"]),
        (KOREAN, "2023년 영업이익은 얼마입니까?", ["150"]),
        (QUARTERS, "연남점의 3분기 실적은 얼마인가요?", ["399"]),
        (QUARTERS, "연남점과 망원점의 2분기 실적은 각각 얼마인가요?", ["438", "301"]),
    ],
)
def test_the_cells_that_are_asked_for_are_named(
    shelf: TableShelf, question: str, expected: list[str]
) -> None:
    checked = ask(shelf, question)
    assert values(checked) == expected
    assert checked.sentences[0].support is Support.VERIFIED
    assert all(value.strip("$") in checked.sentences[0].text for value in expected)


@pytest.mark.parametrize(
    ("shelf", "question"),
    [
        (PARCELS, "How many parcels were carried in 2019?"),
        (PLANTS, "2025년 발전량은 얼마인가요?"),
    ],
)
def test_no_cell_answers_for_what_no_header_says(shelf: TableShelf, question: str) -> None:
    assert values(ask(shelf, question)) == []


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("In which years was the cost of revenue reported?", ("Cost of revenue",)),
        ("Which years does the table show?", ("Results of the group (in thousands)",)),
    ],
)
def test_the_periods_of_a_table_are_cells_of_its_headers(question: str, row: tuple[str, ...]) -> None:
    checked = ask(ENGLISH, question)
    assert values(checked) == ["2019", "2018", "2017"]
    assert checked.sentences[0].support is Support.VERIFIED
    assert {citation.cell.row for citation in checked.citations if citation.cell is not None} == {row}


def test_the_items_under_a_total_are_listed() -> None:
    checked = ask(SALES, "What are the components of total external revenue?")
    assert [citation.cell.row for citation in checked.citations if citation.cell is not None] == [
        ("Canada",),
        ("United States",),
        ("Other",),
    ]


@pytest.mark.parametrize(
    "question",
    ["Why did the gross profit change in 2018?", "What does the cost of revenue in 2018 consist of?"],
)
def test_a_row_says_neither_why_nor_what_something_is(question: str) -> None:
    page, table = table_page(
        ("2019", "2018"), (("Gross profit", "282", "222"), ("Cost of revenue", "200", "181"))
    )
    prose = "It changed in 2018 because the cost of revenue consists of wages and these rose."
    shelf = TableShelf(Page(1, f"{page.text}\n\n{prose}"), table)
    assert [sentence.text for sentence in ask(shelf, question).sentences] == [prose]


def test_a_figure_has_the_unit_that_its_headers_give_it() -> None:
    shelf = TableShelf(
        *table_page(
            ("2019",), (("Gross margin (%)", "22.9"), ("Earnings per share", "2.41"), ("Revenue", "482"))
        )
    )
    texts = [
        ask(shelf, f"What was the {item} in 2019?").sentences[0].text
        for item in ("gross margin", "earnings per share", "revenue")
    ]
    assert texts == [
        "Gross margin (%), 2019: 22.9%",
        "Earnings per share, 2019: 2.41",
        "Revenue, 2019: 482 (in thousands)",
    ]


def test_cells_of_one_row_share_a_number_and_those_of_two_do_not() -> None:
    one = ask(ENGLISH, "What was the gross profit in 2019 and 2018, respectively?")
    two = ask(ENGLISH, "What were the respective revenue and gross profit in 2018?")
    assert (one.sentences[0].citations, values(one)) == ((1,), ["281,985", "221,600"])
    assert [citation.n for citation in one.citations] == [1, 1]
    assert two.sentences[0].citations == (1, 2)
    assert [citation.n for citation in distinct(one.citations)] == [1]
    assert [citation.n for citation in strict(one, language="en").citations] == [1, 1]


def test_a_citation_names_the_headers_of_its_cell() -> None:
    (citation,) = ask(ENGLISH, "What was Revenue in 2017?").citations
    assert citation.cell is not None
    assert (citation.cell.row, citation.cell.column, citation.cell.unit) == (
        ("Revenue",),
        ("2017",),
        "in thousands",
    )
    assert citation.quote.startswith("Revenue")


@pytest.mark.parametrize(
    ("question", "figure"),
    [
        ("매출액은 2022년에 비해 2023년에 얼마나 늘었나요?", "134"),
        ("2023년에 영업이익은 얼마나 올랐나요?", "30"),
    ],
)
def test_a_korean_question_for_a_change_is_computed(question: str, figure: str) -> None:
    sentence = ask(KOREAN, question).sentences[0]
    assert [derived.figure for derived in sentence.derived] == [figure]


def test_a_comparison_names_the_period_first() -> None:
    assert ask(ENGLISH, "In which year was gross profit the smallest?").sentences[0].text.startswith("2017")
    assert (
        ask(ENGLISH, "In which year was revenue more than 450,000 thousand?")
        .sentences[0]
        .text.startswith("2019")
    )


@pytest.mark.parametrize(
    ("question", "figure", "operation"),
    [
        ("What was the change in revenue from 2018 to 2019?", "79,885", "difference"),
        (
            "What was the percentage change in gross profit between 2017 and 2018?",
            "0.84%",
            "percentage change",
        ),
        ("What is the average cost of revenue for 2018 and 2019?", "190,250", "average"),
        ("What was the % change in gross profit from 2017 to 2018?", "0.84%", "percentage change"),
        ("What is the percentage of gross profit in revenue in 2018?", "55.11%", "percentage"),
        ("How much is the cost of revenue as a percentage of revenue in 2018?", "44.89%", "percentage"),
        ("What is the ratio of gross profit to cost of revenue in 2019?", "1.41", "ratio"),
        ("What is the difference between revenue and gross profit in 2017?", "170,250", "difference"),
        ("What was the total cost of revenue in 2018 and 2019?", "380,500", "sum"),
    ],
)
def test_a_named_operation_is_computed_and_marked(question: str, figure: str, operation: str) -> None:
    sentence = ask(ENGLISH, question).sentences[0]
    (derived,) = sentence.derived
    assert (derived.figure, derived.operation) == (figure, operation)
    assert sentence.support is Support.WEAK


@pytest.mark.parametrize(
    "question",
    [
        "What is the percentage of rent in revenue in 2018?",
        "What is the difference between average revenue and average gross profit in 2018 and 2019?",
    ],
)
def test_a_figure_of_what_the_table_lacks_or_of_several_steps_is_not_computed(question: str) -> None:
    assert not any(sentence.derived for sentence in ask(ENGLISH, question).sentences)


REVENUE = "Revenue $481,985 $402,100 $390,000"
INCOME = "Operating income (loss) (1,200) 3,400 5,600"


@pytest.mark.parametrize(
    ("sentence", "row"),
    [
        ("Revenue was $481,985 thousand in 2019.", REVENUE),
        ("Revenue rose from $402,100 thousand in 2018 to $481,985 thousand in 2019.", REVENUE),
        ("In 2019 there was an operating loss of 1,200 thousand.", INCOME),
    ],
)
def test_a_figure_with_its_headers_is_verified(sentence: str, row: str) -> None:
    assert said(ENGLISH, sentence, row).support is Support.VERIFIED


@pytest.mark.parametrize(
    ("sentence", "row"),
    [
        ("Revenue was $481,985 thousand in 2018.", REVENUE),
        ("Revenue rose from $481,985 thousand in 2018 to $402,100 thousand in 2019.", REVENUE),
        ("Gross profit was $481,985 thousand in 2019.", REVENUE),
        ("Revenue was $481,985 million in 2019.", REVENUE),
        ("Operating income was 1,200 thousand in 2019.", INCOME),
        ("Revenue came from 481,985 lifeboats in 2019.", REVENUE),
    ],
    ids=["period", "two periods", "item", "unit", "sign", "what is counted"],
)
def test_a_figure_under_other_headers_is_not_verified(sentence: str, row: str) -> None:
    assert said(ENGLISH, sentence, row).support is not Support.VERIFIED


def test_the_question_tells_the_period_that_the_sentence_leaves_out() -> None:
    right, wrong = "What was revenue in 2019?", "What was revenue in 2018?"
    assert said(ENGLISH, "Revenue was $481,985 thousand.", REVENUE, right).support is Support.VERIFIED
    assert said(ENGLISH, "Revenue was $481,985 thousand.", REVENUE, wrong).support is Support.WEAK


def test_korean_figures_are_bound_to_their_headers() -> None:
    assert said(KOREAN, "2023년 매출액은 1,234백만원이다.", "매출액 1,234 1,100").support is Support.VERIFIED
    assert (
        said(KOREAN, "2022년 매출액은 1,234백만원이다.", "매출액 1,234 1,100").support is not Support.VERIFIED
    )


def test_a_header_row_is_never_an_answer() -> None:
    for question in (
        "What was Revenue in 2017?",
        "What was the inventory in 2017?",
        "Which auditor signed in 2017?",
    ):
        assert all(sentence.text != "2019 2018 2017" for sentence in ask(ENGLISH, question).sentences)
