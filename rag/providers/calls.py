"""One call to a chat model from reservation to usage record."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
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

    place: CallSite
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
    """One call that may take several tries. Every try is opened, and then finished, failed or abandoned."""

    def __init__(
        self, guards: Guards, messages: Sequence[BaseMessage], stop: list[str] | None, given: dict[str, Any]
    ) -> None:
        self.guards = guards
        self.messages = messages
        self._stop, self._given = stop, given
        images = sum(map(image_count, messages)) * (guards.capabilities.image_tokens or 0)
        self._prompt_tokens = prompt_tokens(messages, guards.count_tokens) + images
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
        self._reservation = self.guards.meter.reserve(self.guards.place.spec, tokens, longest)
        self.guards.limiter.acquire(tokens + longest)
        provider, _, model = self.guards.place.spec.partition(":")
        self._span = started(
            f"chat {model}",
            gen_ai__operation__name="chat",
            gen_ai__provider__name=provider,
            gen_ai__request__model=model,
            gen_ai__request__max_tokens=longest,
            gen_ai__request__temperature=parameters.get("temperature"),
        )
        self._span.set_text(gen_ai__input__messages=json.dumps([[m.type, m.text] for m in self.messages]))

    def failed(self, error: Exception) -> RagError:
        """Close this try; returns what to raise in place of `error`."""
        failure = translate(error, self.guards.place)
        self._span.end(failure.error)
        if failure.maybe_billed:
            self.abandon()
        elif self._reservation is not None:
            self._reservation.release()
        return self._adapted(error) or failure.error

    def abandon(self) -> None:
        """Close this try as if it had been billed in full: nobody knows."""
        if self._reservation is not None:
            self._reservation.forfeit()

    def _adapted(self, error: Exception) -> RagError | None:
        """A reason to try again at once, when only a parameter was refused and can be left out."""
        if getattr(error, "status_code", None) not in (400, 422):
            return None
        named = getattr(error, "param", None) or _first_group(_REFUSED_PARAMETER.search(str(error)))
        if named not in {*self.parameters, "stream_options"} or named in self.guards.dropped:
            return None
        self.guards.dropped.add(str(named))
        return ServerUnreachable(f"{self.guards.place.spec} does not take {named}.", retry_after=0.0)

    def finish(self, result: ChatResult) -> ChatResult:
        """Book a whole reply; its message gets the usage record."""
        generation = result.generations[0]
        message = generation.message
        if isinstance(message, AIMessage):
            usage, record = self.settle(message.usage_metadata, message.text)
            message.usage_metadata = usage
            message.response_metadata[USAGE_RECORD] = record
            details = {**(generation.generation_info or {}), **message.response_metadata}
            self.keep(
                message.text,
                str(details.get("finish_reason") or "stop"),
                usage,
                record,
                details.get("logprobs"),
            )
        return result

    def settle(self, reported: UsageMetadata | None, text: str) -> tuple[UsageMetadata, dict[str, Any]]:
        """Book this try with the tokens that the server reported, or an estimate; returns them and the record."""
        usage: UsageMetadata
        if reported is not None:
            usage = reported
        else:
            output = self.guards.count_tokens(text)
            usage = {
                "input_tokens": self._prompt_tokens,
                "output_tokens": output,
                "total_tokens": self._prompt_tokens + output,
            }
        cost = None
        if self._reservation is not None:
            cached = (usage.get("input_token_details") or {}).get("cache_read") or 0
            cost = self._reservation.settle(
                usage["input_tokens"], usage["output_tokens"], cached_input=cached, estimated=reported is None
            ).cost_usd
        self._span.set(
            gen_ai__usage__input_tokens=usage["input_tokens"],
            gen_ai__usage__output_tokens=usage["output_tokens"],
        )
        self._span.set_text(gen_ai__output__messages=text)
        self._span.end()
        return usage, {"cost_usd": cost, "cached": False, "estimated": reported is None}

    def _key(self) -> str:
        """What makes a call: model, server, messages and parameters."""
        messages = [[message.type, message.content] for message in self.messages]
        place = self.guards.place
        return call_key(
            {"model": place.spec, "server": place.server, "messages": messages, "parameters": self.parameters}
        )

    @property
    def _replies(self) -> ReplyCache | None:
        """The replies kept for identical calls; None unless this one is at temperature 0 and may be kept."""
        return self.guards.replies if self.parameters.get("temperature") == 0 else None

    def kept(self) -> AIMessage | None:
        """The reply of an identical earlier call, with a usage record that says so."""
        if (paid := self._paid_before()) is not None:
            return paid
        reply = self._replies.get(self._key()) if self._replies is not None else None
        if reply is None:
            return None
        self.guards.meter.book(None, self.guards.place.spec, Usage(cached_calls=1), False)
        kept = _message(
            reply.text, reply.finish_reason, 0, 0, {"cost_usd": 0.0, "cached": True, "estimated": False}
        )
        if reply.logprobs:
            kept.response_metadata["logprobs"] = reply.logprobs
        return kept

    def _paid_before(self) -> AIMessage | None:
        """The reply that this piece of work paid for before it was interrupted."""
        journal = current_paid_work()
        paid = journal.take(self._key()) if journal is not None else None
        if paid is None:
            return None
        self.guards.meter.paid_before(self.guards.place.spec, paid)
        usage = paid.usage
        record = {"cost_usd": usage.cost_usd, "cached": False, "estimated": paid.estimated}
        return _message(paid.content, paid.finish_reason, usage.input_tokens, usage.output_tokens, record)

    def keep(
        self,
        text: str,
        reason: str,
        usage: UsageMetadata,
        record: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
    ) -> None:
        """Keep the reply: for this piece of work, and for identical calls when such are answered from the cache."""
        if not text.strip():
            return  # a failure of the model, which an identical call must not repeat
        if (journal := current_paid_work()) is not None and logprobs is None:  # they have no place there
            billed = Usage(usage["input_tokens"], usage["output_tokens"], record["cost_usd"], calls=1)
            journal.put(self._key(), PaidReply(text, billed, reason, record["estimated"]))
        if self._replies is not None:
            self._replies.put(self._key(), Reply(text, reason, logprobs))


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

    @property
    def begun(self) -> bool:
        """Whether words have come, which a reader may have seen."""
        return any(self._text)

    def end(self) -> ChatGenerationChunk:
        """Book the reply; an empty last piece with the usage record. Raises ServerUnreachable for a cut stream."""
        place = self.call.guards.place
        if self._reason is None and self.call.guards.marks_end:
            self.call.abandon()
            raise ServerUnreachable(
                f"{place.subject} broke off the answer of {place.spec} half-way: try again."
            )
        text = "".join(self._text)
        usage, record = self.call.settle(self._usage, text)
        self.call.keep(text, self._reason or "stop", usage, record)
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=usage if self._usage is None else None,
                response_metadata={USAGE_RECORD: record},
            )
        )


def _message(text: str, reason: str, tokens: int, output: int, record: dict[str, Any]) -> AIMessage:
    """A kept reply as the model would have given it."""
    return AIMessage(
        text,
        usage_metadata={"input_tokens": tokens, "output_tokens": output, "total_tokens": tokens + output},
        response_metadata={"finish_reason": reason, USAGE_RECORD: record},
    )


def prompt_tokens(messages: Sequence[BaseMessage], count_tokens: Callable[[str], int]) -> int:
    """Tokens of a prompt, as near as the tokenizer at hand can tell."""
    return 3 + sum(_MESSAGE_TOKENS + count_tokens(message.text) for message in messages)


def image_count(message: BaseMessage) -> int:
    """How many pictures a message holds, as LangChain content blocks."""
    blocks = message.content if isinstance(message.content, list) else []
    return sum(isinstance(block, dict) and block.get("type") == "image" for block in blocks)


def _first_group(match: re.Match[str] | None) -> str | None:
    return match[1] if match else None
