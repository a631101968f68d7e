"""Hybrid search: dense and keyword search fused, led to named documents.

BM25 counts a passage's words wherever they stand. Of two passages on the same subject the one that answers mostly
has the asked words together in one sentence (sentence scores as evidence for a document: Akkalyoncu Yilmaz et al.,
EMNLP 2019, there with a trained model).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.retrieval.fusion import (
    CLEARLY_NAMED,
    Candidates,
    Weights,
    figures_in,
    gather,
    score,
    search_terms,
    weights_for,
    without_near_duplicates,
)
from rag.retrieval.glossary import Glossary, load_glossary
from rag.retrieval.routing import Router
from rag.store import Index, Snapshot
from rag.store.filters import Where, as_filter
from rag.text.keywords import indexed_tokens
from rag.text.patterns import lazy_compile
from rag.types import Passage

if TYPE_CHECKING:
    from rag.retrieval.model_calls import ModelStep


_END = lazy_compile(r"(?<=[.!?。])\s+|\n\s*\n")
"""Rough, since a cut too many costs little here; the rows of a table stay together."""


def coverage(terms: Mapping[str, float], texts: Sequence[str]) -> list[float]:
    """For each text the share of the question in its best sentence, 1 for the best of the texts.

    terms: tokens of the question with weights. A token counts the less the more of the texts hold it, since it
    then does not tell them apart (inverse document frequency among them).
    """
    held = [[terms.keys() & indexed_tokens(sentence) for sentence in _END.split(text)] for text in texts]
    weights = _weights(terms, [frozenset().union(*sentences) for sentences in held])
    # fsum: the order of a set differs between runs and must not show in the last digit
    shares = [max(math.fsum(weights[t] for t in sentence) for sentence in sentences) for sentences in held]
    best = max(shares, default=0.0)
    return [share / best if best > 0 else 0.0 for share in shares]


def _weights(terms: Mapping[str, float], texts: Sequence[frozenset[str]]) -> dict[str, float]:
    counts = {term: sum(term in text for text in texts) for term in terms}
    return {
        term: weight * math.log(1 + len(texts) / counts[term])
        for term, weight in terms.items()
        if counts[term]
    }


Vector = NDArray[np.float32]

WITH_FIGURES = 60
"""Passages among which the share of figures decides, at least."""
IN_FRONT = 16
"""Passages whose sentences are looked at: they change places among themselves only."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The passages for a question, best first, and what deciding about the answer needs to know."""

    question: str
    passages: tuple[Passage, ...]
    query_vector: Vector
    """Unit vector of the question, shape [dimension]."""
    routes: Mapping[str, float]
    """Bonus of the documents that the question names."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader, when a model helped: what else was searched for, and what it took."""
    model_steps: tuple[ModelStep, ...] = ()
    """What each step with a model took."""


@dataclass(slots=True)
class HybridSearch:
    """Finds passages by meaning and by words. `rag.retrieval.retriever` makes a LangChain retriever of it.

    index: an open index. embed_query: text to a vector of the index's dimension; it need not have unit length.
    k: passages to return. weights: overrule those chosen by question.
    """

    index: Index
    embed_query: Callable[[str], Any]
    k: int = 8
    glossary: Glossary | None = None
    weights: Weights | None = None
    _router: tuple[int, Router] | None = None

    def retrieve(
        self,
        question: str,
        *,
        k: int | None = None,
        where: Where = None,
        vector: Vector | None = None,
        snapshot: Snapshot | None = None,
    ) -> Retrieval:
        """The `k` best passages for `question`, within `where`. The same snapshot and question give the same list.

        `vector` stands in for the embedding of the question. `snapshot`: what to search; the newest state of the
        index when None.
        """
        state = snapshot or self.index.snapshot()
        wanted = k or self.k
        read = search_terms(question, self.glossary or load_glossary())
        routes = self._routes(state, question)  # while the embedding model may still be loading
        vector = unit(self.embed_query(question) if vector is None else vector)
        found = gather(state, read, vector, routes, as_filter(where), wanted)
        weights = self.weights or weights_for(read)
        passages = _ranked(state, found, weights, read.terms, wanted)
        return Retrieval(question, tuple(passages), vector, routes)

    def _routes(self, state: Snapshot, question: str) -> Mapping[str, float]:
        """Routing by the names of one generation's documents, built when a generation is first asked."""
        known = self._router
        if known is None or known[0] != state.generation:
            router = Router(source for source in state.documents() if source.status.searchable)
            known = self._router = (state.generation, router)
        return known[1].route(question)


def _ranked(
    index: Snapshot, found: Candidates, weights: Weights, terms: Mapping[str, float], k: int
) -> list[Passage]:
    """The `k` best, ties by chunk id, near-duplicates behind the rest.

    Only the best are read: how full of figures a text is and what its sentences hold decides among them, not before.
    """
    scores = score(found, weights)
    depth = max(2 * k, WITH_FIGURES if weights.figures else IN_FRONT)
    best = heapq.nsmallest(depth, scores, key=lambda chunk: (-scores[chunk], chunk))
    read = index.passages(best)
    if weights.figures:
        for passage in read:
            scores[passage.chunk_id] += weights.figures * figures_in(passage.text)
        read.sort(key=lambda passage: (-scores[passage.chunk_id], passage.chunk_id))
    front = read[:IN_FRONT] if weights.sentence else []
    for passage, share in zip(front, coverage(terms, [f"{p.header}\n{p.text}" for p in front]), strict=True):
        scores[passage.chunk_id] += weights.sentence * share
    read[: len(front)] = sorted(front, key=lambda passage: (-scores[passage.chunk_id], passage.chunk_id))
    read = read[: 2 * k]
    if not read:
        return []
    order = without_near_duplicates(range(len(read)), index.vectors([p.chunk_id for p in read]))
    return [_annotated(found, read[place], scores) for place in order[:k]]


def _annotated(found: Candidates, passage: Passage, scores: Mapping[int, float]) -> Passage:
    chunk = passage.chunk_id
    return replace(
        passage,
        score=scores[chunk],
        similarity=found.dense.get(chunk),
        dense_rank=found.dense_ranks.get(chunk),
        keyword_rank=found.keyword_ranks.get(chunk),
        routed=found.routes.get(passage.file, 0.0) >= CLEARLY_NAMED,
    )


def unit(vector: Any) -> Vector:
    """The vector at length 1, shape [dimension]; a zero vector stays as it is."""
    array = np.asarray(vector, dtype=np.float32).reshape(-1)
    length = float(np.linalg.norm(array))
    return array / length if length else array
