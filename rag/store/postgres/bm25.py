"""BM25 as an inner product, and which documents need not be looked at.

A document is a sparse vector with a one for each pair of a term and how often it stands there (an *entry*). What
such a pair adds to the score depends, beside the pair, on the document's length alone; lengths are rounded to one
byte, as Lucene and Tantivy do. So a question is one sparse vector for each rounded length, and the inner product
with the documents of that length is their exact score (Robertson et al., "Okapi at TREC-3", 1994; k1 = 1.2,
b = 0.75, and Lucene's form of the inverse document frequency), with the weights of the words as of now.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

K1 = 1.2
B = 0.75

ROUNDING = 1e-4
"""Above the error of the sums, which are in single precision: a bound must not exclude an equal score."""


def _rounded_length(code: int) -> int:
    """The length that a byte stands for: exact to 40, then four significant bits (Lucene's SmallFloat.byte4ToInt)."""
    free = 24
    if code < free:
        return code
    bits, exponent = (code - free) & 7, ((code - free) >> 3) - 1
    return free + (bits if exponent < 0 else (bits | 8) << exponent)


LENGTHS = tuple(_rounded_length(code) for code in range(256))


def norm_of(tokens: int) -> int:
    """The byte for a length in tokens: the largest that stands for no more."""
    return bisect_right(LENGTHS, tokens) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A term standing so many times in a document, and how many documents hold it so."""

    id: int
    times: int
    documents: int


@dataclass(slots=True)
class Term:
    """A word of the question: its weight there, and its entries by rising number of times."""

    weight: float
    entries: list[Entry] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """How many documents hold the word."""
        return sum(entry.documents for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the documents of a field are."""

    documents: Mapping[int, int]
    """By rounded length (`norm_of`)."""
    tokens: int

    @property
    def total(self) -> int:
        return sum(self.documents.values())

    def dampening(self, norm: int) -> float:
        """What a term's times are weighed against in a document of this length."""
        average = self.tokens / self.total
        return K1 * (1 - B + B * LENGTHS[norm] / average)


class KeywordQuery:
    """The words of a question, ready to be scored against documents."""

    def __init__(self, terms: Sequence[Term], lengths: Lengths) -> None:
        self._lengths = lengths
        self._terms = [
            (term, term.weight * _rarity(term.documents, lengths.total) * (1 + K1)) for term in terms
        ]
        least = lengths.dampening(min(norm for norm, count in lengths.documents.items() if count))
        self._bounds = [
            [factor * entry.times / (entry.times + least) for entry in term.entries]
            for term, factor in self._terms
        ]

    def weights(self) -> dict[int, dict[int, float]]:
        """For each rounded length what each entry adds to the score."""
        return {
            norm: {
                entry.id: factor * entry.times / (entry.times + dampening)
                for term, factor in self._terms
                for entry in term.entries
            }
            for norm, count in self._lengths.documents.items()
            if count
            for dampening in (self._lengths.dampening(norm),)
        }

    def likeliest(self, documents: int) -> Cut:
        """A cut that leaves at least so many documents to look at, those with the rarest words."""
        cut = Cut(self)
        order = sorted(
            (-bound, place, level)
            for place, bounds in enumerate(self._bounds)
            for level, bound in enumerate(bounds)
        )
        kept = 0
        for _, place, level in order:
            if kept >= documents:
                break
            cut.kept_from[place] = level
            kept += self._terms[place][0].entries[level].documents
        return cut

    def beating(self, score: float, cut: Cut) -> Cut:
        """The cut widened until no document without a kept entry can reach the score."""
        wider = Cut(self, list(cut.kept_from))
        while any(wider.kept_from) and wider.bound() + ROUNDING >= score:
            place = max(
                (place for place, level in enumerate(wider.kept_from) if level),
                key=lambda place: self._gain(place, wider.kept_from[place]),
            )
            wider.kept_from[place] -= 1
        return wider

    def _gain(self, place: int, level: int) -> float:
        """By how much the bound falls for each document more to look at."""
        bounds, entries = self._bounds[place], self._terms[place][0].entries
        fall = bounds[level - 1] - (bounds[level - 2] if level > 1 else 0.0)
        return fall / max(entries[level - 1].documents, 1)


class Cut:
    """Which entries a document must hold one of to be looked at; of each term, those with the highest times.

    The idea is MaxScore's (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995).
    """

    def __init__(self, query: KeywordQuery, kept_from: list[int] | None = None) -> None:
        self._query = query
        self.kept_from = kept_from or [len(term.entries) for term, _ in query._terms]

    def bound(self) -> float:
        """No document without a kept entry scores more."""
        return sum(
            bounds[level - 1]
            for bounds, level in zip(self._query._bounds, self.kept_from, strict=True)
            if level
        )

    def entries(self) -> list[int]:
        """Ids of the kept entries."""
        return [
            entry.id
            for (term, _), level in zip(self._query._terms, self.kept_from, strict=True)
            for entry in term.entries[level:]
        ]


def _rarity(documents: int, total: int) -> float:
    return math.log(1 + (total - documents + 0.5) / (documents + 0.5))
