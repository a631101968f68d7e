"""An embedding model, whichever it is, as indexing and searching see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.embeddings import Embeddings
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

Kind = Literal["passage", "query"]
OnBatch = Callable[[Sequence[int], "Vectors"], None]
"""Called with the positions of texts that are done and their vectors, in the thread that called `embed`."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The tokens of a text in the context of the whole text."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    """Character span (start, end) of each token in the text; the space before a word belongs to it."""
    states: NDArray[np.float32]
    """Last hidden states, float32 [tokens, dimension]; not of unit length."""
    middle: NDArray[np.float32]
    """The states after two thirds of the layers, float32 [tokens, dimension]."""


EmbedTokens = Callable[[Sequence[str], Kind], list[TokenVectors]]


class EmbeddingProvider(ABC):
    """An embedding model. Vectors are float32 and of length 1 (a blank text has the zero vector)."""

    spec: str
    paid: bool
    """Whether texts are billed, as far as known: worth asking before a large run."""

    @property
    @abstractmethod
    def id(self) -> str:
        """Identity of the weights: vectors of another identity must not be mixed with these."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Numbers in a vector. May send one short text to find out."""

    @property
    def embeddings(self) -> Embeddings:
        """The same model as LangChain embeddings."""
        from langchain_core.embeddings import Embeddings  # takes long to import

        provider = self

        class ProviderEmbeddings(Embeddings):
            """Does what its provider does."""

            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                vectors: list[list[float]] = provider.embed(texts).tolist()
                return vectors

            def embed_query(self, text: str) -> list[float]:
                return provider.embed_query(text)

        return ProviderEmbeddings()

    embed_tokens: EmbedTokens | None = None
    """Texts to the vectors of their tokens in context, at no cost; None for a model that does not give them."""

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """Tokens that the model reads, or is billed for, in `text`."""

    @abstractmethod
    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""

    @abstractmethod
    def embed(self, texts: Sequence[str], on_batch: OnBatch | None = None) -> Vectors:
        """Vectors of passages as float32 [texts, dimension]. `on_batch` hears of every batch as it is done.

        When a batch fails for good, those under way are still finished and handed over before the error is
        raised, so that the caller can keep what was paid for.
        """

    def preload(self) -> None:  # noqa: B027 - most models have nothing to load
        """Begin to load what the first use needs, beside whatever the caller does. Errors appear at the first use."""
