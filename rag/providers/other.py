"""Any other provider that LangChain knows, once its package is installed: `anthropic:...`, `mistralai:...`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from langchain.chat_models import init_chat_model
from langchain.embeddings import init_embeddings

from rag.errors import ProviderError, SettingsError
from rag.providers.failures import CallSite, scrub
from rag.providers.specs import ChatConnection, Embedded, EmbeddingConnection, nearest_provider, patience
from rag.settings import Settings


def connect_chat(model: str, settings: Settings, *, provider: str) -> ChatConnection:
    """Raises SettingsError for an unknown provider or one whose package is not installed."""
    timeout, _ = patience(settings, None)
    chat = _opened(
        lambda: init_chat_model(model, model_provider=provider, timeout=timeout, max_retries=0),
        provider,
        model,
        settings,
    )
    return ChatConnection(chat, _place(model, settings, provider), marks_end=False)


def connect_embeddings(model: str, settings: Settings, *, provider: str) -> EmbeddingConnection:
    """Raises SettingsError for an unknown provider or one whose package is not installed."""
    made = _opened(lambda: init_embeddings(model, provider=provider), provider, model, settings)
    return EmbeddingConnection(
        lambda texts: _embedded(made.embed_documents(list(texts))),
        _place(model, settings, provider),
        request_query=lambda text: _embedded([made.embed_query(text)]),
        batch_texts=96,
    )


def _embedded(vectors: list[list[float]]) -> Embedded:
    return Embedded(np.asarray(vectors, dtype=np.float32), None)


def _opened(make: Callable[[], Any], provider: str, model: str, settings: Settings) -> Any:
    try:
        return make()
    except ImportError as error:
        package = f"langchain-{provider.replace('_', '-')}"
        name = getattr(error, "name", None)
        wanted = name.replace("_", "-") if name and name.startswith("langchain_") else package
        raise SettingsError(f"{provider}:{model} needs the package {wanted}: install it with pip.") from None
    except ValueError as error:
        said, hint = _first_line(error, settings), nearest_provider(provider)
        raise SettingsError(f"`{provider}:{model}` cannot be opened: {said}.{hint}") from None
    except Exception as error:  # noqa: BLE001  each package has its own errors for a missing key and the like
        raise ProviderError(f"{provider}:{model} cannot be opened: {_first_line(error, settings)}.") from None


def _first_line(error: Exception, settings: Settings) -> str:
    lines = scrub(str(error), settings.secrets()).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".:")


def _place(model: str, settings: Settings, provider: str) -> CallSite:
    return CallSite(f"{provider}:{model}", provider, f"the key of {provider}", tuple(settings.secrets()))
