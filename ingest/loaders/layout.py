"""Lays text without coordinates out as pages of lines, so that cleaning treats it like any other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from ingest.raw import Line, Mark, RawPage

_ADVANCE, _SIZE, _LEADING = 6.0, 10.0, 12.0  # a typewriter's page, in points
_PAGE_CHARACTERS = 8_000
"""Formats without pages get one page, or several of about this length when they are longer."""


def typed_lines(text: str) -> list[Line]:
    """The lines of a plain text file, placed as a typewriter would: empty lines leave a gap."""
    lines: list[Line] = []
    rows = text.splitlines()
    for row, content in enumerate(rows):
        words = content.strip()
        if not words:
            continue
        y = (len(rows) - row) * _LEADING
        x = _width(content[: len(content) - len(content.lstrip())].expandtabs(4))
        lines.append(Line(words, x, x + max(_ADVANCE, _width(words)), y, y + _SIZE, size=_SIZE))
    return lines


def marked(mark: Mark, text: str) -> Line:
    """A line that a format has named."""
    return Line(" ".join(text.split()), mark=mark)


def paginate(lines: Sequence[Line]) -> list[RawPage]:
    """Pages of whole lines; a page ends before a heading or after a paragraph where it can."""
    pages: list[RawPage] = []
    current: list[Line] = []
    length = 0
    for line in lines:
        long_enough = length >= _PAGE_CHARACTERS
        heading = line.mark is Mark.HEADING and length >= 0.6 * _PAGE_CHARACTERS
        if current and (
            heading or (long_enough and _may_end(current[-1], line)) or length > 2 * _PAGE_CHARACTERS
        ):
            pages.append(_page(len(pages) + 1, current))
            current, length = [], 0
        current.append(line)
        length += len(line.text)
    if current:
        pages.append(_page(len(pages) + 1, current))
    return pages


def _may_end(last: Line, following: Line) -> bool:
    if last.mark is not Mark.UNKNOWN:
        return last.mark is not Mark.HEADING
    return last.y0 - following.y1 > 0.5 * _LEADING


def _page(number: int, lines: Iterable[Line]) -> RawPage:
    kept = list(lines)
    return RawPage(number, kept, characters=sum(len(line.text) for line in kept))


def _width(text: str) -> float:
    """East Asian letters are two columns wide."""
    if text.isascii():
        return _ADVANCE * len(text)
    return _ADVANCE * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
