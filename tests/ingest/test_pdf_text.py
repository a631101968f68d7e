"""Text of PDFs as it is stored: paragraphs whole, rows on a line, columns in order, furniture set apart."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from ingest.reading import Reading
from rag.types import Page, Status
from tests.ingest import pdfs
from tests.ingest.layouts import TEXTS, parse
from tests.ingest.pdfs import HEIGHT, KOREAN, WIDTH, Draw, both, lines, wrapped, write_pdf
from tests.ingest.support import read_file

PROSE = (
    "The harbour board met in the old customs house and agreed that the northern pier would be rebuilt before the "
    "winter storms. Nobody objected, although the treasurer reminded the members that the fund for repairs had been "
    "spent on the dredger. The vote was taken at noon and the minutes were signed by the chair."
)
KOREAN_PROSE = (
    "항만 위원회는 옛 세관 건물에서 회의를 열고 겨울 폭풍이 오기 전에 북쪽 부두를 다시 짓기로 결정하였다. "
    "회계 담당자는 수리 기금이 준설선을 사는 데 이미 쓰였다고 위원들에게 알렸지만 반대하는 사람은 없었다. "
    "투표는 정오에 이루어졌고 의장이 회의록에 서명하였다. 위원회는 다음 달에 다시 모여 부두 공사의 비용과 기간을 "
    "정하기로 하였다. 북쪽 부두는 오십 년 전에 지어졌으며 그동안 여러 번 고쳤으나 겨울 폭풍을 견디기에는 너무 "
    "낡았다는 평가를 받았다. 주민들은 부두 공사가 끝날 때까지 남쪽 부두를 사용하게 된다. 의장은 공사 기간에도 배가 "
    "평소처럼 다닐 것이라고 말하였다."
)


def _read(tmp_path: Path, *pages: Draw, **options: object) -> Reading:
    return read_file(write_pdf(tmp_path / "document.pdf", pages, **options))


def _page(tmp_path: Path, draw: Draw) -> Page:
    return _read(tmp_path, draw).pages[0]


def _body(page: Page) -> str:
    """The text without its furniture."""
    kept = list(page.text)
    for start, end in page.headers_footers:
        kept[start:end] = [""] * (end - start)
    return "".join(kept).strip()


def test_lines_of_a_paragraph_become_one(tmp_path: Path) -> None:
    page = _page(tmp_path, lines(*wrapped(PROSE, width=400), "", *wrapped(PROSE, width=400)))
    assert page.text == f"{PROSE}\n\n{PROSE}"


def test_words_hyphenated_at_line_ends_are_joined_and_compounds_kept(tmp_path: Path) -> None:
    page = _page(
        tmp_path,
        lines(
            "The long-term plan of the harbour board was to re-",
            "place the northern pier, and the treasurer spoke of long-",
            "term debt with the bank, which none of the mem-",
            "bers wished to hear of in the winter of that year.",
        ),
    )
    assert "to replace the northern" in page.text
    assert "of long-term debt" in page.text
    assert "the members wished" in page.text


def test_korean_words_broken_at_line_ends_are_joined(tmp_path: Path) -> None:
    rows = wrapped(KOREAN_PROSE, width=390, font=KOREAN, anywhere=True)
    text = _page(tmp_path, lines(*rows, font=KOREAN)).text
    assert "".join(text.split()) == "".join(KOREAN_PROSE.split())
    broken = len(rows) - 1
    wrong = set(text.split()) ^ set(KOREAN_PROSE.split())
    assert len(wrong) <= 2 + broken // 6, wrong


def test_korean_lines_that_end_between_words_keep_their_spaces(tmp_path: Path) -> None:
    rows = wrapped(KOREAN_PROSE, width=250, font=KOREAN)
    assert _page(tmp_path, lines(*rows, font=KOREAN)).text == KOREAN_PROSE


def test_korean_lines_that_mostly_end_at_spaces_may_still_break_words(tmp_path: Path) -> None:
    """TeX justifies its lines and prefers to end them at a space: where a word is broken, it is joined."""
    texts = [block.text for name in TEXTS if name.endswith("-ko") for block in parse(TEXTS[name])]
    prose = " ".join(text for text in texts if len(text) > 60)
    rows = _at_spaces_nearby(prose, 34)
    draws = [_justified(rows[at : at + 40]) for at in range(0, len(rows), 40)]
    text = " ".join(page.text for page in _read(tmp_path, *draws).pages)
    broken = sum(f"{left[-1]}{right[0]}" in prose for left, right in pairwise(rows))
    assert len(rows) / 10 < broken < len(rows) / 2
    wrong = set(text.split()) - set(prose.split())
    assert len(wrong) < broken  # a word left broken would make two


def _at_spaces_nearby(text: str, width: int) -> list[str]:
    """Lines of about `width` characters that end at a space where one is among the last three, else in a word."""
    rows, inside = [], re.compile("[가-힣]{2}")
    while len(text) > width:
        last = (width, width - 1, width - 2, width - 3)
        end = next((at for at in last if text[at] == " "), 0)
        end = end or next((at for at in last if inside.match(text, at - 1)), 0) or text.rindex(" ", 0, width)
        rows.append(text[:end])
        text = text[end:].lstrip()
    return [*rows, text]


def _justified(rows: list[str]) -> Draw:
    """Draws every line as wide as the column."""

    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, HEIGHT - 100)
        text.setFont(KOREAN, 11)
        for row in rows:
            free = 400 - pdfmetrics.stringWidth(row, KOREAN, 11)
            text.setCharSpace(free / max(1, len(row) - 1) if free < 120 else 0)
            text.textOut(row)
            text.moveCursor(0, 15)
        canvas.drawText(text)

    return draw


def test_ligatures_and_full_width_forms_become_plain(tmp_path: Path) -> None:
    page = _page(tmp_path, lines("ＡＢＣ　２０２３년 매출은 늘었다.", font=KOREAN))
    assert page.text == "ABC 2023년 매출은 늘었다."


def _table(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 10)
    rows = [
        ("", "2023", "2022"),
        ("Revenue", "1,204", "1,150"),
        ("Cost of fuel", "(310)", "(295)"),
        ("Net", "894", "855"),
    ]
    for number, row in enumerate(rows):
        for cell, x in zip(row, (72, 300, 400), strict=True):
            canvas.drawString(x, 600 - 14 * number, cell)


def test_a_table_row_stays_on_a_line(tmp_path: Path) -> None:
    page = _page(tmp_path, both(lines("Results in thousand pounds"), _table))
    assert page.text.splitlines()[-3:] == ["Revenue 1,204 1,150", "Cost of fuel (310) (295)", "Net 894 855"]


def _columns(canvas: Canvas, *, by_row: bool) -> None:
    left = wrapped("LEFT " + PROSE, width=200, size=10)
    right = wrapped("RIGHT " + PROSE, width=200, size=10)
    canvas.setFont("Helvetica", 10)
    places = [(0, row) for row in range(len(left))] + [(1, row) for row in range(len(right))]
    if by_row:
        places.sort(key=lambda place: (place[1], place[0]))
    for column, row in places:
        canvas.drawString(72 + 240 * column, 700 - 14 * row, (left, right)[column][row])


def test_columns_are_read_one_after_the_other_however_they_were_written(tmp_path: Path) -> None:
    for by_row in (False, True):
        text = _page(tmp_path, lambda canvas, by_row=by_row: _columns(canvas, by_row=by_row)).text
        left, right = text.split("RIGHT ")
        assert left.strip() == "LEFT " + PROSE
        assert right.strip() == PROSE


def _said(number: int) -> str:
    words = PROSE.split()
    return " ".join([f"Page {number} says this:", *words[7 * number :], *words[: 7 * number]])


def _framed(number: int, total: int) -> Draw:
    rows = wrapped(_said(number), width=440)

    def frame(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 9)
        canvas.drawString(72, HEIGHT - 40, "Harbour Board — Annual Report 2023")
        canvas.drawRightString(WIDTH - 72, 40, f"{number} / {total}")

    return both(frame, lines(*rows))


def test_running_headers_and_page_numbers_are_kept_out_of_chunks(tmp_path: Path) -> None:
    reading = _read(tmp_path, *(_framed(number, 4) for number in range(1, 5)))
    for page in reading.pages:
        assert len(page.headers_footers) == 2
        assert _body(page) == _said(page.number)
        assert "Annual Report 2023" in page.text  # a quote of it is still verified
    assert not any("Annual Report" in chunk.text or "/ 4" in chunk.text for chunk in reading.chunks)


@pytest.mark.parametrize(
    ("head", "pages", "running"),
    [
        ("{number} Chapter {number}: {title}", 4, True),
        ("{title} {number}", 4, True),
        ("제{number}장 {title} {shifted}", 4, True),  # the printed number is not the physical one
        ("{title} {number}", 2, False),  # two figures may agree by chance
        ("{title} {square}", 4, False),
    ],
)
def test_a_line_with_another_title_and_the_number_of_its_page_is_a_running_header(
    tmp_path: Path, head: str, pages: int, running: bool
) -> None:
    titles = ("Harbour dues", "항만 요금", "Moorings at night", "Lost property")

    def page(number: int) -> Draw:
        words = head.format(
            number=number, title=titles[number - 1], shifted=number + 6, square=number**2 + 40
        )
        return both(
            lines(words, font=KOREAN, size=9, top=HEIGHT - 40), lines(*wrapped(_said(number), width=440))
        )

    reading = _read(tmp_path, *map(page, range(1, pages + 1)))
    assert all((len(page.headers_footers) == 1) is running for page in reading.pages)


def test_what_repeats_inside_the_text_is_text(tmp_path: Path) -> None:
    middle = lines("Repairs and maintenance", "The pier was painted.", top=HEIGHT / 2)
    reading = _read(
        tmp_path, *[both(lines(f"Chapter {n} begins here with words."), middle) for n in range(1, 5)]
    )
    assert all("Repairs and maintenance" in _body(page) for page in reading.pages)


def test_headings_become_metadata_of_chunks(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines("Repair of the pier", font="Helvetica-Bold", size=15, top=760)(canvas)
        lines(*wrapped(PROSE, width=430), top=730)(canvas)

    reading = _read(tmp_path, draw)
    assert reading.chunks[0].heading == "Repair of the pier"
    assert reading.title == "Repair of the pier"


@pytest.mark.parametrize(
    ("second", "whole"),
    [("and of the northern mole", True), ("and of the northern mole.", False)],
)
def test_the_second_line_of_a_heading_belongs_to_it(tmp_path: Path, second: str, whole: bool) -> None:
    first = "Repair of the pier before the storms"

    def draw(canvas: Canvas) -> None:
        lines(first, second, font="Helvetica-Bold", size=15, top=760)(canvas)
        lines(*wrapped(PROSE, width=430), top=700)(canvas)

    assert (_read(tmp_path, draw).chunks[0].heading == f"{first} {second}") is whole


def test_korean_articles_are_headings(tmp_path: Path) -> None:
    reading = _read(
        tmp_path, lines("제3조(휴가)", *wrapped(KOREAN_PROSE, width=400, font=KOREAN), font=KOREAN)
    )
    assert {chunk.heading for chunk in reading.chunks} == {"제3조(휴가)"}


def test_a_page_turned_on_its_side_is_read_as_it_is_seen(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(90)
        canvas.saveState()
        canvas.rotate(90)
        lines(*wrapped(PROSE, width=500), top=-100, left=60)(canvas)
        canvas.restoreState()

    assert _page(tmp_path, draw).text == PROSE


def test_printed_page_labels_stand_beside_the_number(tmp_path: Path) -> None:
    labels = b"/PageLabels<</Nums[0<</S/r>>]>>"
    pdf = pdfs.raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R" + labels + b">>",
        pdfs.PAGES,
        pdfs.page_of(),
        pdfs.stream(b"BT /F1 12 Tf 72 700 Td (Preface) Tj ET"),
        pdfs.FONT,
    )
    (tmp_path / "labels.pdf").write_bytes(pdf)
    (page,) = read_file(tmp_path / "labels.pdf").pages
    assert (page.number, page.label) == (1, "i")


def test_scans_and_blank_pages_are_told_apart(tmp_path: Path) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    def scan(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(Image.new("L", (50, 70), 200)), 0, 0, WIDTH, HEIGHT)

    reading = _read(tmp_path, lines(PROSE[:60]), scan, lambda canvas: None)
    assert [page.status for page in reading.pages] == [Status.OK, Status.SCANNED, Status.EMPTY]
    assert reading.status is Status.OK
    assert "1 of 3 pages scanned (p. 2)" in reading.reason
    assert _read(tmp_path, scan).status is Status.SCANNED


def test_a_page_whose_font_neither_says_nor_draws_letters_is_not_searchable(tmp_path: Path) -> None:
    codes = b"".join(b"%02x" % (1 + number % 30) for number in range(60))
    unmapped = (
        b"<</Type/Font/Subtype/Type1/BaseFont/ABCDEF+Odd/Encoding<</Type/Encoding/Differences[1 "
        + b"".join(b"/g%d " % number for number in range(1, 31))
        + b"]>>/FirstChar 1/LastChar 30/Widths["
        + b"500 " * 30
        + b"]>>"
    )
    content = pdfs.stream(b"BT /F1 12 Tf 72 700 Td <" + codes + b"> Tj ET")
    (tmp_path / "odd.pdf").write_bytes(
        pdfs.raw_pdf(pdfs.CATALOG, pdfs.PAGES, pdfs.page_of(), content, unmapped)
    )
    reading = read_file(tmp_path / "odd.pdf")
    assert reading.pages[0].status in (Status.GARBLED, Status.EMPTY, Status.HIDDEN_TEXT)
    assert reading.chunks == ()


def test_what_is_filled_into_a_form_is_text(tmp_path: Path) -> None:
    def form(canvas: Canvas) -> None:
        lines("Name of the boat:")(canvas)
        canvas.acroForm.textfield(
            name="boat", value="Maryport Lass", x=200, y=HEIGHT - 110, width=200, height=20
        )

    assert "Maryport Lass" in _page(tmp_path, form).text
