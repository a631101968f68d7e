"""Hybrid search as a LangChain retriever. Apart from the search itself, since LangChain takes long to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import BeforeValidator, ConfigDict, PrivateAttr

from rag.retrieval.fusion import Weights
from rag.retrieval.glossary import Glossary
from rag.retrieval.hybrid import HybridSearch, Retrieval, Vector
from rag.store import Filter, Index, Snapshot
from rag.store.filters import Where, as_filter
from rag.types import Passage


class HybridRetriever(BaseRetriever):
    """Finds passages by meaning and by words.

    index: an open index. embed_query: text to a vector of the index's dimension; it need not have unit length.
    k: passages to return. where: conditions for every question, such as `{"folder": "reports"}`. weights: overrule
    those chosen by question.

        retriever = HybridRetriever(index=index, embed_query=E5Embeddings().embed_query, where={"format": "pdf"})
        documents = retriever.invoke("sample volume", k=3)
        documents[0].metadata["file"], documents[0].metadata["page"]
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Index
    embed_query: Callable[[str], Any]
    k: int = 8
    where: Annotated[Filter | None, BeforeValidator(as_filter)] = None
    glossary: Glossary | None = None
    weights: Weights | None = None

    _search: HybridSearch = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Make the search."""
        super().model_post_init(context)
        self._search = HybridSearch(self.index, self.embed_query, self.k, self.glossary, self.weights)

    def retrieve(
        self,
        question: str,
        *,
        k: int | None = None,
        where: Where = None,
        vector: Vector | None = None,
        snapshot: Snapshot | None = None,
    ) -> Retrieval:
        """As `HybridSearch.retrieve`, within the retriever's own conditions unless others are given."""
        within = where if where is not None else self.where
        return self._search.retrieve(question, k=k or self.k, where=within, vector=vector, snapshot=snapshot)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain fixes the signature
        k: int | None = None,
        where: Where = None,
    ) -> list[Document]:
        return [as_document(passage) for passage in self.retrieve(query, k=k, where=where).passages]


def as_document(passage: Passage) -> Document:
    """A passage as LangChain knows it."""
    return Document(
        id=str(passage.chunk_id),
        page_content=passage.text,
        metadata={
            "file": passage.file,
            "page": passage.page,
            "page_end": passage.page_end,
            "page_label": passage.page_label,
            "heading": passage.heading,
            "score": passage.score,
        },
    )
