"""Fuses the scores of dense and keyword search, of one question and of several wordings of it.

Scores are fused, not only ranks: each search's scores are divided by its best, so that a clear winner stays clear. On
filings in one index this was measured against reciprocal rank fusion (docs/retrieval.md). A page's score is shared by
its chunks: evidence is often a table that its own words hardly describe.

For other wordings of one need the best opinion is added to that of the question itself, so that one good wording is
enough and several that went astray count no more than one. Lists for different parts of a question are not added up,
since a page that answers one part need not speak of the other: there the best score counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from rag.retrieval.glossary import Glossary
from rag.store import Filter, Snapshot
from rag.text.keywords import searched_terms
from rag.text.patterns import lazy_compile
from rag.types import Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """A question, taken apart once for all searches."""

    text: str
    terms: Mapping[str, float]
    """Keyword tokens with their weights."""
    expansion: Mapping[str, float]
    """Tokens that the glossary adds; searched for apart, so that they cannot drown the question's own."""


def search_terms(text: str, glossary: Glossary) -> SearchTerms:
    """Take `text` apart."""
    terms = searched_terms(text)
    expansion: dict[str, float] = {}
    for printed in glossary.expand(text):
        expansion.update(searched_terms(printed))
    return SearchTerms(text=text, terms=terms, expansion=expansion)


PageKey = tuple[str, int]
"""File and physical page."""

CHUNKS = 120
"""Chunks taken from each search over chunks."""
PAGES = 60
"""Pages taken from each search over pages."""
COMPLETED = 30
"""Best pages of each search over pages all of whose chunks become candidates; further down, only chunks count that
were found themselves. (With twice as many no gold page of the development sets moved, and a query cost a third more.)
"""
ROUTED_FILES = 8
"""Files that the question names and that are searched again on their own."""
CLEARLY_NAMED = 0.5
"""Routing bonus from which a file counts as named."""


@dataclass(slots=True)
class Candidates:
    """Scores of the searches, by chunk id or by page; what a search did not return is absent."""

    dense: dict[int, float] = field(default_factory=dict)
    """Cosine of question and chunk."""
    keywords: dict[int, float] = field(default_factory=dict)
    """BM25 of a chunk."""
    pages: dict[PageKey, float] = field(default_factory=dict)
    """BM25 of a page."""
    heads: dict[PageKey, float] = field(default_factory=dict)
    """BM25 of a page's beginning."""
    expanded_pages: dict[PageKey, float] = field(default_factory=dict)
    """BM25 of a page for the glossary's words."""
    expanded_heads: dict[PageKey, float] = field(default_factory=dict)
    dense_ranks: dict[int, int] = field(default_factory=dict)
    keyword_ranks: dict[int, int] = field(default_factory=dict)
    routes: Mapping[str, float] = field(default_factory=dict)
    """Bonus of the files that the question names."""
    places: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """File, first and last page of every candidate."""
    whole: dict[PageKey, None] = field(default_factory=dict)
    """Pages all of whose chunks are candidates, in the order in which they were found."""


def gather(
    index: Snapshot,
    question: SearchTerms,
    vector: NDArray[np.float32],
    routes: Mapping[str, float],
    where: Filter | None,
    depth: int,
) -> Candidates:
    """Run the searches, once over everything and once over the files that the question names.

    Without the second round a named document among thousands of similar ones would not be among the
    candidates. `depth` is how many passages the caller wants; the searches look at least that deep.
    """
    found = Candidates(routes=routes)
    chunks, pages = max(CHUNKS, depth), max(PAGES, depth // 2)
    _search(index, question, vector, where, chunks, pages, found)
    found.dense_ranks = {chunk: rank for rank, chunk in enumerate(found.dense, start=1)}
    found.keyword_ranks = {chunk: rank for rank, chunk in enumerate(found.keywords, start=1)}
    narrowed = _narrowed(where, routes)
    if narrowed is not None:
        _search(index, question, vector, narrowed, chunks // 2, pages // 2, found)
    _complete(index, vector, found)
    return found


def _search(
    index: Snapshot,
    question: SearchTerms,
    vector: NDArray[np.float32],
    where: Filter | None,
    chunks: int,
    pages: int,
    found: Candidates,
) -> None:
    by_page = [
        (terms, head, scores)
        for terms, bodies, heads in (
            (question.terms, found.pages, found.heads),
            (question.expansion, found.expanded_pages, found.expanded_heads),
        )
        if terms
        for head, scores in ((False, bodies), (True, heads))
    ]
    keywords, *pages_found, dense = index.together(
        [
            partial(index.search_keywords, question.terms, chunks, where),
            *(partial(index.search_pages, terms, pages, where, head=head) for terms, head, _ in by_page),
            partial(index.search_dense, vector, chunks, where),
        ]
    )
    for chunks_found, by_chunk in ((dense, found.dense), (keywords, found.keywords)):
        for hit in chunks_found:
            by_chunk.setdefault(hit.chunk_id, hit.score)
    for (_, _, scores), hits in zip(by_page, pages_found, strict=True):
        for hit in hits:
            scores.setdefault((hit.file, hit.page), hit.score)
        found.whole.update(((hit.file, hit.page), None) for hit in hits[:COMPLETED])


def _narrowed(where: Filter | None, routes: Mapping[str, float]) -> Filter | None:
    """The caller's filter, narrowed to the files named best; None when none is named clearly."""
    named = [file for file, bonus in routes.items() if bonus >= CLEARLY_NAMED]
    if not named or (where is not None and (where.files or where.documents is not None)):
        return None  # the caller's own choice of files is narrow enough
    best = sorted(named, key=lambda file: (-routes[file], file))[:ROUTED_FILES]
    return replace(where or Filter(), documents=tuple(best))


def _complete(index: Snapshot, vector: NDArray[np.float32], found: Candidates) -> None:
    """Add the chunks of pages that only a page search saw, the places, and the cosines still missing."""
    of_pages = (chunk for chunks in index.chunks_of_pages(list(found.whole)).values() for chunk in chunks)
    found.places = index.locate(list(dict.fromkeys((*found.dense, *found.keywords, *of_pages))))
    missing = [chunk for chunk in found.places if chunk not in found.dense]
    if missing:
        cosines = index.vectors(missing) @ vector
        found.dense.update(zip(missing, map(float, cosines), strict=True))


K = TypeVar("K")

DENSE_WINDOW = 0.08
"""Cosines of e5 crowd together; below the best by more than this a chunk gets nothing for its meaning."""
MOST_NUMBERS = 0.5
"""Share of number words from which more numbers say no more."""
_NUMBER = lazy_compile(r"\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each signal counts. Every signal lies between 0 and 1, but for routing, which reaches 1.5."""

    dense: float
    keywords: float
    pages: float
    heads: float
    routing: float
    expanded_pages: float = 0.0
    expanded_heads: float = 0.0
    figures: float = 0.0
    sentence: float = 0.0


FACT = Weights(dense=1.5, keywords=2.0, pages=1.0, heads=0.25, routing=0.25, sentence=1.5)
"""For a question whose own words are on the page."""
REPORT = Weights(
    dense=1.0,
    keywords=0.5,
    pages=0.5,
    heads=0.25,
    routing=1.0,
    expanded_pages=1.0,
    expanded_heads=0.25,
    figures=0.3,
    sentence=1.0,
)
"""For a question that the glossary knows to be printed in other words: statements, tables, computed figures.

Both sets are round numbers from a coarse grid; docs/retrieval.md shows how flat the surroundings are.
"""


def weights_for(question: SearchTerms) -> Weights:
    """The weights for a kind of question."""
    return REPORT if question.expansion else FACT


def score(found: Candidates, weights: Weights) -> dict[int, float]:
    """A score by chunk id, larger is better."""
    pages = _page_scores(found, weights)
    keywords = _by_best(found.keywords)
    best = max(found.dense.values(), default=0.0)
    scores = {}
    for chunk, (file, first, last) in found.places.items():
        page = pages.get((file, first), 0.0)
        if last > first:
            page = max(page, *(pages.get((file, number), 0.0) for number in range(first + 1, last + 1)))
        meaning = 1.0 - (best - found.dense[chunk]) / DENSE_WINDOW
        scores[chunk] = (
            weights.dense * (meaning if meaning > 0.0 else 0.0)
            + weights.keywords * keywords.get(chunk, 0.0)
            + weights.routing * found.routes.get(file, 0.0)
            + page
        )
    return scores


def _page_scores(found: Candidates, weights: Weights) -> dict[PageKey, float]:
    scores: dict[PageKey, float] = {}
    for weight, searched in (
        (weights.pages, found.pages),
        (weights.heads, found.heads),
        (weights.expanded_pages, found.expanded_pages),
        (weights.expanded_heads, found.expanded_heads),
    ):
        for page, value in _by_best(searched).items():
            scores[page] = scores.get(page, 0.0) + weight * value
    return scores


def _by_best(scores: Mapping[K, float]) -> dict[K, float]:
    """Scores divided by the best of them."""
    best = max(scores.values(), default=0.0)
    return {key: value / best if best > 0 else 0.0 for key, value in scores.items()}


def figures_in(text: str) -> float:
    """The share of words that are numbers, from 0 to `MOST_NUMBERS`: tables are near the top."""
    return min(MOST_NUMBERS, len(_NUMBER.findall(text)) / (len(text.split()) + 1))


Found = Sequence[Passage]
"""The passages of one search, best first."""


def merge(needs: Sequence[Sequence[Found]]) -> dict[int, float]:
    """Scores from 0 to 1 by chunk id, best first; ties in the order in which the chunks were first found.

    needs: for each thing that is asked for its searches, the original wording first.
    """
    scores: dict[int, float] = {}
    for searches in needs:
        for chunk, score in _of_need(searches).items():
            scores[chunk] = max(score, scores.get(chunk, 0.0))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _of_need(searches: Sequence[Found]) -> dict[int, float]:
    """The original's scores, each with the best that another wording gives, divided by the best."""
    original, *others = [_scaled(found) for found in searches]
    best: dict[int, float] = {}
    for other in others:
        for chunk, score in other.items():
            best[chunk] = max(score, best.get(chunk, 0.0))
    return _by_best({c: original.get(c, 0.0) + best.get(c, 0.0) for c in dict.fromkeys((*original, *best))})


def _scaled(found: Found) -> dict[int, float]:
    """Scores divided by the best, never rising down the list: near-duplicates stay behind where they were put."""
    scores: dict[int, float] = {}
    lowest = float("inf")
    for passage in found:
        lowest = min(lowest, max(passage.score, 0.0))
        scores.setdefault(passage.chunk_id, lowest)
    return _by_best(scores)


SAME = 0.985
"""Cosine from which two chunks say the same: reprinted paragraphs and tables measure above it, different
paragraphs on one subject below."""


def without_near_duplicates(order: Sequence[int], vectors: NDArray[np.float32]) -> list[int]:
    """`order` with every near-duplicate of an earlier item moved to the end, keeping the order otherwise.

    order: positions into `vectors`, best first. vectors: unit vectors, shape [n, d]. Nothing is dropped: whoever
    asks for more passages still gets them.
    """
    kept: list[int] = []
    repeated: list[int] = []
    for position in order:
        near = kept and float((vectors[kept] @ vectors[position]).max()) >= SAME
        (repeated if near else kept).append(position)
    return kept + repeated
