"""Writing an index: one transaction for each finished file, publishing, and the cache of paid embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Protocol

import numpy as np

from rag.errors import IndexDamaged
from rag.store import rows
from rag.store.rows import WritableDatabase
from rag.store.snapshot import GenerationRows
from rag.store.spec import IndexState, read_state
from rag.types import Chunk, Document, DocumentRecord, Page, Status

Notify = Callable[[str], None]
PUBLISHING_SHARE = 0.05
"""Share of the time that `publish_if_due` may spend on publishing."""
CACHE_LOOKUPS = 500
"""Texts looked up in one statement, below SQLite's limit of bound values."""


class Publisher(Protocol):
    """What an index keeps besides its rows, and how it lets readers in. Used under the writer's lock only."""

    def document_added(self, identity: int, record: DocumentRecord) -> None:
        """The record of a document was inserted, in the current transaction."""

    def content_added(self, identity: int) -> None:
        """The pages and chunks of a content were inserted, in the current transaction."""

    def publish(self, on_publish: Callable[[], object]) -> None:
        """Make everything written visible, then call `on_publish`, then tidy up."""


class EmbeddingCache:
    """Unit vectors by text, of one model: that of the index, unless a copy is being made. Nothing is ever removed."""

    def __init__(self, database: WritableDatabase, embedding_id: str, dimension: int) -> None:
        self._database = database
        self._dimension = dimension
        self.model = self._model_id(embedding_id)
        """Number of the model in the database."""

    def cached_vectors(self, texts: Sequence[str]) -> dict[int, rows.Vectors]:
        """The unit vectors of the texts that this model has embedded before, by position in `texts`."""
        places: dict[bytes, list[int]] = {}
        for place, text in enumerate(texts):
            places.setdefault(rows.digest_of(text), []).append(place)
        found: dict[int, rows.Vectors] = {}
        for digest, blob in self._entries("digest, vector", list(places)):
            found |= dict.fromkeys(places[digest], self._vector_of(blob))
        return found

    def _entries(self, columns: str, digests: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(digests), CACHE_LOOKUPS):
            part = digests[start : start + CACHE_LOOKUPS]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT {columns} FROM embeddings WHERE model = ? AND digest IN ({marks})"
            yield from self._database.rows(sql, (self.model, *part))

    def cache_vectors(self, texts: Sequence[str], vectors: Any) -> None:
        """Keep embeddings (shape [n, dimension]) for good; they are on the disk when this returns."""
        unit = rows.unit_vectors(vectors, len(texts), self._dimension)
        digests = [rows.digest_of(text) for text in texts]
        self._database.atomically(lambda: self.insert(digests, [vector.tobytes() for vector in unit]))

    def insert(self, digests: Sequence[bytes], vectors: Sequence[bytes]) -> int:
        """Keep unit vectors by the digests of their texts, inside the caller's transaction.

        Of a text that is known, or is there twice, the first vector counts. Returns how many were new.
        """
        new = dict(zip(reversed(digests), reversed(vectors), strict=True))
        for (digest,) in self._entries("digest", digests):
            new.pop(digest, None)
        self._database.insert(
            "embeddings", "model, digest, vector", ((self.model, *entry) for entry in new.items())
        )
        return len(new)

    def ids(self, digests: Sequence[bytes]) -> list[int]:
        """The rows of embeddings that are there, in order."""
        found = dict(self._entries("digest, id", digests))
        return [found[digest] for digest in digests]

    def insert_missing(self, entries: Sequence[tuple[bytes, bytes]]) -> int:
        """Keep digests and vectors of another cache as they are; returns how many were not there."""
        for _, blob in entries:
            self._vector_of(blob)  # of the right size
        digests, blobs = [digest for digest, _ in entries], [blob for _, blob in entries]
        return self._database.atomically(lambda: self.insert(digests, blobs))

    def _vector_of(self, blob: bytes) -> rows.Vectors:
        vector = np.frombuffer(blob, dtype=np.float32)
        with self._database.readable_errors():
            if vector.size != self._dimension:
                raise IndexDamaged("a stored embedding has another dimension than the index")
        return vector

    def _model_id(self, embedding_id: str) -> int:
        self._database.execute(
            "INSERT INTO embedding_models (embedding_id, dimension) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (embedding_id, self._dimension),
        )
        sql = "SELECT id FROM embedding_models WHERE embedding_id = ?"
        return int(self._database.rows(sql, (embedding_id,))[0][0])


class IndexWriter:
    """The one writer of an index; made by `Index.writer()`, which holds the lock."""

    def __init__(
        self, database: WritableDatabase, publisher: Publisher, on_publish: Callable[[], object]
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._on_publish = on_publish
        self._state: IndexState = read_state(database)
        self._cache = EmbeddingCache(database, self._state.spec.embedding_id, self._state.spec.dimension)
        self._began = monotonic()
        self._publishing = 0.0

    # -- what is there now, published or not ----------------------------------------------------------------

    @property
    def latest(self) -> GenerationRows:
        """Everything written so far, also what readers do not see yet."""
        return GenerationRows(self._database, self._state.spec, self._state.working)

    def document(self, file: str) -> DocumentRecord | None:
        """The newest record of a document."""
        return self.latest.document(file)

    def documents(self) -> list[DocumentRecord]:
        """The newest records of all documents, by file name."""
        return self.latest.documents()

    # -- the embedding cache --------------------------------------------------------------------------------

    def cached_vectors(self, texts: Sequence[str]) -> dict[int, rows.Vectors]:
        """See `EmbeddingCache.cached_vectors`."""
        return self._cache.cached_vectors(texts)

    def cache_vectors(self, texts: Sequence[str], vectors: Any) -> None:
        """See `EmbeddingCache.cache_vectors`."""
        self._cache.cache_vectors(texts, vectors)

    def cache_of(self, embedding_id: str, dimension: int) -> EmbeddingCache:
        """The cache of any model, as for copying it."""
        return EmbeddingCache(self._database, embedding_id, dimension)

    # -- files ----------------------------------------------------------------------------------------------

    def put(self, document: Document, vectors: Any) -> None:
        """Store a finished file in one transaction, in place of an earlier version of it.

        vectors: one row for each chunk, shape [chunks, dimension]; of a text that the cache knows, the cached
        vector is used. Raises ValueError when the shapes do not match.
        """
        unit = rows.unit_vectors(vectors, len(document.chunks), self._state.spec.dimension)
        digests = [rows.digest_of(chunk.indexed_text) for chunk in document.chunks]

        def work() -> None:
            self._cache.insert(digests, [vector.tobytes() for vector in unit])
            content = self._insert_content(document.pages, document.chunks, digests)
            self._database.insert(
                "page_tables",
                "content, page, form",
                ((content, t.page, rows.storable(rows.table_json(t))) for t in document.tables),
            )
            self._replace_record(document.record, content)

        self._database.atomically(work)

    def put_record(self, record: DocumentRecord, pages: Iterable[Page] = ()) -> None:
        """Record what became of a file that was not indexed.

        With status FAILED (transient) an earlier version stays searchable; with any other it goes.
        """
        pages = tuple(pages)

        def work() -> None:
            content = self._current_content(record.file) if record.status is Status.FAILED else None
            if content is None and pages:
                content = self._insert_content(pages, (), ())
            self._replace_record(record, content)

        self._database.atomically(work)

    def rename(self, old_file: str, new_record: DocumentRecord) -> None:
        """Give a file that was moved its new row; its chunks and embeddings stay as they are.

        Raises KeyError for an unknown `old_file`.
        """

        def work() -> None:
            if self.document(old_file) is None:
                raise KeyError(old_file)
            content = self._current_content(old_file)
            if old_file != new_record.file:
                self._end_record(old_file, keep=content)
            self._replace_record(new_record, content)

        self._database.atomically(work)

    def mark_removed(self, files: Iterable[str]) -> None:
        """Record that files are no longer in the folder; they stay searchable until pruned."""
        files = tuple(files)

        def work() -> None:
            for file in files:
                record = self.document(file)
                if record is not None and record.status is not Status.REMOVED:
                    self._replace_record(replace(record, status=Status.REMOVED), self._current_content(file))

        self._database.atomically(work)

    def prune(self, files: Iterable[str]) -> None:
        """Take files out of the index. Their embeddings stay in the cache."""
        files = tuple(files)

        def work() -> None:
            for file in files:
                self._end_record(file, keep=None)

        self._database.atomically(work)

    def _current_content(self, file: str) -> int | None:
        sql = "SELECT content FROM sources WHERE file = ? AND removed IS NULL"
        found = self._database.rows(sql, (rows.storable(file),))
        return found[0][0] if found else None

    def _end_record(self, file: str, keep: int | None) -> None:
        """End the current row of a file, and its content unless that is the one to keep."""
        working, content = self._state.working, self._current_content(file)
        self._database.execute(
            "UPDATE sources SET removed = ? WHERE file = ? AND removed IS NULL",
            (working, rows.storable(file)),
        )
        if content is not None and content != keep:
            self._database.execute("UPDATE contents SET removed = ? WHERE id = ?", (working, content))

    def _replace_record(self, record: DocumentRecord, content: int | None) -> None:
        self._end_record(record.file, keep=content)
        found = self._database.rows(
            f"INSERT INTO sources ({rows.RECORD_COLUMNS}, content, added) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (*rows.record_row(record), content, self._state.working),
        )
        self._publisher.document_added(found[0][0], record)

    def _insert_content(
        self, pages: Sequence[Page], chunks: Sequence[Chunk], digests: Sequence[bytes]
    ) -> int:
        first = self._database.new_chunk_ids(len(chunks))
        searchable = sum(page.status.searchable for page in pages)
        found = self._database.rows(
            "INSERT INTO contents (pages, searchable_pages, chunks, first_chunk, last_chunk, added) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (len(pages), searchable, len(chunks), first, first + len(chunks) - 1, self._state.working),
        )
        content = int(found[0][0])
        self._database.insert(
            "pages",
            f"content, {rows.PAGE_COLUMNS}",
            ((content, *rows.page_row(page)) for page in pages),
        )
        self._database.insert(
            "chunks",
            "id, content, ordinal, page, page_end, spans, text, header, heading, tokens, embedding",
            (
                (*rows.chunk_row(identity, content, chunk), embedding)
                for identity, (chunk, embedding) in enumerate(
                    zip(chunks, self._cache.ids(digests), strict=True), first
                )
            ),
        )
        self._publisher.content_added(content)
        return content

    # -- publishing -----------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Let readers see everything written so far: the derived indexes first, then the generation."""
        began = monotonic()
        self._publisher.publish(self._on_publish)
        self._state = read_state(self._database)
        self._publishing += monotonic() - began

    def publish_if_due(self) -> bool:
        """Publish when that keeps publishing under a twentieth of the time. True when it did."""
        if self._publishing > PUBLISHING_SHARE * (monotonic() - self._began):
            return False
        self.publish()
        return True
