"""The answering chain as one LangChain Runnable: `invoke`, `batch`, `stream` and their async forms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import ensure_config, patch_config
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from rag.messages import Language, choose_language
from rag.pipeline.query import Query, QueryState, as_query
from rag.pipeline.steps import Steps
from rag.pipeline.tools import ASK, answer_tool
from rag.text.language import language_of
from rag.types import Answer

QueryInput = str | Mapping[str, Any] | Query


class ChainInput(BaseModel):
    """A question with its settings; what is left out takes the settings' value."""

    question: str
    history: list[tuple[str, str]] = Field(
        [], description="Earlier questions with their answers, oldest first."
    )
    where: dict[str, str | list[str]] | list[str] | str | None = Field(
        None,
        description="Only these documents: {'folder': 'reports'}, ['folder=reports'] or 'folder=reports'.",
    )
    prompt: str | None = None
    k: int | None = None
    strict: bool | None = None
    variables: dict[str, str] = {}


class AnswerChain(Runnable[QueryInput, Any]):
    """Answers a question: a text, or a map with `question`, `history`, `where`, `prompt`, `k`, `strict`.

    `invoke`, `batch` and their async forms return an `Answer`. `stream` and `astream` yield the words of the
    model as they come (text that nothing has proven yet), and the `Answer` at the end. With the extractive
    answerer the `Answer` is all there is. Callbacks, tags and tracing of a config reach every step.
    """

    name = "pagequote"

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        ask: Runnable[QueryInput, Query] = RunnableLambda(as_query, name="read")
        self._prepare: Runnable[QueryInput, QueryState] = (
            ask
            | RunnableLambda(steps.condense, name="condense")
            | RunnableLambda(steps.retrieve, name="retrieve")
            | RunnableLambda(steps.gate, name="gate")
        )
        self._finish: Runnable[QueryState, Answer] = (
            RunnableLambda(steps.parse, name="parse")
            | RunnableLambda(steps.prove, name="prove")
            | RunnableLambda(steps.decide, name="decide")
        )
        self._whole: Runnable[QueryInput, Answer] = (
            self._prepare | RunnableLambda(steps.generate, name="generate") | self._finish
        ).with_config(run_name=self.name)

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:  # noqa: ARG002
        """What a map given to the chain may hold."""
        return ChainInput

    def as_tool(
        self,
        args_schema: type[BaseModel] | None = None,  # noqa: ARG002 - LangChain fixes the signature
        *,
        name: str | None = None,
        description: str | None = None,
        arg_types: dict[str, type] | None = None,  # noqa: ARG002
    ) -> BaseTool:
        """A tool for agents that takes a question and `where`; its content is text, its artifact the `Answer`."""

        def ask(question: str, *, where: Any, config: RunnableConfig) -> Answer:
            return self.invoke({"question": question, "where": where}, config)

        async def aask(question: str, *, where: Any, config: RunnableConfig) -> Answer:
            return await self.ainvoke({"question": question, "where": where}, config)

        return answer_tool(ask, aask, self.language_for, name or "ask_documents", description or ASK)

    def language_for(self, question: str) -> Language:
        """In which language a reader of the answer to `question` is told about it."""
        return choose_language(self.steps.settings.language, language_of(question))

    def invoke(self, input: QueryInput, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        """The answer. Raises the RagErrors of the parts, such as ProviderError and BudgetReached."""
        return self._whole.invoke(input, config, **kwargs)

    async def ainvoke(self, input: QueryInput, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        """`invoke` with every blocking step in a thread of its own."""
        return await self._whole.ainvoke(input, config, **kwargs)

    def stream(
        self, input: QueryInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[str | Answer]:
        """Pieces of text as the model writes them, then the Answer."""
        pieces = self._transform_stream_with_config(
            iter([input]), self._streamed, ensure_config(config), run_type="chain", **kwargs
        )
        return cast("Iterator[str | Answer]", pieces)

    def _streamed(
        self, inputs: Iterator[QueryInput], run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Iterator[str | Answer]:
        child = patch_config(config, callbacks=run_manager.get_child())
        turn = self._prepare.invoke(next(inputs), child)
        yield from self.steps.generate_stream(turn, child)
        yield self._finish.invoke(turn, child)

    async def astream(
        self, input: QueryInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[str | Answer]:
        """`stream` without blocking the event loop."""

        async def inputs() -> AsyncIterator[QueryInput]:
            yield input

        pieces = self._atransform_stream_with_config(
            inputs(), self._astreamed, ensure_config(config), run_type="chain", **kwargs
        )
        async for piece in cast("AsyncIterator[str | Answer]", pieces):
            yield piece

    async def _astreamed(
        self,
        inputs: AsyncIterator[QueryInput],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> AsyncIterator[str | Answer]:
        child = patch_config(config, callbacks=run_manager.get_child())
        turn = await self._prepare.ainvoke(await anext(inputs), child)
        async for piece in self.steps.agenerate_stream(turn, child):
            yield piece
        yield await self._finish.ainvoke(turn, child)
