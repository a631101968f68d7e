"""Recognises section headings: by type larger or bolder than the text's, or by the words they begin with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from ingest.raw import Line

_LONGEST = 110
_MOST_WORDS = 16
_LARGER = 1.13
_NUMBERED = re.compile(
    r"^(?:(?:item|part|chapter|section|article|appendix|note|annex|schedule)\s+(?:\d{1,3}[A-Z]?|[IVXLC]+)\b[.:]?"
    r"|\d{1,2}(?:\.\d{1,2}){1,3}\.?\s+[A-Z가-힣]"
    r"|제\s?\d{1,3}\s?(?:조|장|절|관|편)(?:의\s?\d+)?(?:\s?[\[(（].{1,40}[\])）]|\s|$)"
    r"|(?:부칙|별표|별지|붙임)\b|[IVX]{1,4}\.\s|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ]\.?\s)",
    re.IGNORECASE,
)
_ENDS_SENTENCE = re.compile(r"[.;,。]$|(?:다|요|니까)[.]?$")
_LETTERS = re.compile(r"[^\W\d_]")
_LEADERS = re.compile(r"\.{4,}|(?:\. ){3,}|…{2,}")


class HeadingRule:
    """The rule for one document, which knows how its running text is set."""

    def __init__(self, lines: Iterable[Line]) -> None:
        sizes: Counter[float] = Counter()
        bold = total = 0
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
            bold += len(line.text) if line.bold else 0
            total += len(line.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 0.0
        self._bold_means_something = bold < 0.3 * max(1, total)

    def is_heading(self, line: Line) -> bool:
        """Whether a line is a section heading."""
        text = line.text
        if len(text) > _LONGEST or len(text.split()) > _MOST_WORDS or len(_LETTERS.findall(text)) < 2:
            return False
        if _LEADERS.search(text) or text[:1].islower():
            return False  # an entry of a table of contents; the middle of a sentence
        numbered = bool(_NUMBERED.match(text))
        if _ENDS_SENTENCE.search(text) and not (numbered and len(text) < 60):
            return False
        if self.is_larger(line):
            return True
        return (line.bold and self._bold_means_something) or (numbered and len(text) <= 80)

    def is_larger(self, line: Line) -> bool:
        """Whether a line is set in larger type than the running text."""
        return self._body > 0 and line.size >= _LARGER * self._body
