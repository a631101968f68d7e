"""The steps of an answer, over the open parts of a pipeline. `rag.pipeline.chain` makes a Runnable of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.answering import extractive, overview, verification
from rag.answering.addressed import addresses_model
from rag.answering.context import cited_by_number
from rag.answering.evidence import assess
from rag.answering.originals import CurrentPages
from rag.answering.reply import Draft, parse_reply
from rag.answering.second_check import Checker, Pair
from rag.answering.table_answers import answer_from_tables
from rag.answering.verification import CheckedDraft
from rag.errors import BudgetReached, IndexMismatch, ProviderError
from rag.messages import Language, choose_language, message
from rag.pipeline.compound import parts_of
from rag.pipeline.condense import by_rule, completed, is_elliptic, is_small_talk
from rag.pipeline.prompt import ModelLimits, prompt_for
from rag.pipeline.query import Part, Query, QueryState
from rag.pipeline.searching import model_step_forms, model_step_seconds
from rag.prompting.catalogue import load_template
from rag.providers.specs import Capabilities
from rag.retrieval.hybrid import Retrieval
from rag.store import Filter, Index, Snapshot
from rag.store.filters import as_filter
from rag.text.keywords import has_search_terms
from rag.text.language import language_of
from rag.text.tokens import count_tokens
from rag.types import Answer

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from rag.pipeline.generation import Generator
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.expansion import AssistedRetriever
    from rag.retrieval.hybrid import HybridSearch
    from rag.settings import Settings

SHORT = 4
"""Words of a question that found nothing up to which it may lean on the turn before it without saying so."""
SUMMARY = "summarize"
"""The template whose question is a subject; one that names a document asks for what it is."""
LEAST_SHARE = 4
"""Passages that each part of a question of several parts gets at least."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The parts of an open pipeline, and what is done with them in order."""

    index: Index
    retriever: HybridSearch | AssistedRetriever
    embeddings: EmbeddingProvider
    settings: Settings
    generator: Generator | None
    """None for the extractive answerer."""
    checker: Generator | None
    """The chat model that checks the sentences of an answer that rules leave open; None for rules alone."""
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

    def _language(self, turn: QueryState) -> Language:
        """In which language the reader is told about the answer."""
        return choose_language(self.settings.language, language_of(turn.ask.question))

    def answer(self, ask: Query) -> Answer:
        """All steps in turn, for an answerer that asks no model: LangChain's part would only take time."""
        turn = self.gate(self.retrieve(self.condense(ask, {})))
        return self.decide(self.prove(self.parse(self.generate(turn, {})), {}))

    def condense(self, ask: Query, config: RunnableConfig) -> QueryState:
        """Make the question understandable without the chat."""
        turn = QueryState(ask, self.snapshot())
        # at once, so that a wrong template is told also when nothing would come of it
        prompt_for(turn, self.settings, self.reader).values(passages="")
        with turn.stage("condense"):
            if is_small_talk(ask.question):
                turn.standalone, turn.declined = (
                    ask.question,
                    message("answer.small_talk", self._language(turn)),
                )
            else:
                turn.standalone = self._standalone(turn, config)
        return turn

    def _standalone(self, turn: QueryState, config: RunnableConfig) -> str:
        ask = turn.ask
        whole = overview.asked_of(ask.question) is not None
        if not ask.history or whole or not is_elliptic(ask.question):
            return ask.question
        rewritten = self.generator.standalone(turn, config) if self.generator is not None else None
        return rewritten or by_rule(ask.question, ask.history)

    def retrieve(self, turn: QueryState) -> QueryState:
        """Find passages, for each part of a question its share."""
        if turn.declined:
            return turn
        with turn.stage("retrieve"):
            if not self._look_over(turn):
                self._search(turn)
        assert turn.retrieval is not None
        turn.notes.extend(turn.retrieval.notes)
        turn.seconds.update(model_step_seconds(turn.retrieval))
        return turn

    def _look_over(self, turn: QueryState) -> bool:
        """Take the opening and the headings of documents, when the question asks about them as a whole."""
        template = turn.ask.prompt or self.settings.prompt
        wanted = overview.asked_of(turn.ask.question)
        if wanted is None and template == SUMMARY:
            wanted = turn.ask.question.strip(" ?.")
        if wanted is None:
            return False
        snapshot, where = turn.snapshot, as_filter(turn.ask.where)
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
        turn.overview, turn.evidence = draft, 1.0
        turn.retrieval = Retrieval(turn.standalone, passages, blank, {})
        if len(chosen) < len(known) and not wanted:
            language = self._language(turn)
            turn.notes.append(message("answer.name_a_document", language, count=len(known)))
        return True

    def _search(self, turn: QueryState) -> None:
        """Search for the parts of the question; `turn.retrieval` holds their passages in turn."""
        texts = parts_of(turn.standalone)
        share = -(-(turn.ask.k or self.settings.k) // len(texts))
        wanted = max(share, LEAST_SHARE) if len(texts) > 1 else share
        where = as_filter(turn.ask.where)
        turn.parts = [
            Part(text, self.retriever.retrieve(text, k=wanted, where=where, snapshot=turn.snapshot))
            for text in texts
        ]
        turn.retrieval = turn.parts[0].retrieval
        if len(texts) > 1:
            rounds = zip_longest(*(part.passages for part in turn.parts))
            found = {
                passage.chunk_id: passage for group in rounds for passage in group if passage is not None
            }
            turn.retrieval = replace(turn.retrieval, question=turn.standalone, passages=tuple(found.values()))

    def gate(self, turn: QueryState) -> QueryState:
        """Decline when the evidence is too weak for any answer, before a model is asked."""
        if turn.declined or turn.overview is not None:
            return turn
        with turn.stage("gate"):
            self._assess(turn)
            if turn.evidence < self.threshold and turn.standalone == turn.ask.question and turn.ask.history:
                self._ask_completed(turn)
        language = self._language(turn)
        if not turn.passages:
            turn.declined = self.no_passage_reason(turn.snapshot, turn.ask.where, language)
        elif not has_search_terms(turn.standalone):
            turn.declined = message("answer.asks_nothing", language)
        elif turn.evidence < self.threshold:
            turn.declined = message("answer.too_weak", language)
            if missing := _missing(turn):
                turn.declined += " " + message("answer.missing_words", language, words=", ".join(missing))
        else:
            unanswered = [part.question for part in turn.parts if not part.answered]
            turn.notes += [
                message("answer.part_missing", language, question=question) for question in unanswered
            ]
        return turn

    def _assess(self, turn: QueryState) -> None:
        """How sure the passages are to answer each part; the surest part decides whether anything is answered."""
        for part in turn.parts:
            part.assessment = assess(part.question, part.passages, embed_tokens=self.embeddings.embed_tokens)
            part.evidence = max(part.assessment.score, self._table_evidence(turn, part))
            part.answered = part.evidence >= self.threshold
        turn.evidence = max(part.evidence for part in turn.parts)

    def _ask_completed(self, turn: QueryState) -> None:
        """Ask a question of a chat that found nothing again with the subject of the turn before it.

        Not when it has words of its own that stand nowhere: then it is about something else.
        """
        text = completed(turn.ask.question, turn.ask.history)
        long = len(turn.ask.question.split()) > SHORT
        if long or text == turn.standalone or _missing(turn):
            return
        before = turn.standalone, turn.parts, turn.retrieval, turn.evidence
        turn.standalone = text
        self._search(turn)
        self._assess(turn)
        if turn.evidence < self.threshold:
            turn.standalone, turn.parts, turn.retrieval, turn.evidence = before

    def _table_evidence(self, turn: QueryState, part: Part) -> float:
        """How well a table cell fits the question, for the answerer that would answer with it."""
        if self.generator is not None or not part.passages:
            return 0.0
        looked_up = answer_from_tables(part.question, part.passages, turn.snapshot, turn.snapshot)
        return looked_up.evidence if looked_up is not None else 0.0

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

    def generate(self, turn: QueryState, config: RunnableConfig) -> QueryState:
        """Have the answerer write, unless it is decided that there is no answer."""
        if not turn.declined and self.generator is not None:
            self.generator.invoke(turn, config)
        return turn

    def generate_stream(self, turn: QueryState, config: RunnableConfig) -> Iterator[str]:
        """`generate`, with the model's words as they come."""
        if not turn.declined and self.generator is not None:
            yield from self.generator.stream(turn, config)

    async def agenerate_stream(self, turn: QueryState, config: RunnableConfig) -> AsyncIterator[str]:
        """`generate_stream` without blocking the event loop."""
        if not turn.declined and self.generator is not None:
            async for piece in self.generator.astream(turn, config):
                yield piece

    def parse(self, turn: QueryState) -> QueryState:
        """Read the reply, or choose the sentences that answer."""
        if turn.declined:
            return turn
        with turn.stage("generate" if self.generator is None else "verify"):
            if self.generator is None:
                turn.draft = self._extract(turn)
            else:
                turn.draft = parse_reply(turn.reply, language=self._language(turn))
                if turn.packed is not None and turn.packed.sentences:
                    turn.draft = cited_by_number(turn.draft, turn.packed.sentences)
        if turn.draft.declined or not turn.draft.sentences:
            key = "answer.no_sentence" if self.generator is None else "answer.model_declined"
            turn.declined = message(key, self._language(turn))
        return turn

    def _extract(self, turn: QueryState) -> Draft:
        if turn.overview is not None:
            return turn.overview
        if (cells := self._cells_of_all_parts(turn)) is not None:
            return cells
        count, drafts = self._sentences(turn), []
        places = {passage.chunk_id: n for n, passage in enumerate(turn.passages, start=1)}
        for part in turn.parts:
            if part.answered and part.assessment is not None:
                draft = extractive.draft(
                    part.question,
                    part.passages,
                    part.assessment.ranked,
                    pages=turn.snapshot,
                    tables=turn.snapshot,
                    max_sentences=count,
                )
                drafts.append(_renumbered(draft, part, places))
        sentences = tuple(dict.fromkeys(sentence for draft in drafts for sentence in draft.sentences))
        return Draft(sentences, declined=not sentences)

    def _cells_of_all_parts(self, turn: QueryState) -> Draft | None:
        """One sentence of table cells that answers all parts ("in 2019 and 2018"), or a figure computed from them."""
        if len(turn.parts) < 2:
            return None
        found = answer_from_tables(turn.standalone, turn.passages, turn.snapshot, turn.snapshot)
        if found is None or found.evidence < self.threshold:
            return None
        derived = any(sentence.derived for sentence in found.draft.sentences)
        cells = {quote.cell for sentence in found.draft.sentences for quote in sentence.quotes}
        return found.draft if derived or len(cells) >= len(turn.parts) else None

    def _sentences(self, turn: QueryState) -> int | None:
        """How many sentences the template wants: all that there is of it to be heeded without a model."""
        template = load_template(turn.ask.prompt or self.settings.prompt, self.settings.prompts_dir)
        if template.file.sentences is None:
            return None
        turn.template = (template.name, template.fingerprint)
        return template.file.sentences

    def prove(self, turn: QueryState, config: RunnableConfig) -> QueryState:
        """Look every quote up in the stored pages."""
        if turn.draft is not None and not turn.declined:
            given = turn.packed.passages if turn.packed is not None else turn.passages
            pages, language = CurrentPages(turn.snapshot), self._language(turn)
            with turn.stage("verify"):
                turn.proof = verification.check_draft(
                    turn.draft,
                    given,
                    pages,
                    language=language,
                    question=turn.standalone,
                    tables=turn.snapshot,
                    checker=self._second_checker(turn, config),
                )
            turn.notes += [message("answer.document_outdated", language, file=f) for f in pages.outdated]
        return turn

    def _second_checker(self, turn: QueryState, config: RunnableConfig) -> Checker | None:
        """The model that checks what rules leave open; when it fails, the answer stays and a note says so."""
        checker = self.checker
        if checker is None:
            return None

        def ask(pairs: Sequence[Pair], question: str) -> Sequence[bool]:
            try:
                return checker.check(pairs, question, config)
            except (ProviderError, BudgetReached) as error:
                turn.notes.append(message("answer.not_checked", self._language(turn), reason=str(error)))
                return [False] * len(pairs)

        return ask

    def decide(self, turn: QueryState) -> Answer:
        """Answer with what is proven, or decline."""
        proof = turn.proof
        strict = self.settings.strict if turn.ask.strict is None else turn.ask.strict
        language = self._language(turn)
        if proof is not None and not any(citation.verified for citation in proof.citations):
            turn.declined = message("answer.no_quote_verified", language)
        elif proof is not None and strict and not proof.verified:
            turn.declined = message("answer.no_sentence_verified", language)
        elif proof is not None and strict:
            proof = verification.strict(proof, language=language)
        return self._answer(turn, None if turn.declined else proof)

    def _answer(self, turn: QueryState, proof: CheckedDraft | None) -> Answer:
        name, fingerprint = turn.template
        return Answer(
            question=turn.ask.question,
            answered=proof is not None,
            text=proof.text if proof is not None else "",
            sentences=proof.sentences if proof is not None else (),
            citations=proof.citations if proof is not None else (),
            passages=turn.packed.passages if turn.packed is not None else turn.passages,
            model=self.model,
            prompt=name,
            usage=turn.usage.total,
            seconds={**turn.seconds, "total": time.perf_counter() - turn.started},
            evidence_score=turn.evidence,
            reason=turn.declined,
            standalone_question=turn.standalone if turn.standalone != turn.ask.question else "",
            notes=tuple(dict.fromkeys((*self._notes(turn), *(proof.notes if proof is not None else ())))),
            extra=self._extra(turn, fingerprint, proof),
        )

    @staticmethod
    def _extra(turn: QueryState, fingerprint: str, shown: CheckedDraft | None) -> dict[str, Any]:
        model_steps = model_step_forms(turn.retrieval)
        extra: dict[str, Any] = {"retrieval_steps": model_steps} if model_steps else {}
        extra |= {"small_talk": True} if is_small_talk(turn.ask.question) else {}
        kept = {sentence.text for sentence in shown.sentences} if shown is not None else set()
        withheld = (
            [s.text for s in turn.proof.sentences if s.text not in kept] if turn.proof is not None else []
        )
        extra |= {"withheld": "\n".join(withheld)} if withheld else {}  # for `rag eval`; shown nowhere
        return extra | ({"prompt_fingerprint": fingerprint} if fingerprint else {})

    def _notes(self, turn: QueryState) -> list[str]:
        notes = list(turn.notes)
        if turn.proof is not None and any(
            addresses_model(c.quote) for c in turn.proof.citations if c.verified
        ):
            notes.append(message("answer.addressed_to_model", self._language(turn)))
        if turn.packed is not None and turn.packed.left_out:
            used = len(turn.packed.passages)
            found = used + turn.packed.left_out
            notes.append(message("answer.fewer_passages", self._language(turn), used=used, found=found))
        if turn.usage.estimated:
            notes.append(message("answer.estimated", self._language(turn)))
        notes.append(coverage_note(self.index, self._language(turn)))
        return [note for note in notes if note]


def _missing(turn: QueryState) -> tuple[str, ...]:
    """Words of the question's parts that stand in none of their passages."""
    found = [part.assessment.missing for part in turn.parts if part.assessment is not None]
    return tuple(dict.fromkeys(word for words in found for word in words))


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


def coverage_note(index: Index, language: Language) -> str:
    """One sentence about the files and pages of the index that cannot be searched; empty when all can."""
    totals = index.counts()
    files = sum(count for status, count in totals.files.items() if not status.searchable)
    pages = totals.pages - totals.searchable_pages
    if not files and not pages:
        return ""
    key = "not_searchable" if files and pages else "files_not_searchable" if files else "pages_not_searchable"
    return message(
        f"answer.{key}",
        language,
        files=files,
        all_files=sum(totals.files.values()),
        pages=pages,
        all_pages=totals.pages,
    )
