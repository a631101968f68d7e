"""Asks the chat model, and asks again with fewer passages when they were too many for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from rag.answering.context import neutralise
from rag.errors import ContextTooLong
from rag.pipeline.condense import as_text, read_reply
from rag.pipeline.prompt import LEAST_ROOM, Prompt, Reader, turn_prompt
from rag.pipeline.turn import Turn
from rag.pipeline.wording import language_for, say
from rag.prompting.catalogue import load_template

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, BaseMessageChunk
    from langchain_core.runnables import Runnable, RunnableConfig

    from rag.answering.pages import Pages
    from rag.providers.chat import GuardedChat
    from rag.settings import Settings

CONDENSE = "condense"


@dataclass(frozen=True, slots=True)
class Generator:
    """A chat model with all it needs to be asked."""

    model: GuardedChat
    settings: Settings
    pages: Pages
    embed: Callable[[Sequence[str]], Any] | None = None
    """As in `Reader`."""

    @property
    def reader(self) -> Reader:
        return Reader(self.model.guards.count_tokens, self.model.context_tokens, self.embed)

    def standalone(self, turn: Turn, config: RunnableConfig) -> str | None:
        """The turn's question, rewritten to be understandable without the chat; None when that failed."""
        question = turn.ask.question
        prompt = Prompt(
            load_template(CONDENSE, self.settings.prompts_dir), question, self.settings, self.reader, {}
        )
        history = neutralise(as_text(turn.ask.history, prompt.language))
        chain = self._chain(prompt)
        return read_reply(chain.invoke(prompt.values(history=history), config).text, question)

    def invoke(self, turn: Turn, config: RunnableConfig) -> None:
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
                return

    def stream(self, turn: Turn, config: RunnableConfig) -> Iterator[str]:
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
                return

    async def astream(self, turn: Turn, config: RunnableConfig) -> AsyncIterator[str]:
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
                return

    def _prepared(self, turn: Turn) -> tuple[Runnable[Any, BaseMessage], Prompt]:
        prompt = turn_prompt(turn, self.settings, self.reader)
        turn.template = (prompt.template.name, prompt.template.fingerprint)
        return self._chain(prompt), prompt

    def _chain(self, prompt: Prompt) -> Runnable[Any, BaseMessage]:
        return prompt.chat | self.model.bind(**prompt.template.sampling.arguments())

    def _attempts(self, turn: Turn, prompt: Prompt) -> Iterator[dict[str, Any]]:
        """Inputs of the chain, each with half as many tokens of passages as the one before."""
        room = prompt.room()
        while True:
            turn.packed = prompt.pack(turn.passages, room, self.pages)
            yield prompt.values(passages=turn.packed.block)
            room = turn.packed.tokens // 2

    @staticmethod
    def _at_the_end(turn: Turn) -> bool:
        """Whether nothing is left to leave out."""
        return turn.packed is None or turn.packed.tokens <= LEAST_ROOM

    @staticmethod
    def _next(turn: Turn, pieces: Iterator[BaseMessage]) -> BaseMessageChunk | None:
        with turn.stage("generate"):
            return cast("BaseMessageChunk | None", next(pieces, None))

    @staticmethod
    async def _anext(turn: Turn, pieces: AsyncIterator[BaseMessage]) -> BaseMessageChunk | None:
        with turn.stage("generate"):
            return cast("BaseMessageChunk | None", await anext(pieces, None))

    def _read(self, turn: Turn, piece: BaseMessageChunk) -> str:
        turn.reply += piece.text
        if piece.response_metadata.get("finish_reason") == "length":
            turn.notes.append(say("cut_reply", language_for(turn.ask.question, self.settings)))
        return piece.text
