"""Puts back the spaces of lines whose words are set apart by position alone, closer than PDFium takes for a space.

PDFium wants about a sixth of the type size between two words. Tightly justified text has less, and comes out as
"wasacollection". Looking at every character's place is slow, so only words that are likely too long to be one
are looked into, and the rest of a line once such a word shows gaps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.pdf.characters import PlacedLine
    from ingest.pdf.objects import Box

_LONG = re.compile(r"[A-Za-z\u00c0-\u024f]{15,}|[가-힣]{12,}")
"""A word of so many letters is one in three hundred in English prose, and rarer in Korean: enough to find a page."""
_RATHER_LONG = re.compile(r"[A-Za-z\u00c0-\u024f]{11,}|[가-힣]{8,}")
"""On a page that has lost spaces, words of so many letters are looked into."""
_APART = 0.06
"""Share of the type size by which the gap between two words is wider than that between letters; kerning is less."""
_INNER_MARK = re.compile(r"[\w)\]”’\"'.,;:!?%][\w(\[“‘\"']")


def restore_spaces(lines: Iterable[PlacedLine], box: Callable[[int], Box | None]) -> None:
    """Insert the missing spaces into the lines' texts. `box` gives the place of a character of the page's text."""
    placed_lines = [placed for placed in lines if placed.line.placed]
    if not any(_has_gaps(placed, _LONG, box) for placed in placed_lines):
        return
    for placed in placed_lines:
        if _has_gaps(placed, _RATHER_LONG, box):
            _insert(placed, box)


def _has_gaps(placed: PlacedLine, words: re.Pattern[str], box: Callable[[int], Box | None]) -> bool:
    """Whether one of the long words of a line has gaps inside."""
    for match in words.finditer(placed.line.text):
        gaps = _gaps(placed, *match.span(), box)
        if max(gaps) - median(gaps) > _APART * placed.line.size:
            return True
    return False


def _gaps(placed: PlacedLine, start: int, end: int, box: Callable[[int], Box | None]) -> list[float]:
    """White space behind each character from `start` to `end` - 2, in points."""
    boxes = [box(placed.start + at) for at in range(start, end)]
    return [b[0] - a[2] if a and b else 0.0 for a, b in pairwise(boxes)]


def _insert(placed: PlacedLine, box: Callable[[int], Box | None]) -> None:
    text = placed.line.text
    gaps = _gaps(placed, 0, len(text), box)
    letters = [gap for gap, pair in zip(gaps, pairwise(text), strict=True) if " " not in pair]
    limit = median(letters) + _APART * placed.line.size
    parts = [text[0]]
    for at, gap in enumerate(gaps):
        if gap > limit and _INNER_MARK.fullmatch(text[at : at + 2]):
            parts.append(" ")
        parts.append(text[at + 1])
    placed.line.text = "".join(parts)
