"""Scanned pages read with Tesseract, English and Korean, where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingest.options import ReadOptions
from rag.errors import UsageError
from rag.store import open_index
from rag.types import Status
from tests.ingest.pdfs import HEIGHT, WIDTH, Draw, lines, write_pdf
from tests.ingest.support import read_file, run

WORDS = "The ferry leaves the northern pier at seven."
KOREAN_FONTS = list(Path("/usr/share/fonts").rglob("NanumGothic.ttf"))
needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")
OCR = ReadOptions(ocr=True, ocr_languages="eng")


def _scan(draw: Draw, tmp_path: Path) -> Draw:
    """A page that is a picture of what `draw` draws."""
    written = pdfium.PdfDocument(write_pdf(tmp_path / "written.pdf", [draw]))
    picture = ImageReader(written[0].render(scale=200 / 72).to_pil())

    def paste(canvas: Canvas) -> None:
        canvas.drawImage(picture, 0, 0, WIDTH, HEIGHT)

    return paste


@pytest.mark.slow
@needs_tesseract
def test_a_scan_is_read_and_marked(tmp_path: Path) -> None:
    folder, index = tmp_path / "documents", tmp_path / "index"
    folder.mkdir()
    scan = _scan(lines(WORDS, size=14), tmp_path)
    write_pdf(folder / "scan.pdf", [scan, lines("A page of real text.")])
    run(folder, index)
    with open_index(index) as opened:
        assert [page.status for page in opened.pages("scan.pdf")] == [Status.SCANNED, Status.OK]
    run(folder, index, read=OCR)
    with open_index(index) as opened:
        first, second = opened.pages("scan.pdf")
        assert (first.status, second.status) == (Status.OCR, Status.OK)
        assert WORDS in first.text
        (hit, *_) = opened.search_keywords(["northern"], 1)
        assert opened.passages([hit.chunk_id])[0].ocr
    assert run(folder, index, read=OCR).files == []


@pytest.mark.slow
@needs_tesseract
@pytest.mark.skipif(not KOREAN_FONTS, reason="no Korean font to draw a scan with")
def test_a_korean_scan_is_read(tmp_path: Path) -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("Nanum", KOREAN_FONTS[0]))
    words = "항만 위원회는 북쪽 부두를 다시 짓기로 결정하였다."
    draw = lines(
        words, *["회의는 옛 세관 건물에서 열렸으며 의장이 회의록에 서명하였다."] * 6, font="Nanum", size=14
    )
    write_pdf(tmp_path / "scan.pdf", [_scan(draw, tmp_path)])
    (page,) = read_file(tmp_path / "scan.pdf", ocr=True).pages
    assert page.status is Status.OCR
    assert "위원회는 북쪽" in page.text
    assert page.text.count("세관 건물에서") >= 5


@pytest.mark.slow
@needs_tesseract
def test_a_picture_without_words_stays_a_scan(tmp_path: Path) -> None:
    write_pdf(tmp_path / "scan.pdf", [_scan(lambda canvas: None, tmp_path)])
    (page,) = read_file(tmp_path / "scan.pdf", ocr=True, ocr_languages="eng").pages
    assert (page.status, "found no text" in page.reason) == (Status.SCANNED, True)


def test_without_tesseract_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt install tesseract-ocr tesseract-ocr-kor"):
        run(tmp_path, tmp_path / "index", read=OCR)
    assert not (tmp_path / "index").exists()
