"""Writing beside the rows what is searched, letting readers in, and tidying up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from psycopg import errors

from rag.errors import IndexDamaged
from rag.store import generations
from rag.store.fields import chunk_body
from rag.store.index import Notify
from rag.store.keywords import tokenizer
from rag.store.postgres import dense, keywords, lock
from rag.store.postgres.database import WritingDatabase
from rag.store.postgres.types import DenseVector
from rag.store.rows import PAGE_COLUMNS, page_of, storable
from rag.store.state import State, read_state
from rag.store.writer import Publisher
from rag.types import Chunk, DocumentRecord, Page

INDEXED_ROWS = dense.EXACT_ROWS
"""The HNSW index is made when there are more vectors than this."""

BUILD_MEMORY = "1GB"
"""For building the index, unless the server is set to give more: beyond it pgvector goes on several times slower.
1 GB holds about 500,000 vectors of 384 numbers."""

NO_ROOM = (errors.OutOfMemory, errors.DiskFull, errors.InsufficientResources)
"""How PostgreSQL says that there is too little memory; when shared memory is too small, it speaks of a full disk."""


@dataclass(frozen=True)
class PostgresPublisher(Publisher):
    """See `Publisher`. Rows are searchable once their generation is published, so that is one UPDATE."""

    database: WritingDatabase
    dimension: int
    notify: Notify

    def source_added(self, identity: int, source: DocumentRecord) -> None:
        """Keep the metadata as a filter compares it: folded by Python, as in every kind of index."""
        self.database.execute_many(
            "INSERT INTO source_fields (source, key, folded) VALUES (?, ?, ?)",
            ((identity, key, value) for key, value in _folded(source).items()),
        )

    def content_added(
        self, identity: int, pages: Sequence[Page], chunks: Sequence[tuple[int, Chunk]]
    ) -> None:
        """Make pages and chunks searchable."""
        self._add_vectors(identity)
        bodies = [(chunk, c.page, c.page_end, chunk_body(c.header, c.text)) for chunk, c in chunks]
        keywords.add_content(self.database, identity, pages, bodies)

    def _add_vectors(self, content: int) -> None:
        # Read back, because a text that was embedded before keeps its earlier vector.
        found = self.database.rows(
            "SELECT c.id, e.vector FROM chunks c JOIN embeddings e ON e.id = c.embedding WHERE c.content = ? "
            "ORDER BY c.id",
            (content,),
        )
        self.database.execute_many(
            "INSERT INTO vectors (chunk, content, embedding) VALUES (?, ?, ?)",
            ((chunk, content, DenseVector(self._vector(blob))) for chunk, blob in found),
        )

    def _vector(self, blob: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        vector = np.frombuffer(blob, dtype="<f4")
        with self.database.readable_errors():
            if vector.size != self.dimension:
                raise IndexDamaged("a stored embedding has another dimension than the index")
        return vector

    def publish(self, on_publish: Callable[[], object]) -> None:
        state = read_state(self.database)
        self._renew_tokens(state)
        if generations.pending(self.database, state):
            self.database.execute("UPDATE state SET published = working, working = working + 1")
        self.database.remember_state()
        on_publish()
        self._tidy(read_state(self.database))

    def _renew_tokens(self, state: State) -> None:
        """After the tokeniser changed: make the tokens anew from the pages and chunks in the database."""
        name, _ = tokenizer()
        if state.spec.tokeniser == name:
            return

        def work() -> None:
            keywords.empty(self.database)
            for (content,) in self.database.rows("SELECT id FROM contents ORDER BY id"):
                keywords.add_content(self.database, content, self._pages(content), self._bodies(content))
            spec = replace(state.spec, tokeniser=name)
            self.database.execute("UPDATE state SET spec = ?", (spec.to_json(),))

        self.database.atomically(work)
        if generations.anything(self.database):
            self.notify(
                f"The keywords of {self.database.location.shown} were made with another tokeniser: "
                "made them anew from the database."
            )

    def _pages(self, content: int) -> list[Page]:
        sql = f"SELECT {PAGE_COLUMNS} FROM pages WHERE content = ? ORDER BY number"
        found = self.database.rows(sql, (content,))
        return [page_of(row) for row in found]

    def _bodies(self, content: int) -> list[tuple[int, int, int, str]]:
        sql = "SELECT id, page, page_end, header, text FROM chunks WHERE content = ? ORDER BY ordinal"
        found = self.database.rows(sql, (content,))
        return [(chunk, first, last, chunk_body(header, text)) for chunk, first, last, header, text in found]

    # -- tidying up -----------------------------------------------------------------------------------------

    def _tidy(self, state: State) -> None:
        rows = self._grown()
        if rows is not None:
            for table in ("vectors", "chunks", "pages", "contents", "sources", "embeddings", "keyword_terms"):
                self.database.execute(f"ANALYZE {table}")
            for field in keywords.FIELDS:
                self.database.execute(f"ANALYZE {field.table}")
        for field in keywords.FIELDS:
            self.database.execute(f"SELECT gin_clean_pending_list('{field.table}_entries')")
        self._index_vectors()
        self._purge(state)

    def _grown(self) -> int | None:
        """The number of chunks when the planner knows much less of them; None when it is well informed."""
        known, total = self.database.rows(
            "SELECT (SELECT reltuples FROM pg_class WHERE oid = to_regclass('chunks')), "
            "(SELECT coalesce(sum(chunks), 0) FROM contents)"
        )[0]
        return int(total) if total > 1.5 * max(known, 0) else None

    def _index_vectors(self) -> None:
        kind = dense.Kind(self.dimension)
        if not kind.indexable or dense.has_index(self.database):
            return
        count = self.database.rows("SELECT count(*) FROM vectors")[0][0]
        if count <= INDEXED_ROWS:
            return

        def work() -> None:
            self.database.execute(f"DROP INDEX IF EXISTS {dense.INDEX}")
            self.database.execute(
                "SELECT set_config('maintenance_work_mem', ?, true) "
                "WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes(?)",
                (BUILD_MEMORY, BUILD_MEMORY),
            )
            definition = kind.definition().encode()
            with self.database.connection() as connection, self.database.readable_errors():
                try:
                    with connection.transaction():
                        connection.execute(definition)
                except NO_ROOM:
                    # Parallel workers share memory that a container may not have.
                    connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
                    connection.execute(definition)

        self.database.atomically(work)

    def _purge(self, state: State) -> None:
        """Delete the rows that were removed before anything that a reader still reads."""
        oldest = lock.oldest_read(self.database, self.database.location)
        bound = state.published if oldest is None else min(oldest, state.published)
        if bound <= 0 or not generations.removed_up_to(self.database, bound):
            return
        # Say first what goes, then look again: a reader that came in between sees it and moves on.
        self.database.execute("UPDATE state SET purged = greatest(purged, ?)", (bound,))
        oldest = lock.oldest_read(self.database, self.database.location)
        if oldest is None or oldest >= bound:
            self.database.atomically(lambda: self._delete(bound))

    def _delete(self, bound: int) -> None:
        keywords.delete_removed(self.database, bound)
        old = "(SELECT id FROM contents WHERE removed <= ?)"
        self.database.execute(f"DELETE FROM vectors WHERE content IN {old}", (bound,))
        generations.delete_removed(self.database, bound)


def _folded(source: DocumentRecord) -> dict[str, str]:
    """The metadata by key, as it can be stored. Of keys that only lone surrogates tell apart the last one counts, as
    in the ledger's row."""
    fields = sorted((str(key), str(value)) for key, value in source.metadata.items())
    return {storable(key): storable(value).casefold() for key, value in fields}
