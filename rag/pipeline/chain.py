"""The answering chain as one LangChain Runnable: `invoke`, `batch`, `stream` and their async forms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import ensure_config, patch_config

from rag.pipeline.steps import Steps
from rag.pipeline.turn import Ask, Turn, as_ask
from rag.types import Answer

Question = str | Mapping[str, Any] | Ask


class AnswerChain(Runnable[Question, Any]):
    """Answers a question: a text, or a map with `question`, `history`, `where`, `prompt`, `k`, `strict`.

    `invoke`, `batch` and their async forms return an `Answer`. `stream` and `astream` yield the words of the
    model as they come (text that nothing has proven yet), and the `Answer` at the end. With the extractive
    answerer the `Answer` is all there is. Callbacks, tags and tracing of a config reach every step.
    """

    name = "pagequote"

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        ask: Runnable[Question, Ask] = RunnableLambda(as_ask, name="read")
        self._prepare: Runnable[Question, Turn] = (
            ask
            | RunnableLambda(steps.condense, name="condense")
            | RunnableLambda(steps.retrieve, name="retrieve")
            | RunnableLambda(steps.gate, name="gate")
        )
        self._finish: Runnable[Turn, Answer] = (
            RunnableLambda(steps.parse, name="parse")
            | RunnableLambda(steps.prove, name="prove")
            | RunnableLambda(steps.decide, name="decide")
        )
        self._whole: Runnable[Question, Answer] = (
            self._prepare | RunnableLambda(steps.generate, name="generate") | self._finish
        ).with_config(run_name=self.name)

    def invoke(self, input: Question, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        """The answer. Raises the RagErrors of the parts, such as ProviderError and BudgetReached."""
        return self._whole.invoke(input, config, **kwargs)

    async def ainvoke(self, input: Question, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        """`invoke` with every blocking step in a thread of its own."""
        return await self._whole.ainvoke(input, config, **kwargs)

    def stream(
        self, input: Question, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[str | Answer]:
        """Pieces of text as the model writes them, then the Answer."""
        pieces = self._transform_stream_with_config(
            iter([input]), self._streamed, ensure_config(config), run_type="chain", **kwargs
        )
        return cast("Iterator[str | Answer]", pieces)

    def _streamed(
        self, inputs: Iterator[Question], run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Iterator[str | Answer]:
        child = patch_config(config, callbacks=run_manager.get_child())
        turn = self._prepare.invoke(next(inputs), child)
        yield from self.steps.generate_stream(turn, child)
        yield self._finish.invoke(turn, child)

    async def astream(
        self, input: Question, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[str | Answer]:
        """`stream` without blocking the event loop."""

        async def inputs() -> AsyncIterator[Question]:
            yield input

        pieces = self._atransform_stream_with_config(
            inputs(), self._astreamed, ensure_config(config), run_type="chain", **kwargs
        )
        async for piece in cast("AsyncIterator[str | Answer]", pieces):
            yield piece

    async def _astreamed(
        self,
        inputs: AsyncIterator[Question],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> AsyncIterator[str | Answer]:
        child = patch_config(config, callbacks=run_manager.get_child())
        turn = await self._prepare.ainvoke(await anext(inputs), child)
        async for piece in self.steps.agenerate_stream(turn, child):
            yield piece
        yield await self._finish.ainvoke(turn, child)
