"""The index as a LangChain VectorStore, so that it drops into other chains."""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from rag.errors import UsageError
from rag.store.filters import Filter
from rag.store.index import Index, ScoredChunk, open_index
from rag.store.spec import IndexSpec
from rag.types import Chunk, Document, DocumentRecord, Page, Passage, Span, Status

PREFIX = "langchain:"
"""Begins the file name of a text that came through this interface and has no file."""

_METADATA = "langchain_metadata"
"""Key of `DocumentRecord.metadata` that keeps a text's own metadata with its JSON types."""

FilterLike = Filter | str | Sequence[str] | Mapping[str, object] | None


class IndexVectorStore(VectorStore):
    """A view of an open index.

    Ingested chunks come back with `file`, `page`, `page_end`, `page_label`, `heading` and `title` as metadata
    and their chunk id as id; texts added here come back with the id and metadata that they were given.
    `filter=` takes a `Filter`, a condition such as "page=3-10", a list of them, or a mapping of metadata.
    """

    def __init__(self, index: Index, embedding: Embeddings | None = None) -> None:
        self.index = index
        self._embedding = embedding or index.embeddings
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def embeddings(self) -> Embeddings | None:
        """What questions and added texts are embedded with."""
        return self._embedding

    def _required_embeddings(self) -> Embeddings:
        if self._embedding is None:
            raise UsageError(
                "the vector store has no embeddings: open the index with open_index(..., embeddings=...)."
            )
        return self._embedding

    # -- writing --------------------------------------------------------------------------------------------

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **_: Any,
    ) -> list[str]:
        """Embed and store texts; an id that is already there is replaced. Returns the ids."""
        texts = list(texts)
        metadatas = metadatas if metadatas is not None else [{} for _ in texts]
        given: Sequence[str | None] = ids if ids is not None else [None] * len(texts)
        if not len(texts) == len(metadatas) == len(given):
            raise ValueError("texts, metadatas and ids differ in length")
        names = [name or uuid.uuid4().hex for name in given]
        if not texts:
            return names
        with self.index.writer() as writer:
            known = writer.cached_vectors(texts)
            new = [place for place in range(len(texts)) if place not in known]
            if new:
                embedded = self._required_embeddings().embed_documents([texts[place] for place in new])
                writer.cache_vectors([texts[place] for place in new], embedded)
                known |= {
                    place: np.asarray(v, dtype=np.float32) for place, v in zip(new, embedded, strict=True)
                }
            for place, (name, text, metadata) in enumerate(zip(names, texts, metadatas, strict=True)):
                writer.put(_document(name, text, metadata), known[place].reshape(1, -1))
        return names

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool | None:
        """Take out texts that were added here; unknown ids are passed over.

        Raises UsageError for chunks of ingested files, which leave with their file only.
        """
        wanted = [PREFIX + name for name in ids or ()]
        known = {source.file for source in self.index.documents()}
        chunks = [name for name in ids or () if PREFIX + name not in known and self._chunk_passage(name)]
        if chunks:
            raise UsageError(
                f"chunk {chunks[0]} belongs to a file: remove the file and run `rag ingest --prune`."
            )
        with self.index.writer() as writer:
            writer.prune(file for file in wanted if file in known)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[LangChainDocument]:
        """Documents by id, in this order; unknown ids are left out."""
        found = []
        for name in ids:
            chunks = self.index.chunks_of_page(PREFIX + name, 1)
            passages = self.index.passages(chunks) if chunks else self._chunk_passage(name)
            found += [self._to_document(passage) for passage in passages]
        return found

    def _chunk_passage(self, name: str) -> list[Passage]:
        if not (name.isascii() and name.isdigit() and len(name) < 19):
            return []
        passages = self.index.passages([int(name)])
        return [passage for passage in passages if not passage.file.startswith(PREFIX)]

    # -- searching ------------------------------------------------------------------------------------------

    def similarity_search(
        self, query: str, k: int = 4, filter: FilterLike = None, **_: Any
    ) -> list[LangChainDocument]:
        """The `k` nearest documents."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: FilterLike = None, **_: Any
    ) -> list[tuple[LangChainDocument, float]]:
        """The `k` nearest documents with their cosine, the largest first."""
        vector = self._required_embeddings().embed_query(query)
        hits = self.index.search_dense(vector, k, _filter(filter))
        scores = {hit.chunk_id: hit.score for hit in hits}
        return [(self._to_document(p), scores[p.chunk_id]) for p in self._passages(hits)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: FilterLike = None, **_: Any
    ) -> list[LangChainDocument]:
        """The `k` documents nearest to an embedding."""
        hits = self.index.search_dense(embedding, k, _filter(filter))
        return [self._to_document(passage) for passage in self._passages(hits)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike = None,
        **_: Any,
    ) -> list[LangChainDocument]:
        """`k` of the `fetch_k` nearest documents that are near to the query and not to each other."""
        vector = self._required_embeddings().embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike = None,
        **_: Any,
    ) -> list[LangChainDocument]:
        """As `max_marginal_relevance_search`, for an embedding (Carbonell and Goldstein, SIGIR 1998)."""
        hits = self.index.search_dense(embedding, max(k, fetch_k), _filter(filter))
        vectors = self.index.vectors([hit.chunk_id for hit in hits])
        order = maximal_marginal_relevance(
            np.array(embedding, dtype=np.float32), list(vectors), lambda_mult, k
        )
        return [self._to_document(passage) for passage in self._passages([hits[place] for place in order])]

    def _passages(self, hits: Sequence[ScoredChunk]) -> list[Passage]:
        return self.index.passages([hit.chunk_id for hit in hits])

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: (1.0 + cosine) / 2.0

    def _to_document(self, passage: Passage) -> LangChainDocument:
        if passage.file.startswith(PREFIX):
            source = self.index.document(passage.file)
            metadata = json.loads(source.metadata.get(_METADATA, "{}")) if source is not None else {}
            name = passage.file.removeprefix(PREFIX)
            return LangChainDocument(id=name, page_content=passage.text, metadata=metadata)
        fields = ("file", "page", "page_end", "page_label", "heading", "title")
        metadata = {field: getattr(passage, field) for field in fields}
        return LangChainDocument(id=str(passage.chunk_id), page_content=passage.text, metadata=metadata)

    # -- making ---------------------------------------------------------------------------------------------

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        location: str | Path | None = None,
        **_: Any,
    ) -> IndexVectorStore:
        """Make or extend the index at `location` (a temporary folder when None) with texts."""
        from rag.text.keywords import TOKENISER_ID

        temporary = tempfile.TemporaryDirectory(prefix="pagequote-") if location is None else None
        model = getattr(embedding, "model", None) or type(embedding).__name__
        spec = IndexSpec(
            embedding_model=str(model),
            embedding_id=str(model),
            dimension=len(embedding.embed_query("dimension")),
            chunk_tokens=0,
            chunk_overlap=0,
            tokeniser=TOKENISER_ID,
        )
        place = temporary.name if temporary is not None else str(location)
        index = open_index(place, embeddings=embedding, create=spec)
        store = cls(index, embedding)
        store._temporary = temporary
        store.add_texts(texts, metadatas, ids=ids)
        return store


def _document(name: str, text: str, metadata: Mapping[str, Any]) -> Document:
    fields = {str(key): str(value) for key, value in metadata.items()}
    fields[_METADATA] = json.dumps(dict(metadata), ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    source = DocumentRecord(PREFIX + name, "", digest, len(text), 0, Status.OK, metadata=fields)
    page = Page(1, text, characters=len(text))
    return Document(source, (page,), (Chunk(0, (Span(1, 0, len(text)),), text),))


def _filter(value: FilterLike) -> Filter | None:
    if value is None or isinstance(value, Filter):
        return value
    if isinstance(value, Mapping):
        return Filter.parse([f"{key}={option}" for key, option in value.items()])
    return Filter.parse([value] if isinstance(value, str) else list(value))
