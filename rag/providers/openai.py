"""OpenAI, and what all servers of its protocol share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from httpx import Response
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import BadRequestError, DefaultAsyncHttpxClient, DefaultHttpxClient

from rag import index_location
from rag.errors import AuthenticationFailed, BadResponse
from rag.providers.failures import CallSite, ForeignProtocol
from rag.providers.specs import ChatConnection, Embedded, EmbeddingConnection, is_loopback, patience
from rag.settings import Settings

if TYPE_CHECKING:
    from langchain_openai import OpenAIEmbeddings

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_KEY = "OPENAI_API_KEY"
_FOREIGN = ("text/html", "text/xml", "text/css", "application/xml", "image/", "audio/", "video/")
"""Kinds of content that are an answer of another kind of server."""


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
    return ChatConnection(ChatOpenAI(**options), place, url=settings.openai_base_url)


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
    requester = Requester(OpenAIEmbeddings(**options))
    return EmbeddingConnection(
        requester, place, dimension=DIMENSIONS.get(model), url=settings.openai_base_url
    )


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
    timeout, _ = patience(settings, base_url)
    http: dict[str, Any] = {"timeout": timeout, "follow_redirects": False}
    if base_url is not None and is_loopback(base_url):
        http["trust_env"] = False

    async def acheck(response: Response) -> None:
        _check_protocol(response)

    return {
        "timeout": timeout,
        "max_retries": 0,
        "http_client": DefaultHttpxClient(**http, event_hooks={"response": [_check_protocol]}),
        "http_async_client": DefaultAsyncHttpxClient(**http, event_hooks={"response": [acheck]}),
    }


def _check_protocol(response: Response) -> None:
    """Raises ForeignProtocol for an answer that no server of the protocol gives, such as a web page."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code < 300 and (kind.startswith(_FOREIGN) or kind.endswith("+xml")):
        raise ForeignProtocol(kind)


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
