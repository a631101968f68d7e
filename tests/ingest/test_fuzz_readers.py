"""Damaged and hostile PDF, DOCX and HTML files, made by seed: every one gets a status, and nothing hidden gets in."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from rag.store import open_index
from rag.types import Status
from tests.ingest.pdfs import Draw, write_pdf
from tests.ingest.support import read_file, run
from tests.ingest.word_files import p, r, table, tc, tr, write_docx

pytest.importorskip("docx")

FILES = 150
"""Files of each kind: some seconds in all."""
SECRET = "Zanzibar"
_HIDDEN_RUNS = ("<w:vanish/>", '<w:color w:val="FFFFFF"/>', '<w:sz w:val="1"/>', '<w:color w:val="FFFFFE"/>')
_HIDDEN_STYLES = (
    "display:none",
    "opacity:0",
    "color:#fff",
    "font-size:1px",
    "visibility:hidden",
    "clip-path:inset(50%)",
)
_TAGS = (
    "p",
    "div",
    "td",
    "tr",
    "table",
    "b",
    "li",
    "h2",
    "span",
    "pre",
    "details",
    "select",
    "svg",
    "template",
)


def _damaged(data: bytes, pick: random.Random) -> bytes:
    """The bytes with some changed, cut or repeated."""
    changed = bytearray(data)
    for _ in range(pick.randint(1, 12)):
        at = pick.randrange(len(changed))
        kind = pick.randrange(4)
        if kind == 0:
            changed[at] = pick.randrange(256)
        elif kind == 1:
            del changed[at : at + pick.randint(1, 40)]
        elif kind == 2:
            changed[at:at] = changed[at : at + pick.randint(1, 200)]
        else:
            changed[at:at] = bytes(pick.randrange(256) for _ in range(pick.randint(1, 8)))
        if not changed:
            return b"x"
    return bytes(changed)


def _body(pick: random.Random, depth: int = 0) -> str:
    parts: list[str] = []
    for _ in range(pick.randint(1, 4)):
        kind = pick.randrange(5)
        if kind == 0:
            parts.append(p(r(SECRET, pick.choice(_HIDDEN_RUNS))))
        elif kind == 1 and depth < 4:
            parts.append(table(tr(tc(_body(pick, depth + 1)), "a cell")))
        elif kind == 2 and depth < 4:
            parts.append(f"<w:sdt><w:sdtContent>{_body(pick, depth + 1)}</w:sdtContent></w:sdt>")
        else:
            parts.append(
                p("Words that are seen.", f"<w:del><w:r><w:delText>{SECRET}</w:delText></w:r></w:del>")
            )
    return "".join(parts)


def _html(pick: random.Random) -> str:
    parts: list[str] = []
    for _ in range(pick.randint(3, 40)):
        tag = pick.choice(_TAGS)
        parts.append(
            pick.choice((f"<{tag}>", f"</{tag}>", "words ", f"<{tag} class=x>", "<!--", "-->", "&#0;"))
        )
    hidden = f"<style>.q{{{pick.choice(_HIDDEN_STYLES)}}}</style><p class=q>{SECRET}</p>"
    at = pick.randrange(len(parts))
    return hidden + "".join(
        [*parts[:at], f"<span style='{pick.choice(_HIDDEN_STYLES)}'>{SECRET}</span>", *parts[at:]]
    )


@pytest.mark.slow
def test_hostile_word_files(tmp_path: Path) -> None:
    for seed in range(FILES):
        pick = random.Random(seed)
        path = write_docx(tmp_path / "file.docx", _body(pick))
        reading = read_file(path)
        assert reading.status in (Status.OK, Status.HIDDEN_TEXT), seed
        assert not any(SECRET in page.text for page in reading.pages), seed
        path.write_bytes(_damaged(path.read_bytes(), pick))
        damaged = read_file(path)
        assert damaged.status is Status.OK or damaged.reason, seed


@pytest.mark.slow
def test_hostile_html_files(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for seed in range(FILES):
        pick = random.Random(seed)
        path.write_text(_html(pick), encoding="utf-8")
        assert not any(SECRET in page.text for page in read_file(path).pages), seed
        path.write_bytes(_damaged(path.read_bytes(), pick))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            damaged = read_file(path)
        assert damaged.status is Status.OK or damaged.reason, seed


def _hidden_drawing(pick: random.Random) -> Draw:
    """The secret on a page beside visible words, hidden in one of many ways, each with other figures."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 11)
        canvas.drawString(72, 720, "Words that are seen.")
        grey = pick.uniform(0.93, 1.0)
        way = pick.randrange(7)
        if way == 0:
            canvas.setFillColorRGB(grey, grey, grey)
        elif way == 1:
            canvas.setFillAlpha(pick.uniform(0, 0.03))
        elif way == 2:
            canvas.scale(pick.uniform(0.005, 0.03), 1)
        elif way == 3:
            canvas.translate(pick.choice((-2000, 2000)), 0)
        text = canvas.beginText(72, pick.uniform(200, 600))
        text.setFont("Helvetica", pick.uniform(0.1, 1.5) if way == 4 else pick.uniform(8, 30))
        text.setTextRenderMode(3 if way == 5 else 0)
        text.textOut(SECRET)
        canvas.drawText(text)
        if way == 6:
            canvas.setFillColorRGB(1, 1, 1)
            canvas.rect(0, 0, 595, 700, stroke=0, fill=1)

    return draw


@pytest.mark.slow
def test_hostile_pdfs(tmp_path: Path) -> None:
    for seed in range(FILES):
        pick = random.Random(seed)
        path = write_pdf(tmp_path / f"{seed}.pdf", [_hidden_drawing(pick)], pageCompression=seed % 2)
        reading = read_file(path)
        assert reading.pages[0].text == "Words that are seen.", seed
        assert "hidden text left out" in reading.pages[0].reason, seed
        path.write_bytes(_damaged(path.read_bytes(), pick))
    index = tmp_path.parent / f"{tmp_path.name}-index"
    run(tmp_path, index)  # in workers of its own: one that crashes costs its file only
    with open_index(index) as opened:
        statuses = opened.document_statuses()
    assert len(statuses) == FILES
    assert all(each.record.status is Status.OK or each.record.reason for each in statuses)
