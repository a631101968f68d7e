"""Lays ten kinds of text (`texts/`) out as PDFs in six ways, and as plain text.

The texts have one block a line: `# ` is a heading, what stands before ` :: ` a number or title that the first
sentence keeps, ` | ` parts the sentences, and every two blanks at the start are one level of indentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from tests.ingest.pdfs import KOREAN

TEXTS = {
    path.stem: path.read_text("utf-8") for path in sorted(Path(__file__).with_name("texts").glob("*.txt"))
}
_SIZE = 10.5
_LEADING = 1.45 * _SIZE
_INDENT = 18.0
_HANGUL = re.compile("[가-힣]")


@dataclass(frozen=True)
class Paragraph:
    """A block of a text: its number or title, its sentences, and how far it is indented."""

    number: str
    sentences: tuple[str, ...]
    level: int = 0
    heading: bool = False

    @property
    def text(self) -> str:
        return " ".join((*filter(None, [self.number]), *self.sentences))


@dataclass(frozen=True)
class Layout:
    """How a text is set: page and columns in points, and where lines break."""

    name: str
    width: float
    height: float
    columns: int = 1
    anywhere: bool = False
    """Korean lines break inside words."""
    across: bool = False
    """Columns are drawn row by row, not one after the other."""
    placed: bool = False
    """Every word is drawn by itself, the space between two is a distance, and lines are justified."""
    running: bool = False
    """With a header and a page number on every page."""
    hanging: bool = False
    heading_size: float = _SIZE
    gap: float = 0.6
    """White space between blocks, in lines."""


LAYOUTS = (
    Layout("wide", 595, 842, hanging=True),
    Layout("narrow", 300, 842, anywhere=True),
    Layout("columns", 595, 700, columns=2, anywhere=True, heading_size=13),
    Layout("across", 595, 842, columns=2, across=True, heading_size=13),
    Layout("pages", 420, 230, running=True, anywhere=True, gap=0.0),
    Layout("placed", 480, 640, placed=True, hanging=True, gap=0.4),
)
_MARGIN = 48.0


def parse(text: str) -> list[Paragraph]:
    """The blocks of one of the texts."""
    blocks: list[Paragraph] = []
    for row in text.strip("\n").splitlines():
        level = (len(row) - len(row.lstrip())) // 2
        words = row.strip()
        if words.startswith("# "):
            blocks.append(Paragraph("", (words[2:],), heading=True))
            continue
        number, mark, body = words.rpartition(" :: ")
        blocks.append(Paragraph(number if mark else "", tuple(body.split(" | ")), level))
    return blocks


@dataclass
class _Row:
    """A line to be drawn; `gap` above it in lines."""

    text: str
    indent: float
    gap: float
    size: float
    full: bool
    """Whether the paragraph goes on, so that a justified line reaches the edge."""


def write_layout(path: Path, blocks: list[Paragraph], layout: Layout) -> Path:
    """A PDF of the blocks."""
    korean = any(_HANGUL.search(block.text) for block in blocks)
    font = KOREAN if korean else "Times-Roman"
    canvas = Canvas(str(path), pagesize=(layout.width, layout.height))
    width = (layout.width - 2 * _MARGIN - (layout.columns - 1) * 24) / layout.columns
    rows = [row for block in blocks for row in _rows(block, layout, font, width)]
    for number, page in enumerate(_pages(rows, layout, width), start=1):
        if layout.running:
            canvas.setFont(font, 8)
            canvas.drawString(_MARGIN, layout.height - 24, blocks[0].text)
            canvas.drawCentredString(layout.width / 2, 20, f"- {number} -")
        for x, y, row in sorted(page, key=lambda p: -p[1]) if layout.across else page:
            _draw(canvas, row, x, y, font, width - row.indent if layout.placed else 0.0)
        canvas.showPage()
    canvas.save()
    return path


def write_text(path: Path, blocks: list[Paragraph], columns: int = 64) -> Path:
    """A plain text file, lines broken between words at `columns` columns (a Korean letter takes two)."""
    rows: list[str] = []
    for block in blocks:
        row = ""
        for word in block.text.split():
            if row and _columns(row) + 1 + _columns(word) > columns:
                rows.append(row)
                row = word
            else:
                row = f"{row} {word}".strip()
        rows += [row, ""]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def _columns(text: str) -> int:
    return len(text) + len(_HANGUL.findall(text))


def _rows(block: Paragraph, layout: Layout, font: str, width: float) -> Iterator[_Row]:
    size = layout.heading_size if block.heading else _SIZE
    indent = block.level * _INDENT
    hang = _INDENT if layout.hanging and len(block.number) in range(1, 5) else 0.0
    anywhere = layout.anywhere and _HANGUL.search(block.text) is not None
    lines = _wrapped(block.text, width - indent, width - indent - hang, font, size, anywhere=anywhere)
    for at, line in enumerate(lines):
        gap = (max(layout.gap, 0.6) if block.heading else layout.gap) if at == 0 else 0.0
        yield _Row(line, indent + (hang if at else 0.0), gap, size, full=at < len(lines) - 1)


def _wrapped(text: str, first: float, other: float, font: str, size: float, *, anywhere: bool) -> list[str]:
    """Lines of a text; `anywhere` lets Korean break between any two syllables, Latin words and figures not."""
    pieces = re.findall(r"[가-힣][^\w\s]*|[^\s가-힣]+|\s+" if anywhere else r"\S+|\s+", text)
    rows = [""]
    for piece in pieces:
        room = first if len(rows) == 1 else other
        if not piece.isspace() and pdfmetrics.stringWidth(rows[-1] + piece, font, size) > room:
            rows.append("")
        rows[-1] += piece
    return [row.strip() for row in rows if row.strip()]


def _pages(rows: list[_Row], layout: Layout, width: float) -> Iterator[list[tuple[float, float, _Row]]]:
    """Places the rows: column after column, page after page."""
    page: list[tuple[float, float, _Row]] = []
    column, y = 0, layout.height - _MARGIN
    for row in rows:
        step = _LEADING * (1 + row.gap)
        if y - step < _MARGIN:
            column, y = column + 1, layout.height - _MARGIN
            step = _LEADING
        if column == layout.columns:
            yield page
            page, column = [], 0
        y -= step
        page.append((_MARGIN + column * (width + 24) + row.indent, y, row))
    yield page


def _draw(canvas: Canvas, row: _Row, x: float, y: float, font: str, justified: float) -> None:
    canvas.setFont(font, row.size)
    if not justified:
        canvas.drawString(x, y, row.text)
        return
    words = row.text.split()
    widths = [pdfmetrics.stringWidth(word, font, row.size) for word in words]
    space = pdfmetrics.stringWidth(" ", font, row.size)
    if row.full and len(words) > 1:
        space = (justified - sum(widths)) / (len(words) - 1)
    for word, advance in zip(words, widths, strict=True):
        canvas.drawString(x, y, word)
        x += advance + space
