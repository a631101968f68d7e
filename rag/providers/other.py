"""Any other provider that LangChain knows, once its package is installed: `anthropic:...`, `mistralai:...`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np
from langchain.chat_models import init_chat_model
from langchain.embeddings import init_embeddings

from rag.errors import ProviderError, SettingsError
from rag.providers.failures import CallSite, scrub
from rag.providers.specs import PROVIDERS, ChatConnection, Embedded, EmbeddingConnection, Spec, patience
from rag.settings import Settings


def connect_chat(spec: Spec, settings: Settings) -> ChatConnection:
    """Raises SettingsError for an unknown provider or one whose package is not installed."""
    timeout, _ = patience(settings, None)
    chat = _opened(
        lambda: init_chat_model(spec.model, model_provider=spec.provider, timeout=timeout, max_retries=0),
        spec,
        settings,
    )
    return ChatConnection(chat, _site(spec, settings), marks_end=False)


def connect_embeddings(spec: Spec, settings: Settings) -> EmbeddingConnection:
    """Raises SettingsError for an unknown provider or one whose package is not installed."""
    model = _opened(lambda: init_embeddings(spec.model, provider=spec.provider), spec, settings)

    def embedded(vectors: list[list[float]]) -> Embedded:
        return Embedded(np.asarray(vectors, dtype=np.float32), None)

    return EmbeddingConnection(
        lambda texts: embedded(model.embed_documents(list(texts))),
        _site(spec, settings),
        request_query=lambda text: embedded([model.embed_query(text)]),
        batch_texts=96,
    )


def _opened(make: Callable[[], Any], spec: Spec, settings: Settings) -> Any:
    def first_line(error: Exception) -> str:
        lines = scrub(str(error), settings.secrets()).strip().splitlines() or [type(error).__name__]
        return lines[0][:200].rstrip(".:")

    try:
        return make()
    except ImportError as error:
        name = (
            error.name if error.name and error.name.startswith("langchain_") else f"langchain-{spec.provider}"
        )
        package = name.replace("_", "-")
        raise SettingsError(f"{spec} needs the package {package}: install it with pip.") from None
    except ValueError as error:
        near = difflib.get_close_matches(spec.provider.casefold(), PROVIDERS, n=1, cutoff=0.7)
        hint = f" Did you mean {near[0]}?" if near and near[0] != spec.provider else ""
        raise SettingsError(f"`{spec}` cannot be opened: {first_line(error)}.{hint}") from None
    except Exception as error:  # noqa: BLE001  each package has its own errors for a missing key and the like
        raise ProviderError(f"{spec} cannot be opened: {first_line(error)}.") from None


def _site(spec: Spec, settings: Settings) -> CallSite:
    return CallSite(str(spec), spec.provider, f"the key of {spec.provider}", tuple(settings.secrets()))
