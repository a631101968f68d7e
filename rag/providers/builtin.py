"""The built-in embeddings, which need no key, no download and no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rag.providers.e5.model import E5Model
from rag.providers.embedding import EmbeddingProvider, OnBatch
from rag.providers.specs import BUILTIN_EMBEDDINGS
from rag.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.providers.e5 import E5Embeddings
    from rag.providers.embedding import EmbedTokens

_BATCH = 64
"""Texts between two calls of `on_batch`: several seconds of work, small against what a file holds."""


class BuiltinEmbeddings(EmbeddingProvider):
    """multilingual-e5-small on this machine."""

    spec = BUILTIN_EMBEDDINGS
    paid = False

    def __init__(self, settings: Settings, notify: Callable[[str], None] | None = None) -> None:
        """`notify` gets one line when the model has to be converted first."""
        options = {} if notify is None else {"notify": notify}
        self._model = E5Model(threads=settings.threads, cache_dir=settings.cache_dir, **options)

    @property
    def id(self) -> str:
        return self._model.model_id

    @property
    def dimension(self) -> int:
        return self._model.dimension

    @cached_property
    def embeddings(self) -> E5Embeddings:
        from rag.providers.e5 import E5Embeddings  # LangChain takes long to import

        return E5Embeddings.of(self._model)

    def preload(self) -> None:
        """Begin to load the model, beside whatever the caller does."""
        self._model.preload()

    @property
    def embed_tokens(self) -> EmbedTokens:
        return lambda texts, kind: self._model.embed_tokens(texts, kind=kind)

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def embed_query(self, text: str) -> list[float]:
        return self._model.embed_query(text)

    def embed(self, texts: Sequence[str], on_batch: OnBatch | None = None) -> NDArray[np.float32]:
        result = np.zeros((len(texts), self.dimension), np.float32)
        filled = [position for position, text in enumerate(texts) if text.strip()]
        for start in range(0, len(filled), _BATCH):
            positions = filled[start : start + _BATCH]
            result[positions] = self._model.embed_array([texts[position] for position in positions])
            if on_batch is not None:
                on_batch(positions, result[positions])
        return result
