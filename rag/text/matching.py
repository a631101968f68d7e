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
    DASH,
    NONE,
    SIGN,
    SPACE,
    Folded,
    ends_well,
    fold,
    is_cjk,
    is_spaced,
    same_empty_cells,
    same_gap,
    starts_well,
    starts_with_minus,
)
from rag.text.patterns import lazy_compile

MAX_OMISSION = 400
"""Most solid characters that one ellipsis in a quote may stand for (about 70 English words)."""
MIN_PART_WORDS = 3
"""Fewest words on each side of an ellipsis, so that a sentence cannot be assembled from scraps."""
MIN_PART_CJK = 7
"""Or as many Hangul, Han or kana characters: three short Korean words."""

_DOTS = r"(?:\.(?:\s?\.){2,}|…+|⋯+)"
_OMISSION = lazy_compile(
    rf"\s*(?:\[\s*(?:{_DOTS}|중략|생략)\s*\]|\(\s*(?:{_DOTS}|중략|생략)\s*\)|{_DOTS})\s*"
)
_NEGATION = lazy_compile(
    r"\b(?:not|no|never|nor|none|neither|without|cannot|hardly)\b|n['’]t\b"
    r"|않|아니|못|없|(?<![가-힣])안(?=\s)|말고|제외",
    re.IGNORECASE,
)
_SENTENCE_END = lazy_compile(r"[.!?。](?=[\s\"'”’)\]]|$)")
_STOPS = ".,;:"
_FRAME_START, _FRAME_END = '"…', '"…' + _STOPS


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
            return next(self.matches(quote), None)
        return min(self.matches(quote), key=lambda match: abs(match.start - near), default=None)

    def matches(self, quote: str) -> Iterator[QuoteMatch]:
        """Every place of the quote, in order."""
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
    # A mark after a digit may be a unit, unless it closes what another opened; a stop stands tight, or it is
    # what is left of something.
    closing = _FRAME_END + ("′″" if start else "")
    end = len(folded.solid)
    while end > start and folded.solid[end - 1] in closing:
        if folded.solid[end - 1] in _STOPS and folded.gaps[end - 1] != NONE:
            break
        end -= 1
    if start >= end:
        return ""
    # Dashes at the ends are gaps, not characters, but they may be a minus sign or an empty cell of a table.
    begin = folded.starts[start] if start else 0
    return quote[begin : folded.ends[end - 1] if end < len(folded.solid) else len(quote)]


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
        if (
            _same_gaps(page, quote, start)
            and starts_well(page, quote, start)
            and same_empty_cells(page.gaps[end], quote.gaps[-1])
            and ends_well(page, end)
        ):
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


def _source_span(page: Folded, quote: Folded, start: int, end: int) -> tuple[int, int]:
    """The range of the page's source, a minus sign that the quote begins with included."""
    begin = page.starts[start]
    if starts_with_minus(quote, 0):
        begin -= len(page.gap_text(start).lstrip())
    return begin, page.ends[end - 1]
