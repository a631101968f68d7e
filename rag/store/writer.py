"""Writing an index: one transaction for each finished file, then publishing what was written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from rag.store import rows
from rag.store.cache import EmbeddingCache
from rag.store.snapshot import Snapshot
from rag.store.sql import Database
from rag.store.state import State, read_state
from rag.types import Chunk, Document, DocumentRecord, Page, Status, Table

PUBLISHING_SHARE = 0.05
"""Share of the time that `publish_if_due` may spend on publishing."""


class Publisher(ABC):
    """What an index keeps besides its rows, and how it lets readers in. Used under the writer's lock only."""

    @abstractmethod
    def source_added(self, identity: int, source: DocumentRecord) -> None:
        """A row of the ledger was inserted, in the transaction that goes on."""

    @abstractmethod
    def content_added(
        self, identity: int, pages: Sequence[Page], chunks: Sequence[tuple[int, Chunk]]
    ) -> None:
        """Pages and chunks with their ids were inserted, in the transaction that goes on."""

    @abstractmethod
    def publish(self, on_publish: Callable[[], object]) -> None:
        """Make everything written visible, then call `on_publish`, then tidy up."""


class IndexWriter:
    """The one writer of an index; made by `Index.writer()`, which holds the lock."""

    def __init__(self, database: Database, publisher: Publisher, on_publish: Callable[[], object]) -> None:
        self._database = database
        self._publisher = publisher
        self._on_publish = on_publish
        self._state: State = read_state(database)
        self._cache = EmbeddingCache(database, self._state.spec.embedding_id, self._state.spec.dimension)
        self._began = monotonic()
        self._publishing = 0.0

    # -- what stands there now, published or not ------------------------------------------------------------

    @property
    def latest(self) -> Snapshot:
        """The database with everything written so far, also what readers do not see yet."""
        return Snapshot(self._database, self._state.working)

    def document(self, file: str) -> DocumentRecord | None:
        """The newest row of the ledger for a file."""
        return self.latest.ledger.source(file)

    def documents(self) -> list[DocumentRecord]:
        """The newest rows of the ledger, by file name."""
        return self.latest.ledger.sources()

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
            self._cache.insert(digests, unit)
            content = self._insert_content(document.pages, document.chunks, digests)
            self._insert_tables(content, document.tables)
            self._replace_source(document.record, content)

        self._database.atomically(work)

    def put_record(self, source: DocumentRecord, pages: Iterable[Page] = ()) -> None:
        """Record what became of a file that was not indexed.

        With status FAILED (transient) an earlier version stays searchable; with any other it goes.
        """
        pages = tuple(pages)

        def work() -> None:
            content = self._current_content(source.file) if source.status is Status.FAILED else None
            if content is None and pages:
                content = self._insert_content(pages, (), ())
            self._replace_source(source, content)

        self._database.atomically(work)

    def rename(self, old_file: str, new_source: DocumentRecord) -> None:
        """Give a file that was moved its new row; its chunks and embeddings stay as they are.

        Raises KeyError when `old_file` is not in the ledger.
        """

        def work() -> None:
            if self.document(old_file) is None:
                raise KeyError(old_file)
            content = self._current_content(old_file)
            if old_file != new_source.file:
                self._end_source(old_file, keep=content)
            self._replace_source(new_source, content)

        self._database.atomically(work)

    def mark_removed(self, files: Iterable[str]) -> None:
        """Record that files are no longer in the folder; they stay searchable until pruned."""
        files = tuple(files)

        def work() -> None:
            for file in files:
                source = self.document(file)
                if source is not None and source.status is not Status.REMOVED:
                    self._replace_source(replace(source, status=Status.REMOVED), self._current_content(file))

        self._database.atomically(work)

    def prune(self, files: Iterable[str]) -> None:
        """Take files out of the index and the ledger. Their embeddings stay in the cache."""
        files = tuple(files)

        def work() -> None:
            for file in files:
                self._end_source(file, keep=None)

        self._database.atomically(work)

    def _current_content(self, file: str) -> int | None:
        sql = "SELECT content FROM sources WHERE file = ? AND removed IS NULL"
        found = self._database.rows(sql, (rows.storable(file),))
        return found[0][0] if found else None

    def _end_source(self, file: str, keep: int | None) -> None:
        """End the current row of a file, and its content unless that is the one to keep."""
        working, content = self._state.working, self._current_content(file)
        self._database.execute(
            "UPDATE sources SET removed = ? WHERE file = ? AND removed IS NULL",
            (working, rows.storable(file)),
        )
        if content is not None and content != keep:
            self._database.execute("UPDATE contents SET removed = ? WHERE id = ?", (working, content))

    def _replace_source(self, source: DocumentRecord, content: int | None) -> None:
        self._end_source(source.file, keep=content)
        found = self._database.rows(
            f"INSERT INTO sources ({rows.SOURCE_COLUMNS}, content, added) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (*rows.source_row(source), content, self._state.working),
        )
        self._publisher.source_added(found[0][0], source)

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
        self._database.execute_many(
            f"INSERT INTO pages (content, {rows.PAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((content, *rows.page_row(page)) for page in pages),
        )
        numbered = list(enumerate(chunks, first))
        self._database.execute_many(
            "INSERT INTO chunks (id, content, ordinal, page, page_end, spans, text, header, heading, tokens, "
            "embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
            "(SELECT id FROM embeddings WHERE model = ? AND digest = ?))",
            (
                (*rows.chunk_row(identity, content, chunk), self._cache.model, digest)
                for (identity, chunk), digest in zip(numbered, digests, strict=True)
            ),
        )
        self._publisher.content_added(content, pages, numbered)
        return content

    def _insert_tables(self, content: int, tables: Sequence[Table]) -> None:
        if not self._database.holds("page_tables"):
            return
        self._database.execute_many(
            "INSERT INTO page_tables (content, page, form) VALUES (?, ?, ?)",
            ((content, table.page, rows.storable(rows.table_json(table))) for table in tables),
        )

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
