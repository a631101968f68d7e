"""Evidence is drawn where a hostile page harms nobody, and only documents that were indexed are handed out."""

from __future__ import annotations

import hashlib
import shutil
import zlib
from pathlib import Path

import pytest

from rag.answering.originals import original_of
from rag.errors import RagError
from rag.providers.registry import embedding_model
from rag.settings import load_settings
from rag.store import Index, IndexSpec, open_index
from rag.text.keywords import TOKENISER_ID
from rag.types import Document, DocumentRecord, Page, Span, Status
from rag.ui.pages import CitedPage, Pictures, view_page

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
PDF = SAMPLE / "calder-moss-travel-and-expenses-policy.pdf"


def _index(folder: Path, path: Path, *, content: bytes | None = None) -> Index:
    """An index that claims to hold the file at `path`, with the bytes `content` when they are given."""
    provider = embedding_model("e5-small", load_settings(env={}, dotenv_path=None))
    spec = IndexSpec(provider.spec, provider.id, provider.dimension, 220, 0, TOKENISER_ID)
    data = path.read_bytes() if content is None else content
    source = DocumentRecord("a.pdf", str(path), hashlib.sha256(data).hexdigest(), len(data), 0, Status.OK)
    pages = tuple(Page(number, f"Page {number} has a quote.") for number in (1, 2, 3))
    index = open_index(folder, create=spec)
    with index.writer() as writer:
        writer.put(Document(source, pages, ()), [])
    return index


def test_the_document_is_handed_out_while_it_is_what_was_indexed(tmp_path: Path) -> None:
    copy = tmp_path / "a.pdf"
    shutil.copyfile(PDF, copy)
    with _index(tmp_path / "index", copy) as index:
        assert original_of(index, "a.pdf") == copy
        copy.write_bytes(copy.read_bytes()[:-1] + b"x")
        assert original_of(index, "a.pdf") is None
        copy.unlink()
        assert original_of(index, "a.pdf") is None
        assert original_of(index, "b.pdf") is None


def test_an_index_from_elsewhere_opens_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the key", encoding="utf-8")
    with _index(tmp_path / "index", secret, content=b"unkown") as index:
        assert original_of(index, "a.pdf") is None
        view = view_page(index, CitedPage("a.pdf", 1), 1, Pictures())
        assert view.picture is None
        assert view.problem == "changed"
        assert view.text == "Page 1 has a quote."


def test_a_page_is_drawn_with_its_marks(tmp_path: Path) -> None:
    with _index(tmp_path / "index", PDF) as index:
        view = view_page(index, CitedPage("a.pdf", 2, (Span(2, 0, 6),)), 2, Pictures())
        assert view.picture is not None
        assert view.picture.png.startswith(b"\x89PNG")
        assert all(0 <= a < c <= 1 and view.top <= b < d <= 1 for a, b, c, d in view.picture.boxes)
        assert (view.number, view.pages, view.ranges) == (2, 3, ((0, 6),))
        assert view_page(index, CitedPage("a.pdf", 2, (Span(2, 0, 6),)), 3, Pictures()).ranges == ()
        with pytest.raises(RagError, match="no page 9"):
            view_page(index, CitedPage("a.pdf", 9), 9, Pictures())


def test_a_picture_is_drawn_once(tmp_path: Path) -> None:
    pictures = Pictures()
    copy = tmp_path / "a.pdf"
    shutil.copyfile(PDF, copy)
    first = pictures.draw(copy, 1, [])
    assert pictures.draw(copy, 1, []) is first
    assert pictures.draw(copy, 2, []) != first


def test_a_page_that_cannot_be_drawn_is_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(PDF.read_bytes()[:3000])
    with pytest.raises(RagError, match=r"broken\.pdf"):
        Pictures().draw(broken, 1, [])


@pytest.mark.slow
def test_a_gigabyte_of_zeros_in_a_stream_harms_the_drawing_process_alone(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.pdf"
    bomb.write_bytes(zeros_pdf(1 << 30))
    assert bomb.stat().st_size < 2 << 20
    outcome = ""
    try:
        assert Pictures().draw(bomb, 1, [], scale=0.5).png.startswith(b"\x89PNG")
    except RagError as error:
        outcome = str(error)
    assert not outcome or "bomb.pdf" in outcome or "memory" in outcome


def zeros_pdf(size: int) -> bytes:
    """A PDF of one page whose content stream is `size` zeros, deflated."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    stream = b"".join([*(packer.compress(block) for _ in range(size >> 20)), packer.flush()])
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /Resources << >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        out
        + b"xref\n0 5\n0000000000 65535 f \n%strailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
        % (
            table,
            len(out),
        )
    )
