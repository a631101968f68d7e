"""Expanding a search with a chat model: other wordings, a hypothetical answer, the parts of a compound question.

Rewriting into several queries follows Ma et al., "Query Rewriting for Retrieval-Augmented Large Language Models"
(2023); the hypothetical answer is HyDE, Gao et al., "Precise Zero-Shot Dense Retrieval without Relevance Labels"
(2022), its words searched for too, as in Wang et al., "Query2doc" (2023). What the model writes is searched for and
never shown as an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.retrieval.asking import Asker, Effort, measured
from rag.retrieval.replies import read_parts, read_passage, read_queries
from rag.retrieval.wording import say, searched_too

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
    efforts: tuple[Effort, ...] = ()


@dataclass(frozen=True, slots=True)
class Expander:
    """Asks a chat model to expand questions in the given ways, one call each."""

    asker: Asker
    ways: Sequence[Way]

    def expand(self, question: str) -> Expansion:
        """The expansion of `question`. A reply that cannot be read adds nothing but a note.

        Raises ProviderError and BudgetReached for calls that fail, UsageError and TemplateError for a template.
        """
        found: dict[Way, tuple[str, ...]] = {}
        notes: list[str] = []
        efforts: list[Effort] = []
        for way, (reply, effort) in zip(self.ways, self._replies(question), strict=True):
            read = _READERS[way](reply, question)
            found[way] = read or ()
            efforts.append(effort)
            if read is None:
                notes.append(say(f"{way}_unread", question))
        queries, parts = found.get("rewrite", ()), found.get("split", ())
        if queries or parts:
            notes.insert(0, searched_too((*queries, *parts), question))
        hypothetical = " ".join(found.get("hypothetical", ()))
        return Expansion(queries, hypothetical, parts, tuple(notes), tuple(efforts))

    def _replies(self, question: str) -> list[tuple[str, Effort]]:
        def ask(way: Way) -> tuple[str, Effort]:
            return measured(way, self.asker.model.spec, lambda: self.asker.ask(way, question))

        return self.asker.at_once(ask, self.ways)
