"""A chat model behind guards: one clear error, retries, limits, the cost cap, usage records and kept replies.

It wraps the LangChain model of a provider and is itself a LangChain chat model, so callbacks, tracing and
streaming work as with any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import run_in_executor
from pydantic import ConfigDict

from rag.providers.calls import Call, Guards, StreamedCall


class GuardedChat(BaseChatModel):
    """`inner` with `guards` around it."""

    inner: BaseChatModel
    guards: Guards
    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def spec(self) -> str:
        return self.guards.site.spec

    @property
    def context_tokens(self) -> int:
        """Tokens that prompt and reply may have together."""
        return self.guards.capabilities.context_tokens

    @property
    def _llm_type(self) -> str:
        return "pagequote-guarded"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.spec}

    def get_num_tokens(self, text: str) -> int:
        return self.guards.count_tokens(text)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        call = Call(self.guards, messages, stop, kwargs)
        if (kept := call.kept()) is not None:
            return ChatResult(generations=[ChatGeneration(message=kept)])

        def attempt() -> ChatResult:
            call.open()
            with call.closed_on_failure():
                return call.finish(self.inner._generate(messages, **call.parameters))

        return self.guards.retry.run(attempt)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        call = Call(self.guards, messages, stop, kwargs)
        if (kept := call.kept()) is not None:
            return ChatResult(generations=[ChatGeneration(message=kept)])

        async def attempt() -> ChatResult:
            await run_in_executor(None, call.open)
            with call.closed_on_failure():
                return call.finish(await self.inner._agenerate(messages, **call.parameters))

        return await self.guards.retry.arun(attempt)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        call = Call(self.guards, messages, stop, kwargs)
        if (kept := call.kept()) is not None:
            yield _as_chunk(kept)
            return

        def attempt() -> tuple[list[ChatGenerationChunk], Iterator[ChatGenerationChunk]]:
            """Read up to the first words: until then nobody has seen anything, and one may start again."""
            call.open()
            pieces = self._pieces(call)
            head: list[ChatGenerationChunk] = []
            for piece in pieces:
                head.append(piece)
                if piece.text:
                    break
            return head, pieces

        head, rest = self.guards.retry.run(attempt)
        for piece in chain(head, rest):
            if run_manager is not None:
                run_manager.on_llm_new_token(piece.text, chunk=piece)
            yield piece

    def _pieces(self, call: Call) -> Iterator[ChatGenerationChunk]:
        """The pieces of one try, the last one with the usage record."""
        streamed = StreamedCall(call)
        with call.closed_on_failure():
            for piece in self.inner._stream(list(call.messages), **call.parameters):
                yield streamed.watch(piece)
            yield streamed.end()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        call = Call(self.guards, messages, stop, kwargs)
        if (kept := call.kept()) is not None:
            yield _as_chunk(kept)
            return

        async def attempt() -> tuple[list[ChatGenerationChunk], AsyncIterator[ChatGenerationChunk]]:
            await run_in_executor(None, call.open)
            pieces = self._apieces(call)
            head: list[ChatGenerationChunk] = []
            async for piece in pieces:
                head.append(piece)
                if piece.text:
                    break
            return head, pieces

        head, rest = await self.guards.retry.arun(attempt)
        async for piece in _joined(head, rest):
            if run_manager is not None:
                await run_manager.on_llm_new_token(piece.text, chunk=piece)
            yield piece

    async def _apieces(self, call: Call) -> AsyncIterator[ChatGenerationChunk]:
        streamed = StreamedCall(call)
        with call.closed_on_failure():
            async for piece in self.inner._astream(list(call.messages), **call.parameters):
                yield streamed.watch(piece)
            yield streamed.end()


async def _joined(
    head: list[ChatGenerationChunk], rest: AsyncIterator[ChatGenerationChunk]
) -> AsyncIterator[ChatGenerationChunk]:
    for piece in head:
        yield piece
    async for piece in rest:
        yield piece


def _as_chunk(message: BaseMessage) -> ChatGenerationChunk:
    """A whole message as the only piece of a stream."""
    fields = message.model_dump(include={"content", "usage_metadata", "response_metadata"})
    return ChatGenerationChunk(message=AIMessageChunk(**fields))
