"""Opens models by their `provider:model` names. A provider's module is imported when it is first named."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import MissingCapability, SettingsError
from rag.messages import choose_language, message
from rag.providers.pacing import RateLimiter, Retry, shared_limiter
from rag.providers.specs import (
    BUILTIN_EMBEDDINGS,
    EXTRACTIVE,
    PROVIDERS,
    ChatConnection,
    EmbeddingConnection,
    Spec,
    capabilities,
    parse_spec,
    patience,
)
from rag.settings import Settings
from rag.text.tokens import count_tokens
from rag.usage.meter import Meter
from rag.usage.prices import load_prices
from rag.usage.replies import FILE_NAME, ReplyCache

if TYPE_CHECKING:
    from rag.providers.chat import GuardedChat
    from rag.providers.embedding import EmbeddingProvider

DEFAULT_OPENAI = ("openai:gpt-4o-mini", "openai:text-embedding-3-small")


def default_specs(settings: Settings) -> tuple[str, str]:
    """Model and embeddings in force: those set, else OpenAI's when its key is, else the built-in pair."""
    fallback = DEFAULT_OPENAI if settings.openai_api_key is not None else (EXTRACTIVE, BUILTIN_EMBEDDINGS)
    if settings.offline:
        fallback = (EXTRACTIVE, BUILTIN_EMBEDDINGS)
    return settings.model or fallback[0], settings.embeddings or fallback[1]


def new_meter(settings: Settings) -> Meter:
    """A meter for one command, with the user's prices and cap."""
    return Meter(load_prices(settings.prices), max_cost=settings.max_cost)


def chat_model(
    spec: str,
    settings: Settings,
    *,
    meter: Meter | None = None,
    retry: Retry | None = None,
    replies: Path | None = None,
    notify: Callable[[str], None] | None = None,
) -> GuardedChat:
    """The chat model `spec`, guarded; a LangChain chat model.

    `meter` is the command's; without one the model has its own cap. `replies` is the file of kept replies,
    used when the setting `cache` is on (by default inside the index). `notify` gets a line before each further try
    of a call that had no answer.

    Raises SettingsError, AuthenticationFailed, MissingExtra or MissingCapability when it cannot be opened.
    """
    from rag.providers.calls import Guards
    from rag.providers.chat import GuardedChat

    parsed = parse_spec(spec)
    meter = meter or new_meter(settings)
    connection = _connect_chat(parsed, settings)
    _check_cap(parsed, settings, meter, connection.local)
    known = capabilities(parsed.provider, parsed.model)
    if connection.context_tokens is not None:
        known = replace(known, context_tokens=connection.context_tokens)
    chosen = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    guards = Guards(
        site=connection.site,
        meter=meter,
        limiter=shared_limiter(connection.site.server, settings.rpm, settings.tpm),
        retry=retry or _retry(settings, connection, notify),
        count_tokens=connection.count_tokens or partial(count_tokens, model=str(parsed)),
        capabilities=known,
        overrides={name: value for name, value in chosen.items() if value is not None},
        replies=ReplyCache(replies or settings.folder / FILE_NAME) if settings.cache else None,
        marks_end=connection.marks_end,
    )
    return GuardedChat(inner=connection.model, guards=guards)


def embedding_model(
    spec: str,
    settings: Settings,
    *,
    meter: Meter | None = None,
    retry: Retry | None = None,
    limiter: RateLimiter | None = None,
    dimension: int | None = None,
    notify: Callable[[str], None] | None = None,
) -> EmbeddingProvider:
    """The embedding model `spec`.

    `limiter` keeps the limits in force; without one, those of this process do.
    `dimension` is that of the index when there is one: an answer of another dimension is then an error.
    `notify` gets one line when the built-in model has to be prepared first, and before each further try of a request.

    Raises SettingsError, AuthenticationFailed, MissingExtra or MissingCapability when it cannot be opened.
    """
    parsed = parse_spec(spec)
    if parsed.provider == BUILTIN_EMBEDDINGS:
        from rag.providers.e5 import E5Model

        return E5Model(threads=settings.threads, cache_dir=settings.cache_dir, notify=notify)
    from rag.providers.remote_embeddings import RemoteEmbeddings

    meter = meter or new_meter(settings)
    connection = _connect_embeddings(parsed, settings)
    _check_cap(parsed, settings, meter, connection.local)
    return RemoteEmbeddings(
        connection,
        meter=meter,
        limiter=limiter or shared_limiter(connection.site.server, settings.rpm, settings.tpm),
        retry=retry or _retry(settings, connection, notify),
        count_tokens=partial(count_tokens, model=str(parsed)),
        dimension=dimension,
        tokens_a_minute=settings.tpm,
    )


def _retry(
    settings: Settings,
    connection: ChatConnection | EmbeddingConnection,
    notify: Callable[[str], None] | None,
) -> Retry:
    """As long as the settings say, with a line for the reader before each further try."""
    timeout, longest = patience(settings, connection.url)
    language = choose_language(settings.language)
    server = connection.site.server

    def tell(number: int, most: int) -> None:
        if notify is not None:
            notify(message("command.trying_again", language, server=server, number=number, all=most))

    return Retry(settings.retries, patience=longest, timeout=timeout, notify=tell)


def _connect_chat(spec: Spec, settings: Settings) -> ChatConnection:
    if spec.provider == EXTRACTIVE:
        raise MissingCapability(
            "`extractive` copies sentences and cannot write: name a chat model with --model."
        )
    if spec.provider == BUILTIN_EMBEDDINGS:
        raise MissingCapability(f"{spec} makes embeddings and cannot answer: name a chat model with --model.")
    connect: Callable[[Spec, Settings], ChatConnection] = _module(spec).connect_chat
    return connect(spec, settings)


def _connect_embeddings(spec: Spec, settings: Settings) -> EmbeddingConnection:
    if spec.provider == EXTRACTIVE:
        raise MissingCapability(
            "`extractive` answers and makes no embeddings: name others with --embeddings."
        )
    connect: Callable[[Spec, Settings], EmbeddingConnection] = _module(spec).connect_embeddings
    return connect(spec, settings)


def _module(spec: Spec) -> Any:
    return import_module(f"rag.providers.{PROVIDERS.get(spec.provider, 'other')}")


def _check_cap(spec: Spec, settings: Settings, meter: Meter, local: bool) -> None:
    """A cap that somebody set must hold; without a price nothing can be held to it."""
    if local or settings.max_cost is None or math.isinf(settings.max_cost):
        return
    if meter.prices.find(str(spec)) is None:
        raise SettingsError(
            f"The price of {spec} is not known, so --max-cost cannot hold: give it in a file named by"
            " RAG_PRICES, or drop the cap."
        )
