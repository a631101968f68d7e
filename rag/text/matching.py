"""Proving a quote: where it stands in a text, word for word, or that it does not stand there.

A quote is found when its characters are the text's, whatever happened to white space, line-end
hyphenation, ligatures, quotation marks and dashes, full- and half-width forms, and Hangul spacing and
composition. Nothing else is forgiven: not a digit, sign, unit or word. It must begin and end where words
and numbers do. An ellipsis written in the quote may stand for a few omitted words. Only the first letter may
differ in case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rag.text.folding import (
    BREAK,
    DASH,
    HYPHEN,
    NONE,
    SIGN,
    SPACE,
    Folded,
    fold,
    is_cjk,
    is_spaced,
    same_gap,
    starts_number,
)
from rag.text.korean import is_particle

MAX_OMISSION = 400
"""Most solid characters that one ellipsis in a quote may stand for (about 70 English words)."""
MIN_PART_WORDS = 3
"""Fewest words on each side of an ellipsis, so that a sentence cannot be assembled from scraps."""
MIN_PART_CJK = 7
"""Or as many Hangul, Han or kana characters: three short Korean words."""

_DOTS = r"(?:\.(?:\s?\.){2,}|…+|⋯+)"
_OMISSION = re.compile(rf"\s*(?:\[\s*(?:{_DOTS}|중략|생략)\s*\]|\(\s*(?:{_DOTS}|중략|생략)\s*\)|{_DOTS})\s*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|nor|none|neither|without|cannot|hardly)\b|n['’]t\b"
    r"|않|아니|못|없|(?<![가-힣])안(?=\s)|말고|제외",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?。](?=[\s\"'”’)\]]|$)")
_FRAME_START, _FRAME_END = '"…', '"….,;:'
_HANGUL_RUN = re.compile("[가-힣]+")
_LOST_SPACING = 16
"""Hangul characters in a row after which a text is taken to have lost its spaces."""
_MAGNITUDES = "%‰‱°¢십백천만억조경"


@dataclass(frozen=True, slots=True)
class QuoteMatch:
    """Where a quote stands: character ranges (end exclusive) of the text, one per part between ellipses."""

    parts: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Where the first part begins."""
        return self.parts[0][0]

    @property
    def end(self) -> int:
        """Where the last part ends."""
        return self.parts[-1][1]


class MatchIndex:
    """One text, folded once, in which many quotes can be looked up."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)

    def find(self, quote: str, *, near: int | None = None) -> QuoteMatch | None:
        """The first place of the quote, or the one that begins nearest to character `near`, or None."""
        if near is None:
            return next(self._matches(quote), None)
        return min(self._matches(quote), key=lambda match: abs(match.start - near), default=None)

    def find_all(self, quote: str) -> list[QuoteMatch]:
        """Every place of the quote, in order."""
        return list(self._matches(quote))

    def _matches(self, quote: str) -> Iterator[QuoteMatch]:
        whole, trimmed, parts = _prepare(quote)
        found = False
        for pattern in (whole, trimmed):
            if pattern is None or found:
                continue
            for start, end in _occurrences(self.folded, pattern):
                found = True
                yield QuoteMatch((_source_span(self.folded, pattern, start, end),))
        if not found and parts:
            yield from self._assembled(parts)

    def _assembled(self, parts: tuple[Folded, ...]) -> Iterator[QuoteMatch]:
        """Places where all parts stand in order, each soon after the one before."""
        for start, first_end in _occurrences(self.folded, parts[0]):
            spans = [_source_span(self.folded, parts[0], start, first_end)]
            end = first_end
            for part in parts[1:]:
                after = self._soon_after(part, end)
                if after is None:
                    break
                end = after[1]
                spans.append(_source_span(self.folded, part, *after))
            if len(spans) == len(parts):
                yield QuoteMatch(tuple(spans))

    def _soon_after(self, part: Folded, end: int) -> tuple[int, int] | None:
        window = end + MAX_OMISSION + len(part.solid)
        after = next(_occurrences(self.folded, part, end, window), None)
        return None if after is None or self._hides_negation(end, after[0]) else after

    def _hides_negation(self, start: int, end: int) -> bool:
        """Whether leaving out solid characters `start` to `end` drops a negation from a quoted sentence."""
        if start == end:
            return False
        omitted = self.text[self.folded.ends[start - 1] : self.folded.starts[end]]
        ends = list(_SENTENCE_END.finditer(omitted))
        cut = omitted[: ends[0].end()] + omitted[ends[-1].end() :] if ends else omitted
        return bool(_NEGATION.search(cut))


def find_quote(quote: str, text: str, *, near: int | None = None) -> QuoteMatch | None:
    """Where the quote stands in the text, or None. For many quotes on one text keep a `MatchIndex`."""
    return MatchIndex(text).find(quote, near=near)


def find_all(quote: str, text: str) -> list[QuoteMatch]:
    """Every place where the quote stands in the text."""
    return MatchIndex(text).find_all(quote)


@lru_cache(maxsize=1024)
def _prepare(quote: str) -> tuple[Folded | None, Folded | None, tuple[Folded, ...]]:
    """The quote whole; without the marks that frame it; cut at its ellipses (none if not allowed)."""
    whole = fold(quote)
    if not any(c.isalnum() for c in whole.solid):
        return None, None, ()
    parts = tuple(fold(_framed(part)) for part in _OMISSION.split(_framed(quote)))
    if len(parts) > 1 and not all(_long_enough(part) for part in parts):
        parts = ()
    trimmed = fold(_framed(quote))
    return whole, trimmed if trimmed.solid != whole.solid else None, parts if len(parts) > 1 else ()


def _framed(quote: str) -> str:
    """Without the quotation marks, ellipses and final stop that a writer puts around a quote."""
    folded = fold(quote)
    start = len(folded.solid) - len(folded.solid.lstrip(_FRAME_START))
    end = len(folded.solid.rstrip(_FRAME_END))
    if start >= end:
        return ""
    # A leading minus is part of what is quoted; it lies before the first solid character.
    begin = folded.starts[start] if start else 0
    return quote[begin : folded.ends[end - 1]]


def _long_enough(part: Folded) -> bool:
    words = 1 + sum(gap in (SPACE, DASH, SIGN) for gap in part.gaps[1:-1])
    return bool(part.solid) and (words >= MIN_PART_WORDS or sum(map(is_cjk, part.solid)) >= MIN_PART_CJK)


def _occurrences(
    page: Folded, quote: Folded, begin: int = 0, limit: int | None = None
) -> Iterator[tuple[int, int]]:
    """Ranges of solid characters of the page that are the quote, between `begin` and `limit`."""
    first = quote.solid[:1]
    variants = {first + quote.solid[1:]}
    if is_spaced(first):
        variants |= {other + quote.solid[1:] for other in (first.upper(), first.lower()) if len(other) == 1}
    if not first:
        return
    starts = {at for variant in variants for at in _find_each(page.solid, variant, begin, limit)}
    for start in sorted(starts):
        end = start + len(quote.solid)
        if _same_gaps(page, quote, start) and _starts_well(page, quote, start) and _ends_well(page, end):
            yield start, end


def _find_each(solid: str, wanted: str, begin: int, limit: int | None) -> Iterator[int]:
    at = solid.find(wanted, begin, limit)
    while at >= 0:
        yield at
        at = solid.find(wanted, at + 1, limit)


def _same_gaps(page: Folded, quote: Folded, start: int) -> bool:
    inner = quote.gaps[1:-1]
    there = page.gaps[start + 1 : start + len(quote.solid)]
    if there == inner:
        return True
    pairs = enumerate(zip(there, inner, strict=True), start + 1)
    return all(a == b or same_gap(page, index, b) for index, (a, b) in pairs)


def _starts_well(page: Folded, quote: Folded, start: int) -> bool:
    """Whether the quote begins where a word or number of the page does, with its sign if it has one."""
    if _starts_with_minus(quote, 0) or _starts_with_minus(page, start):
        return _starts_with_minus(quote, 0) and _starts_with_minus(page, start)
    if not start:
        return True
    left, right = page.solid[start - 1], page.solid[start]
    gap = page.gaps[start]
    if gap in (HYPHEN, BREAK):
        return not (page.hyphenated(start) and left.isalnum() and right.isalnum())
    return gap != NONE or _can_start(page, start)


def _starts_with_minus(folded: Folded, index: int) -> bool:
    """Whether a number begins at `index` and a minus sign stands before it."""
    if not starts_number(folded.solid, index):
        return False
    gap = folded.gaps[index]
    tight = gap == HYPHEN and not (index and folded.solid[index - 1].isalnum())
    return gap == SIGN or tight


def _can_start(page: Folded, start: int) -> bool:
    """Whether a quote may begin right after the character before `start`, with no gap between."""
    left, right = page.solid[start - 1], page.solid[start]
    before = page.solid[start - 2 : start - 1] if page.gaps[start - 1] == NONE else ""
    if right.isdecimal() and left in "$€£¥₩":
        return False
    if right.isdecimal() and left in ".,:":
        return before.isalpha() if left == "." else not before.isdecimal()
    if left in '"&_@' and is_spaced(right):
        return not before.isalnum()
    if not _is_word(left) or not _is_word(right):
        return True
    if _is_hangul(right):
        return _spacing_lost(page, start)
    return is_cjk(right) and is_cjk(left)


def _ends_well(page: Folded, end: int) -> bool:
    """Whether the quote ends where a word or number of the page does; Korean particles may follow."""
    if end == len(page.solid):
        return True
    left, right = page.solid[end - 1], page.solid[end]
    gap = page.gaps[end]
    if left.isdecimal() and right in "%‰" and gap in (NONE, SPACE):
        return False
    if gap in (HYPHEN, BREAK):
        return not (page.hyphenated(end) and left.isalnum() and right.isalnum())
    return gap != NONE or _can_end(page, end)


def _can_end(page: Folded, end: int) -> bool:
    """Whether a quote may end right before the character at `end`, with no gap between."""
    left, right = page.solid[end - 1], page.solid[end]
    after = page.solid[end + 1 : end + 2] if page.gaps[end + 1] == NONE else ""
    if left.isdecimal() and (right.isdigit() or right in _MAGNITUDES):
        return False
    if left.isdecimal() and right in ".,:":
        return not after.isdecimal()
    if right in '"&_@' and is_spaced(left):
        return not (after and is_spaced(after)) or _is_possessive(page, end)
    if not _is_word(left) or not _is_word(right):
        return True
    if _is_hangul(right):
        return _may_precede(page, end)
    return is_cjk(left) and is_cjk(right)


def _is_word(character: str) -> bool:
    return character.isalpha() or character.isdecimal()


def _is_possessive(page: Folded, end: int) -> bool:
    """Whether 's, and no more of a word, follows what ends at `end`."""
    if page.solid[end : end + 2] not in ('"s', '"S'):
        return False
    return page.gaps[end + 2] != NONE or not _is_word(page.solid[end + 2])


def _may_precede(page: Folded, end: int) -> bool:
    """Whether the Hangul glued to what ends at `end` is only particles, so that the noun before is whole."""
    run = _HANGUL_RUN.match(page.solid, end)
    suffix = run[0] if run else ""
    glued = next((i for i in range(1, len(suffix)) if page.gaps[end + i]), len(suffix))
    left = page.solid[end - 1]
    if is_particle(suffix[:glued], after_number=left.isdecimal()) or _spacing_lost(page, end):
        return True
    # A script change is a boundary of its own: "KBS방송" holds the word KBS.
    return is_spaced(left) and not left.isdecimal()


def _spacing_lost(page: Folded, index: int) -> bool:
    """Whether `index` lies in so long a run of Hangul that the page's text must have lost its spaces."""
    start = end = index
    lowest, highest = max(0, index - _LOST_SPACING), min(len(page.solid), index + _LOST_SPACING)
    while start > lowest and page.gaps[start] == NONE and _is_hangul(page.solid[start - 1]):
        start -= 1
    while end < highest and (end == index or page.gaps[end] == NONE) and _is_hangul(page.solid[end]):
        end += 1
    return end - start > _LOST_SPACING


def _is_hangul(character: str) -> bool:
    return "가" <= character <= "힣"


def _source_span(page: Folded, quote: Folded, start: int, end: int) -> tuple[int, int]:
    """The range of the page's source, a minus sign that the quote begins with included."""
    begin = page.starts[start]
    if _starts_with_minus(quote, 0):
        begin -= len(page.gap_text(start).lstrip())
    return begin, page.ends[end - 1]
