"""Pictures of pages with quotes marked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.pdf.characters import Frame
from rag.errors import RagError
from rag.rendering.pages import LARGEST, MarkedCell, Rect, boxes_on, cell_boxes, render_page
from tests.conftest import SAMPLE

MANUAL = SAMPLE / "tarn-340-user-manual.pdf"
QUOTE = "The result must lie between 19.0 and 21.0 NTU"


def quote_boxes(path: Path, page: int, quote: str) -> list[Rect]:
    with pdfium.PdfDocument(path) as document:
        return boxes_on(document[page - 1], [quote])


def picture(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        image.load()
        return np.asarray(image.convert("RGB")).astype(int)


def yellow(pixels: np.ndarray) -> np.ndarray:
    """Where white paper has been marked."""
    return (pixels[..., 0] > 240) & (pixels[..., 1] > 220) & (pixels[..., 2] < 120)


def bounds(marked: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(marked)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def near(found: tuple[int, ...], expected: tuple[float, ...], by: float = 5) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, expected, strict=True))


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A page of 400 by 300 points with two lines, the second one at 100 points from the bottom."""
    path = tmp_path / "letter.pdf"
    canvas = Canvas(str(path), pagesize=(400, 300))
    canvas.setFont("Helvetica", 12)
    canvas.drawString(50, 200, "The meeting is on Monday the 4th of March.")
    canvas.drawString(50, 100, "Bring the signed contract and a pen.")
    canvas.save()
    return path


def test_the_mark_lies_on_the_words(letter: Path) -> None:
    quote = "Bring the signed contract"
    (box,) = quote_boxes(letter, 1, quote)
    assert box.left == pytest.approx(50, abs=2)
    assert box.bottom < 100 < box.top
    assert 120 < box.right < 220
    marked = yellow(picture(render_page(letter, 1, [quote], scale=2)))
    assert near(bounds(marked), (box.left * 2, (300 - box.top) * 2, box.right * 2, (300 - box.bottom) * 2))


def test_without_a_quote_nothing_is_marked_and_the_size_follows_the_scale(letter: Path) -> None:
    pixels = picture(render_page(letter, 1, scale=1.5))
    assert pixels.shape == (450, 600, 3)
    assert not yellow(pixels).any()
    assert (pixels < 100).any()


def test_the_picture_differs_from_the_unmarked_page_only_in_the_mark(letter: Path) -> None:
    plain, marked = picture(render_page(letter, 1)), picture(render_page(letter, 1, ["a pen"]))
    assert (marked[..., 0] == plain[..., 0]).all()
    left, top, right, bottom = bounds((plain != marked).any(axis=2))
    outside = np.ones(plain.shape[:2], bool)
    outside[top : bottom + 1, left : right + 1] = False
    assert (plain[outside] == marked[outside]).all()


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_is_marked_on_the_words(letter: Path, tmp_path: Path, turn: int) -> None:
    writer = PdfWriter(clone_from=letter)
    writer.pages[0].rotate(turn)
    path = tmp_path / "turned.pdf"
    writer.write(path)
    upright = yellow(picture(render_page(letter, 1, ["signed contract"])))
    turned = yellow(picture(render_page(path, 1, ["signed contract"])))
    assert near(bounds(np.rot90(turned, turn // 90)), bounds(upright))


def test_a_cropped_page_is_marked_on_the_words(letter: Path, tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=letter)
    writer.pages[0].cropbox.lower_left = (40, 80)
    path = tmp_path / "cropped.pdf"
    writer.write(path)
    (box,) = quote_boxes(path, 1, "signed contract")
    left, _, right, bottom = bounds(yellow(picture(render_page(path, 1, ["signed contract"], scale=1))))
    assert near((left, right), (box.left - 40, box.right - 40))
    assert near((bottom,), (300 - box.bottom,))


def test_a_quote_over_lines_has_a_box_for_each() -> None:
    first, second = quote_boxes(MANUAL, 3, "Record it in the log")
    assert isinstance(first, Rect)
    assert first.bottom > second.top
    assert second.left < first.left


def test_a_korean_quote_whose_words_are_broken_at_line_ends() -> None:
    path = next(path for path in sorted(SAMPLE.iterdir()) if "휴가" in path.name)
    quote = "직원의 휴가와 휴직에 관한 기준과 절차를 정함으로써"
    assert "휴직에 관\n한 기준과" in PdfReader(path).pages[0].extract_text()
    first, second = quote_boxes(path, 1, quote)
    assert first.bottom > second.top
    assert not quote_boxes(path, 1, "이 문서에는 없는 아주 엉뚱한 문장입니다")


def test_words_that_are_not_in_one_piece_are_marked_in_their_lines(letter: Path) -> None:
    boxes = quote_boxes(letter, 1, "Bring the signed contract and a pen.\nThe meeting is on Monday")
    assert len(boxes) == 2
    assert boxes[0].top < boxes[1].bottom


def test_an_enormous_page_is_drawn_smaller(tmp_path: Path) -> None:
    path = tmp_path / "poster.pdf"
    canvas = Canvas(str(path), pagesize=(14_000, 14_000))
    canvas.drawString(10, 10, "small print")
    canvas.save()
    height, width, _ = picture(render_page(path, 1)).shape
    assert height * width <= LARGEST * 1.01


def test_a_page_behind_a_password(letter: Path, tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=letter)
    writer.encrypt("opensesame")
    path = tmp_path / "locked.pdf"
    writer.write(path)
    opened = render_page(path, 1, ["signed contract"], passwords=["wrong", "opensesame"])
    assert yellow(picture(opened)).any()
    with pytest.raises(RagError, match="none of the passwords"):
        render_page(path, 1, passwords=["wrong"])
    with pytest.raises(RagError, match=r"locked\.pdf.*password"):
        render_page(path, 1)


def test_what_cannot_be_drawn_is_said_in_one_sentence(letter: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.pdf"
    text.write_text("not a PDF at all")
    for path, page, said in (
        (text, 1, "not a PDF"),
        (tmp_path / "gone.pdf", 1, "not there"),
        (letter, 9, "1 page"),
    ):
        with pytest.raises(RagError, match=said) as raised:
            render_page(path, page)
        assert str(raised.value).count(".\n") == 0
        assert str(raised.value).endswith(".")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_cell_is_marked_with_the_headers_of_its_column(tmp_path: Path, rotation: int) -> None:
    path = tmp_path / "table.pdf"
    canvas = Canvas(str(path), pagesize=(400, 300))
    canvas.setFont("Helvetica", 12)
    for y, cells in ((260, ("Before 2024", "")), (200, ("2023", "2024")), (150, ("1,250", "1,375"))):
        for x, text in zip((150, 280), cells, strict=True):
            canvas.drawString(x, y, text)
    canvas.drawString(40, 150, "Fees")
    canvas.save()
    writer = PdfWriter(clone_from=PdfReader(path))
    writer.pages[0].rotate(rotation)
    writer.write(path)
    frame = Frame((0, 0, 400, 300), rotation)
    cell = MarkedCell(frame.place(280, 147, 312, 162), ("2024",))
    with pdfium.PdfDocument(path) as document:
        value, *headers = cell_boxes(document[0], cell)
    assert (value.left, value.bottom) == pytest.approx((280, 147))
    assert [round(header.left / 10) for header in headers] == ([] if rotation else [28])
    pixels = picture(render_page(path, 1, cell=cell, scale=1))
    orange = (np.abs(pixels - (255, 183, 76)) < 3).all(axis=2)
    left, bottom, right, top = cell.box
    assert near(bounds(orange), (left, pixels.shape[0] - top, right, pixels.shape[0] - bottom))
