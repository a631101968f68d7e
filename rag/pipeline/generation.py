"""Asks the chat model, and asks again with fewer passages when they were too many for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableLambda

from rag.answering.context import neutralise
from rag.answering.reply import JSON_SCHEMA, is_empty
from rag.answering.second_check import TOP, Pair, asked_as, line, read_verdict
from rag.errors import BadResponse, ContextTooLong
from rag.messages import choose_language, message
from rag.pipeline.condense import as_text, read_reply
from rag.pipeline.prompt import LEAST_ROOM, ModelLimits, Prompt, prompt_for
from rag.pipeline.query import QueryState
from rag.pipeline.vision import page_images, with_images
from rag.prompting.catalogue import load_template
from rag.providers.pacing import InterruptiblePool
from rag.text.language import language_of

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, BaseMessageChunk
    from langchain_core.runnables import Runnable, RunnableConfig

    from rag.providers.chat import GuardedChat
    from rag.settings import Settings


CONDENSE = "condense"
CHECK = "check"
_CHECKS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Generator:
    """A chat model with all it needs to be asked."""

    model: GuardedChat
    settings: Settings
    embed: Callable[[Sequence[str]], Any] | None = None
    """As in `ModelLimits`."""

    @property
    def reader(self) -> ModelLimits:
        return ModelLimits(self.model.guards.count_tokens, self.model.context_tokens, self.embed)

    def standalone(self, turn: QueryState, config: RunnableConfig) -> str | None:
        """The turn's question, rewritten to be understandable without the chat; None when that failed."""
        question = turn.ask.question
        prompt = Prompt(
            load_template(CONDENSE, self.settings.prompts_dir), question, self.settings, self.reader, {}
        )
        history = neutralise(as_text(turn.ask.history, prompt.language))
        chain = self._chain(prompt)
        return read_reply(chain.invoke(prompt.values(history=history), config).text, question)

    def check(self, pairs: Sequence[Pair], question: str, config: RunnableConfig) -> list[bool]:
        """Whether the model finds each sentence stated by what it cites. Raises ProviderError and BudgetReached."""
        prompt = Prompt(
            load_template(CHECK, self.settings.prompts_dir), question, self.settings, self.reader, {}
        )
        bound = self.model.bind(**prompt.template.sampling.arguments(), logprobs=True, top_logprobs=TOP)
        chain = prompt.chat | bound

        def one(pair: Pair) -> bool:
            sentence, quote = pair
            reply = chain.invoke(
                prompt.values(sentence=asked_as(sentence, question), quote=line(quote)), config
            )
            return read_verdict(reply.response_metadata.get("logprobs"))

        # a model in this process shares its cores between calls
        parallel = 1 if self.model.spec.startswith(("gguf:", "hf:")) else _CHECKS_AT_ONCE
        with InterruptiblePool(parallel, "check") as pool:
            return list(pool.map(one, pairs))

    def invoke(self, turn: QueryState, config: RunnableConfig) -> None:
        """Fill in `turn.reply`."""
        chain, prompt = self._prepared(turn)
        for values in self._attempts(turn, prompt):
            try:
                with turn.stage("generate"):
                    self._read(turn, cast("BaseMessageChunk", chain.invoke(values, config)))
            except ContextTooLong:
                if self._at_the_end(turn):
                    raise
            else:
                if self._replied(turn):
                    return

    def stream(self, turn: QueryState, config: RunnableConfig) -> Iterator[str]:
        """The pieces of the reply as they come; afterwards `turn.reply` holds all of it."""
        chain, prompt = self._prepared(turn)
        for values in self._attempts(turn, prompt):
            pieces = chain.stream(values, config)
            try:
                while (piece := self._next(turn, pieces)) is not None:
                    if text := self._read(turn, piece):
                        yield text
            except ContextTooLong:  # comes before the first piece or not at all
                if self._at_the_end(turn):
                    raise
            else:
                if self._replied(turn):
                    return

    async def astream(self, turn: QueryState, config: RunnableConfig) -> AsyncIterator[str]:
        """`stream` without blocking the event loop."""
        chain, prompt = self._prepared(turn)
        for values in self._attempts(turn, prompt):
            pieces = chain.astream(values, config)
            try:
                while (piece := await self._anext(turn, pieces)) is not None:
                    if text := self._read(turn, piece):
                        yield text
            except ContextTooLong:
                if self._at_the_end(turn):
                    raise
            else:
                if self._replied(turn):
                    return

    def _prepared(self, turn: QueryState) -> tuple[Runnable[Any, BaseMessage], Prompt]:
        prompt = prompt_for(turn, self.settings, self.reader)
        turn.template = (prompt.template.name, prompt.template.fingerprint)
        if not self.settings.vision:
            return self._chain(prompt), prompt
        turn.images = page_images(turn.passages, turn.snapshot)
        language = choose_language(self.settings.language, language_of(turn.ask.question))
        turn.notes.append(message("answer.images", language, count=len(turn.images)))
        shown = RunnableLambda(partial(with_images, turn.images, prompt.language), name="images")
        return self._chain(prompt, shown), prompt

    def _chain(self, prompt: Prompt, shown: Runnable[Any, Any] | None = None) -> Runnable[Any, BaseMessage]:
        arguments = prompt.template.sampling.arguments()
        if prompt.template.output == "json":  # for models that can be held to a schema; others drop it
            arguments["response_format"] = {"type": "json_schema", "json_schema": JSON_SCHEMA}
        model = self.model.bind(**arguments)
        return prompt.chat | shown | model if shown is not None else prompt.chat | model

    def _attempts(self, turn: QueryState, prompt: Prompt) -> Iterator[dict[str, Any]]:
        """Inputs of the chain, each with half as many tokens of passages as the one before."""
        images = len(turn.images) * (self.model.guards.capabilities.image_tokens or 0)
        room = max(prompt.room() - images, LEAST_ROOM)
        while True:
            turn.packed = prompt.pack(turn.passages, room, turn.snapshot)
            yield prompt.values(passages=turn.packed.block)
            if not turn.empty_replies:
                room = turn.packed.tokens // 2

    def _replied(self, turn: QueryState) -> bool:
        """Whether the model wrote anything; once it is asked again. Raises BadResponse when it wrote nothing then."""
        if not is_empty(turn.reply):
            return True
        turn.empty_replies += 1
        fixes = {
            "length": "its thoughts used up the longest reply, so raise --max-tokens",
            "content_filter": "its server's content filter withheld it, so put the question in other words",
        }
        fix = fixes.get(turn.finish_reason)
        if fix is not None or turn.empty_replies > 1:
            fix = fix or "try another model or template, or raise --max-tokens"
            raise BadResponse(f"{self.model.spec} sent an empty reply: {fix}.")
        turn.reply = ""
        return False

    @staticmethod
    def _at_the_end(turn: QueryState) -> bool:
        """Whether nothing is left to leave out."""
        return turn.packed is None or turn.packed.tokens <= LEAST_ROOM

    @staticmethod
    def _next(turn: QueryState, pieces: Iterator[BaseMessage]) -> BaseMessageChunk | None:
        with turn.stage("generate"):
            return cast("BaseMessageChunk | None", next(pieces, None))

    @staticmethod
    async def _anext(turn: QueryState, pieces: AsyncIterator[BaseMessage]) -> BaseMessageChunk | None:
        with turn.stage("generate"):
            return cast("BaseMessageChunk | None", await anext(pieces, None))

    def _read(self, turn: QueryState, piece: BaseMessageChunk) -> str:
        turn.reply += piece.text
        turn.finish_reason = piece.response_metadata.get("finish_reason") or turn.finish_reason
        if piece.response_metadata.get("finish_reason") == "length":
            language = choose_language(self.settings.language, language_of(turn.ask.question))
            turn.notes.append(message("answer.cut_reply", language))
        return piece.text
