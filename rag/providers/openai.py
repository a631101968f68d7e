"""OpenAI and all servers of its protocol: Azure OpenAI, vLLM, LM Studio, llama.cpp, Ollama."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from typing import Any

import numpy as np
from httpx import Response, create_ssl_context
from langchain_openai import AzureChatOpenAI, AzureOpenAIEmbeddings, ChatOpenAI, OpenAIEmbeddings
from langchain_openai.chat_models.base import BaseChatOpenAI
from openai import BadRequestError, DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import SecretStr

from rag.errors import AuthenticationFailed, BadResponse, SettingsError
from rag.index_location import shown_address
from rag.providers.failures import CallSite, ForeignProtocol
from rag.providers.specs import ChatConnection, Embedded, EmbeddingConnection, Spec, is_loopback, patience
from rag.settings import Settings

_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
_OLLAMA = "http://localhost:11434/v1"
_NO_KEY = SecretStr("none")
"""Sent when no key is set: the client insists on one, and OpenAI's must never go to another server."""
_FOREIGN = ("text/html", "text/xml", "text/css", "application/xml", "image/", "audio/", "video/")
"""Kinds of content that are an answer of another kind of server."""


def connect_chat(spec: Spec, settings: Settings) -> ChatConnection:
    """A chat model of `openai`, `azure`, `compatible` or `ollama`.

    Raises SettingsError or AuthenticationFailed naming the variable that is missing.
    """
    if spec.provider not in ("openai", "azure"):
        return connect_chat_at(_address(spec, settings), spec, spec.model, settings)
    client = _azure(spec, settings) if spec.provider == "azure" else _openai(spec, settings)
    chat = AzureChatOpenAI if spec.provider == "azure" else ChatOpenAI
    return ChatConnection(chat(**client.options, stream_usage=True), client.site, url=client.url)


def connect_embeddings(spec: Spec, settings: Settings) -> EmbeddingConnection:
    """An embedding model of `openai`, `azure`, `compatible` or `ollama`. Raises as `connect_chat` does."""
    if spec.provider not in ("openai", "azure"):
        return connect_embeddings_at(_address(spec, settings), spec, spec.model, settings)
    client = _azure(spec, settings) if spec.provider == "azure" else _openai(spec, settings)
    kind = AzureOpenAIEmbeddings if spec.provider == "azure" else OpenAIEmbeddings
    embeddings = kind(
        **client.options, check_embedding_ctx_length=False
    )  # else tiktoken downloads a vocabulary
    dimension = _DIMENSIONS.get(spec.model)
    return EmbeddingConnection(_Requester(embeddings), client.site, dimension=dimension, url=client.url)


def connect_chat_at(
    url: str, spec: Spec, name: str, settings: Settings, *, context_tokens: int | None = None
) -> ChatConnection:
    """The chat model that the server at `url` knows as `name`."""
    client = _compatible(url, spec, name, settings)
    # the plain class: ChatOpenAI would rename max_tokens, which many servers then ignore
    chat = BaseChatOpenAI(**client.options, stream_usage=True, use_responses_api=False)
    local = is_loopback(url)
    return ChatConnection(chat, client.site, context_tokens=context_tokens, local=local, url=url)


def connect_embeddings_at(url: str, spec: Spec, name: str, settings: Settings) -> EmbeddingConnection:
    """The embedding model that the server at `url` knows as `name`."""
    client = _compatible(url, spec, name, settings)
    local = is_loopback(url)
    # a server on this machine has one or two cores to share: more requests at once only wait inside it
    return EmbeddingConnection(
        _Requester(OpenAIEmbeddings(**client.options, check_embedding_ctx_length=False)),
        client.site,
        batch_texts=32 if local else 128,
        batch_tokens=8_000,
        parallel=2 if local else 4,
        local=local,
        url=url,
    )


@dataclass(frozen=True, slots=True)
class _Client:
    """What LangChain's classes are made with, and who answers them."""

    options: dict[str, Any]
    site: CallSite
    url: str | None


def _openai(spec: Spec, settings: Settings) -> _Client:
    url, key = settings.openai_base_url, settings.openai_api_key
    if key is None:
        raise AuthenticationFailed(
            f"{spec} needs a key: set OPENAI_API_KEY, or choose another model with --model."
        )
    server = f"the server at {shown_address(url)}" if url else "OpenAI"
    site = CallSite(str(spec), server, "OPENAI_API_KEY", tuple(settings.secrets()))
    options = {"model": spec.model, "api_key": key, "base_url": url, **_http_options(url, settings)}
    return _Client(options, site, url)


def _azure(spec: Spec, settings: Settings) -> _Client:
    url, version, key = (
        settings.azure_openai_endpoint,
        settings.openai_api_version,
        settings.azure_openai_api_key,
    )
    if url is None:
        raise SettingsError(f"{spec} needs the address of your resource: set AZURE_OPENAI_ENDPOINT.")
    if version is None:
        raise SettingsError(f"{spec} needs an API version, such as 2024-10-21: set OPENAI_API_VERSION.")
    if key is None:
        raise AuthenticationFailed(f"{spec} needs a key: set AZURE_OPENAI_API_KEY.")
    server = f"Azure OpenAI at {shown_address(url)}"
    site = CallSite(str(spec), server, "AZURE_OPENAI_API_KEY", tuple(settings.secrets()))
    options = {
        "azure_deployment": spec.model,
        "azure_endpoint": url,
        "api_version": version,
        "api_key": key,
        "model": spec.model,
        **_http_options(url, settings),
    }
    return _Client(options, site, url)


def _compatible(url: str, spec: Spec, name: str, settings: Settings) -> _Client:
    key_setting = "RAG_API_KEY" if settings.api_key is not None else ""
    site = CallSite(str(spec), f"the server at {shown_address(url)}", key_setting, tuple(settings.secrets()))
    options = {
        "model": name,
        "base_url": url,
        "api_key": settings.api_key or _NO_KEY,
        **_http_options(url, settings),
    }
    return _Client(options, site, url)


def _address(spec: Spec, settings: Settings) -> str:
    if settings.base_url or spec.provider == "ollama":
        return settings.base_url or _OLLAMA
    raise SettingsError(
        f"{spec} needs the address of its server: set RAG_BASE_URL, such as http://localhost:8000/v1."
    )


def _http_options(base_url: str | None, settings: Settings) -> dict[str, Any]:
    """Options of every client: our own retries instead of the library's, and no proxy before loopback.

    No redirect is followed: the library would send the prompt and the key again to whatever address a server names.
    """
    timeout, _ = patience(settings, base_url)
    http: dict[str, Any] = {"timeout": timeout, "follow_redirects": False, "verify": _certificates()}
    if base_url is not None and is_loopback(base_url):
        http["trust_env"] = False

    def check(response: Response) -> None:
        """Raises ForeignProtocol for an answer that no server of the protocol gives, such as a web page."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code < 300 and (kind.startswith(_FOREIGN) or kind.endswith("+xml")):
            raise ForeignProtocol(kind)

    async def acheck(response: Response) -> None:
        check(response)

    return {
        "timeout": timeout,
        "max_retries": 0,
        "http_client": DefaultHttpxClient(**http, event_hooks={"response": [check]}),
        "http_async_client": DefaultAsyncHttpxClient(**http, event_hooks={"response": [acheck]}),
    }


@cache
def _certificates() -> SSLContext:
    """The trusted certificates, read once: every client would read them again, which takes some 25 ms each time."""
    return create_ssl_context()


class _Requester:
    """Sends one batch through LangChain's client and keeps the billed tokens, which LangChain drops."""

    def __init__(self, embeddings: OpenAIEmbeddings) -> None:
        self._embeddings = embeddings
        self._as_floats = False

    def __call__(self, texts: Sequence[str]) -> Embedded:
        try:
            return self._send(texts)
        except BadRequestError as error:
            # the client asks for base64 unless told otherwise, and some servers know only floats
            if self._as_floats or "encoding_format" not in str(error):
                raise
            self._as_floats = True
            return self._send(texts)

    def _send(self, texts: Sequence[str]) -> Embedded:
        options: dict[str, Any] = {"encoding_format": "float"} if self._as_floats else {}
        answer = self._embeddings.client.create(input=list(texts), model=self._embeddings.model, **options)
        items = sorted(answer.data, key=lambda item: item.index)
        if [item.index for item in items] != list(range(len(texts))):
            raise BadResponse(
                f"The server returned {len(items)} vectors for {len(texts)} texts, against the protocol."
            )
        vectors = np.asarray([item.embedding for item in items], dtype=np.float32)
        tokens = answer.usage.prompt_tokens if answer.usage is not None else None
        return Embedded(vectors, tokens)
