"""What a reader of a page cannot see: characters without a shape, and text in the colour of what is behind it."""

from __future__ import annotations

import re

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
CONTRAST = 24
"""Difference of a channel below which two colours look the same."""
LEFT_OUT = "left out"
"""Stands in the reason of a page or file from which something was left out that other options would keep."""

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u180e"
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_RUNS = re.compile(rf"[{_ZERO_WIDTH}]{{4,}}")
_BETWEEN_LETTERS = re.compile(rf"(?<=[A-Za-z가-힣])[{_ZERO_WIDTH}]+(?=[A-Za-z가-힣])")
_MANY = 8
"""Zero-width characters between letters from which they are no line-break hints any more."""


def hidden_note(count: int, methods: str, *, kept: bool) -> str:
    """The remark on so many characters of hidden text in an ingest report, with how they were hidden."""
    return f"hidden text {'kept' if kept else LEFT_OUT}: {count} characters ({methods})"


def same_to_the_eye(first: Colour, second: Colour) -> bool:
    """Whether text of one colour on the other cannot be seen."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) < CONTRAST


def hex_colour(text: str | None) -> Colour | None:
    """`FFEE00` or `#FFEE00` as a colour; None for anything else, such as `auto`."""
    digits = (text or "").strip().lstrip("#")
    if len(digits) != 6:
        return None
    try:
        value = int(digits, 16)
    except ValueError:
        return None
    return value >> 16, value >> 8 & 255, value & 255


def invisible_characters(text: str) -> int:
    """Zero-width characters that carry something: tags, long runs, or many between the letters of words.

    A single one is a line-break hint; Persian and Indic scripts need joiners, so other letters do not count.
    """
    if text.isascii():
        return 0
    count = len(_TAGS.findall(text)) + sum(len(run) for run in _RUNS.findall(text))
    between = _BETWEEN_LETTERS.findall(text)
    return count + (sum(map(len, between)) if len(between) >= _MANY else 0)
