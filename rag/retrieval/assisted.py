"""The hybrid retriever with a model's help: searches expanded by a chat model, passages reranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.retrieval.diversity import without_near_duplicates
from rag.retrieval.expand import Expansion
from rag.retrieval.hybrid import HybridRetriever, Retrieval, as_document, unit
from rag.retrieval.merging import merge
from rag.retrieval.rerank import DEPTH, Reranker, rerank
from rag.retrieval.wording import effort_note
from rag.store import Filter
from rag.types import Passage

LEAST_DEPTH = 30
"""Passages taken from each search, at least, so that one search's find can win with the help of another."""


class AssistedRetriever(BaseRetriever):
    """`base`, with its searches expanded and its passages reranked, each only when there is a part for it.

    embed_passages: texts to vectors as the index's passages were embedded, for hypothetical answers.
    expand: what to search for beside a question, such as `Expander.expand`.
    rerank_depth: how many of the best passages are reranked.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    base: HybridRetriever
    embed_passages: Callable[[list[str]], Any]
    expand: Callable[[str], Expansion] | None = None
    reranker: Any = None  # pydantic cannot check a protocol with properties
    rerank_depth: int = DEPTH

    def retrieve(self, question: str, *, k: int | None = None, where: Filter | None = None) -> Retrieval:
        """The `k` best passages for `question`, within `where`, with notes on what helped and what it took.

        Raises what the calls of the models raise: ProviderError, BudgetReached.
        """
        wanted = k or self.base.k
        depth = max(wanted, self.rerank_depth if self.reranker is not None else 0)
        if self.expand is None:
            found = self.base.retrieve(question, k=depth, where=where)
        else:
            found = self._expanded(self.expand(question), question, depth, where)
        if self.reranker is not None:
            found = self._reranked(self.reranker, found)
        return replace(found, passages=found.passages[:wanted])

    def _expanded(self, expansion: Expansion, question: str, depth: int, where: Filter | None) -> Retrieval:
        depth = max(depth, LEAST_DEPTH)
        whole = self.base.retrieve(question, k=depth, where=where)
        others = [self.base.retrieve(query, k=depth, where=where) for query in expansion.queries]
        if expansion.hypothetical:
            vector = self._towards(expansion.hypothetical, whole.query_vector)
            words = f"{question} {expansion.hypothetical}"
            others.append(self.base.retrieve(words, k=depth, where=where, vector=vector))
        parts = [self.base.retrieve(part, k=depth, where=where) for part in expansion.parts]
        needs = [[whole, *others], *([part] for part in parts)]
        return replace(
            whole,
            passages=tuple(self._merged(needs, whole, depth)),
            notes=_notes(expansion, question),
            efforts=expansion.efforts,
        )

    def _towards(self, hypothetical: str, question: Any) -> Any:
        """The mean of question and hypothetical answer, as the paper takes it."""
        made = np.asarray(self.embed_passages([hypothetical]), dtype=np.float32)[0]
        return unit(unit(made) + question)

    def _merged(self, needs: Sequence[Sequence[Retrieval]], whole: Retrieval, depth: int) -> list[Passage]:
        """The passages of all searches by their merged scores, near-duplicates behind, cosines to the question."""
        scores = merge([[search.passages for search in searches] for searches in needs])
        best = list(scores)[:depth]
        known: dict[int, Passage] = {}
        for searches in needs:
            for search in searches:
                for passage in search.passages:
                    known.setdefault(passage.chunk_id, passage)
        if not best:
            return []
        vectors = self.base.index.vectors(best)
        cosines = vectors @ whole.query_vector
        order = without_near_duplicates(range(len(best)), vectors)
        return [
            replace(known[best[at]], score=scores[best[at]], similarity=float(cosines[at])) for at in order
        ]

    def _reranked(self, reranker: Reranker, found: Retrieval) -> Retrieval:
        done = rerank(reranker, found.question, found.passages, self.rerank_depth)
        efforts = found.efforts if done.effort is None else (*found.efforts, done.effort)
        return replace(found, passages=done.passages, notes=(*found.notes, *done.notes), efforts=efforts)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain fixes the signature
    ) -> list[Document]:
        return [as_document(passage) for passage in self.retrieve(query).passages]


def _notes(expansion: Expansion, question: str) -> tuple[str, ...]:
    return (*expansion.notes, *(effort_note(effort, question) for effort in expansion.efforts))
