"""Where the words of a quote lie on a PDF page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rag.text.matching import MatchIndex

_SAME_LINE = 0.5
"""Share of the lower box's height by which two boxes on one line overlap."""
_SHORTEST_PART = 12
"""Characters of a piece that is still looked for when a quote does not stand on the page in one piece."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in PDF points, the origin at the lower left, as the page's own content has it."""

    left: float
    bottom: float
    right: float
    top: float

    def joined(self, other: Rect) -> Rect:
        """The smallest rectangle around both."""
        return Rect(
            min(self.left, other.left),
            min(self.bottom, other.bottom),
            max(self.right, other.right),
            max(self.top, other.top),
        )

    def beside(self, other: Rect) -> bool:
        """Whether both stand on one line."""
        overlap = min(self.top, other.top) - max(self.bottom, other.bottom)
        lower = min(self.top - self.bottom, other.top - other.bottom)
        return overlap > _SAME_LINE * lower


def boxes_on(page: Any, quotes: Sequence[str]) -> list[Rect]:
    """One rectangle for each line of each quote on an open pypdfium2 page; empty for a quote that is not there.

    A quote comes from the stored text, which was cleaned: columns put in order, words mended. Where the page's raw
    characters do not hold it in one piece, its lines are looked for one by one, or its halves.
    """
    import pypdfium2.raw as pdfium

    textpage = page.get_textpage()
    try:
        codes = [pdfium.FPDFText_GetUnicode(textpage, i) for i in range(textpage.count_chars())]
        index = MatchIndex("".join(map(_character, codes)))
        ranges = [found for quote in quotes for found in _ranges(index, quote)]
        return [rect for start, end in ranges for rect in _lines(textpage, start, end)]
    finally:
        textpage.close()


def _character(code: int) -> str:
    """One character for each of PDFium's, so that positions in the text are its character numbers."""
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _ranges(index: MatchIndex, quote: str) -> Iterator[tuple[int, int]]:
    match = index.find(quote)
    if match is not None:
        yield from match.parts
        return
    for piece in _pieces(quote):
        found = index.find(piece)
        if found is not None:
            yield from found.parts


def _pieces(quote: str) -> Iterator[str]:
    """The lines of the quote; of a single line its halves, when they are long enough to be told apart."""
    lines = [line for line in quote.splitlines() if line.strip()]
    if len(lines) > 1:
        yield from lines
        return
    words = quote.split()
    middle = len(words) // 2
    for half in (" ".join(words[:middle]), " ".join(words[middle:])):
        if len(half) >= _SHORTEST_PART:
            yield half


def _lines(textpage: Any, start: int, end: int) -> Iterator[Rect]:
    """The characters' boxes joined line by line."""
    line: Rect | None = None
    for i in range(start, end):
        box = Rect(*textpage.get_charbox(i, loose=True))
        if box.right <= box.left or box.top <= box.bottom:
            continue
        if line is not None and not line.beside(box):
            yield line
            line = None
        line = box if line is None else line.joined(box)
    if line is not None:
        yield line
