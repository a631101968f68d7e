"""Gathering candidates: every search that may see the page, and what each of them said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rag.retrieval.question import Question

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.store import Filter, Hit, Index, PageHit

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
    index: Index,
    question: Question,
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
    index: Index,
    question: Question,
    vector: NDArray[np.float32],
    where: Filter | None,
    chunks: int,
    pages: int,
    found: Candidates,
) -> None:
    _keep(found.dense, index.search_dense(vector, chunks, where))
    _keep(found.keywords, index.search_keywords(question.terms, chunks, where))
    for terms, bodies, heads in (
        (question.terms, found.pages, found.heads),
        (question.expansion, found.expanded_pages, found.expanded_heads),
    ):
        if terms:
            for scores, head in ((bodies, False), (heads, True)):
                hits = index.search_pages(terms, pages, where, head=head)
                _keep_pages(scores, hits)
                found.whole.update(((hit.file, hit.page), None) for hit in hits[:COMPLETED])


def _keep(scores: dict[int, float], hits: Iterable[Hit]) -> None:
    for hit in hits:
        scores.setdefault(hit.chunk_id, hit.score)


def _keep_pages(scores: dict[PageKey, float], hits: Iterable[PageHit]) -> None:
    for hit in hits:
        scores.setdefault((hit.file, hit.page), hit.score)


def _narrowed(where: Filter | None, routes: Mapping[str, float]) -> Filter | None:
    """The caller's filter, narrowed to the files named best; None when none is named clearly."""
    from rag.store import Filter

    named = [file for file, bonus in routes.items() if bonus >= CLEARLY_NAMED]
    if not named or (where is not None and where.files):
        return None  # the caller's own choice of files is narrow enough
    best = sorted(named, key=lambda file: (-routes[file], file))[:ROUTED_FILES]
    globs = tuple(_literal(file) for file in best)
    return Filter(files=globs) if where is None else replace(where, files=globs)


def _literal(file: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in file)


def _complete(index: Index, vector: NDArray[np.float32], found: Candidates) -> None:
    """Add the chunks of pages that only a page search saw, the places, and the cosines still missing."""
    of_pages = (chunk for chunks in index.chunks_of_pages(list(found.whole)).values() for chunk in chunks)
    found.places = index.locate(list(dict.fromkeys((*found.dense, *found.keywords, *of_pages))))
    missing = [chunk for chunk in found.places if chunk not in found.dense]
    if missing:
        cosines = index.vectors(missing) @ vector
        found.dense.update(zip(missing, map(float, cosines), strict=True))
