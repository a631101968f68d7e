"""Azure OpenAI: `azure:DEPLOYMENT` with an endpoint, a key and an API version."""

from __future__ import annotations

from typing import Any

from langchain_openai import AzureChatOpenAI, AzureOpenAIEmbeddings

from rag import index_location
from rag.errors import AuthenticationFailed, SettingsError
from rag.providers.failures import CallSite
from rag.providers.openai import DIMENSIONS, Requester, client_options
from rag.providers.specs import ChatConnection, EmbeddingConnection
from rag.settings import Settings

_KEY = "AZURE_OPENAI_API_KEY"


def connect_chat(model: str, settings: Settings) -> ChatConnection:
    """Raises SettingsError or AuthenticationFailed naming the variable that is missing."""
    place = _place(model, settings)
    chat = AzureChatOpenAI(**_options(model, settings), stream_usage=True)
    return ChatConnection(chat, place, url=settings.azure_openai_endpoint)


def connect_embeddings(model: str, settings: Settings) -> EmbeddingConnection:
    """Raises SettingsError or AuthenticationFailed naming the variable that is missing."""
    place = _place(model, settings)
    embeddings = AzureOpenAIEmbeddings(**_options(model, settings), check_embedding_ctx_length=False)
    url = settings.azure_openai_endpoint
    return EmbeddingConnection(Requester(embeddings), place, dimension=DIMENSIONS.get(model), url=url)


def _place(model: str, settings: Settings) -> CallSite:
    spec = f"azure:{model}"
    if settings.azure_openai_endpoint is None:
        raise SettingsError(f"{spec} needs the address of your resource: set AZURE_OPENAI_ENDPOINT.")
    if settings.openai_api_version is None:
        raise SettingsError(f"{spec} needs an API version, such as 2024-10-21: set OPENAI_API_VERSION.")
    if settings.azure_openai_api_key is None:
        raise AuthenticationFailed(f"{spec} needs a key: set {_KEY}.")
    return CallSite(
        spec,
        f"Azure OpenAI at {index_location.shown_address(settings.azure_openai_endpoint)}",
        _KEY,
        tuple(settings.secrets()),
    )


def _options(model: str, settings: Settings) -> dict[str, Any]:
    return {
        "azure_deployment": model,
        "azure_endpoint": settings.azure_openai_endpoint,
        "api_version": settings.openai_api_version,
        "api_key": settings.azure_openai_api_key,
        "model": model,
        **client_options(settings.azure_openai_endpoint, settings),
    }
