"""The index in a folder: SQLite, FAISS and Tantivy behind the facade."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.store import creation, dense, integrity
from rag.store.database import SqliteDatabase
from rag.store.filters import Filter
from rag.store.index import Notify, ScoredChunk, ScoredPage
from rag.store.keywords import Field, Level
from rag.store.lock import ReaderLease, WriterLock
from rag.store.mending import DerivedIndexes
from rag.store.publish import FolderPublisher
from rag.store.snapshot import Allowed, Snapshot
from rag.store.spec import IndexSpec
from rag.store.stored import StoredIndex, weights_of
from rag.store.writer import IndexWriter

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings


SELECTORS_KEPT = 4
"""Filters whose chunks are remembered, a byte a chunk: the next question mostly asks within the same one."""


class EmbeddedIndex(StoredIndex):
    """See `Index`."""

    _database: SqliteDatabase

    def __init__(
        self, folder: Path, database: SqliteDatabase, embeddings: Embeddings | None, notify: Notify
    ) -> None:
        super().__init__(str(folder), database, embeddings, notify)
        self._folder = folder
        self._lease = ReaderLease(folder)
        self._lease.share()
        self._pin()

    @classmethod
    def open(
        cls,
        folder: Path,
        embeddings: Embeddings | None,
        create: IndexSpec | None,
        rebuild: bool,
        notify: Notify,
    ) -> EmbeddedIndex:
        """See `open_index`."""
        if create is not None:
            creation.ensure(folder, create, rebuild=rebuild, notify=notify)
        database = SqliteDatabase.open(folder / creation.FILE, writable=False)
        try:
            index = cls(folder, database, embeddings, notify)
        except BaseException:
            database.close()
            raise
        index._publish_leftovers()
        return index

    def _pin(self) -> None:
        state = self._state()
        self.spec, self.generation = state.spec, state.published
        self._snapshot = Snapshot(self._database, state.published)
        self._selectors: dict[Filter, tuple[Allowed, NDArray[np.bool_]]] = {}
        self._derived = DerivedIndexes(
            self._folder, self._database, self._snapshot, state, self._lease, self._notify
        )

    # -- searching ------------------------------------------------------------------------------------------

    def search_dense(self, vector: Any, k: int, where: Filter | None = None) -> list[ScoredChunk]:
        query = self._unit_query(vector)
        if not self._snapshot.holds_anything():
            return []
        opened = self._derived.dense()
        selector = self._selector(where, opened.hidden)
        if selector is not None and dense.lists_of(opened.engine) and selector.sum() <= dense.FEW:
            few = np.flatnonzero(selector)
            found = dense.compare(few, self.vectors(few.tolist()), query, k)
        else:
            found = dense.search(opened.engine, query, k, selector)
        return [ScoredChunk(chunk, score) for chunk, score in found]

    def _selector(self, where: Filter | None, hidden: Allowed) -> NDArray[np.bool_] | None:
        """By chunk id, what a search may return; None for everything."""
        restricted = where is not None and not where.empty
        if not restricted and not len(hidden.contents):
            return None
        kept = self._selectors.get(where or Filter())
        if kept is not None and kept[0] is hidden:
            return kept[1]
        if len(self._selectors) >= SELECTORS_KEPT:
            self._selectors.clear()
        selector = self._new_selector(where, restricted, hidden)
        self._selectors[where or Filter()] = (hidden, selector)
        return selector

    def _new_selector(self, where: Filter | None, restricted: bool, hidden: Allowed) -> NDArray[np.bool_]:
        size = self._database.rows("SELECT coalesce(max(last_chunk), 0) + 1 FROM contents")[0][0]
        selector = np.full(size, not restricted)
        if where is not None and restricted:
            allowed = self._snapshot.allowed(where)
            if where.by_page:
                selector[self._snapshot.chunks_on_pages(allowed)] = True
            else:
                _set_ranges(selector, allowed.ranges, True)
        _set_ranges(selector, hidden.ranges, False)
        return selector

    def search_keywords(
        self, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None = None
    ) -> list[ScoredChunk]:
        return [ScoredChunk(key, score) for _, key, score in self._search_terms("chunk", terms, k, where)]

    def search_pages(
        self,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None = None,
        *,
        head: bool = False,
    ) -> list[ScoredPage]:
        return self._page_hits(self._search_terms("page", terms, k, where, "head" if head else "body"))

    def _search_terms(
        self,
        level: Level,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None,
        field: Field = "body",
    ) -> list[tuple[int, int, float]]:
        weights = weights_of(terms)
        allowed = None if where is None or where.empty else self._snapshot.allowed(where)
        nothing = allowed is not None and not len(allowed.contents)
        if not weights or nothing or not self._snapshot.holds_anything():
            return []
        opened = self._derived.keywords(level)
        try:
            return list(opened.engine.search(weights, k, allowed, opened.hidden, field))
        except IndexDamaged as error:
            opened = self._derived.renew_keywords(level, error)
            return list(opened.engine.search(weights, k, allowed, opened.hidden, field))

    def verify(self) -> list[str]:
        return integrity.faults(self._folder, self._database)

    # -- writing --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writer(self, *, wait: bool | float = True, on_wait: Notify | None = None) -> Iterator[IndexWriter]:
        lock = WriterLock(self._folder)
        lock.acquire(wait=wait, on_wait=on_wait)
        try:
            database = SqliteDatabase.open(self._folder / creation.FILE, writable=True)
            try:
                publisher = FolderPublisher(self._folder, database, self._lease, self._notify)
                publisher.sweep()
                writer = IndexWriter(database, publisher, self.refresh)
                yield writer
                writer.publish()
            finally:
                database.close()
        finally:
            lock.release()

    def close(self) -> None:
        self._derived.close()
        self._database.close()
        self._lease.close()


def _set_ranges(selector: NDArray[np.bool_], ranges: NDArray[np.int64], value: bool) -> None:
    for first, last in ranges.tolist():
        selector[max(first, 0) : last + 1] = value
