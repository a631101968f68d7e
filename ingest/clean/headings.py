"""Which lines are headings: by their type, and by the numbers that sections, clauses and list items begin with.

A clause often runs on in the line of its heading: `제5조(수습기간) 신규로 ...`, `Article 5 (Probation) Every ...`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.raw import Line

_NUMBERED = re.compile(
    r"(?:(?:item|part|chapter|section|article|clause|appendix|note|annex|schedule)\s+(?:\d{1,3}(?:\.\d{1,3})*[A-Z]?|[IVXLC]+)\b"
    r"|§\s?\d{1,3}(?:\.\d{1,3})*|\d{1,2}(?:\.\d{1,2}){1,3}(?=\.?\s)"
    r"|제\s?\d{1,3}\s?(?:조|장|절|관|편)(?:의\s?\d{1,2})?(?=[\s\[(（【〔:.]|$)"
    r"|(?:부칙|별표|별지|붙임)(?=\s|\d|$)|[IVX]{1,4}(?=\.\s)|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ](?=\.?\s))",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"\s?(?:\([^()]{1,60}\)|\[[^\[\]]{1,60}\]|（[^（）]{1,60}）|【[^【】]{1,60}】|〔[^〔〕]{1,60}〕)"
)
_MARK = re.compile(r"\s?[.:)]|\s[–—-](?=\s)")
_RUN_IN = re.compile(r"([A-Z][^.:;!?]{1,60})[.:]\s+(?=[\"“(]?[A-Z])")
_RUN_IN_WORDS = 6
"""Most words of a title that ends with a full stop in the line of its text; a longer one is a sentence."""
_AMENDED = re.compile(r"(?:[<〈\[][^<>〈〉\[\]]*[>〉\]]\s*)+")
"""What stands behind a title and is no text of the clause: <개정 2020. 1. 1.>"""
_KOREAN_SENTENCE = re.compile(r"(?:다|요|음|함|것)\.$")
_ORDINAL = re.compile(
    r"(?P<head>\(?|제\s?|(?:\d{1,2}\.){1,3}|(?:section|article|clause|item|note)\s)"
    r"(?:(?P<number>\d{1,3})|(?P<letter>[a-z])|(?P<syllable>[가나라마바사아자차카타파하]))"
    r"(?P<tail>[.)](?=\s)|\s?조(?=[\s(\[【（〔]|의\s?\d)|\s(?=\S))",
    re.IGNORECASE,
)
"""다 is left out: "…하였 / 다. 그리고" is the end of a sentence."""
_SYLLABLES = "가나다라마바사아자차카타파하"
_STEPS = (1, 2)
"""The next number; or the one after that, where the next was 다 or stood inside a line."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """How a line with a section number is made up."""

    title: int
    """Characters of the number together with its title, as far as the line itself shows where the title ends."""
    body: bool
    """Whether text of the clause follows the title on the same line."""
    titled: bool
    """Whether the title is told from the text by brackets or a full stop."""


def numbered(text: str) -> Numbered | None:
    """The number and title that a line begins with, or None when it begins with none.

    "Section 7 of the Act" and "제5조에 따라" are references, not numbers of their own.
    """
    number = _NUMBERED.match(text)
    if number is None:
        return None
    mark = _MARK.match(text, number.end())
    at = mark.end() if mark else number.end()
    if title := _BRACKETED.match(text, at):
        rest = text[title.end() :]
        if rest and not rest[0].isspace():
            return None
        return Numbered(title.end(), bool(_AMENDED.sub("", rest).strip()), titled=True)
    rest = text[at:].lstrip()
    if rest[:1].islower() or (rest and not mark and not text[at].isspace()):
        return None
    title = _RUN_IN.match(rest)
    if title and len(title[1].split()) <= _RUN_IN_WORDS:
        return Numbered(len(text) - len(rest) + title.end(1), body=True, titled=True)
    return Numbered(at, bool(_KOREAN_SENTENCE.search(rest)), titled=False)


def continued(texts: Sequence[str]) -> set[int]:
    """Positions of the lines whose number follows the last one of its form: `2.` after `1.`."""
    last: dict[str, int] = {}
    found: set[int] = set()
    for position, text in enumerate(texts):
        match = _ORDINAL.match(text)
        if match is None or (match["tail"].isspace() and not match["head"].strip("( ")):
            continue
        kind = "1" if match["number"] else "a" if match["letter"] else "가"
        form, value = f"{match['head'].strip().lower()}{kind}{match['tail'].strip()}", _value(match)
        if value - last.get(form, value) in _STEPS:
            found.add(position)
        last[form] = value
    return found


def _value(match: re.Match[str]) -> int:
    if match["number"]:
        return int(match["number"])
    return ord(match["letter"].lower()) if match["letter"] else _SYLLABLES.index(match["syllable"])


_LONGEST = 110
_LONGEST_NUMBERED = 80
"""A longer line with a number and no larger type is text: titles seldom have more than a dozen words."""
_MOST_WORDS = 16
_LARGER = 1.13
_ENDS_SENTENCE = re.compile(r"[.;,。]$|(?:다|요|니까)[.]?$")
_LETTERS = re.compile(r"[^\W\d_]")
LEADERS = re.compile(r"\.{4,}|(?:\. ){3,}|…{2,}")


_SAME_SIZE = 0.5
"""Points by which the lines of one heading may differ in size."""
_HEADING_STEP = 1.6
"""From one line of a heading to the next at most, in sizes of its type."""


def _is_short(text: str) -> bool:
    return len(text) <= _LONGEST and len(text.split()) <= _MOST_WORDS


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
        """Whether a line by itself is a section heading.

        One that is not set apart may still be the first line of a clause: what stands around it tells.
        """
        text = line.text
        if not _is_short(text) or len(_LETTERS.findall(text)) < 2:
            return False
        if LEADERS.search(text) or text[:1].islower():
            return False  # an entry of a table of contents; the middle of a sentence
        number = numbered(text)
        if _ENDS_SENTENCE.search(text) and (number is None or number.body or len(text) >= 60):
            return False
        if self.is_set_apart(line):
            return True
        return number is not None and not number.body and len(text) <= _LONGEST_NUMBERED

    def ends_heading(self, heading: Sequence[Line], line: Line) -> bool:
        """Whether a line that begins with a small letter is the last one of the heading right above it."""
        above = heading[-1]
        alike = above.bold == line.bold and abs(above.size - line.size) < _SAME_SIZE
        near = line.placed and above.placed and 0 < above.middle - line.middle <= _HEADING_STEP * line.size
        ends = line.text[:1].islower() and not line.text.endswith((".", ",", ";"))
        set_apart = self.is_set_apart(above) and self.is_set_apart(line)
        return alike and near and ends and set_apart and _is_short(" ".join(x.text for x in (*heading, line)))

    def is_set_apart(self, line: Line) -> bool:
        """Whether a line is set in larger or bolder type than the running text."""
        return self.is_larger(line) or (line.bold and self._bold_means_something)

    def is_larger(self, line: Line) -> bool:
        """Whether a line is set in larger type than the running text."""
        return self._body > 0 and line.size >= _LARGER * self._body
