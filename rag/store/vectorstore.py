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
from rag.store.backend import OpenIndex, open_backend
from rag.store.filters import Where, as_filter
from rag.store.snapshot import ScoredChunk, Snapshot
from rag.store.spec import IndexSpec
from rag.text.keywords import TOKENISER_ID
from rag.types import Chunk, Document, DocumentRecord, Page, Passage, Span, Status

PREFIX = "langchain:"
"""Begins the file name of a text that came through this interface and has no file."""

_METADATA = "langchain_metadata"
"""Key of `DocumentRecord.metadata` that keeps a text's own metadata with its JSON types."""


class IndexVectorStore(VectorStore):
    """A view of an open index.

        store = index.vector_store()
        documents = store.similarity_search("sample volume", k=2, filter="format=pdf")
        documents[0].metadata["file"], documents[0].metadata["page"]

    Ingested chunks come back with `file`, `page`, `page_end`, `page_label`, `heading` and `title` as metadata
    and their chunk id as id; texts added here come back with the id and metadata that they were given.
    `filter=` takes a `Filter`, a condition such as "page=3-10", a list of them, or a mapping of metadata.
    """

    def __init__(self, index: OpenIndex, embedding: Embeddings | None = None) -> None:
        self.index = index
        self._embedding = embedding or index.embeddings()
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
        snapshot = self.index.snapshot()
        known = {record.file for record in snapshot.documents()}
        chunks = [n for n in ids or () if PREFIX + n not in known and _chunk_passage(snapshot, n)]
        if chunks:
            raise UsageError(
                f"chunk {chunks[0]} belongs to a file: remove the file and run `rag ingest --prune`."
            )
        with self.index.writer() as writer:
            writer.prune(file for file in wanted if file in known)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[LangChainDocument]:
        """Documents by id, in this order; unknown ids are left out."""
        snapshot, found = self.index.snapshot(), []
        for name in ids:
            chunks = snapshot.chunks_of_page(PREFIX + name, 1)
            passages = snapshot.passages(chunks) if chunks else _chunk_passage(snapshot, name)
            found += [_to_document(snapshot, passage) for passage in passages]
        return found

    # -- searching ------------------------------------------------------------------------------------------

    def similarity_search(
        self, query: str, k: int = 4, filter: Where = None, **_: Any
    ) -> list[LangChainDocument]:
        """The `k` nearest documents."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Where = None, **_: Any
    ) -> list[tuple[LangChainDocument, float]]:
        """The `k` nearest documents with their cosine, the largest first."""
        vector = self._required_embeddings().embed_query(query)
        snapshot = self.index.snapshot()
        hits = snapshot.search_dense(vector, k, as_filter(filter))
        found = _passages(snapshot, hits)
        return [(_to_document(snapshot, p), hit.score) for p, hit in zip(found, hits, strict=True)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Where = None, **_: Any
    ) -> list[LangChainDocument]:
        """The `k` documents nearest to an embedding."""
        snapshot = self.index.snapshot()
        hits = snapshot.search_dense(embedding, k, as_filter(filter))
        return [_to_document(snapshot, passage) for passage in _passages(snapshot, hits)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Where = None,
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
        filter: Where = None,
        **_: Any,
    ) -> list[LangChainDocument]:
        """As `max_marginal_relevance_search`, for an embedding (Carbonell and Goldstein, SIGIR 1998)."""
        snapshot = self.index.snapshot()
        hits = snapshot.search_dense(embedding, max(k, fetch_k), as_filter(filter))
        vectors = snapshot.vectors([hit.chunk_id for hit in hits])
        order = maximal_marginal_relevance(
            np.array(embedding, dtype=np.float32), list(vectors), lambda_mult, k
        )
        best = _passages(snapshot, [hits[place] for place in order])
        return [_to_document(snapshot, passage) for passage in best]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: (1.0 + cosine) / 2.0

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
        store = cls(OpenIndex(open_backend(place, create=spec), embedding), embedding)
        store._temporary = temporary
        store.add_texts(texts, metadatas, ids=ids)
        return store


def _passages(snapshot: Snapshot, hits: Sequence[ScoredChunk]) -> list[Passage]:
    return snapshot.passages([hit.chunk_id for hit in hits])


def _to_document(snapshot: Snapshot, passage: Passage) -> LangChainDocument:
    if passage.file.startswith(PREFIX):
        record = snapshot.document(passage.file)
        metadata = json.loads(record.metadata.get(_METADATA, "{}")) if record is not None else {}
        name = passage.file.removeprefix(PREFIX)
        return LangChainDocument(id=name, page_content=passage.text, metadata=metadata)
    fields = ("file", "page", "page_end", "page_label", "heading", "title")
    metadata = {field: getattr(passage, field) for field in fields}
    return LangChainDocument(id=str(passage.chunk_id), page_content=passage.text, metadata=metadata)


def _chunk_passage(snapshot: Snapshot, name: str) -> list[Passage]:
    """The chunk of an ingested file with this id."""
    if not (name.isascii() and name.isdigit() and len(name) < 19):
        return []
    return [passage for passage in snapshot.passages([int(name)]) if not passage.file.startswith(PREFIX)]


def _document(name: str, text: str, metadata: Mapping[str, Any]) -> Document:
    fields = {str(key): str(value) for key, value in metadata.items()}
    fields[_METADATA] = json.dumps(dict(metadata), ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    record = DocumentRecord(PREFIX + name, "", digest, len(text), 0, Status.OK, metadata=fields)
    page = Page(1, text, characters=len(text))
    return Document(record, (page,), (Chunk(0, (Span(1, 0, len(text)),), text),))
