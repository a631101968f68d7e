"""Characters without a shape that carry a message which no reader sees."""

from __future__ import annotations

import re

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u180e"
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_RUNS = re.compile(rf"[{_ZERO_WIDTH}]{{4,}}")
_BETWEEN_LETTERS = re.compile(rf"(?<=[A-Za-z가-힣])[{_ZERO_WIDTH}]+(?=[A-Za-z가-힣])")
_MANY = 8
"""Zero-width characters between letters from which they are no line-break hints any more."""


def invisible_characters(text: str) -> int:
    """Zero-width characters that carry something: tags, long runs, or many between the letters of words.

    A single one is a line-break hint; Persian and Indic scripts need joiners, so other letters do not count.
    """
    if text.isascii():
        return 0
    count = len(_TAGS.findall(text)) + sum(len(run) for run in _RUNS.findall(text))
    between = _BETWEEN_LETTERS.findall(text)
    return count + (sum(map(len, between)) if len(between) >= _MANY else 0)
