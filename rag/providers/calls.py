"""One call to a chat model from reservation to usage record."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from rag.errors import RagError, ServerUnreachable
from rag.providers.failures import CallSite, translate
from rag.providers.pacing import RateLimiter, Retry
from rag.providers.specs import DEFAULT_REPLY_TOKENS, Capabilities
from rag.tracing import TracedSpan, started
from rag.types import Usage
from rag.usage.meter import Meter, Reservation
from rag.usage.replies import PaidReply, Reply, ReplyCache, call_key, current_paid_work

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

USAGE_RECORD = "pagequote"
"""The key of a message's `response_metadata` that holds its usage record: cost_usd, cached, estimated."""
_MESSAGE_TOKENS = 4
"""Tokens that the chat format adds to each message (OpenAI's cookbook: 3, and 1 for a name)."""
_MARGIN = 1.05
"""Estimates are reserved with this margin, since the server's tokenizer may count a little more."""
_REFUSED_PARAMETER = re.compile(
    r"(?:unsupported|unknown|unrecognized|invalid|not support|extra inputs).{0,60}?"
    r"\b(temperature|top_p|max_tokens|stop|presence_penalty|frequency_penalty|seed|stream_options|logprobs|top_logprobs|response_format)\b",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Guards:
    """What stands between a caller and a provider."""

    site: CallSite
    meter: Meter
    limiter: RateLimiter
    retry: Retry
    count_tokens: Callable[[str], int]
    capabilities: Capabilities = field(default_factory=Capabilities)
    overrides: dict[str, Any] = field(default_factory=dict)
    """Sampling that the user set; it wins over the template's."""
    replies: ReplyCache | None = None
    marks_end: bool = True
    """The protocol marks the end of a stream, so that a cut one can be told."""
    dropped: set[str] = field(default_factory=set)
    """Parameters that the server turned out to refuse."""

    def parameters(self, stop: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
        """What to send: the caller's sampling under the user's, without what the model does not take."""
        merged = {**given, **self.overrides}
        merged.setdefault("max_tokens", DEFAULT_REPLY_TOKENS)
        merged["max_tokens"] += self.capabilities.hidden_output_tokens
        if stop is not None:
            merged["stop"] = stop
        sampling = {name: value for name, value in merged.items() if name in self.capabilities.parameters}
        if "max_tokens" in self.dropped:  # the name that newer servers use for the same thing
            sampling["max_completion_tokens"] = sampling.pop("max_tokens")
        if "stream_options" in self.dropped:
            sampling["stream_usage"] = False
        refused = self.dropped | ({"logprobs", "top_logprobs"} if "logprobs" in self.dropped else set())
        return {name: value for name, value in sampling.items() if name not in refused}


class Call:
    """One call that may take several tries. Every try is opened, and then finished or closed by its failure."""

    def __init__(
        self, guards: Guards, messages: Sequence[BaseMessage], stop: list[str] | None, given: dict[str, Any]
    ) -> None:
        self.guards = guards
        self.messages = messages
        self._stop, self._given = stop, given
        blocks = [b for m in messages if isinstance(m.content, list) for b in m.content]
        images = sum(isinstance(block, dict) and block.get("type") == "image" for block in blocks)
        image_tokens = images * (guards.capabilities.image_tokens or 0)
        self._prompt_tokens = prompt_tokens(messages, guards.count_tokens) + image_tokens
        self._reservation: Reservation | None = None
        self._span = TracedSpan()

    @property
    def parameters(self) -> dict[str, Any]:
        return self.guards.parameters(self._stop, self._given)

    def open(self) -> None:
        """Wait for the limits and set the largest possible price aside. Raises BudgetReached."""
        parameters = self.parameters
        longest = (
            parameters.get("max_tokens") or parameters.get("max_completion_tokens") or DEFAULT_REPLY_TOKENS
        )
        tokens = math.ceil(self._prompt_tokens * _MARGIN)
        self._reservation = self.guards.meter.reserve(self.guards.site.spec, tokens, longest)
        self.guards.limiter.acquire(tokens + longest)
        provider, _, model = self.guards.site.spec.partition(":")
        self._span = started(
            f"chat {model}",
            gen_ai__operation__name="chat",
            gen_ai__provider__name=provider,
            gen_ai__request__model=model,
            gen_ai__request__max_tokens=longest,
            gen_ai__request__temperature=parameters.get("temperature"),
        )
        self._span.set_text(gen_ai__input__messages=json.dumps([[m.type, m.text] for m in self.messages]))

    @contextmanager
    def closed_on_failure(self) -> Iterator[None]:
        """Close this try when the block fails, and raise what its error means to people."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  libraries raise anything; it is translated
            failure = translate(error, self.guards.site)
            self._span.end(failure.error)
            if failure.maybe_billed:
                self.abandon()
            elif self._reservation is not None:
                self._reservation.release()
            raise self._without_parameter(error) or failure.error from None
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close this try as if it had been billed in full: nobody knows."""
        if self._reservation is not None:
            self._reservation.forfeit()

    def _without_parameter(self, error: Exception) -> RagError | None:
        """A reason to try again at once, when only a parameter was refused and can be left out."""
        if getattr(error, "status_code", None) not in (400, 422):
            return None
        said = _REFUSED_PARAMETER.search(str(error))
        named = getattr(error, "param", None) or (said[1] if said else None)
        if named not in {*self.parameters, "stream_options"} or named in self.guards.dropped:
            return None
        self.guards.dropped.add(str(named))
        return ServerUnreachable(f"{self.guards.site.spec} does not take {named}.", retry_after=0.0)

    def finish(self, result: ChatResult) -> ChatResult:
        """Book and keep a whole reply; its message gets the usage record."""
        generation = result.generations[0]
        message = generation.message
        if isinstance(message, AIMessage):
            details = {**(generation.generation_info or {}), **message.response_metadata}
            reason = str(details.get("finish_reason") or "stop")
            reply = Reply(message.text, reason, details.get("logprobs"))
            usage, record = self.settle(reply, message.usage_metadata)
            message.usage_metadata = usage
            message.response_metadata[USAGE_RECORD] = record
        return result

    def settle(self, reply: Reply, reported: UsageMetadata | None) -> tuple[UsageMetadata, dict[str, Any]]:
        """Book this try with the tokens that the server reported, or an estimate, and keep its reply.

        Returns the tokens and the usage record.
        """
        usage: UsageMetadata
        if reported is not None:
            usage = reported
        else:
            output = self.guards.count_tokens(reply.text)
            usage = {
                "input_tokens": self._prompt_tokens,
                "output_tokens": output,
                "total_tokens": self._prompt_tokens + output,
            }
        read, written, cost = usage["input_tokens"], usage["output_tokens"], None
        if self._reservation is not None:
            cached = (usage.get("input_token_details") or {}).get("cache_read") or 0
            booked = self._reservation.settle(read, written, cached_input=cached, estimated=reported is None)
            cost = booked.cost_usd
        self._span.set(gen_ai__usage__input_tokens=read, gen_ai__usage__output_tokens=written)
        self._span.set_text(gen_ai__output__messages=reply.text)
        self._span.end()
        if (
            reply.text.strip()
        ):  # an empty one is a failure of the model, which an identical call must not repeat
            if (work := current_paid_work()) is not None and reply.logprobs is None:  # it keeps none of them
                billed = Usage(read, written, cost, calls=1)
                work.put(self._key(), PaidReply(reply.text, billed, reply.finish_reason, reported is None))
            if self._replies is not None:
                self._replies.put(self._key(), reply)
        return usage, {"cost_usd": cost, "cached": False, "estimated": reported is None}

    def _key(self) -> str:
        """What makes a call: model, server, messages and parameters."""
        messages = [[message.type, message.content] for message in self.messages]
        site = self.guards.site
        return call_key(
            {"model": site.spec, "server": site.server, "messages": messages, "parameters": self.parameters}
        )

    @property
    def _replies(self) -> ReplyCache | None:
        """The replies kept for identical calls; None unless this one is at temperature 0 and may be kept."""
        return self.guards.replies if self.parameters.get("temperature") == 0 else None

    def kept(self) -> AIMessage | None:
        """The reply of an identical earlier call, or the one that an interrupted attempt at this work paid for."""
        meter, spec = self.guards.meter, self.guards.site.spec
        work = current_paid_work()
        if work is not None and (paid := work.take(self._key())) is not None:
            meter.paid_before(spec, paid)
            record = {"cost_usd": paid.usage.cost_usd, "cached": False, "estimated": paid.estimated}
            return _message(Reply(paid.content, paid.finish_reason), paid.usage, record)
        reply = self._replies.get(self._key()) if self._replies is not None else None
        if reply is None:
            return None
        meter.book(None, spec, Usage(cached_calls=1), False)
        return _message(reply, Usage(), {"cost_usd": 0.0, "cached": True, "estimated": False})


class StreamedCall:
    """Watches the pieces of a streamed reply go by, to end it with its usage record."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._text: list[str] = []
        self._usage: UsageMetadata | None = None
        self._reason: str | None = None

    def watch(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        message = chunk.message
        self._text.append(message.text)
        if isinstance(message, AIMessageChunk) and message.usage_metadata is not None:
            self._usage = message.usage_metadata
        details = {**message.response_metadata, **(chunk.generation_info or {})}
        self._reason = details.get("finish_reason") or self._reason
        return chunk

    def end(self) -> ChatGenerationChunk:
        """Book the reply; an empty last piece with the usage record. Raises ServerUnreachable for a cut stream."""
        site = self.call.guards.site
        if self._reason is None and self.call.guards.marks_end:
            self.call.abandon()
            raise ServerUnreachable(
                f"{site.subject} broke off the answer of {site.spec} half-way: try again."
            )
        usage, record = self.call.settle(Reply("".join(self._text), self._reason or "stop"), self._usage)
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=usage if self._usage is None else None,
                response_metadata={USAGE_RECORD: record},
            )
        )


def _message(reply: Reply, usage: Usage, record: dict[str, Any]) -> AIMessage:
    """A kept reply as the model would have given it."""
    read, written = usage.input_tokens, usage.output_tokens
    message = AIMessage(
        reply.text,
        usage_metadata={"input_tokens": read, "output_tokens": written, "total_tokens": read + written},
        response_metadata={"finish_reason": reply.finish_reason, USAGE_RECORD: record},
    )
    if reply.logprobs:
        message.response_metadata["logprobs"] = reply.logprobs
    return message


def prompt_tokens(messages: Sequence[BaseMessage], count_tokens: Callable[[str], int]) -> int:
    """Tokens of a prompt, as near as the tokenizer at hand can tell."""
    return 3 + sum(_MESSAGE_TOKENS + count_tokens(message.text) for message in messages)
