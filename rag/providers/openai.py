"""OpenAI, and what all servers of its protocol share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import BadRequestError, DefaultAsyncHttpxClient, DefaultHttpxClient

from rag import index_location
from rag.errors import AuthenticationFailed, BadResponse
from rag.providers.failures import CallSite
from rag.providers.specs import ChatConnection, Embedded, EmbeddingConnection, is_loopback
from rag.settings import Settings

if TYPE_CHECKING:
    from langchain_openai import OpenAIEmbeddings

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_KEY = "OPENAI_API_KEY"


def connect_chat(model: str, settings: Settings) -> ChatConnection:
    """Raises AuthenticationFailed when no key is set."""
    place = _place(model, settings)
    # kinds of parameters that the stubs of pydantic's aliases do not know
    options: dict[str, Any] = {
        "model": model,
        "api_key": settings.openai_api_key,
        "base_url": settings.openai_base_url,
        "stream_usage": True,
        **client_options(settings.openai_base_url, settings),
    }
    return ChatConnection(ChatOpenAI(**options), place)


def connect_embeddings(model: str, settings: Settings) -> EmbeddingConnection:
    """Raises AuthenticationFailed when no key is set."""
    place = _place(model, settings)
    options: dict[str, Any] = {
        "model": model,
        "api_key": settings.openai_api_key,
        "base_url": settings.openai_base_url,
        "check_embedding_ctx_length": False,  # else tiktoken downloads a vocabulary
        **client_options(settings.openai_base_url, settings),
    }
    return EmbeddingConnection(Requester(OpenAIEmbeddings(**options)), place, dimension=DIMENSIONS.get(model))


def _place(model: str, settings: Settings) -> CallSite:
    spec = f"openai:{model}"
    if settings.openai_api_key is None:
        raise AuthenticationFailed(f"{spec} needs a key: set {_KEY}, or choose another model with --model.")
    server = (
        f"the server at {index_location.shown_address(settings.openai_base_url)}"
        if settings.openai_base_url
        else "OpenAI"
    )
    return CallSite(spec, server, _KEY, tuple(settings.secrets()))


def client_options(base_url: str | None, settings: Settings) -> dict[str, Any]:
    """Options of every client: our own retries instead of the library's, and no proxy before loopback.

    No redirect is followed: the library would send the prompt and the key again to whatever address a server names.
    """
    http: dict[str, Any] = {"timeout": settings.timeout, "follow_redirects": False}
    if base_url is not None and is_loopback(base_url):
        http["trust_env"] = False
    return {
        "timeout": settings.timeout,
        "max_retries": 0,
        "http_client": DefaultHttpxClient(**http),
        "http_async_client": DefaultAsyncHttpxClient(**http),
    }


class Requester:
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
