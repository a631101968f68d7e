"""The steps of an answer, over the open parts of a pipeline. `rag.pipeline.chain` makes a Runnable of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from rag.answering import extractive, overview, verification
from rag.answering.context import cited_by_number
from rag.answering.originals import CurrentPages
from rag.answering.question import analyse, lacks_value
from rag.answering.ranking import Ranked
from rag.answering.reply import Draft, parse_reply
from rag.answering.second_check import Checker, Pair, SecondChecker
from rag.answering.table_answers import answer_from_tables
from rag.errors import BudgetReached, IndexMismatch, ProviderError
from rag.messages import Language, message
from rag.pipeline.part_search import PartSearch
from rag.pipeline.parts import parts_of
from rag.pipeline.prompt import ModelLimits, prompt_for
from rag.pipeline.query import Part, Query, QueryState, final_answer
from rag.pipeline.rewriting import is_elliptic, is_small_talk
from rag.prompting.catalogue import load_template
from rag.providers.specs import Capabilities
from rag.retrieval.hybrid import HybridSearch, Retrieval
from rag.store import Filter, Index, Snapshot
from rag.store.filters import as_filter
from rag.text.keywords import has_search_terms
from rag.text.language import language_for, language_of
from rag.text.tokens import count_tokens
from rag.types import Answer, Support

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from rag.pipeline.generation import Generator
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.expansion import AssistedSearch
    from rag.settings import Settings

CERTAIN = 0.9
"""Confidence from which the built-in answerer answers what a model declined. Of the questions about Wikipedia pages
64 % reach it, and 96 % of those are answered right; of the 250 without an answer none does."""
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
    """Evidence below it is not enough to answer."""
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
        search, where = self._part_search(), as_filter(state.query.where)
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

    def _part_search(self) -> PartSearch:
        return PartSearch(self.retriever, self.embeddings, self.threshold, alone=self.generator is None)

    def assess(self, state: QueryState) -> QueryState:
        """Decline when the evidence is too weak for any answer, before a model is asked."""
        if state.declined or state.overview is not None:
            return state
        with state.stage("assess"):
            for part in state.parts:
                if part.assessment is None:
                    self._part_search().score(part, state.snapshot)
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
                state.draft = self._extract(state)
            else:
                state.draft = parse_reply(state.reply, language=state.language)
                if state.packed is not None and state.packed.sentences:
                    state.draft = cited_by_number(state.draft, state.packed.sentences)
                if state.draft.declined or not state.draft.sentences:
                    state.draft = self._told_instead(state) or state.draft
        if state.draft.declined or not state.draft.sentences:
            key = "answer.no_sentence" if self.generator is None else "answer.model_declined"
            state.declined = message(key, state.language)
        return state

    def _told_instead(self, state: QueryState) -> Draft | None:
        """The page's own words, when a model declines what they nearly certainly answer; see `CERTAIN`."""
        template = load_template(state.query.prompt or self.settings.prompt, self.settings.prompts_dir)
        if template.file.passages == "all":  # it asks for something else than an answer
            return None
        for part in state.parts:
            replace(self._part_search(), alone=True).score(part, state.snapshot)
        draft = self._extract(state)
        cells = any(quote.cell for sentence in draft.sentences for quote in sentence.quotes)
        if draft.declined or cells or state.confidence is None or state.confidence < CERTAIN:
            state.confidence = None
            return None
        state.packed = None
        state.notes.append(message("answer.told_instead", state.language))
        return draft

    def _extract(self, state: QueryState) -> Draft:
        if state.overview is not None:
            return state.overview
        if (cells := self._cells_of_all_parts(state)) is not None:
            return cells
        template = load_template(state.query.prompt or self.settings.prompt, self.settings.prompts_dir)
        if (
            template.file.sentences is not None
        ):  # all that there is of a template to be heeded without a model
            state.template = (template.name, template.fingerprint)
        drafts = []
        places = {passage.chunk_id: n for n, passage in enumerate(state.passages, start=1)}
        for part in state.parts:
            if part.answered and part.assessment is not None:
                draft = extractive.draft(
                    part.question,
                    part.passages,
                    part.assessment.ranked,
                    pages=state.snapshot,
                    tables=state.snapshot,
                    max_sentences=template.file.sentences,
                )
                drafts.append(_renumbered(draft, part, places))
                cell = any(quote.cell for sentence in draft.sentences for quote in sentence.quotes)
                sure = part.evidence if cell else part.assessment.confidence
                state.confidence = min(sure, 1.0 if state.confidence is None else state.confidence)
        sentences = tuple(dict.fromkeys(sentence for draft in drafts for sentence in draft.sentences))
        return Draft(sentences, declined=not sentences)

    def _cells_of_all_parts(self, state: QueryState) -> Draft | None:
        """One sentence of table cells that answers all parts ("in 2019 and 2018"), or a figure computed from them."""
        if len(state.parts) < 2:
            return None
        found = answer_from_tables(state.standalone, state.passages, state.snapshot, state.snapshot)
        if found is None or found.evidence < self.threshold:
            return None
        derived = any(sentence.derived for sentence in found.draft.sentences)
        cells = {quote.cell for sentence in found.draft.sentences for quote in sentence.quotes}
        return found.draft if derived or len(cells) >= len(state.parts) else None

    def verify(self, state: QueryState, config: RunnableConfig) -> QueryState:
        """Look every quote up in the stored pages."""
        if state.draft is not None and not state.declined:
            given = state.packed.passages if state.packed is not None else state.passages
            pages, language = CurrentPages(state.snapshot), state.language
            with state.stage("verify"):
                state.checked = verification.check_draft(
                    state.draft,
                    given,
                    pages,
                    language=language,
                    question=state.standalone,
                    tables=state.snapshot,
                    checker=self._second_checker(state, config),
                    likely=_likely(state) if self.generator is not None else (),
                )
            state.notes += [message("answer.document_outdated", language, file=f) for f in pages.outdated]
        return state

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
        near = extractive.nearest(_ranked(state), state.passages) if state.declined else ()
        return final_answer(state, None if state.declined else checked, self.model, near)


def _ranked(state: QueryState) -> list[Ranked]:
    """The sentences of all parts of the question, those of each part the likeliest to answer first."""
    return [one for part in state.parts if part.assessment is not None for one in part.assessment.ranked]


def _missing(state: QueryState) -> tuple[str, ...]:
    """Words of the question's parts that stand in none of their passages."""
    found = [part.assessment.missing for part in state.parts if part.assessment is not None]
    return tuple(dict.fromkeys(word for words in found for word in words))


def _likely(state: QueryState) -> list[list[str]]:
    """For each part of the question its sentences, the likeliest to answer first; none when one part has no ranking.

    Nor when question and passages are in different languages, whose words cannot agree. A sentence without a value
    is not likely to answer a question for one.
    """
    texts = []
    for part in state.parts:
        if part.assessment is not None:
            asked_for, every = analyse(part.question), [r.candidate.text for r in part.assessment.ranked]
            texts.append([t for t in every if not lacks_value(asked_for, t)][: verification.LIKELY] or every)
    asked = language_of(state.standalone)
    same = all(language_of(text) == asked for front in texts for text in front)
    return texts if same and len(texts) == len(state.parts) else []


def _renumbered(draft: Draft, part: Part, places: Mapping[int, int]) -> Draft:
    """The draft of a part with its passages numbered as among those of the whole question."""
    number = {n: places[passage.chunk_id] for n, passage in enumerate(part.passages, start=1)}
    sentences = [
        replace(
            sentence,
            passages=tuple(number[n] for n in sentence.passages),
            quotes=tuple(
                replace(quote, passage=None if quote.passage is None else number[quote.passage])
                for quote in sentence.quotes
            ),
        )
        for sentence in draft.sentences
    ]
    return replace(draft, sentences=tuple(sentences))
