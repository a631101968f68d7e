"""Any server of the OpenAI protocol: vLLM, LM Studio, llama.cpp, and Ollama with its own default address."""

from __future__ import annotations

from typing import Any

from langchain_openai import OpenAIEmbeddings
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from rag import index_location
from rag.errors import SettingsError
from rag.providers.failures import CallSite
from rag.providers.openai import Requester, client_options
from rag.providers.specs import ChatConnection, EmbeddingConnection, is_loopback
from rag.settings import Settings

_OLLAMA = "http://localhost:11434/v1"
_NO_KEY = SecretStr("none")
"""Sent when no key is set: the client insists on one, and OpenAI's must never go to another server."""


def connect_chat(model: str, settings: Settings, *, ollama: bool = False) -> ChatConnection:
    """Raises SettingsError when no address is set."""
    url = _address(model, settings, ollama)
    spec = f"{'ollama' if ollama else 'compatible'}:{model}"
    return connect_chat_at(url, model, spec, settings)


def connect_embeddings(model: str, settings: Settings, *, ollama: bool = False) -> EmbeddingConnection:
    """Raises SettingsError when no address is set."""
    url = _address(model, settings, ollama)
    spec = f"{'ollama' if ollama else 'compatible'}:{model}"
    return connect_embeddings_at(url, model, spec, settings)


def connect_embeddings_at(url: str, model: str, spec: str, settings: Settings) -> EmbeddingConnection:
    """An embedding model served at `url`."""
    embeddings = OpenAIEmbeddings(**_options(url, model, settings), check_embedding_ctx_length=False)
    local = is_loopback(url)
    # a server on this machine has one or two cores to share: more requests at once only wait inside it
    return EmbeddingConnection(
        Requester(embeddings),
        _place(url, spec, settings),
        batch_texts=32 if local else 128,
        batch_tokens=8_000,
        parallel=2 if local else 4,
        local=local,
        url=url,
    )


def connect_chat_at(
    url: str, model: str, spec: str, settings: Settings, *, context_tokens: int | None = None
) -> ChatConnection:
    """A chat model served at `url`."""
    # the plain class: ChatOpenAI would rename max_tokens, which many servers then ignore
    model_ = BaseChatOpenAI(**_options(url, model, settings), stream_usage=True, use_responses_api=False)
    return ChatConnection(
        model_, _place(url, spec, settings), context_tokens=context_tokens, local=is_loopback(url), url=url
    )


def _address(model: str, settings: Settings, ollama: bool) -> str:
    if settings.base_url:
        return settings.base_url
    if ollama:
        return _OLLAMA
    raise SettingsError(
        f"compatible:{model} needs the address of its server: set RAG_BASE_URL, such as http://localhost:8000/v1."
    )


def _place(url: str, spec: str, settings: Settings) -> CallSite:
    key_setting = "RAG_API_KEY" if settings.api_key is not None else ""
    return CallSite(
        spec, f"the server at {index_location.shown_address(url)}", key_setting, tuple(settings.secrets())
    )


def _options(url: str, model: str, settings: Settings) -> dict[str, Any]:
    return {
        "model": model,
        "base_url": url,
        "api_key": settings.api_key or _NO_KEY,
        **client_options(url, settings),
    }
