"""The nearest place of a quote that is not found word for word, and what differs there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from typing import Literal

from rag.text.folding import BREAK, NONE, Folded, fold, is_cjk
from rag.text.matching import MatchIndex

Op = Literal["equal", "replace", "insert", "delete"]

_SEED_LATIN, _SEED_CJK = 8, 4
"""Solid characters of a seed: about a word and a half of English, or of Korean."""
_MAX_HITS = 50
"""Places at which a seed is followed up. Each counts the less, the more there are."""
_BUCKET = 24
"""Solid characters by which the offsets of seeds may differ (words left out or put in) and still agree."""
_CANDIDATES = 5
_MONOTONE = 10
"""A quote whose units each stand in it this often on average says nothing, and would be slow to align."""
_NEAR = 6
"""Units within which a changed region is widened to where both texts part words."""

_Region = tuple[int, int, int, int]
"""Units `a` to `b` of the quote and `c` to `d` of the page, as in difflib's opcodes."""


@dataclass(frozen=True, slots=True)
class WordChange:
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
    changes: tuple[WordChange, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is compared: a word, or one character of Hangul, Han or kana (their spacing varies)."""

    key: str
    start: int
    end: int


def closest(quote: str, text: str | MatchIndex, *, at_least: float = 0.6) -> Alteration | None:
    """The place of `text` most like the quote, or None when nothing reaches the ratio `at_least`.

    The ratio is 2 M / T over solid characters, where M are those of words (of characters, in Korean) that
    stand in both in the same order and T all of both.
    """
    page = (text if isinstance(text, MatchIndex) else MatchIndex(text)).folded
    folded = fold(quote)
    if not folded.solid or not page.solid:
        return None
    units = _units(folded, 0, len(folded.solid))
    if len({unit.key for unit in units}) * _MONOTONE < len(units):
        return None
    found = [_align(folded, units, page, offset) for offset in _offsets(folded.solid, page.solid)]
    best = max((a for a in found if a is not None), key=lambda a: a.ratio, default=None)
    return best if best is not None and best.ratio >= at_least else None


def _offsets(quote: str, page: str) -> list[int]:
    """Where the quote may begin on the page, by the votes of the seeds that both hold; most likely first."""
    votes: defaultdict[int, float] = defaultdict(float)
    size = _SEED_CJK if sum(map(is_cjk, quote)) * 2 > len(quote) else _SEED_LATIN
    size = min(size, max(2, len(quote) // 3))
    for at in range(0, max(1, len(quote) - size + 1), max(1, size // 2)):
        hits = list(_places(page, quote[at : at + size]))
        for hit in hits:
            votes[(hit - at) // _BUCKET] += 1 / len(hits)
    # Seeds of one place may fall on both sides of a bucket's edge.
    joined = {bucket: votes[bucket] + votes.get(bucket + 1, 0.0) for bucket in votes}
    ranked = sorted(joined, key=lambda bucket: (-joined[bucket], bucket))[:_CANDIDATES]
    return [bucket * _BUCKET for bucket in ranked]


def _places(page: str, seed: str) -> Iterator[int]:
    at = page.find(seed)
    for _ in range(_MAX_HITS):
        if at < 0:
            return
        yield at
        at = page.find(seed, at + 1)


def _align(quote: Folded, units: list[_Unit], page: Folded, offset: int) -> Alteration | None:
    """Compare the quote with the page about solid character `offset`."""
    slack = 2 * _BUCKET + len(quote.solid) // 4
    low, high = _whole_words(
        page, max(0, offset - slack), min(len(page.solid), offset + len(quote.solid) + slack)
    )
    there = _units(page, low, high)
    blocks = _matcher(units, there).get_matching_blocks()[:-1]
    if not blocks:
        return None
    # In a table the start of a row may match the row before; the longest common run says which row it is.
    longest = [max(blocks, key=lambda block: block.size)]
    places = {_place(some, len(units)) for some in (_tightest(blocks, len(units)), longest)}
    found = []
    for first, last in places:
        begin, end = there[max(0, first)].start, there[min(len(there), last) - 1].end
        found.append(_compared(quote, units, page, _units(page, *_whole_words(page, begin, end))))
    return max(found, key=lambda alteration: alteration.ratio)


def _whole_words(page: Folded, start: int, end: int) -> tuple[int, int]:
    """The range of solid characters, widened so that it cuts no word."""
    while start and not _edge(page, start):
        start -= 1
    while end < len(page.solid) and not _edge(page, end):
        end += 1
    return start, end


def _matcher(ours: list[_Unit], theirs: list[_Unit]) -> SequenceMatcher[str]:
    return SequenceMatcher(None, [unit.key for unit in ours], [unit.key for unit in theirs], autojunk=False)


def _tightest(blocks: list[Match], length: int) -> list[Match]:
    """Drop common units at either end while what is left is a better fit for a quote of `length` units.

    Units that only happen to stand somewhere in the window too would stretch the place that is compared.
    """
    while len(blocks) > 1:
        fewer = max((blocks[1:], blocks[:-1]), key=lambda some: _fit(some, length))
        if _fit(fewer, length) <= _fit(blocks, length):
            break
        blocks = fewer
    return blocks


def _fit(blocks: list[Match], length: int) -> float:
    first, last = _place(blocks, length)
    return sum(block.size for block in blocks) / (length + last - first)


def _place(blocks: list[Match], length: int) -> tuple[int, int]:
    """The units of the page to compare: beyond the first and last common unit as many as the quote has there."""
    return blocks[0].b - blocks[0].a, blocks[-1].b + length - blocks[-1].a


def _compared(quote: Folded, ours: list[_Unit], page: Folded, theirs: list[_Unit]) -> Alteration:
    same = 0
    changed: list[_Region] = []
    for op, a, b, c, d in _matcher(ours, theirs).get_opcodes():
        if op == "equal":
            same += sum(len(unit.key) for unit in ours[a:b])
            continue
        region = _to_word_edges((a, b, c, d), quote, ours, page, theirs)
        if changed and (region[0] <= changed[-1][1] or region[2] <= changed[-1][3]):
            before = changed.pop()
            region = (before[0], region[1], before[2], region[3])
        changed.append(region)
    total = sum(len(unit.key) for unit in (*ours, *theirs))
    changes = tuple(
        WordChange(op, _source(quote, ours[a:b]), _source(page, theirs[c:d]))
        for op, (a, b, c, d) in _with_equal(changed, len(ours), len(theirs))
    )
    return Alteration(page.starts[theirs[0].start], page.ends[theirs[-1].end - 1], 2 * same / total, changes)


def _to_word_edges(
    region: _Region, quote: Folded, ours: list[_Unit], page: Folded, theirs: list[_Unit]
) -> _Region:
    """Widen a changed region, over units equal on both sides, to whole words."""

    def is_edge(step: int, i: int, j: int) -> bool:
        edges = (_edge_at(quote, ours, i), _edge_at(page, theirs, j))
        # An edge of both if one is near; spacing that differs must not widen the region without end.
        return all(edges) if step < _NEAR else any(edges)

    a, b, c, d = region
    left = next((n for n in range(min(a, c)) if is_edge(n, a - n, c - n)), min(a, c))
    after = min(len(ours) - b, len(theirs) - d)
    right = next((n for n in range(after) if is_edge(n, b + n, d + n)), after)
    return a - left, b + right, c - left, d + right


def _with_equal(changed: list[_Region], ours: int, theirs: int) -> Iterator[tuple[Op, _Region]]:
    """The changed regions and the equal ones between them."""
    a = c = 0
    for region in changed:
        if region[0] > a:
            yield "equal", (a, region[0], c, region[2])
        replaced = region[1] > region[0] and region[3] > region[2]
        yield "replace" if replaced else "delete" if region[1] > region[0] else "insert", region
        a, c = region[1], region[3]
    if ours > a:
        yield "equal", (a, ours, c, theirs)


def _units(folded: Folded, low: int, high: int) -> list[_Unit]:
    """The units between two solid characters; a word that a line break hyphenated is one."""
    units: list[_Unit] = []
    start = low
    for index in range(low + 1, high + 1):
        inside = index < high and folded.gaps[index] in (NONE, BREAK)
        if not inside or is_cjk(folded.solid[index]) or is_cjk(folded.solid[index - 1]):
            units.append(_Unit(folded.solid[start:index], start, index))
            start = index
    return units


def _edge_at(folded: Folded, units: list[_Unit], at: int) -> bool:
    """Whether a word begins at unit `at`, or ends before it."""
    return at == len(units) or _edge(folded, units[at].start)


def _edge(folded: Folded, index: int) -> bool:
    return folded.gaps[index] not in (NONE, BREAK)


def _source(folded: Folded, units: list[_Unit]) -> str:
    if not units:
        return ""
    raw = folded.source[folded.starts[units[0].start] : folded.ends[units[-1].end - 1]]
    return " ".join(raw.split())
