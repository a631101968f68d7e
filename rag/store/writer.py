"""Writing an index: one transaction for each finished file, then publishing what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from rag.store import rows
from rag.store.cache import EmbeddingCache
from rag.store.database import Database
from rag.store.publish import Publisher
from rag.store.snapshot import Snapshot, State, read_state
from rag.types import Chunk, Document, Page, Source, Status

PUBLISHING_SHARE = 0.05
"""Share of the time that `publish_if_due` may spend on publishing."""


class IndexWriter:
    """The one writer of an index; made by `Index.writer()`, which holds the lock."""

    def __init__(self, database: Database, publisher: Publisher, on_publish: Callable[[], object]) -> None:
        self._database = database
        self._publisher = publisher
        self._on_publish = on_publish
        self._state: State = read_state(database)
        self._cache = EmbeddingCache(database, self._state.spec)
        self._began = monotonic()
        self._publishing = 0.0

    # -- what stands there now, published or not ------------------------------------------------------------

    @property
    def latest(self) -> Snapshot:
        """The database with everything written so far, also what readers do not see yet."""
        return Snapshot(self._database, self._state.working)

    def source(self, file: str) -> Source | None:
        """The newest row of the ledger for a file."""
        return self.latest.source(file)

    def sources(self) -> list[Source]:
        """The newest rows of the ledger, by file name."""
        return self.latest.sources()

    # -- the embedding cache --------------------------------------------------------------------------------

    def cached_vectors(self, texts: Sequence[str]) -> dict[int, rows.Vectors]:
        """See `EmbeddingCache.cached_vectors`."""
        return self._cache.cached_vectors(texts)

    def cache_vectors(self, texts: Sequence[str], vectors: Any) -> None:
        """See `EmbeddingCache.cache_vectors`."""
        self._cache.cache_vectors(texts, vectors)

    # -- files ----------------------------------------------------------------------------------------------

    def put(self, document: Document, vectors: Any) -> None:
        """Store a finished file in one transaction, in place of an earlier version of it.

        vectors: one row for each chunk, shape [chunks, dimension]; of a text that the cache knows, the cached
        vector is used. Raises ValueError when the shapes do not match.
        """
        chunks = document.chunks
        unit = rows.unit_vectors(vectors, len(chunks), self._state.spec.dimension)
        digests = [rows.digest_of(chunk.indexed_text) for chunk in chunks]
        with self._database.transaction():
            self._cache.insert(digests, unit)
            content = self._insert_content(document.pages, chunks, digests)
            self._replace_source(document.source, content)

    def put_source(self, source: Source, pages: Iterable[Page] = ()) -> None:
        """Record what became of a file that was not indexed.

        With status FAILED (transient) an earlier version stays searchable; with any other it goes.
        """
        pages = tuple(pages)
        with self._database.transaction():
            content = self._current_content(source.file) if source.status is Status.FAILED else None
            if content is None and pages:
                content = self._insert_content(pages, (), ())
            self._replace_source(source, content)

    def rename(self, old_file: str, new_source: Source) -> None:
        """Give a file that was moved its new row; its chunks and embeddings stay as they are.

        Raises KeyError when `old_file` is not in the ledger.
        """
        with self._database.transaction():
            if self.source(old_file) is None:
                raise KeyError(old_file)
            content = self._current_content(old_file)
            if old_file != new_source.file:
                self._end_source(old_file, keep=content)
            self._replace_source(new_source, content)

    def mark_removed(self, files: Iterable[str]) -> None:
        """Record that files are no longer in the folder; they stay searchable until pruned."""
        with self._database.transaction():
            for file in files:
                source = self.source(file)
                if source is not None and source.status is not Status.REMOVED:
                    self._replace_source(replace(source, status=Status.REMOVED), self._current_content(file))

    def prune(self, files: Iterable[str]) -> None:
        """Take files out of the index and the ledger. Their embeddings stay in the cache."""
        with self._database.transaction():
            for file in files:
                self._end_source(file, keep=None)

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

    def _replace_source(self, source: Source, content: int | None) -> None:
        self._end_source(source.file, keep=content)
        self._database.execute(
            f"INSERT INTO sources ({rows.SOURCE_COLUMNS}, content, added) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*rows.source_row(source), content, self._state.working),
        )

    def _insert_content(
        self, pages: Sequence[Page], chunks: Sequence[Chunk], digests: Sequence[bytes]
    ) -> int:
        first = self._last_chunk_id() + 1
        searchable = sum(page.status.searchable for page in pages)
        cursor = self._database.execute(
            "INSERT INTO contents (pages, searchable_pages, chunks, first_chunk, last_chunk, added) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (len(pages), searchable, len(chunks), first, first + len(chunks) - 1, self._state.working),
        )
        content = int(cursor.lastrowid or 0)
        self._database.execute_many(
            f"INSERT INTO pages (content, {rows.PAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((content, *rows.page_row(page)) for page in pages),
        )
        self._database.execute_many(
            "INSERT INTO chunks (id, content, ordinal, page, page_end, spans, text, header, heading, tokens, "
            "embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
            "(SELECT id FROM embeddings WHERE model = ? AND digest = ?))",
            (
                (*rows.chunk_row(first + n, content, chunk), self._cache.model, digest)
                for n, (chunk, digest) in enumerate(zip(chunks, digests, strict=True))
            ),
        )
        return content

    def _last_chunk_id(self) -> int:
        # AUTOINCREMENT remembers the highest id ever given: an id in a saved answer is never another chunk.
        found = self._database.rows("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")
        return int(found[0][0]) if found else 0

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
