"""Whether text in one colour can be told from what is behind it."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
CONTRAST = 24
"""Difference of a channel below which two colours look the same; the reader of PDFs takes the same."""


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
