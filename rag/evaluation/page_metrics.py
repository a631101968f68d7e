"""Metrics over gold pages, each a plain function of plain values: was the page found, and how far down?

A result list is first reduced to distinct pages: a passage opens a new place unless its first page was seen
before, and a passage that crosses pages counts for all of them. Definitions follow Manning, Raghavan and
Schütze, "Introduction to Information Retrieval", chapter 8, and Järvelin and Kekäläinen (2002) for nDCG, with
binary relevance. All values lie between 0 and 1.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from rag.types import Citation


class PageRange(Protocol):
    """Anything with a file and a range of physical pages: a passage, or a record of one."""

    @property
    def file(self) -> str: ...
    @property
    def page(self) -> int: ...
    @property
    def page_end(self) -> int: ...


class GoldPage(NamedTuple):
    """A page that holds the answer."""

    file: str
    page: int


class DistinctPages(NamedTuple):
    """A distinct entry of a result list: pages `first` to `last` (inclusive) of a file."""

    file: str
    first: int
    last: int


def same_file(one: str, other: str) -> bool:
    """Whether two relative paths name the same file, seen from the same folder or from one above it."""
    one, other = (unicodedata.normalize("NFC", name).strip("/") for name in (one, other))
    return one == other or one.endswith("/" + other) or other.endswith("/" + one)


def distinct_pages(results: Iterable[PageRange]) -> list[DistinctPages]:
    """The places of a result list, best first, each first page once."""
    places: dict[tuple[str, int], DistinctPages] = {}
    for result in results:
        last = max(result.page, result.page_end or result.page)
        places.setdefault((result.file, result.page), DistinctPages(result.file, result.page, last))
    return list(places.values())


def gold_found(places: Sequence[DistinctPages], gold: Iterable[GoldPage]) -> list[frozenset[GoldPage]]:
    """For each place, the gold pages that it covers."""
    pages = set(gold)
    return [
        frozenset(g for g in pages if place.first <= g.page <= place.last and same_file(place.file, g.file))
        for place in places
    ]


def on_gold(citation: Citation, gold: Iterable[GoldPage]) -> bool:
    """Whether the quote of a citation stands on a page that holds the answer."""
    return any(citation.page == page.page and same_file(citation.file, page.file) for page in gold)


def hit(found: Sequence[frozenset[GoldPage]], k: int) -> float:
    """1 when any of the first `k` places covers a gold page."""
    return float(any(found[:k]))


def recall(found: Sequence[frozenset[GoldPage]], gold_count: int, k: int) -> float:
    """The share of the gold pages that the first `k` places cover."""
    return len(frozenset().union(*found[:k])) / gold_count


def reciprocal_rank(found: Sequence[frozenset[GoldPage]], k: int) -> float:
    """1 / rank of the first place on a gold page, 0 when none of the first `k` is; its mean is MRR@k."""
    return next((1.0 / rank for rank, pages in enumerate(found[:k], start=1) if pages), 0.0)


def ndcg(found: Sequence[frozenset[GoldPage]], gold_count: int, k: int) -> float:
    """Normalised discounted cumulative gain of the first `k` places.

    A place gains 1 when it covers a gold page that no place above it covered, so overlapping passages cannot
    gain twice, and the ideal is every gold page in a place of its own.
    """
    seen: set[GoldPage] = set()
    gain = 0.0
    for rank, pages in enumerate(found[:k], start=1):
        if pages - seen:
            gain += 1.0 / math.log2(rank + 1)
        seen |= pages
    ideal = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(gold_count, k) + 1))
    return gain / ideal


def document_hit(places: Sequence[DistinctPages], files: Iterable[str], k: int) -> float:
    """1 when any of the first `k` places lies in a file that holds the answer."""
    wanted = set(files)
    return float(any(same_file(place.file, file) for place in places[:k] for file in wanted))
