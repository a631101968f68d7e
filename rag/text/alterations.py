"""The nearest place of a quote that is not found word for word, and what differs there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from rag.text.folding import BREAK, NONE, Folded, fold, is_cjk
from rag.text.matching import MatchIndex

Op = Literal["equal", "replace", "insert", "delete"]

_SEED_LATIN, _SEED_CJK = 8, 4
"""Solid characters of a seed: about a word and a half of English, or of Korean."""
_MAX_HITS = 50
"""Places at which a seed is followed up; one that stands in more says nothing about where."""
_BUCKET = 24
"""Solid characters by which the offsets of seeds may differ (words left out or put in) and still agree."""
_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One stretch of the word diff: `quoted` is what the quote says, `page` what the text says there."""

    op: Op
    quoted: str
    page: str


@dataclass(frozen=True, slots=True)
class Alteration:
    """Where a quote nearly stands (`start` to `end` of the text), how nearly (0 to 1), and the word diff."""

    start: int
    end: int
    ratio: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word as solid characters `start` to `end` of a folded text."""

    key: str
    start: int
    end: int


def closest(quote: str, text: str | MatchIndex, *, at_least: float = 0.6) -> Alteration | None:
    """The place of `text` most like the quote, or None when nothing reaches the ratio `at_least`.

    The ratio is 2 M / T over solid characters, where M are those in words that stand in both in the same
    order and T all of both.
    """
    page = (text if isinstance(text, MatchIndex) else MatchIndex(text)).folded
    folded = fold(quote)
    if not folded.solid or not page.solid:
        return None
    words = list(_words(folded, 0, len(folded.solid)))
    found = [_align(folded, words, page, offset) for offset in _offsets(folded.solid, page.solid)]
    best = max((a for a in found if a is not None), key=lambda a: a.ratio, default=None)
    return best if best is not None and best.ratio >= at_least else None


def _offsets(quote: str, page: str) -> list[int]:
    """Where the quote may begin on the page, by the votes of the seeds that both hold; most likely first."""
    votes: Counter[int] = Counter()
    size = _SEED_CJK if sum(map(is_cjk, quote)) * 2 > len(quote) else _SEED_LATIN
    size = min(size, max(2, len(quote) // 3))
    for at in range(0, max(1, len(quote) - size + 1), max(1, size // 2)):
        hits = list(_places(page, quote[at : at + size]))
        for hit in hits if len(hits) < _MAX_HITS else ():
            votes[(hit - at) // _BUCKET] += 1
    # Seeds of one place may fall on both sides of a bucket's edge.
    joined = {bucket: votes[bucket] + votes[bucket + 1] for bucket in votes}
    ranked = sorted(joined, key=lambda bucket: (-joined[bucket], bucket))[:_CANDIDATES]
    return [bucket * _BUCKET for bucket in ranked]


def _places(page: str, seed: str) -> Iterator[int]:
    at = page.find(seed)
    for _ in range(_MAX_HITS):
        if at < 0:
            return
        yield at
        at = page.find(seed, at + 1)


def _align(quote: Folded, words: list[_Word], page: Folded, offset: int) -> Alteration | None:
    """Compare the quote with the words of the page about solid character `offset`."""
    slack = 2 * _BUCKET + len(quote.solid) // 4
    low, high = max(0, offset - slack), min(len(page.solid), offset + len(quote.solid) + slack)
    there = list(_words(page, low, high))
    matcher = SequenceMatcher(None, [w.key for w in words], [w.key for w in there], autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    if not blocks:
        return None
    # The window is wider than the quote; what lies outside the first and last common word is not compared,
    # but for as many words as the quote has there itself.
    first = max(0, blocks[0].b - blocks[0].a)
    left = len(words) - (blocks[-1].a + blocks[-1].size)
    last = min(len(there), blocks[-1].b + blocks[-1].size + left)
    if left and last < len(there) and is_cjk(there[last - 1].key[-1]):
        # Korean denies at the end of a sentence ("것이 아니다"): show the predicate whole.
        last += 1
    return _compared(quote, words, page, there[first:last])


def _compared(quote: Folded, words: list[_Word], page: Folded, there: list[_Word]) -> Alteration:
    matcher = SequenceMatcher(None, [w.key for w in words], [w.key for w in there], autojunk=False)
    changes: list[Change] = []
    same = 0
    for op, a, b, c, d in matcher.get_opcodes():
        ours, theirs = "".join(w.key for w in words[a:b]), "".join(w.key for w in there[c:d])
        # Words that are only spaced otherwise, as Korean ones often are, have not changed.
        equal = ours == theirs
        same += len(ours) if equal else 0
        changes.append(
            Change("equal" if equal else op, _source(quote, words[a:b]), _source(page, there[c:d]))
        )
    total = sum(len(w.key) for w in words) + sum(len(w.key) for w in there)
    start, end = page.starts[there[0].start], page.ends[there[-1].end - 1]
    return Alteration(start, end, 2 * same / total, tuple(changes))


def _words(folded: Folded, low: int, high: int) -> Iterator[_Word]:
    """The words between two solid characters; a word that a line break hyphenated is one."""
    start = low
    for index in range(low + 1, high + 1):
        if index == high or folded.gaps[index] not in (NONE, BREAK):
            yield _Word(folded.solid[start:index], start, index)
            start = index


def _source(folded: Folded, words: list[_Word]) -> str:
    if not words:
        return ""
    raw = folded.source[folded.starts[words[0].start] : folded.ends[words[-1].end - 1]]
    return " ".join(raw.split())
