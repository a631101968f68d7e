"""The index in PostgreSQL behind the facade."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.errors import IndexReadOnly
from rag.store.filters import Filter
from rag.store.index import Notify, ScoredChunk, ScoredPage
from rag.store.keywords import tokenizer
from rag.store.postgres import creation, dense, integrity, keywords
from rag.store.postgres.connection import require_pgvector
from rag.store.postgres.database import PostgresDatabase, ReadingDatabase, WritingDatabase
from rag.store.postgres.location import Location, parse
from rag.store.postgres.lock import GenerationGone, PostgresWriterLock
from rag.store.postgres.publish import PostgresPublisher
from rag.store.postgres.tables import require_name
from rag.store.snapshot import Allowed, Snapshot
from rag.store.spec import IndexSpec
from rag.store.state import State, read_state
from rag.store.stored import StoredIndex, weights_of
from rag.store.writer import IndexWriter

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

ALL_GENERATIONS = 2**62


class PostgresIndex(StoredIndex):
    """See `Index`."""

    _database: ReadingDatabase
    _indexed: bool

    def __init__(
        self, location: Location, database: ReadingDatabase, embeddings: Embeddings | None, notify: Notify
    ) -> None:
        super().__init__(location.shown, database, embeddings, notify)
        self._where = location
        with database.connection() as connection:
            require_pgvector(connection, location)
        creation.check(database, location)
        self._pin()

    @classmethod
    def open(
        cls,
        url: str,
        embeddings: Embeddings | None,
        create: IndexSpec | None,
        rebuild: bool,
        notify: Notify,
    ) -> PostgresIndex:
        """See `open_index`."""
        location = parse(url)
        require_name(location)
        if create is not None:
            creation.ensure(location, create, rebuild=rebuild, notify=notify)
        database = ReadingDatabase(location)
        try:
            index = cls(location, database, embeddings, notify)
            if create is not None:
                index.spec.require_same_content(create, location.shown, creation.MEND)
        except BaseException:
            database.close()
            raise
        index._publish_leftovers()
        return index

    def refresh(self) -> bool:
        moved = super().refresh()
        self._look_for_index()
        return moved

    def _look_for_index(self) -> None:
        """Notice the HNSW index: it is made after the generation that first needs it was published, and a reader that
        came in between would go on comparing every vector. To look is cheaper than to count the vectors."""
        if not self._indexed:
            with self._pinning, contextlib.suppress(GenerationGone):
                self._indexed = dense.has_index(self._database)

    def _pin(self) -> None:
        while True:
            state = self._state()
            self._database.repin(state.published)
            with contextlib.suppress(GenerationGone):
                self._indexed = dense.has_index(self._database)
                break
            self._database.repin(None)
        self.spec, self.generation = state.spec, state.published
        self._snapshot = Snapshot(self._database, state.published)
        if state.spec.tokeniser != tokenizer()[0] and self._snapshot.holds_anything():
            self._notify(
                f"The keywords of {self.location} were made with another tokeniser: run `rag ingest PATH` once."
            )

    def _state(self) -> State:
        try:
            return super()._state()
        except GenerationGone:  # the server was away, and a writer went on
            self._database.repin(None)
            return super()._state()

    # -- searching ------------------------------------------------------------------------------------------

    def search_dense(self, vector: Any, k: int, where: Filter | None = None) -> list[ScoredChunk]:
        query = self._unit_query(vector)
        allowed = self._allowed(where)
        if k <= 0 or (allowed is not None and not len(allowed.contents)):
            return []
        found = dense.search(self._database, query, k, allowed, self._hidden(), indexed=self._indexed)
        return [ScoredChunk(chunk, score) for chunk, score in found]

    def search_keywords(
        self, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None = None
    ) -> list[ScoredChunk]:
        return [
            ScoredChunk(key, score) for _, key, score in self._search_terms(keywords.CHUNKS, terms, k, where)
        ]

    def search_pages(
        self,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None = None,
        *,
        head: bool = False,
    ) -> list[ScoredPage]:
        field = keywords.HEADS if head else keywords.PAGES
        return self._page_hits(self._search_terms(field, terms, k, where))

    def _search_terms(
        self,
        field: keywords.Field,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None,
    ) -> list[tuple[int, int, float]]:
        weights, allowed = weights_of(terms), self._allowed(where)
        if not weights or k <= 0 or (allowed is not None and not len(allowed.contents)):
            return []
        return keywords.search(self._database, field, weights, k, allowed, self._hidden())

    def _allowed(self, where: Filter | None) -> Allowed | None:
        return None if where is None or where.empty else self._snapshot.allowed(where)

    def _hidden(self) -> Allowed:
        return self._snapshot.hidden(0, ALL_GENERATIONS)

    def verify(self) -> list[str]:
        return integrity.faults(self._database)

    # -- writing --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writer(self, *, wait: bool | float = True, on_wait: Notify | None = None) -> Iterator[IndexWriter]:
        self._require_writable()
        database = WritingDatabase(
            self._where, PostgresWriterLock(self._where, wait=wait, on_wait=on_wait).acquire
        )
        try:
            creation.renew(database)
            publisher = PostgresPublisher(database, read_state(database).spec.dimension, self._notify)
            writer = IndexWriter(database, publisher, self.refresh)
            yield writer
            writer.publish()
            self._look_for_index()
        finally:
            database.close()

    def _require_writable(self) -> None:
        if not may_write(self._database):
            raise IndexReadOnly(
                f"the index {self.location} may be read but not written by this user: choose another place with "
                "--index, or use a user that may write it."
            )

    def close(self) -> None:
        self._database.close()


def may_write(database: PostgresDatabase) -> bool:
    """Whether this user was granted writing."""
    return bool(database.rows("SELECT has_table_privilege('state', 'UPDATE')")[0][0])
