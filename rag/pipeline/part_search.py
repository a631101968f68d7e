"""What is found for a part of a question: how it is understood, and how sure its passages are to answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rag.answering import extractive
from rag.answering.evidence import assess
from rag.answering.table_answers import answer_from_tables
from rag.pipeline.query import Part
from rag.pipeline.rewriting import Interpretation, interpretations
from rag.retrieval.hybrid import HybridSearch
from rag.store import Filter, Snapshot

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.expansion import AssistedSearch

AS_LIKELY = 3.0
"""Times as high the odds of the evidence for a question itself may be as for it completed, when it leans on the one
before it perhaps, and it is still taken as completed: words are added that an answer must agree with. On chats about
the sample documents, questions that stand alone lost at least that much by them."""


@dataclass(frozen=True, slots=True)
class PartSearch:
    """Finds and scores the passages for the parts of a question."""

    retriever: HybridSearch | AssistedSearch
    embeddings: EmbeddingProvider
    threshold: float
    """Evidence below it is not enough to answer."""
    alone: bool
    """Whether sentences and cells of the passages are the answer, and no model writes one."""

    def find(
        self,
        text: str,
        before: Sequence[tuple[str, str]],
        *,
        k: int,
        where: Filter | None,
        snapshot: Snapshot,
    ) -> Part:
        """What is found for a part, completed from what was asked `before` it.

        Of the ways to complete it the first that is answered; where it may stand alone, what is found decides.
        """

        def found(way: Interpretation) -> Part:
            return Part(
                way.question, self.retriever.retrieve(way.search, k=k, where=where, snapshot=snapshot)
            )

        first, *others = interpretations(text, before)
        part = found(first)
        if not others:
            return part
        self.score(part, snapshot)
        surely = others[0].question != text
        if surely and part.answered:
            return part
        other = found(others[0])
        self.score(other, snapshot)
        if surely:
            return other if other.answered else part
        same = _front(part) == _front(other)
        return part if part.answered and not same and not _clearer(other, part) else other

    def score(self, part: Part, snapshot: Snapshot) -> None:
        """How sure the passages are to answer the part."""
        shown = partial(extractive.eligible, part.question, part.passages, snapshot, snapshot)
        part.assessment = assess(
            part.question,
            part.passages,
            embed_tokens=self.embeddings.embed_tokens,
            eligible=shown if self.alone else None,
        )
        part.evidence = part.assessment.score
        if self.alone and part.passages:  # a table cell that fits the question would answer it
            cells = answer_from_tables(part.question, part.passages, snapshot, snapshot)
            part.of_cells = cells.evidence if cells is not None else 0.0
            part.evidence = max(part.evidence, part.of_cells)
        part.answered = part.evidence >= self.threshold


def _front(part: Part) -> tuple[str, str]:
    """The document found first, and the likeliest sentence to answer."""
    ranked = part.assessment.ranked if part.assessment is not None else ()
    return part.passages[0].file if part.passages else "", ranked[0].candidate.text if ranked else ""


def _clearer(one: Part, other: Part) -> bool:
    """Whether the odds of the evidence for one part are much higher than those for the other."""
    return one.evidence * (1 - other.evidence) > AS_LIKELY * other.evidence * (1 - one.evidence)
