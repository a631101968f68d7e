"""Fonts that say other characters than they draw: their text is marked, what else the page says is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from ingest.pdf.fonts import UNREADABLE
from rag.types import Page, Status
from tests.ingest.pdfs import HEIGHT, KOREAN, MARGIN, lines, write_pdf
from tests.ingest.support import read_file
from tests.ingest.test_pdf_text import KOREAN_PROSE, PROSE

_FIGURES = ("2024", "1,250", "Harbour Act", "3.5", "pier No. 7", "31", "tender", "2031")


def _misnamed(path: Path, font: str, characters: dict[str, str]) -> Path:
    """Give a font of a PDF a character map (ToUnicode) that is wrong."""
    writer = PdfWriter(clone_from=PdfReader(path))
    pairs = "\n".join(f"<{ord(drawn):02X}> <{ord(said):04X}>" for drawn, said in characters.items())
    stream = DecodedStreamObject()
    stream.set_data(
        f"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n{len(characters)} beginbfchar\n{pairs}\nendbfchar\n"
        "endcmap end end".encode()
    )
    reference = writer._add_object(stream)
    for found in writer.pages[0]["/Resources"]["/Font"].values():
        if found.get_object()["/BaseFont"] == f"/{font}":
            found.get_object()[NameObject("/ToUnicode")] = reference
    writer.write(path)
    return path


def _mixed(path: Path) -> Path:
    """Korean prose in which figures and Latin words are set in a font of their own."""

    def draw(canvas: Canvas) -> None:
        for row, (words, figure) in enumerate(zip(KOREAN_PROSE.split(". "), _FIGURES, strict=False)):
            y = HEIGHT - 100 - row * 30
            canvas.setFont(KOREAN, 9)
            canvas.drawString(MARGIN, y, f"{words}.")
            canvas.setFont("Courier", 9)
            canvas.drawString(MARGIN + pdfmetrics.stringWidth(f"{words}. ", KOREAN, 9), y, figure)

    return write_pdf(path, [draw])


def _page(path: Path) -> Page:
    (page,) = read_file(path).pages
    return page


def test_figures_that_come_out_as_hangul_are_marked_and_the_prose_is_kept(tmp_path: Path) -> None:
    noise = {chr(code): chr(0xBDC1 + 7 * code) for code in range(0x21, 0x7B)}
    page = _page(_misnamed(_mixed(tmp_path / "mixed.pdf"), "Courier", noise))
    assert page.status is Status.OK
    drawn = sum(len("".join(figure.split())) for figure in _FIGURES[: len(KOREAN_PROSE.split(". "))])
    assert page.text.count("\ufffd") == drawn
    assert not set(page.text) & set(noise.values()) - set(KOREAN_PROSE)
    for sentence in KOREAN_PROSE.split(". "):
        assert sentence.rstrip(".") in page.text


def test_the_same_page_with_a_right_map_has_nothing_marked(tmp_path: Path) -> None:
    page = _page(_mixed(tmp_path / "mixed.pdf"))
    assert "\ufffd" not in page.text
    assert "Harbour Act" in page.text
    assert page.reason == ""


@pytest.mark.parametrize("font", ["Helvetica", "Times-Italic", "Courier-Bold"])
@pytest.mark.parametrize("said", ["98", "40"])
def test_digits_that_show_other_ones_are_marked(font: str, said: str, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "fee.pdf", [lines("One night at the inn is 40 euros in May.", font=font)])
    honest = {letter: letter for letter in "Onenightatthesioursiay.M "}
    page = _page(_misnamed(path, font, {**honest, "4": said[0], "0": said[1]}))
    assert page.text == f"One night at the inn is {said if said == '40' else UNREADABLE * 2} euros in May."
    assert ("unreadable text: 2" in page.reason) is (said == "98")


def test_words_that_show_other_letters_are_marked(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 11)
        canvas.drawString(MARGIN, 700, "The deposit will be")
        canvas.setFont("Times-Bold", 11)
        canvas.drawString(MARGIN + 110, 700, "payable")

    said = dict(zip("payble", "kefund", strict=True))
    page = _page(_misnamed(write_pdf(tmp_path / "word.pdf", [draw]), "Times-Bold", said))
    assert page.text == f"The deposit will be {UNREADABLE * 7}"


def test_letters_that_come_out_as_others_are_garbled(tmp_path: Path) -> None:
    rows = [PROSE[at : at + 80] for at in range(0, len(PROSE), 80)]
    path = write_pdf(tmp_path / "permuted.pdf", [lines(*rows, font="Courier", size=9)])
    letters = "abcdefghijklmnopqrstuvwxyz"
    permuted = dict(zip(letters, letters[3:] + letters[:3], strict=True))
    page = _page(_misnamed(path, "Courier", permuted))
    assert page.status is Status.GARBLED


@pytest.mark.parametrize(
    "rows",
    [
        [
            "==4711== Invalid write of size 4",
            "==4711==    at 0x804838F: main (main.c:12)",
            *(f"==4711== {mark * 50}" for mark in "=-*"),
            "The program wrote past the end of the block.",
        ],
        [
            "$ { ( ! @ # % ^ & * ) } [ ] ; : < > ? / ~ + = | \\" * 2,
            "Each of these marks has a meaning to the shell.",
        ],
    ],
)
def test_prose_between_many_symbols_is_kept(tmp_path: Path, rows: list[str]) -> None:
    page = _page(write_pdf(tmp_path / "manual.pdf", [lines(*rows, font="Courier", size=9)]))
    assert page.status is Status.OK
    assert rows[-1] in page.text


def test_a_page_of_symbols_is_garbled(tmp_path: Path) -> None:
    rows = ["#$%&'()*+ !\"#$ %&'( )*+,", "&'()*+,/ :;<=>?@ [\\]^_` {|}~", "!!\"\"##$$ %%&&'' (())**++"]
    page = _page(write_pdf(tmp_path / "symbols.pdf", [lines(*rows, font="Courier", size=9)]))
    assert page.status is Status.GARBLED
