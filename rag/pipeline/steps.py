"""The steps of the chain. Each takes a turn, adds its part, and hands it on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.answering import extractive, verify
from rag.answering.abstain import assess
from rag.answering.draft import Draft
from rag.answering.reply import parse_reply
from rag.answering.verify import Proof
from rag.answering.wording import Language
from rag.errors import IndexMismatch
from rag.pipeline.condense import by_rule
from rag.pipeline.prompt import Reader, turn_prompt
from rag.pipeline.searching import effort_forms, effort_seconds
from rag.pipeline.turn import Ask, Turn
from rag.pipeline.wording import language_for, say
from rag.prompting.catalogue import load_template
from rag.providers.capabilities import Capabilities
from rag.store import Filter, Index
from rag.text.keywords import names_something
from rag.text.tokens import count_tokens
from rag.types import Answer

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from rag.pipeline.generation import Generator
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.assisted import AssistedRetriever
    from rag.retrieval.hybrid import HybridRetriever
    from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class Steps:
    """The parts of an open pipeline, and what is done with them in order."""

    index: Index
    retriever: HybridRetriever | AssistedRetriever
    embeddings: EmbeddingProvider
    settings: Settings
    generator: Generator | None
    """None for the extractive answerer."""
    model: str
    threshold: float
    """Evidence below it is not enough to answer."""
    follow: bool = True
    """Move on to the newest published generation of the index before each question."""

    @property
    def reader(self) -> Reader:
        """How the answerer reads a prompt; a usual chat model for the extractive one, which reads none."""
        if self.generator is not None:
            return self.generator.reader
        free = None if self.embeddings.paid else self.embeddings.embed
        return Reader(count_tokens, Capabilities().context_tokens, free)

    def refresh(self) -> None:
        """See what was published since the last question; costs one read when that is nothing.

        Raises IndexMismatch when the index was made anew with other embeddings.
        """
        if self.follow and self.index.refresh() and self.index.spec.embedding_id != self.embeddings.id:
            raise IndexMismatch(
                f"The index {self.index.location} was made anew with {self.index.spec.embedding_id} while it was"
                " open: open it again."
            )

    def _language(self, turn: Turn) -> Language:
        """In which language the reader is told about the answer."""
        return language_for(turn.ask.question, self.settings)

    def condense(self, ask: Ask, config: RunnableConfig) -> Turn:
        """Make the question understandable without the chat."""
        self.refresh()
        turn = Turn(ask)
        # at once, so that a wrong template is told also when nothing would come of it
        turn_prompt(turn, self.settings, self.reader).values(passages="")
        with turn.stage("condense"):
            turn.standalone = self._standalone(turn, config)
        return turn

    def _standalone(self, turn: Turn, config: RunnableConfig) -> str:
        ask = turn.ask
        if not ask.history:
            return ask.question
        rewritten = self.generator.standalone(turn, config) if self.generator is not None else None
        return rewritten or by_rule(ask.question, [asked for asked, _ in ask.history])

    def retrieve(self, turn: Turn) -> Turn:
        """Find passages."""
        with turn.stage("retrieve"):
            wanted = turn.ask.k or self.settings.k
            turn.retrieval = self.retriever.retrieve(
                turn.standalone, k=wanted, where=as_filter(turn.ask.where)
            )
        turn.notes.extend(turn.retrieval.notes)
        turn.seconds.update(effort_seconds(turn.retrieval))
        return turn

    def gate(self, turn: Turn) -> Turn:
        """Decline when the evidence is too weak for any answer, before a model is asked."""
        passages = turn.passages
        with turn.stage("gate"):
            assessment = assess(turn.standalone, passages, embedding=self.index.spec.embedding_model)
        turn.evidence = assessment.score
        language = self._language(turn)
        if not passages:
            turn.declined = self.why_nothing(turn.ask.where, language)
        elif not names_something(turn.standalone):
            turn.declined = say("asks_nothing", language)
        elif turn.evidence < self.threshold:
            turn.declined = say("too_weak", language)
            if assessment.missing:
                turn.declined += " " + say("missing_words", language, words=", ".join(assessment.missing))
        return turn

    def why_nothing(self, where: tuple[str, ...] | Filter | None, language: Language) -> str:
        """Why a search found no passage: every question finds some where there are some to be found."""
        allowed = as_filter(where)
        if not self.index.counts().chunks:
            return say("empty_index", language)
        if allowed is not None and not allowed.empty:
            return say("nothing_allowed", language, where=f"--where {allowed}")
        return say("nothing_found", language)

    def generate(self, turn: Turn, config: RunnableConfig) -> Turn:
        """Have the answerer write, unless it is decided that there is no answer."""
        if not turn.declined and self.generator is not None:
            self.generator.invoke(turn, config)
        return turn

    def generate_stream(self, turn: Turn, config: RunnableConfig) -> Iterator[str]:
        """`generate`, with the model's words as they come."""
        if not turn.declined and self.generator is not None:
            yield from self.generator.stream(turn, config)

    async def agenerate_stream(self, turn: Turn, config: RunnableConfig) -> AsyncIterator[str]:
        """`generate_stream` without blocking the event loop."""
        if not turn.declined and self.generator is not None:
            async for piece in self.generator.astream(turn, config):
                yield piece

    def parse(self, turn: Turn) -> Turn:
        """Read the reply, or choose the sentences that answer."""
        if turn.declined:
            return turn
        with turn.stage("generate" if self.generator is None else "verify"):
            if self.generator is None:
                turn.draft = self._extract(turn)
            else:
                turn.draft = parse_reply(turn.reply, language=self._language(turn))
        if turn.draft.declined or not turn.draft.sentences:
            said = "model_declined" if turn.reply.strip() else "empty_reply"
            turn.declined = say("no_sentence" if self.generator is None else said, self._language(turn))
        return turn

    def _extract(self, turn: Turn) -> Draft:
        # comparing sentences by meaning costs nothing only when the embeddings are this machine's
        embed = None if self.embeddings.paid else self.embeddings.embed
        vector = turn.retrieval.query_vector if turn.retrieval is not None else None
        return extractive.answer(
            turn.standalone,
            turn.passages,
            embed=embed,
            query_vector=vector,
            pages=self.index,
            max_sentences=self._sentences(turn),
        )

    def _sentences(self, turn: Turn) -> int:
        """How many sentences the template wants: all that there is of it to be heeded without a model."""
        template = load_template(turn.ask.prompt or self.settings.prompt, self.settings.prompts_dir)
        if template.file.sentences is None:
            return extractive.SENTENCES
        turn.template = (template.name, template.fingerprint)
        return template.file.sentences

    def prove(self, turn: Turn) -> Turn:
        """Look every quote up in the stored pages."""
        if turn.draft is not None and not turn.declined:
            given = turn.packed.passages if turn.packed is not None else turn.passages
            with turn.stage("verify"):
                turn.proof = verify.prove(turn.draft, given, self.index, language=self._language(turn))
        return turn

    def decide(self, turn: Turn) -> Answer:
        """Answer with what is proven, or decline."""
        proof = turn.proof
        strict = self.settings.strict if turn.ask.strict is None else turn.ask.strict
        language = self._language(turn)
        if proof is not None and not any(citation.verified for citation in proof.citations):
            turn.declined = say("nothing_proven", language)
        elif proof is not None and strict and not proof.proven:
            turn.declined = say("nothing_verified", language)
        elif proof is not None and strict:
            proof = verify.strict(proof, language=language)
        return self._answer(turn, None if turn.declined else proof)

    def _answer(self, turn: Turn, proof: Proof | None) -> Answer:
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
            usage=turn.tally.total,
            seconds={**turn.seconds, "total": time.perf_counter() - turn.started},
            evidence_score=turn.evidence,
            reason=turn.declined,
            standalone_question=turn.standalone if turn.standalone != turn.ask.question else "",
            notes=tuple(dict.fromkeys((*self._notes(turn), *(proof.notes if proof is not None else ())))),
            extra=self._extra(turn, fingerprint),
        )

    @staticmethod
    def _extra(turn: Turn, fingerprint: str) -> dict[str, Any]:
        efforts = effort_forms(turn.retrieval)
        extra: dict[str, Any] = {"retrieval_steps": efforts} if efforts else {}
        return extra | ({"prompt_fingerprint": fingerprint} if fingerprint else {})

    def _notes(self, turn: Turn) -> list[str]:
        notes = list(turn.notes)
        if turn.packed is not None and turn.packed.left_out:
            used = len(turn.packed.passages)
            found = used + turn.packed.left_out
            notes.append(say("fewer_passages", self._language(turn), used=used, found=found))
        if turn.tally.estimated:
            notes.append(say("estimated", self._language(turn)))
        return notes


def as_filter(where: tuple[str, ...] | Filter | None) -> Filter | None:
    """The filter of a question. Raises UsageError for a condition that cannot be read."""
    return Filter.parse(where) if isinstance(where, tuple) else where
