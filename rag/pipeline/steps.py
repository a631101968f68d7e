"""The steps of an answer, over the open parts of a pipeline. `rag.pipeline.chain` makes a Runnable of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from rag.answering import extractive, overview, verification
from rag.answering.context import cited_by_number
from rag.answering.originals import CurrentPages
from rag.answering.reply import Draft, parse_reply
from rag.answering.second_check import Checker, Pair, SecondChecker
from rag.answering.verification import CheckedDraft
from rag.errors import BudgetReached, IndexMismatch, ProviderError
from rag.messages import Language, message
from rag.pipeline.extraction import Extraction, likely, ranked
from rag.pipeline.part_search import PartSearch
from rag.pipeline.parts import parts_of
from rag.pipeline.prompt import ModelLimits, prompt_for
from rag.pipeline.query import Query, QueryState, final_answer
from rag.pipeline.rewriting import is_elliptic, is_small_talk
from rag.providers.specs import Capabilities
from rag.retrieval.hybrid import HybridSearch, Retrieval
from rag.store import Filter, Index, Snapshot
from rag.store.filters import as_filter
from rag.text.keywords import has_search_terms
from rag.text.language import language_for
from rag.text.tokens import count_tokens
from rag.types import Answer, Support

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from rag.pipeline.generation import Generator
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.expansion import AssistedSearch
    from rag.settings import Settings

SUMMARY = "summarize"
"""The template whose question is a subject; one that names a document asks for what it is."""
LEAST_SHARE = 4
"""Passages that each part of a question of several parts gets at least."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The parts of an open pipeline, and what is done with them in order."""

    index: Index
    retriever: HybridSearch | AssistedSearch
    embeddings: EmbeddingProvider
    settings: Settings
    generator: Generator | None
    """None for the extractive answerer."""
    checker: SecondChecker | None
    """What checks the sentences of an answer that rules leave open; None for rules alone."""
    model: str
    threshold: float
    """Evidence below it is not enough to answer, or for a model to be asked."""
    alone: float
    """Evidence below it is not enough to answer without a model."""
    fixed: Snapshot | None = None
    """What every question reads; None for the newest published generation of the index at its beginning."""

    @property
    def reader(self) -> ModelLimits:
        """How the answerer reads a prompt; a usual chat model for the extractive one, which reads none."""
        if self.generator is not None:
            return self.generator.reader
        free = None if self.embeddings.paid else self.embeddings.embed
        return ModelLimits(count_tokens, Capabilities().context_tokens, free)

    def snapshot(self) -> Snapshot:
        """The state of the index that a question beginning now reads to its end.

        Raises IndexMismatch when the index was made again with other embeddings.
        """
        snapshot = self.fixed or self.index.snapshot()
        if snapshot.spec.embedding_id != self.embeddings.id:
            raise IndexMismatch(
                f"The index {snapshot.location} was made again with {snapshot.spec.embedding_id} while it was"
                " open: open it again."
            )
        return snapshot

    def begin(self, query: Query) -> QueryState:
        """What is known of a question before the first step. Raises as `snapshot` does."""
        language = language_for(query.question, self.settings.language)
        return QueryState(query, self.snapshot(), language, standalone=query.question)

    def answer(self, query: Query) -> Answer:
        """All steps in turn, for an answerer that asks no model: LangChain's part would only take time."""
        state = self.assess(self.retrieve(self.condense(query, {})))
        return self.decide(self.verify(self.parse(self.generate(state, {})), {}))

    def condense(self, query: Query, config: RunnableConfig) -> QueryState:
        """Make the question understandable without the chat."""
        state = self.begin(query)
        # at once, so that a wrong template is told also when nothing would come of it
        prompt_for(state, self.settings, self.reader).values(passages="")
        with state.stage("condense"):
            if is_small_talk(query.question):
                state.declined = message("answer.small_talk", state.language)
            elif query.history and overview.asked_of(query.question) is None and is_elliptic(query.question):
                rewritten = self.generator.standalone(state, config) if self.generator is not None else None
                state.standalone = rewritten or query.question
        return state

    def retrieve(self, state: QueryState) -> QueryState:
        """Find passages, for each part of a question its share."""
        if state.declined:
            return state
        with state.stage("retrieve"):
            if not self._look_over(state):
                self._search(state)
        assert state.retrieval is not None
        state.notes.extend(state.retrieval.notes)
        for step in state.retrieval.model_steps:
            stage = step.step if step.step == "rerank" else "expand"  # whose calls run together
            state.seconds[stage] = max(step.seconds, state.seconds.get(stage, 0.0))
        return state

    def _look_over(self, state: QueryState) -> bool:
        """Take the opening and the headings of documents, when the question asks about them as a whole."""
        template = state.query.prompt or self.settings.prompt
        wanted = overview.asked_of(state.query.question)
        if wanted is None and template == SUMMARY:
            wanted = state.query.question.strip(" ?.")
        if wanted is None:
            return False
        snapshot, where = state.snapshot, as_filter(state.query.where)
        allowed = None if where is None or where.empty else set(snapshot.selection(where).contents.tolist())
        known = [record for record, content in snapshot.contents() if allowed is None or content in allowed]
        known.sort(key=lambda record: record.file)
        chosen = overview.named(wanted, known)[: overview.SEVERAL]
        documents = []
        for record in chosen:
            pages = snapshot.pages(record.file)
            chunks = snapshot.chunks_of_pages([(record.file, page.number) for page in pages])
            ids = list(dict.fromkeys(chunk for own in chunks.values() for chunk in own))
            documents.append(overview.WholeDocument(record, pages, snapshot.passages(ids)))
        draft, passages = overview.overview(documents)
        if draft.declined:
            return False
        blank = np.zeros(snapshot.spec.dimension, np.float32)
        state.overview, state.evidence = draft, 1.0
        state.retrieval = Retrieval(state.standalone, passages, blank, {})
        if len(chosen) < len(known) and not wanted:
            state.notes.append(message("answer.name_a_document", state.language, count=len(known)))
        return True

    def _search(self, state: QueryState) -> None:
        """Search for the parts of the question; `state.retrieval` holds their passages in turn."""
        written = parts_of(state.standalone)
        share = -(-(state.query.k or self.settings.k) // len(written))
        k = max(share, LEAST_SHARE) if len(written) > 1 else share
        before = state.query.history if state.standalone == state.query.question else ()
        search, where = self._part_search(alone=self.generator is None), as_filter(state.query.where)
        for text in written:
            state.parts.append(search.find(text, before, k=k, where=where, snapshot=state.snapshot))
            before = ((state.parts[-1].question, ""),)
        state.retrieval = state.parts[0].retrieval
        if state.parts[0].question != written[0]:
            state.standalone = " ".join(part.question for part in state.parts)
        if len(written) > 1:
            rounds = zip_longest(*(part.passages for part in state.parts))
            found = {
                passage.chunk_id: passage for group in rounds for passage in group if passage is not None
            }
            state.retrieval = replace(
                state.retrieval, question=state.standalone, passages=tuple(found.values())
            )

    def _part_search(self, *, alone: bool) -> PartSearch:
        threshold = self.alone if alone else self.threshold
        return PartSearch(self.retriever, self.embeddings, threshold, alone=alone)

    def assess(self, state: QueryState) -> QueryState:
        """Decline when the evidence is too weak for any answer, before a model is asked."""
        if state.declined or state.overview is not None:
            return state
        with state.stage("assess"):
            for part in state.parts:
                if part.assessment is None:
                    self._part_search(alone=self.generator is None).score(part, state.snapshot)
            state.evidence = max(part.evidence for part in state.parts)
        language = state.language
        if not state.passages:
            state.declined = self.no_passage_reason(state.snapshot, state.query.where, language)
        elif not has_search_terms(state.standalone):
            state.declined = message("answer.asks_nothing", language)
        elif state.evidence < self.threshold:
            state.declined = message("answer.too_weak", language)
            if missing := _missing(state):
                state.declined += " " + message("answer.missing_words", language, words=", ".join(missing))
        else:
            unanswered = [part.question for part in state.parts if not part.answered]
            state.notes += [
                message("answer.part_missing", language, question=question) for question in unanswered
            ]
        return state

    @staticmethod
    def no_passage_reason(
        snapshot: Snapshot, where: tuple[str, ...] | Filter | None, language: Language
    ) -> str:
        """Why a search found no passage: every question finds some where there are some to be found."""
        allowed = as_filter(where)
        if not snapshot.counts().chunks:
            return message("answer.empty_index", language)
        if allowed is not None and not allowed.empty:
            return message("answer.nothing_allowed", language, where=f"--where {allowed}")
        return message("answer.nothing_found", language)

    def generate(self, state: QueryState, config: RunnableConfig) -> QueryState:
        """Have the answerer write, unless it is decided that there is no answer."""
        if not state.declined and self.generator is not None:
            self.generator.invoke(state, config)
        return state

    def generate_stream(self, state: QueryState, config: RunnableConfig) -> Iterator[str]:
        """`generate`, with the model's words as they come."""
        if not state.declined and self.generator is not None:
            yield from self.generator.stream(state, config)

    async def agenerate_stream(self, state: QueryState, config: RunnableConfig) -> AsyncIterator[str]:
        """`generate_stream` without blocking the event loop."""
        if not state.declined and self.generator is not None:
            async for piece in self.generator.astream(state, config):
                yield piece

    def parse(self, state: QueryState) -> QueryState:
        """Read the reply, or choose the sentences that answer."""
        if state.declined:
            return state
        with state.stage("generate" if self.generator is None else "verify"):
            if self.generator is None:
                state.draft = self._extraction().draft(state)
            else:
                state.draft = parse_reply(state.reply, language=state.language)
                if state.packed is not None and state.packed.sentences:
                    state.draft = cited_by_number(state.draft, state.packed.sentences)
                if state.draft.declined or not state.draft.sentences:
                    state.draft = self._extraction().instead_of_declining(state) or state.draft
        if state.draft.declined or not state.draft.sentences:
            key = "answer.no_sentence" if self.generator is None else "answer.model_declined"
            state.declined = message(key, state.language)
        return state

    def verify(self, state: QueryState, config: RunnableConfig) -> QueryState:
        """Look every quote up in the stored pages."""
        if state.draft is None or state.declined:
            return state
        with state.stage("verify"):
            checked = self._checked(state.draft, state, config)
            if self.generator is not None:
                instead = self._extraction().instead_of_unverified(state, checked)
                if instead is not None and instead.declined:
                    state.declined = message("answer.neither_sure", state.language)
                elif instead is not None:
                    checked = self._checked(instead, state, config)
            state.checked = checked
        return state

    def _checked(self, draft: Draft, state: QueryState, config: RunnableConfig) -> CheckedDraft:
        given = state.packed.passages if state.packed is not None else state.passages
        pages = CurrentPages(state.snapshot)
        checked = verification.check_draft(
            draft,
            given,
            pages,
            language=state.language,
            question=state.standalone,
            tables=state.snapshot,
            checker=self._second_checker(state, config),
            likely=likely(state) if self.generator is not None else (),
        )
        notes = [message("answer.document_outdated", state.language, file=f) for f in pages.outdated]
        state.notes += [note for note in notes if note not in state.notes]
        return checked

    def _extraction(self) -> Extraction:
        return Extraction(self._part_search(alone=True), self.settings)

    def _second_checker(self, state: QueryState, config: RunnableConfig) -> Checker | None:
        """The model that checks what rules leave open; when it fails, the answer stays and a note says so."""
        checker = self.checker
        if checker is None:
            return None

        def ask(pairs: Sequence[Pair], question: str) -> Sequence[bool]:
            try:
                return checker.check(pairs, question, config)
            except (ProviderError, BudgetReached) as error:
                state.notes.append(message("answer.not_checked", state.language, reason=str(error)))
                return [False] * len(pairs)

        return ask

    def decide(self, state: QueryState) -> Answer:
        """Answer with what was checked, or decline."""
        checked = state.checked
        strict = self.settings.strict if state.query.strict is None else state.query.strict
        language = state.language
        if checked is not None and not any(citation.verified for citation in checked.citations):
            state.declined = message("answer.no_quote_verified", language)
        elif checked is not None and all(s.support is Support.UNSUPPORTED for s in checked.sentences):
            state.declined = message("answer.unfounded", language)
        elif checked is not None and strict and not checked.verified:
            state.declined = message("answer.no_sentence_verified", language)
        elif checked is not None and strict:
            checked = verification.strict(checked, language=language)
        near = extractive.nearest(ranked(state), state.passages) if state.declined else ()
        return final_answer(state, None if state.declined else checked, self.model, near)


def _missing(state: QueryState) -> tuple[str, ...]:
    """Words of the question's parts that stand in none of their passages."""
    found = [part.assessment.missing for part in state.parts if part.assessment is not None]
    return tuple(dict.fromkeys(word for words in found for word in words))
