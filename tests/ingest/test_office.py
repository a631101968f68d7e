"""Office files: what is read of workbooks, decks and Hangul documents, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.readers.xlsx import shown
from rag.types import Status
from tests.ingest import office_files
from tests.ingest.support import read_file


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1234567, "#,##0", "1,234,567"),
        (0.1288, "0.0%", "12.9%"),
        (-1234.5, "#,##0.00;[Red](#,##0.00)", "(1,234.50)"),
        (-7, "0", "-7"),
        (1500000, '#,##0,"천원"', "1,500천원"),
        (4200, "[$₩-412]#,##0", "₩4,200"),
        (0, '#,##0;-#,##0;"-"', "-"),
        (12.5, "General", "12.5"),
        (0.1 + 0.2, "General", "0.3"),
        (7, "000", "007"),
        (True, "General", "TRUE"),
        (3.14, "# ?/?", "3.14"),
        (date(2026, 3, 17), "yyyy-mm-dd", "2026-03-17"),
        (datetime(2026, 3, 7, 14, 5), 'yyyy"년" m"월" d"일" hh:mm', "2026년 3월 7일 14:05"),
        (datetime(2026, 3, 7, 14, 5), "mmm d, yyyy h:mm AM/PM", "Mar 7, 2026 2:05 PM"),
        (time(9, 30), "h:mm", "9:30"),
    ],
)
def test_a_value_is_written_as_the_sheet_shows_it(value: object, form: str, text: str) -> None:
    assert shown(value, form) == text


def test_a_sheet_is_a_page_and_its_cells_have_names(tmp_path: Path) -> None:
    reading = read_file(office_files.budget(tmp_path / "budget.xlsx"))
    assert [(page.label, page.status) for page in reading.pages] == [("예산", "ok"), ("Schedule", "ok")]
    assert "홍보과 | 이하린 | 88,000 | 79,300 | -9.9%" in reading.pages[0].text
    assert "Crane hire | Noah Brandt | 2026-05-02 | €18,350" in reading.pages[1].text
    assert "reorganisation" not in "".join(page.text for page in reading.pages)
    assert "Internal" in reading.reason
    table = reading.tables[0]
    assert (table.title, table.unit) == ("2026년 부서별 예산", "천원")
    cells = {cell.name: (cell.text, table.columns[cell.column]) for row in table.rows for cell in row.cells}
    assert cells["예산!D6"] == ("512,750", ("2026년",))
    assert table.rows[1].name == "예산!A6"


def test_merged_hidden_and_far_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    rows = (
        ("Region", "Sales", None, "Note"),
        (None, "2024", "2025", None),
        ("East", 11, 12, "x"),
        (None, 13, 14, "y"),
    )
    for r, values in enumerate(rows, start=2):
        for c, value in enumerate(values, start=2):
            sheet.cell(r, c, value)
    sheet.merge_cells("C2:D2")
    sheet.merge_cells("B4:B5")
    sheet["B9"], sheet["C9"] = "secret row", 99
    sheet.row_dimensions[9].hidden = True
    sheet["XFD9"] = "beyond every table"
    book.save(tmp_path / "merged.xlsx")
    reading = read_file(tmp_path / "merged.xlsx")
    (table,) = reading.tables
    assert table.columns[:2] == (("Sales", "2024"), ("Sales", "2025"))
    assert [(row.path, row.cells[1].text, row.cells[1].name) for row in table.rows] == [
        (("East",), "12", "Sheet!D4"),
        (("East",), "14", "Sheet!D5"),
    ]
    assert "secret" not in reading.pages[0].text
    assert "hidden text left out" in reading.reason
    assert "secret row" in read_file(tmp_path / "merged.xlsx", keep_hidden_text=True).pages[0].text


def test_a_slide_is_a_page(tmp_path: Path) -> None:
    reading = read_file(office_files.deck(tmp_path / "deck.pptx"))
    assert reading.title == "Harbour renewal programme"
    assert [page.status for page in reading.pages] == [Status.OK, Status.OK, Status.HIDDEN_TEXT, Status.OK]
    assert reading.pages[2].text == ""
    assert "Notes: Divers inspect the north pier every second Tuesday." in reading.pages[1].text
    (table,) = reading.tables
    assert table.rows[1].path == ("South pier",)
    assert [cell.text for cell in table.rows[1].cells] == ["Keel & Sons", "3 November 2026"]


def test_charts_groups_and_alternative_texts_of_a_slide(tmp_path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["2024", "2025"]
    data.add_series("Berths", (140, 155))
    frame = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", "Berths grew by fifteen")
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame.text = "Inside a group"
    made.save(tmp_path / "chart.pptx")
    reading = read_file(tmp_path / "chart.pptx")
    text = reading.pages[0].text
    assert "[Berths grew by fifteen]" in text
    assert "Inside a group" in text
    assert [(row.path, row.cells[0].text) for row in reading.tables[0].rows] == [
        (("2024",), "140"),
        (("2025",), "155"),
    ]


RULES = [
    "출장 여비 규정",
    "출장은 부서장의 승인을 받는다.",
    "아래 표를 따른다.",
    "직급 | 여비(원)",
    "직급 | 국내 | 국외",
    "과장 | 45,000 | 130,000",
    "문의는 총무과로 한다.",
    "휴일 출장은 1.5배로 계산한다.",
    "한빛정밀 사내 규정집",
]


def test_a_chart_of_a_kind_that_is_not_known_costs_itself_alone(tmp_path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Ticket sales rose in June."
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("Tickets", (10, 20))
    box = (Inches(1), Inches(2), Inches(5), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *box, data).chart
    plot = next(chart._chartSpace.iter("{*}barChart"))
    plot.tag = plot.tag.replace("barChart", "area3DChart")
    made.save(tmp_path / "chart.pptx")
    (page,) = read_file(tmp_path / "chart.pptx").pages
    assert (page.text, page.status) == ("Ticket sales rose in June.", Status.OK)
    assert "cannot be read" in page.reason


@pytest.mark.parametrize("kind", ["hwpx", "hwp"])
def test_a_hangul_document_in_reading_order(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"규정.{kind}"
    reading = read_file(
        office_files.hwpx(path, *office_files.rules()) if kind == "hwpx" else office_files.hwp_rules(path)
    )
    lines = [line for line in reading.pages[0].text.split("\n") if line]
    assert [line for line in lines if line in RULES] == RULES
    assert [page.label for page in reading.pages] == ["section 1, paragraph 1", "section 2, paragraph 1"]
    assert "시행한다" in reading.pages[1].text
    assert "보이지 않는" not in reading.pages[0].text
    assert "메모" not in reading.pages[0].text
    assert "hidden text left out" in reading.reason
    (table,) = reading.tables
    assert table.columns == (("여비(원)", "국내"), ("여비(원)", "국외"))
    assert [cell.text for cell in table.rows[0].cells] == ["45,000", "130,000"]
    assert "보이지 않는 문장" in read_file(path, keep_hidden_text=True).pages[0].text


def test_a_tracked_deletion_is_left_out_and_an_insertion_kept(tmp_path: Path) -> None:
    reading = read_file(office_files.hwpx(tmp_path / "규정.hwpx", *office_files.rules()))
    assert "출장비는 7일 안에 지급한다." in reading.pages[0].text
    assert "tracked changes" in reading.reason


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.hwp", lambda path: office_files.hwp(path, b"", flags=3), Status.ENCRYPTED),
        ("b.hwp", lambda path: office_files.hwp(path, b"", flags=5), Status.ENCRYPTED),
        ("c.hwp", lambda path: path.write_bytes(b"HWP Document File V3.00 \x1a"), Status.UNSUPPORTED),
        ("d.hwp", lambda path: path.write_bytes(b"<html>"), Status.DAMAGED),
        ("e.hwpx", lambda path: office_files.hwpx(path, parts={"META-INF/manifest.xml": "<m><encryption-data/></m>"}),
         Status.ENCRYPTED),
        ("f.hwpx", lambda path: office_files.hwpx(path, "<hp:p>"), Status.DAMAGED),
        ("g.hwpx", lambda path: path.write_bytes(b""), Status.EMPTY),
        ("h.xlsx", lambda path: path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") * 64), Status.ENCRYPTED),
        ("i.pptx", lambda path: office_files.hwpx(path), Status.DAMAGED),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(
    tmp_path: Path, name: str, content: Callable[[Path], object], status: Status
) -> None:
    content(tmp_path / name)
    reading = read_file(tmp_path / name)
    assert (reading.status, reading.pages) == (status, ())
    assert reading.reason


def test_a_hangul_file_under_the_name_of_the_other_format(tmp_path: Path) -> None:
    office_files.hwpx(tmp_path / "new.hwp", *office_files.rules())
    assert read_file(tmp_path / "new.hwp").status is Status.OK
