"""Hybrid search with a model's help: searches expanded by a chat model, passages reranked.

Rewriting into several queries follows Ma et al., "Query Rewriting for Retrieval-Augmented Large Language Models"
(2023); the hypothetical answer is HyDE, Gao et al., "Precise Zero-Shot Dense Retrieval without Relevance Labels"
(2022), its words searched for too, as in Wang et al., "Query2doc" (2023). What the model writes is searched for and
never shown as an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from rag.messages import message
from rag.retrieval.fusion import merge, without_near_duplicates
from rag.retrieval.hybrid import HybridSearch, Retrieval, unit
from rag.retrieval.model_calls import (
    ModelStep,
    PromptedModel,
    measured,
    model_step_note,
    read_parts,
    read_passage,
    read_queries,
)
from rag.retrieval.reranking import DEPTH, Reranker, rerank
from rag.store import Filter, Snapshot
from rag.store.filters import Where, as_filter
from rag.text.language import language_for
from rag.types import Passage

Way = Literal["rewrite", "hypothetical", "split"]
WAYS: tuple[Way, ...] = ("rewrite", "hypothetical", "split")
_READERS: Mapping[Way, Callable[[str, str], tuple[str, ...] | None]] = {
    "rewrite": read_queries,
    "hypothetical": read_passage,
    "split": read_parts,
}


@dataclass(frozen=True, slots=True)
class Expansion:
    """What to search for beside a question."""

    queries: tuple[str, ...] = ()
    """Other wordings of the whole question."""
    hypothetical: str = ""
    """A passage that could answer it."""
    parts: tuple[str, ...] = ()
    """The questions that it consists of, when it is compound: two or more."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader: what else was searched for, and replies that could not be read."""
    model_steps: tuple[ModelStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Expander:
    """Asks a chat model to expand questions in the given ways, one call each."""

    prompted: PromptedModel
    ways: Sequence[Way]
    language: str = "auto"
    """Language of the notes, as the setting gives it; `auto` is that of the question."""

    def expand(self, question: str) -> Expansion:
        """The expansion of `question`. A reply that cannot be read adds nothing but a note.

        Raises ProviderError and BudgetReached for calls that fail, UsageError and TemplateError for a template.
        """
        found: dict[Way, tuple[str, ...]] = {}
        notes: list[str] = []
        language = language_for(question, self.language)
        model_steps: list[ModelStep] = []

        def ask(way: Way) -> tuple[str, ModelStep]:
            return measured(way, self.prompted.model.spec, lambda: self.prompted.ask(way, question))

        replies = self.prompted.at_once(ask, self.ways)
        for way, (reply, model_step) in zip(self.ways, replies, strict=True):
            read = _READERS[way](reply, question)
            found[way] = read or ()
            model_steps.append(model_step)
            if read is None:
                notes.append(message(f"search.{way}_unread", language))
        queries, parts = found.get("rewrite", ()), found.get("split", ())
        if queries or parts:
            found_too = " · ".join((*queries, *parts))
            notes.insert(0, message("search.searched_too", language, queries=found_too))
        hypothetical = " ".join(found.get("hypothetical", ()))
        return Expansion(queries, hypothetical, parts, tuple(notes), tuple(model_steps))


LEAST_DEPTH = 30
"""Passages taken from each search, at least, so that one search's find can win with the help of another."""


@dataclass(frozen=True, slots=True)
class AssistedSearch:
    """`base`, with its searches expanded and its passages reranked, each only when there is a part for it.

    embed_passages: texts to vectors as the index's passages were embedded, for hypothetical answers.
    expand: what to search for beside a question, such as `Expander.expand`.
    rerank_depth: how many of the best passages are reranked.
    language: of the notes, as the setting gives it; `auto` is that of the question.
    """

    base: HybridSearch
    embed_passages: Callable[[list[str]], Any]
    expand: Callable[[str], Expansion] | None = None
    reranker: Reranker | None = None
    rerank_depth: int = DEPTH
    language: str = "auto"

    def retrieve(
        self,
        question: str,
        *,
        k: int | None = None,
        where: Where = None,
        snapshot: Snapshot | None = None,
    ) -> Retrieval:
        """The `k` best passages for `question`, within `where`, with notes on what helped and what it took.

        `snapshot`: what to search; the newest state of the index when None.

        Raises what the calls of the models raise: ProviderError, BudgetReached.
        """
        state, where = snapshot or self.base.index.snapshot(), as_filter(where)
        wanted = k or self.base.k
        depth = max(wanted, self.rerank_depth if self.reranker is not None else 0)
        if self.expand is None:
            found = self.base.retrieve(question, k=depth, where=where, snapshot=state)
        else:
            found = self._expanded(self.expand(question), question, depth, where, state)
        if self.reranker is not None:
            found = self._reranked(self.reranker, found)
        return replace(found, passages=found.passages[:wanted])

    def _expanded(
        self, expansion: Expansion, question: str, depth: int, where: Filter | None, state: Snapshot
    ) -> Retrieval:
        depth = max(depth, LEAST_DEPTH)
        search = partial(self.base.retrieve, k=depth, where=where, snapshot=state)
        whole = search(question)
        others = [search(query) for query in expansion.queries]
        if expansion.hypothetical:
            vector = self._towards(expansion.hypothetical, whole.query_vector)
            words = f"{question} {expansion.hypothetical}"
            others.append(search(words, vector=vector))
        parts = [search(part) for part in expansion.parts]
        needs = [[whole, *others], *([part] for part in parts)]
        language, steps = language_for(question, self.language), expansion.model_steps
        notes = (*expansion.notes, *(model_step_note(step, language) for step in steps))
        passages = tuple(self._merged(needs, whole, depth, state))
        return replace(whole, passages=passages, notes=notes, model_steps=steps)

    def _towards(self, hypothetical: str, question: Any) -> Any:
        """The mean of question and hypothetical answer, as the paper takes it."""
        made = np.asarray(self.embed_passages([hypothetical]), dtype=np.float32)[0]
        return unit(unit(made) + question)

    def _merged(
        self, needs: Sequence[Sequence[Retrieval]], whole: Retrieval, depth: int, state: Snapshot
    ) -> list[Passage]:
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
        vectors = state.vectors(best)
        cosines = vectors @ whole.query_vector
        order = without_near_duplicates(range(len(best)), vectors)
        return [
            replace(known[best[at]], score=scores[best[at]], similarity=float(cosines[at])) for at in order
        ]

    def _reranked(self, reranker: Reranker, found: Retrieval) -> Retrieval:
        done = rerank(
            reranker,
            found.question,
            found.passages,
            self.rerank_depth,
            language_for(found.question, self.language),
        )
        model_steps = found.model_steps if done.model_step is None else (*found.model_steps, done.model_step)
        return replace(
            found, passages=done.passages, notes=(*found.notes, *done.notes), model_steps=model_steps
        )
