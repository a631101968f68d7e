"""The index in a PostgreSQL database: reading one generation, publishing the next, and checking the rows."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from psycopg import errors

from rag.errors import IndexReadOnly
from rag.store import rows
from rag.store.keywords import KeywordField, tokeniser_id
from rag.store.postgres import creation, keywords, vectors
from rag.store.postgres.connection import (
    GenerationGone,
    oldest_read,
    require_pgvector,
    take_writer_lock,
)
from rag.store.postgres.database import PostgresDatabase, ReadingDatabase, WritingDatabase
from rag.store.postgres.location import Location, parse
from rag.store.postgres.schema import CHECKS, FIELDS, TABLES, VECTOR_INDEX
from rag.store.rows import Selection, storable
from rag.store.spec import IndexSpec, IndexState, delete_removed, has_removed, has_unpublished, read_state
from rag.store.writer import Notify, Publisher
from rag.types import DocumentRecord


class PostgresBackend:
    """An open index in a database. See `rag.store.backend.Backend`."""

    @classmethod
    def open(cls, url: str, create: IndexSpec | None, *, rebuild: bool, notify: Notify) -> PostgresBackend:
        """Connect, after making or emptying an index there when that is asked for."""
        location = parse(url)
        if create is not None:
            creation.ensure(location, create, rebuild=rebuild, notify=notify)
        backend = cls(location, notify)
        try:
            require_pgvector(backend._database, location)
            creation.check(backend._database, location)
            if create is not None:
                backend.state().spec.require_same_content(create, location.shown, creation.FIX)
        except BaseException:
            backend.close()
            raise
        return backend

    def __init__(self, location: Location, notify: Notify) -> None:
        self.location = location.shown
        self.notify = notify
        self._where = location
        self._database = ReadingDatabase(location)
        self._readers: weakref.WeakSet[PostgresReader] = weakref.WeakSet()

    def state(self) -> IndexState:
        return read_state(self._database)

    def read(self, *, prepare: bool) -> PostgresReader:  # noqa: ARG002 - it is always ready to be searched
        """A reader of the newest published generation, whose connections hold a lock on it."""
        while True:
            state = self.state()
            with contextlib.suppress(GenerationGone):
                reader = PostgresReader(self._where, state)
                self._readers.add(reader)
                renewed = state.spec.tokeniser == tokeniser_id()
                if not renewed and rows.holds_contents(reader.database, state.published):
                    self.notify(
                        f"The keywords of {self.location} were made with another tokeniser: "
                        "run `rag ingest PATH` once."
                    )
                return reader

    @contextlib.contextmanager
    def write(
        self, *, wait: bool | float, on_wait: Notify | None
    ) -> Iterator[tuple[WritingDatabase, PostgresPublisher]]:
        """The database and what publishes it, under the lock of the one writer."""
        if self._database.rows("SELECT has_table_privilege('state', 'UPDATE')") != [(True,)]:
            raise IndexReadOnly(
                f"the index {self.location} may be read but not written by this user: choose another place with "
                "--index, or use a user that may write it."
            )
        lock = partial(take_writer_lock, location=self._where, wait=wait, on_wait=on_wait)
        database = WritingDatabase(self._where, lock)
        try:
            publisher = PostgresPublisher(database, read_state(database).spec.dimension, self.notify)
            yield database, publisher
            publisher.index_vectors()
        finally:
            database.close()

    def faults(self) -> list[str]:
        """One sentence for each fault; an empty list when the index is sound. Reads everything."""
        return list(_faults(self._database))

    def close(self) -> None:
        for reader in list(self._readers):
            reader.close()
        self._database.close()


class PostgresReader:
    """One published generation, held by a lock on the server (`rag.store.postgres.connection`)."""

    at_once = 2  # on two connections; more would take the processors of others who ask

    def __init__(self, location: Location, state: IndexState) -> None:
        self.state = state
        self.database = ReadingDatabase(location, state.published)
        weakref.finalize(self, self.database.close)
        self._indexed = vectors.has_index(self.database)

    def prepare(self) -> bool:
        """True: the rows are what is searched."""
        return True

    def nearest(self, vector: rows.Vectors, k: int, selection: Selection | None) -> list[tuple[int, float]]:
        """The `k` chunks nearest to a unit vector as (chunk id, cosine), best first, equal scores by id."""
        if not self._indexed:
            # The HNSW index is made when the writer has finished; looking for it is cheaper than comparing every
            # vector of a large index for ever.
            self._indexed = vectors.has_index(self.database)
        generation = self.state.published
        return vectors.search_vectors(self.database, vector, k, selection, generation, indexed=self._indexed)

    def match(
        self, field: KeywordField, weights: Mapping[str, float], k: int, selection: Selection | None
    ) -> list[tuple[int, int, float]]:
        """The `k` best by BM25 as (content, chunk id or page number, score), best first, equal scores by ids."""
        generation = self.state.published
        return keywords.search_keywords(self.database, FIELDS[field], weights, k, selection, generation)

    def close(self) -> None:
        self.database.close()


# -- checking -----------------------------------------------------------------------------------------------------


def _faults(database: PostgresDatabase) -> Iterator[str]:
    name = database.location.shown
    yield from rows.row_faults(database, name)
    yield from rows.row_faults(database, name, CHECKS)
    other = 0
    for (content,) in database.rows("SELECT id FROM contents"):
        found = database.rows(
            "SELECT e.vector, vector_send(v.embedding) FROM vectors v JOIN chunks c ON c.id = v.chunk "
            "JOIN embeddings e ON e.id = c.embedding WHERE v.content = ?",
            (content,),
        )
        # a float32 blob, and the binary form of a `vector`, which begins with its dimension
        other += sum(
            not np.array_equal(np.frombuffer(stored, "<f4"), np.frombuffer(searched, ">f4", offset=4))
            for stored, searched in found
        )
    if other:
        yield f"{name}: {other} chunks are searched by another vector than their own"


INDEXED_ROWS = vectors.EXACT_ROWS
"""The HNSW index is made when a writer has finished and there are more vectors than this."""

BUILD_MEMORY = "1GB"
"""For building the index, unless the server is set to give more: beyond it pgvector goes on several times slower.
1 GB holds about 500,000 vectors of 384 numbers."""

NO_ROOM = (errors.OutOfMemory, errors.DiskFull, errors.InsufficientResources)
"""How PostgreSQL says that there is too little memory; when shared memory is too small, it speaks of a full disk."""


class PostgresPublisher(Publisher):
    """See `Publisher`. Rows are searchable once their generation is published."""

    def __init__(self, database: WritingDatabase, dimension: int, notify: Notify) -> None:
        self.database = database
        self.dimension = dimension
        self.notify = notify
        self._keywords = keywords.KeywordWriter(database)

    def document_added(self, identity: int, source: DocumentRecord) -> None:
        """Keep the metadata as a filter compares it: folded by Python, as in every kind of index."""
        # Of keys that only lone surrogates tell apart the last one counts, as in its row of the index.
        fields = sorted((str(key), str(value)) for key, value in source.metadata.items())
        folded = {storable(key): storable(value).casefold() for key, value in fields}
        self.database.insert(
            "source_fields", "source, key, folded", ((identity, key, value) for key, value in folded.items())
        )

    def content_added(self, identity: int) -> None:
        """Make pages and chunks searchable."""
        found = self.database.rows(
            # with the stored vector: a text that was embedded before keeps its earlier one
            "SELECT c.id, e.vector FROM chunks c JOIN embeddings e ON e.id = c.embedding WHERE c.content = ?",
            (identity,),
        )
        searched = ((chunk, identity, np.frombuffer(vector, np.float32)) for chunk, vector in found)
        self.database.insert("vectors", "chunk, content, embedding", searched)
        self._keywords.add(identity)

    def publish(self, on_publish: Callable[[], object]) -> None:
        state = read_state(self.database)
        renewed = state.spec.tokeniser != tokeniser_id()
        unpublished = has_unpublished(self.database, state)

        def work() -> None:
            if renewed:
                self._renew_tokens(state.spec)
            self._keywords.count(after=0 if renewed else state.published)
            if unpublished:
                self.database.execute("UPDATE state SET published = working, working = working + 1")

        if renewed or unpublished:
            self.database.atomically(work)
        if renewed and self.database.rows("SELECT 1 FROM contents LIMIT 1"):
            self.notify(
                f"The keywords of {self.database.location.shown} were made with another tokeniser: "
                "made them again from the database."
            )
        on_publish()
        self._tidy(read_state(self.database))

    def _renew_tokens(self, spec: IndexSpec) -> None:
        """After the tokeniser changed: make the tokens again from the pages and chunks in the database."""
        self._keywords.delete_all()
        for (content,) in self.database.rows("SELECT id FROM contents ORDER BY id"):
            self._keywords.add(content)
        renewed = replace(spec, tokeniser=tokeniser_id())
        self.database.execute("UPDATE state SET spec = ?", (renewed.to_json(),))

    # -- tidying up -----------------------------------------------------------------------------------------

    def _tidy(self, state: IndexState) -> None:
        known, total = self.database.rows(
            "SELECT (SELECT reltuples FROM pg_class WHERE oid = to_regclass('chunks')), "
            "(SELECT coalesce(sum(chunks), 0) FROM contents)"
        )[0]
        if total > 1.5 * max(known, 0):  # the planner knows of many fewer chunks than there are
            self.database.execute(f"ANALYZE {', '.join(TABLES)}")
        for field in FIELDS.values():
            self.database.execute(f"SELECT gin_clean_pending_list('{field.table}_entries')")
        self._purge(state)

    def index_vectors(self) -> None:
        """Make the HNSW index when it is worth it: when all is written, because it grows slower than it is made."""
        if self.dimension > vectors.MAX_INDEXED or vectors.has_index(self.database):
            return
        count = self.database.rows("SELECT count(*) FROM vectors")[0][0]
        if count <= INDEXED_ROWS:
            return

        def work() -> None:
            # the second is that of development builds, in single precision
            self.database.execute(f"DROP INDEX IF EXISTS {VECTOR_INDEX}, vectors_hnsw")
            self.database.execute(
                "SELECT set_config('maintenance_work_mem', ?, true) "
                "WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes(?)",
                (BUILD_MEMORY, BUILD_MEMORY),
            )
            definition = vectors.definition(self.dimension).encode()
            with self.database.connection() as connection, self.database.readable_errors():
                try:
                    with connection.transaction():
                        connection.execute(definition)
                except NO_ROOM:
                    # Parallel workers share memory that a container may not have.
                    connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
                    connection.execute(definition)

        self.database.atomically(work)

    def _purge(self, state: IndexState) -> None:
        """Delete the rows that were removed before anything that a reader still reads."""
        oldest = oldest_read(self.database, self.database.location)
        bound = state.published if oldest is None else min(oldest, state.published)
        if bound <= 0 or not has_removed(self.database, bound):
            return
        # Say first what goes, then look again: a reader that came in between sees it and moves on.
        self.database.execute("UPDATE state SET purged = greatest(purged, ?)", (bound,))
        oldest = oldest_read(self.database, self.database.location)
        if oldest is None or oldest >= bound:
            self.database.atomically(lambda: self._delete(bound))

    def _delete(self, bound: int) -> None:
        self._keywords.delete_removed(bound)
        old = "(SELECT id FROM contents WHERE removed <= ?)"
        self.database.execute(f"DELETE FROM vectors WHERE content IN {old}", (bound,))
        delete_removed(self.database, bound)
