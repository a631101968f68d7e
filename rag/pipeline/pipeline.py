"""The public entrance: an index opened for questions."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from rag.errors import RagError, UsageError
from rag.pipeline.opening import open_steps
from rag.pipeline.prompt import prompt_for
from rag.pipeline.query import Query, QueryFields, QueryState, as_query
from rag.providers.offline import apply_offline
from rag.providers.registry import new_meter
from rag.settings import Settings, load_settings
from rag.tracing import span
from rag.usage.log import FILE_NAME, UsageLog

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

    from rag.answering.second_check import Checker
    from rag.pipeline.chain import AnswerChain
    from rag.pipeline.steps import Steps
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import Index
    from rag.types import Answer, Passage
    from rag.usage.meter import Meter

Notify = Callable[[str], None]
TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
"""Variables that have LangChain send its steps to LangSmith."""


class Pipeline:
    """Answers questions from one index. A context manager; safe to share between threads.

        with Pipeline.open(".rag", model="extractive", k=5) as pipeline:
            answer = pipeline.ask("How long is the warranty?", where={"format": "pdf"})
            [(citation.file, citation.page, citation.verified) for citation in answer.citations]

    `runnable` is the chain itself, for use in other LangChain programs.
    """

    def __init__(
        self, steps: Steps, meter: Meter, command: str, notify: Notify, *, log_each: bool = False
    ) -> None:
        """`log_each`: write the usage log after each question; otherwise only `close` writes it."""
        self.steps = steps
        self._log_each = log_each
        self.meter = meter
        self._command = command
        self._notify = notify
        self._closed = False

    @classmethod
    def open(
        cls,
        index: str | Path | None = None,
        settings: Settings | None = None,
        *,
        notify: Notify | None = None,
        command: str = "ask",
        meter: Meter | None = None,
        follow: bool = True,
        **flags: Any,
    ) -> Self:
        """Open the index at `index` (by default the one that the settings name).

        `flags` are settings by name, such as `model="openai:gpt-4o-mini"`, over environment and `.env`; give
        them or ready `settings`. `notify` gets sentences about what was repaired on the way. `command` is the
        name in the usage log. `meter` is running usage with its cap, to be shared with other
        pipelines; by default this one has its own. `follow`: each question sees what was published before it;
        otherwise all are answered from the state at opening.

        Raises IndexMissing, IndexMismatch, IndexDamaged, SettingsError, MissingExtra, AuthenticationFailed.
        """
        if settings is not None and flags:
            raise TypeError("Pipeline.open takes ready settings or settings by name, not both")
        chosen = settings or load_settings(flags)
        if index is not None:
            chosen = chosen.model_copy(update={"index": str(index)})
        return cls._open(chosen, notify or (lambda _: None), command, meter, follow)

    @classmethod
    def _open(
        cls, settings: Settings, notify: Notify, command: str, meter: Meter | None, follow: bool
    ) -> Self:
        apply_offline(settings)
        meter = meter or new_meter(settings)
        steps = open_steps(settings, meter, notify, follow=follow)
        return cls(steps, meter, command, notify, log_each=True)

    @cached_property
    def runnable(self) -> AnswerChain:
        """The chain as a LangChain Runnable."""
        from rag.pipeline.chain import AnswerChain

        return AnswerChain(self.steps)

    @property
    def settings(self) -> Settings:
        return self.steps.settings

    @property
    def index(self) -> Index:
        return self.steps.index

    @property
    def model(self) -> str:
        """The `provider:model` that answers, or `extractive`."""
        return self.steps.model

    @property
    def threshold(self) -> float:
        """The evidence score (0 to 1) below which a question is declined."""
        return self.steps.threshold

    @property
    def checker(self) -> Checker | None:
        """What checks the sentences that rules leave open, for `check_claim`; None for rules alone."""
        second = self.steps.checker
        return None if second is None else lambda pairs, question: second.check(pairs, question, {})

    @property
    def embeddings(self) -> EmbeddingProvider:
        return self.steps.embeddings

    def ask(
        self, question: str | Query, *, config: RunnableConfig | None = None, **fields: Unpack[QueryFields]
    ) -> Answer:
        """The answer, checked sentence by sentence.

        `fields` are those of `Query`: `history` (earlier question and answer pairs), `where` (conditions such as
        `folder=reports`), `prompt`, `k`, `strict`, `variables`. `config` is LangChain's: callbacks, tags, metadata.

        Raises ProviderError, BudgetReached, NetworkRefused, UsageError.
        """
        query = as_query(question, **fields)
        with self._usage_logged():
            return self.steps.answer(query) if self._alone(config) else self.runnable.invoke(query, config)

    async def aask(
        self, question: str | Query, *, config: RunnableConfig | None = None, **fields: Unpack[QueryFields]
    ) -> Answer:
        """`ask` without blocking the event loop."""
        with self._usage_logged():
            return await self.runnable.ainvoke(as_query(question, **fields), config)

    async def astream(
        self, question: str | Query, *, config: RunnableConfig | None = None, **fields: Unpack[QueryFields]
    ) -> AsyncIterator[str | Answer]:
        """`stream` without blocking the event loop."""
        with self._usage_logged():
            async for part in self.runnable.astream(as_query(question, **fields), config):
                yield part

    def stream(
        self, question: str | Query, *, config: RunnableConfig | None = None, **fields: Unpack[QueryFields]
    ) -> Iterator[str | Answer]:
        """The model's words as they come, not checked yet, then the answer. Otherwise as `ask`."""
        query = as_query(question, **fields)

        def parts() -> Iterator[str | Answer]:
            with self._usage_logged():
                if self._alone(config):
                    yield self.steps.answer(query)
                else:
                    yield from self.runnable.stream(query, config)

        return parts()

    def search(self, question: str | Query, **fields: Unpack[QueryFields]) -> list[Passage]:
        """The passages for a query, best first. A model is asked only when the settings have it help the search."""
        state = self._retrieved(as_query(question, **fields))
        for note in state.notes:
            self._notify(note)
        return list(state.passages)

    async def asearch(self, question: str | Query, **fields: Unpack[QueryFields]) -> list[Passage]:
        """`search` without blocking the event loop."""
        import asyncio  # takes long to import, and whoever awaits this has it

        return await asyncio.to_thread(self.search, question, **fields)

    def as_tool(self) -> BaseTool:
        """A LangChain tool that answers, for agents: one for each conversation. See `rag.pipeline.chain`."""
        from rag.pipeline.chain import answer_tool

        return answer_tool(self.ask, self.aask, self.settings.language)

    def as_search_tool(self) -> BaseTool:
        """A LangChain tool that finds passages, for agents: one for each conversation."""
        from rag.pipeline.chain import search_tool

        return search_tool(self.search, self.asearch, self.settings.language)

    def render(self, question: str | Query, **fields: Unpack[QueryFields]) -> list[BaseMessage]:
        """The exact messages that a chat model would get for this question."""
        state = self.steps.assess(self._retrieved(as_query(question, **fields)))
        return prompt_for(state, self.settings, self.steps.reader).messages(state)

    def _alone(self, config: RunnableConfig | None) -> bool:
        """Whether neither a model nor anybody who follows the steps needs LangChain, which takes long to import."""
        asked = self.steps.generator is not None or self.steps.checker is not None
        traced = any(os.environ.get(name, "").lower() == "true" for name in TRACING)
        return not (asked or config or traced or "langchain_core.runnables.base" in sys.modules)

    def close(self) -> None:
        """Log the usage that is not logged yet, and close the index. What is asked afterwards is a UsageError."""
        if self._closed:
            return
        self._closed = True
        try:
            self._log_usage()
        except (RagError, OSError) as error:
            self._notify(f"The usage could not be logged: {error}")
        finally:
            self.index.close()

    def _retrieved(self, query: Query) -> QueryState:
        steps = self.steps
        with self._usage_logged():
            return steps.retrieve(steps.begin(query))

    @contextmanager
    def _usage_logged(self) -> Iterator[None]:
        """Log the usage of the block's question at once, so that a process that is killed later loses none.

        Raises UsageError when the pipeline is closed.
        """
        if self._closed:
            raise UsageError("The pipeline is closed: open it again with Pipeline.open.")
        try:
            with span("pagequote.question"):
                yield
        finally:
            if self._log_each:
                with suppress(RagError, OSError):  # `close` tries again, and says why it cannot
                    self._log_usage()

    def _log_usage(self) -> None:
        with self.meter.unlogged() as total:
            UsageLog(self.settings.folder / FILE_NAME).record(self._command, total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.meter.forfeit_open()
        self.close()
