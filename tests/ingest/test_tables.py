"""Tables as they are read: cells with their headers, from PDF and from formats that say where their cells are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import docx
import openpyxl
import pytest
from reportlab.pdfgen.canvas import Canvas

from rag.text.sentences import sentences
from rag.types import Table
from tests.ingest.pdfs import HEIGHT, KOREAN, Draw, both, lines, write_pdf
from tests.ingest.support import read_file

Cells = dict[tuple[tuple[str, ...], str], str]


def grid(
    rows: Sequence[Sequence[str]], *, rights: Sequence[float] = (300, 380, 460), font: str = "Helvetica"
) -> Draw:
    """Rows of a label (leading blanks indent it) and figures that end at `rights`; empty texts are left out."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, 10)
        for number, (label, *figures) in enumerate(rows):
            y = HEIGHT - 100 - 14 * number
            canvas.drawString(72 + 6 * (len(label) - len(label.lstrip())), y, label.lstrip())
            for right, text in zip(rights, figures, strict=False):
                canvas.drawRightString(right, y, text)

    return draw


def tables_of(tmp_path: Path, draw: Draw) -> tuple[Table, ...]:
    return read_file(write_pdf(tmp_path / "document.pdf", [draw])).tables


def cells_of(table: Table) -> Cells:
    """Values by row path and column headers as one text."""
    return {
        (row.path, " ".join(table.columns[cell.column])): cell.text
        for row in table.rows
        for cell in row.cells
    }


STATEMENT = (
    ("(in millions)", "2019", "2018"),
    ("Transport:",),
    ("  Cars", "$ 5,686", "$ 6,092"),
    ("  Sensors(1)", "914", "(18)"),
    ("Charges for the amortization of acquisition",),
    ("related adjustments", "3", "—"),
    ("Total", "$ 6,603", "$ 6,074"),
)


def test_figures_keep_their_row_and_column_headers(tmp_path: Path) -> None:
    (table,) = tables_of(tmp_path, grid(STATEMENT))
    cells = cells_of(table)
    assert table.unit == "in millions"
    assert cells[(("Transport", "Cars"), "2019")].replace(" ", "") == "$5,686"
    assert cells[(("Transport", "Sensors"), "2018")] == "(18)"
    label = "Charges for the amortization of acquisition related adjustments"
    assert cells[((label,), "2019")] == "3"
    assert cells[(("Total",), "2018")].replace(" ", "") == "$6,074"


def test_a_header_over_several_columns_is_a_header_of_each(tmp_path: Path) -> None:
    rows = (
        ("", "2019", "2018", "2019", "2018"),
        ("Discount rate", "4.00%", "3.75%", "1.90%", "2.80%"),
        ("Inflation", "1.00%", "1.10%", "1.20%", "1.30%"),
    )

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        canvas.drawCentredString(280, HEIGHT - 86, "Domestic")
        canvas.drawCentredString(420, HEIGHT - 86, "International")
        grid(rows, rights=(260, 320, 400, 460))(canvas)

    (table,) = tables_of(tmp_path, draw)
    assert table.columns == (
        ("Domestic", "2019"),
        ("Domestic", "2018"),
        ("International", "2019"),
        ("International", "2018"),
    )


@pytest.mark.parametrize("repeated", [(), STATEMENT[:1]], ids=["no headers", "headers again"])
def test_a_table_goes_on_on_the_next_page(tmp_path: Path, repeated: Sequence[Sequence[str]]) -> None:
    def running(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(72, HEIGHT - 40, "Harbour Works plc - annual report")

    rest = [*repeated, ("Rent", "1,204", "1,377"), ("Fees", "88", "91"), ("Sum", "$ 1,292", "$ 1,468")]
    path = write_pdf(tmp_path / "two.pdf", [grid(STATEMENT), both(running, grid(rest))])
    first, second = read_file(path).tables
    assert second.columns == first.columns == (("2019",), ("2018",))
    assert second.unit == first.unit == "in millions"
    assert cells_of(second)[("Rent",), "2018"] == "1,377"


def test_the_number_of_the_page_is_no_cell(tmp_path: Path) -> None:
    def numbered(canvas: Canvas) -> None:
        grid((*STATEMENT, ("Supplemental disclosure",)))(canvas)
        canvas.drawCentredString(306, HEIGHT - 220, "42")

    (table,) = tables_of(tmp_path, numbered)
    assert "42" not in cells_of(table).values()
    (table,) = tables_of(tmp_path, grid((*STATEMENT, ("", "42"))))
    assert "42" in cells_of(table).values()


def test_another_table_on_the_next_page_keeps_its_own_headers(tmp_path: Path) -> None:
    other = [("(in tonnes)", "Coal", "Grain"), ("Imports", "1,204", "1,377"), ("Exports", "88", "91")]
    below = lines(
        "Cargo is weighed at the gate.", "The scales are tested every year.", "A third line.", "A fourth."
    )
    path = write_pdf(tmp_path / "two.pdf", [both(grid(STATEMENT), lines("x", top=200)), grid(other)])
    assert read_file(path).tables[1].columns == (("Coal",), ("Grain",))
    apart = [grid(STATEMENT), both(below, grid([("", ""), ("", ""), ("", ""), ("", ""), *other[1:]]))]
    assert read_file(write_pdf(tmp_path / "apart.pdf", apart)).tables[1].columns == ((), ())


def test_korean_headers_and_units(tmp_path: Path) -> None:
    rows = (("단위: 백만원", "2023년", "2022년"), ("매출액", "1,234", "1,100"), ("영업손실", "△50", "20"))
    (table,) = tables_of(tmp_path, grid(rows, font=KOREAN))
    assert table.unit == "백만원"
    assert cells_of(table)[(("영업손실",), "2023년")] == "△50"


@pytest.mark.parametrize("units", [("MB", "GB"), ("메가바이트", "기가바이트"), ("kg", "시간")])
def test_figures_with_their_units_are_cells(tmp_path: Path, units: tuple[str, str]) -> None:
    first, second = units
    rows = (
        ("모델", "보통", "최대"),
        ("작은 상자", f"256{first}", f"4{second}"),
        ("큰 상자", f"1.5{first}", f"10{second}"),
    )
    (table,) = tables_of(tmp_path, grid(rows, font=KOREAN))
    assert cells_of(table)[(("큰 상자",), "최대")] == f"10{second}"


@pytest.mark.parametrize(
    "texts",
    [
        ("The harbour board met in 2019 and agreed on the pier.", "It cost 60 million dollars in 1931.",
         "Eight lanes cross the river, and the toll was abolished in 1954."),
        ("Introduction ......... 3", "The bridge ......... 12", "The ferry ......... 27", "Index ....... 40"),
    ],
    ids=["prose", "contents"],
)  # fmt: skip
def test_prose_and_contents_are_no_tables(tmp_path: Path, texts: Sequence[str]) -> None:
    assert tables_of(tmp_path, lines(*texts)) == ()


def test_cells_are_at_their_place_in_the_stored_page(tmp_path: Path) -> None:
    reading = read_file(write_pdf(tmp_path / "document.pdf", [grid(STATEMENT)]))
    text = reading.pages[0].text
    for row in reading.tables[0].rows:
        for cell in row.cells:
            assert text[cell.start : cell.end] == cell.text
            assert row.start <= cell.start < cell.end <= row.end
            assert cell.box is not None
            assert cell.box[0] < cell.box[2]


def test_pieces_of_a_long_table_carry_its_headers(tmp_path: Path) -> None:
    rows = [
        ("(in thousands)", "2019", "2018"),
        *((f"Branch office number {n}", f"{n},100", f"{n},200") for n in range(1, 45)),
    ]
    path = write_pdf(tmp_path / "document.pdf", [grid(rows)])
    chunks = read_file(path, chunk_tokens=150).chunks
    assert len(chunks) > 2
    for chunk in chunks[1:]:
        assert "2019" in chunk.header
        assert "in thousands" in chunk.header
        assert all(len(line.split()) == 6 for line in chunk.text.splitlines())


HTML = """<p>Sales (in millions):</p><table>
<tr><th rowspan=2>Region</th><th colspan=2>Year</th></tr><tr><th>2019</th><th>2018</th></tr>
<tr><td>Europe</td><td>$1,200</td><td>$1,100</td></tr><tr><td>Asia</td><td></td><td>300</td></tr></table>"""


MARKDOWN = "| 구분 | 2023년 | 2022년 |\n|---|---|---|\n| 매출액 | 1,234 | 1,100 |\n"


@pytest.mark.parametrize(
    ("name", "content", "path", "column", "value"),
    [
        ("a.html", HTML, ("Asia",), "Year 2018", "300"),
        ("b.md", MARKDOWN, ("매출액",), "2022년", "1,100"),
        ("c.csv", "item,2019,2018\nRevenue,500,400\nCosts,300,250\n", ("Costs",), "2018", "250"),
    ],
    ids=["html", "markdown", "csv"],
)  # fmt: skip
def test_other_formats_say_their_cells(
    tmp_path: Path, name: str, content: str, path: tuple[str, ...], column: str, value: str
) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    (table,) = read_file(file).tables
    assert cells_of(table)[(path, column)] == value


FARES = (("Fares", "Adult", "Child"), ("Ferry", "9", "4"), ("Bus", "3", "2"))
LOADS = (("Loads", "Cars", "Trucks"), ("Ferry", "40", "6"))


def written_as_markdown(file: Path, *tables: Sequence[Sequence[str]]) -> None:
    texts = ["\n".join(map(" | ".join, (rows[0], ["---"] * len(rows[0]), *rows[1:]))) for rows in tables]
    file.write_text("\n\n".join(texts), "utf-8")


def written_as_html(file: Path, *tables: Sequence[Sequence[str]]) -> None:
    cells = [["".join(f"<td>{cell}</td>" for cell in row) for row in rows] for rows in tables]
    file.write_text("".join(f"<table><tr>{'</tr><tr>'.join(rows)}</tr></table>" for rows in cells), "utf-8")


def written_as_docx(file: Path, *tables: Sequence[Sequence[str]]) -> None:
    document = docx.Document()
    for rows in tables:
        table = document.add_table(len(rows), len(rows[0]))
        for row, texts in zip(table.rows, rows, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        document.add_paragraph()
    document.save(str(file))


def written_as_xlsx(file: Path, *tables: Sequence[Sequence[str]]) -> None:
    book = openpyxl.Workbook()
    for rows in tables:
        for row in rows:
            book.active.append([int(text) if text.isdecimal() else text for text in row])
        book.active.append([])
    book.save(file)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.md", written_as_markdown),
        ("a.html", written_as_html),
        ("a.docx", written_as_docx),
        ("a.xlsx", written_as_xlsx),
    ],
)
def test_tables_with_nothing_between_them_keep_their_own_headers(
    tmp_path: Path, name: str, write: Callable[..., None]
) -> None:
    write(tmp_path / name, FARES, LOADS)
    fares, loads = read_file(tmp_path / name).tables
    assert cells_of(fares)[("Bus",), "Child"] == "2"
    assert cells_of(loads) == {(("Ferry",), "Cars"): "40", (("Ferry",), "Trucks"): "6"}


@pytest.mark.parametrize(("name", "write"), [("a.html", written_as_html), ("a.docx", written_as_docx)])
def test_a_row_of_words_below_the_headers_is_no_header(
    tmp_path: Path, name: str, write: Callable[..., None]
) -> None:
    write(tmp_path / name, (("Lodger", "Room", "Rent"), ("Ives", "Attic", "free"), ("Orr", "Hall", "40")))
    (table,) = read_file(tmp_path / name).tables
    assert cells_of(table)[("Ives",), "Rent"] == "free"
    assert cells_of(table)[("Orr",), "Rent"] == "40"


@pytest.mark.parametrize(("name", "write"), [("a.html", written_as_html), ("a.docx", written_as_docx)])
def test_pairs_of_a_name_and_a_value_have_no_header(
    tmp_path: Path, name: str, write: Callable[..., None]
) -> None:
    write(tmp_path / name, (("Tenant", "A. Ives"), ("Street", "Mill Lane"), ("Floor", "2")))
    (table,) = read_file(tmp_path / name).tables
    assert cells_of(table) == {
        (("Tenant",), ""): "A. Ives",
        (("Street",), ""): "Mill Lane",
        (("Floor",), ""): "2",
    }


def test_figures_below_an_empty_row_of_a_sheet_belong_to_the_table_above(tmp_path: Path) -> None:
    written_as_xlsx(tmp_path / "a.xlsx", FARES, [("Train", "8", "5")])
    (table,) = read_file(tmp_path / "a.xlsx").tables
    assert cells_of(table)[("Train",), "Child"] == "5"


def test_the_line_of_the_unit_is_not_the_title(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(f"부서별 예산\n\n(단위: 천원)\n\n{MARKDOWN}", "utf-8")
    (table,) = read_file(tmp_path / "a.md").tables
    assert (table.title, table.unit) == ("부서별 예산", "천원")


def test_a_table_inside_a_cell_is_a_table_of_its_own(tmp_path: Path) -> None:
    inner = "<table><tr><th>Deck<th>Seats<tr><td>Upper<td>30</table>"
    rows = f"<tr><th>Ship<th>Crew<tr><td>Gull {inner}<td>7<tr><td>Tern<td>9"
    (tmp_path / "a.html").write_text(f"<table>{rows}</table>", "utf-8")
    found = [cells_of(table) for table in read_file(tmp_path / "a.html").tables]
    assert {(("Upper",), "Seats"): "30"} in found
    assert any(cells.get((("Gull",), "Crew")) == "7" for cells in found)


@pytest.mark.parametrize(
    ("rows", "labels", "columns"),
    [
        (
            (
                "Type | Size | Use | Range",
                "mini | 2 bytes | small | 1 to 9",
                "auto | variable | any | 1 to 99",
            ),
            [("mini",), ("auto",)],
            [("Size",), ("Use",), ("Range",)],
        ),
        (
            ("No. | Item | Price", "1 | Rope | 4", "2 | Sail | 90"),
            [("1", "Rope"), ("2", "Sail")],
            [("Price",)],
        ),
        (
            ("Pier | Month | Boats", "North | May | 12", "North | June | 15"),
            [("North", "May"), ("North", "June")],
            [("Boats",)],
        ),
    ],
    ids=["named by the first", "numbered", "grouped"],
)
def test_the_columns_that_name_the_rows_of_a_table_with_cells(
    rows: tuple[str, ...], labels: list[tuple[str, ...]], columns: list[tuple[str, ...]], tmp_path: Path
) -> None:
    line = "".join(f"<tr><td>{row.replace(' | ', '<td>')}" for row in rows[1:])
    (tmp_path / "a.html").write_text(
        f"<table><tr><th>{rows[0].replace(' | ', '<th>')}{line}</table>", "utf-8"
    )
    (table,) = read_file(tmp_path / "a.html").tables
    assert [row.path for row in table.rows] == labels
    assert list(table.columns) == columns


def words(
    rows: Sequence[Sequence[str]], lefts: Sequence[float], *, step: float = 18, head: bool = False
) -> Draw:
    """Rows of words that begin at `lefts`, `step` points apart; the lines of one cell are 11 apart.

    head: the first row is bold.
    """

    def draw(canvas: Canvas) -> None:
        y = HEIGHT - 100.0
        for number, cells in enumerate(rows):
            canvas.setFont("Helvetica-Bold" if head and number == 0 else "Helvetica", 10)
            for left, cell in zip(lefts, cells, strict=False):
                for line, text in enumerate(cell.split("\n")):
                    canvas.drawString(left, y - 11 * line, text)
            y -= step + 11 * max(cell.count("\n") for cell in cells)

    return draw


DUTIES = (
    ("Duty", "Done by", "When"),
    ("Winding the clock", "the sexton", "every Monday"),
    ("Feeding the cat", "the porter", "morning and night"),
    ("Airing the tower", "nobody", "never"),
)


def test_a_table_of_words_has_rows_and_columns(tmp_path: Path) -> None:
    (table,) = tables_of(tmp_path, words(DUTIES, (72, 200, 300), head=True))
    assert cells_of(table)[("Feeding the cat",), "Done by"] == "the porter"
    assert cells_of(table)[("Airing the tower",), "When"] == "never"


def test_rows_of_figures_that_end_in_words_are_sentences_of_their_own(tmp_path: Path) -> None:
    rows = (("Load", "2024", "Paid by"), ("Coal", "1,200", "the mill"), ("Salt", "310", "the town"))
    reading = read_file(write_pdf(tmp_path / "document.pdf", [words(rows, (72, 200, 300), head=True)]))
    text = reading.pages[0].text
    said = [" ".join(text[start:end].split()) for start, end in sentences(text)]
    assert said == ["Load 2024 Paid by", "Coal 1,200 the mill", "Salt 310 the town"]


def test_without_a_mark_the_first_row_of_words_is_a_row(tmp_path: Path) -> None:
    (table,) = tables_of(tmp_path, words(DUTIES, (72, 200, 300)))
    assert table.rows[0].path == ("Duty",)
    assert not any(table.columns)


def test_a_row_without_figures_over_rows_with_some_names_the_columns(tmp_path: Path) -> None:
    rows = (
        ("Lodger", "Room", "Rent"),
        ("Ives", "Attic 2", "free"),
        ("Orr", "Hall 3", "half"),
        ("Quill", "Yard", "4 a day"),
    )
    (table,) = tables_of(tmp_path, words(rows, (72, 200, 300)))
    assert cells_of(table)[("Orr",), "Room"] == "Hall 3"


def test_a_cell_of_words_may_be_written_on_several_lines(tmp_path: Path) -> None:
    rows = (
        ("Term", "Meaning"),
        ("Ebb", "the tide\ngoes out"),
        ("Flood", "it comes in"),
        ("Neap", "it does\nhardly either"),
    )
    (table,) = tables_of(tmp_path, words(rows, (72, 200), head=True))
    assert cells_of(table)[("Ebb",), "Meaning"] == "the tide goes out"
    assert [row.path for row in table.rows] == [("Ebb",), ("Flood",), ("Neap",)]


@pytest.mark.parametrize(
    "rows",
    [
        (("1.", "Open the valve."), ("2.", "Let the water run."), ("3.", "Close it again."), ("4.", "Dry the tap.")),
        (("•", "a rope"), ("•", "a lamp"), ("•", "a whistle")),
        (("Preface", "ii"), ("The keel", "3"), ("The sail", "19"), ("The oars", "40"), ("The net", "77")),
        (("Duty", "Done by"), ("Winding the clock", "the sexton")),
        (
            ("The harbour was built by the monks", "who kept its light for three hundred years"),
            ("until the order was dissolved and the", "stones of the tower were sold to a miller"),
            ("of the town, who used them for his weir", "and left the rest of them to the sea, which"),
        ),
    ],
    ids=["steps", "bullets", "contents", "two rows", "prose"],
)  # fmt: skip
def test_lists_contents_and_prose_are_no_tables_of_words(
    tmp_path: Path, rows: Sequence[Sequence[str]]
) -> None:
    lefts = (72, 100) if len(rows[0][0]) < 3 else (72, 300)
    assert tables_of(tmp_path, words(rows, lefts)) == ()
