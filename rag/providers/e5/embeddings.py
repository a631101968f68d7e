"""LangChain embeddings over the built-in multilingual-e5-small."""

from __future__ import annotations

from typing import Self

from langchain_core.embeddings import Embeddings

from rag.providers.e5.model import E5Model


class E5Embeddings(E5Model, Embeddings):
    """The built-in model as LangChain embeddings.

    It does all that `E5Model` does, which needs no LangChain.

        embeddings = E5Embeddings()
        vectors = embeddings.embed_documents(["The warranty lasts two years.", "보증 기간은 2년입니다."])
    """

    @classmethod
    def of(cls, model: E5Model) -> Self:
        """LangChain embeddings that share what `model` has loaded."""
        made = cls.__new__(cls)
        made.__dict__ = model.__dict__
        return made

    @property
    def embeddings(self) -> Embeddings:
        return self
