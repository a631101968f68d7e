"""The index in a folder: SQLite, FAISS and Tantivy behind the facade."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexMismatch, IndexReadOnly
from rag.store import creation, derive, integrity, keywords, vectors
from rag.store.database import Database
from rag.store.filters import Filter
from rag.store.index import Hit, Index, Notify, PageHit
from rag.store.keywords import KeywordIndex, Level
from rag.store.lock import ReaderLease, WriterLock
from rag.store.publish import Publisher
from rag.store.rows import Vectors
from rag.store.snapshot import Allowed, LedgerEntry, PageSketch, Snapshot, Totals, read_state
from rag.store.spec import IndexSpec
from rag.store.vectors import Stamp
from rag.store.writer import IndexWriter
from rag.types import Page, Passage, Source

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings


class EmbeddedIndex(Index):
    """See `Index`. The two derived indexes are opened when first needed, and mended then."""

    def __init__(
        self, folder: Path, database: Database, embeddings: Embeddings | None, notify: Notify
    ) -> None:
        self.location = str(folder)
        self.embeddings = embeddings
        self._folder = folder
        self._database = database
        self._notify = notify
        self._lease = ReaderLease(folder)
        self._loading = threading.RLock()
        self._links: list[tempfile.TemporaryDirectory[str]] = []
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
        database = Database.open(folder / creation.FILE, writable=False)
        try:
            index = cls(folder, database, embeddings, notify)
        except BaseException:
            database.close()
            raise
        index._publish_leftovers()
        return index

    def _pin(self) -> None:
        state = read_state(self._database)
        self.spec, self.generation, self._instance = state.spec, state.published, state.instance
        self._purged = state.purged
        self._snapshot = Snapshot(self._database, state.published)
        self._dense: tuple[Any, Allowed] | None = None
        self._keywords: dict[Level, tuple[KeywordIndex, Allowed]] = {}

    def refresh(self) -> bool:
        with self._loading:
            state = read_state(self._database)
            if (state.spec, state.published) == (self.spec, self.generation):
                return False
            self._pin()
            return True

    def _publish_leftovers(self) -> None:
        """Publish what a killed writer finished, unless a writer is at work or the folder is read-only."""
        publisher = Publisher(self._folder, self._database, self._lease)
        if not publisher.pending(read_state(self._database)):
            return
        with contextlib.suppress(IndexLocked, IndexReadOnly):
            with self.writer(wait=False):
                pass
            self._notify(f"Published what an interrupted run had finished in {self._folder}.")

    # -- searching ------------------------------------------------------------------------------------------

    def search_dense(self, vector: Any, k: int, where: Filter | None = None) -> list[Hit]:
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        if query.size != self.spec.dimension:
            raise IndexMismatch(
                f"{self.location} holds embeddings of {self.spec.dimension} numbers "
                f"({self.spec.embedding_model}) and the question came as {query.size}: "
                "ask with the same embeddings, or run `rag ingest --rebuild PATH`."
            )
        length = float(np.linalg.norm(query))
        if not np.isfinite(length):
            raise ValueError("the embedding of the question holds values that are not finite numbers")
        if not self._snapshot.holds_anything():
            return []
        index, hidden = self._dense_index()
        selector = self._selector(where, hidden)
        found = vectors.search(index, query / length if length else query, k, selector)
        return [Hit(chunk, score) for chunk, score in found]

    def _selector(self, where: Filter | None, hidden: Allowed) -> NDArray[np.bool_] | None:
        """By chunk id, what a search may return; None for everything."""
        restricted = where is not None and not where.empty
        if not restricted and not len(hidden.contents):
            return None
        size = self._database.rows("SELECT coalesce(max(last_chunk), 0) + 1 FROM contents")[0][0]
        selector = np.full(size, not restricted)
        if restricted and where is not None:
            allowed = self._snapshot.allowed(where)
            if where.by_page:
                selector[self._snapshot.chunks_on_pages(allowed)] = True
            else:
                _set_ranges(selector, allowed.ranges, True)
        _set_ranges(selector, hidden.ranges, False)
        return selector

    def search_keywords(
        self, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None = None
    ) -> list[Hit]:
        return [Hit(key, score) for _, key, score in self._search_terms("chunk", terms, k, where)]

    def search_pages(
        self, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None = None
    ) -> list[PageHit]:
        found = self._search_terms("page", terms, k, where)
        files = self._snapshot.files_of_contents([content for content, _, _ in found])
        return [PageHit(files[content], page, score) for content, page, score in found if content in files]

    def _search_terms(
        self, level: Level, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None
    ) -> list[tuple[int, int, float]]:
        weights = dict(terms) if isinstance(terms, Mapping) else _counted(terms)
        allowed = None if where is None or where.empty else self._snapshot.allowed(where)
        nothing = allowed is not None and not len(allowed.contents)
        if not weights or nothing or not self._snapshot.holds_anything():
            return []
        index, hidden = self._keyword_index(level)
        try:
            return index.search(weights, k, allowed, hidden)
        except IndexDamaged as error:
            index, hidden = self._mended_keywords(level, f"is damaged ({error})")
            return index.search(weights, k, allowed, hidden)

    # -- the derived indexes --------------------------------------------------------------------------------

    def _dense_index(self) -> tuple[Any, Allowed]:
        with self._loading:
            if self._dense is None:
                self._dense = self._open_dense()
            return self._dense

    def _open_dense(self) -> tuple[Any, Allowed]:
        path = self._folder / vectors.FILE
        try:
            stamp = vectors.read_stamp(path, self.spec.dimension)
            if stamp.serves(self._instance, self.generation):
                return vectors.load(path, mapped=True), self._snapshot.hidden(stamp.base, stamp.generation)
            why = "does not belong to this state of the database"
        except OSError as error:
            why = (
                "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            )
        except IndexDamaged as error:
            why = f"is damaged ({error})"
        target = self._target()
        if self._mend_on_disk(None):
            self._notify(f"{path} {why}: made it anew from the database.")
            return vectors.load(path, mapped=True), self._hidden_in(
                vectors.read_stamp(path, self.spec.dimension)
            )
        self._notify_in_memory(path, why)
        return derive.build_vectors(target), self._hidden_in(target.stamp)

    def _keyword_index(self, level: Level) -> tuple[KeywordIndex, Allowed]:
        with self._loading:
            if level not in self._keywords:
                self._keywords[level] = self._open_keywords(level)
            return self._keywords[level]

    def _open_keywords(self, level: Level) -> tuple[KeywordIndex, Allowed]:
        place = derive.level_folder(self._folder, level)
        try:
            index = self._open_tantivy(place)
            stamp, tokeniser = index.stamp()
            if tokeniser != keywords.tokenizer()[0]:
                why = "was made with another tokeniser"
            elif stamp.serves(self._instance, self.generation):
                return index, self._hidden_in(stamp)
            else:
                why = "does not belong to this state of the database"
        except OSError as error:
            why = (
                "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            )
        except IndexDamaged as error:
            why = f"is damaged ({error})"
        return self._mended_keywords(level, why)

    def _open_tantivy(self, place: Path) -> KeywordIndex:
        if os.access(place, os.W_OK):
            return KeywordIndex.open(place)
        index, links = derive.open_unwritable(place)
        self._links.append(links)
        return index

    def _mended_keywords(self, level: Level, why: str) -> tuple[KeywordIndex, Allowed]:
        place = derive.level_folder(self._folder, level)
        target = self._target()
        if self._mend_on_disk(level):
            self._notify(f"{place} {why}: made it anew from the database.")
            index = KeywordIndex.open(place)
            return index, self._hidden_in(index.stamp()[0])
        self._notify_in_memory(place, why)
        return derive.build_keywords(target, level), self._hidden_in(target.stamp)

    def _target(self) -> derive.Target:
        stamp = Stamp(self._instance, self.generation, self.generation)
        return derive.Target(self._database, self.spec.dimension, stamp, self._purged)

    def _hidden_in(self, stamp: Stamp) -> Allowed:
        return self._snapshot.hidden(stamp.base, stamp.generation)

    def _notify_in_memory(self, path: Path, why: str) -> None:
        self._notify(f"{path} {why}: using one made in memory, because the index cannot be written now.")

    def _mend_on_disk(self, level: Level | None) -> bool:
        """Bring a derived index up to the database, if this reader may write and sees what is published."""
        lock = WriterLock(self._folder)
        try:
            lock.acquire(wait=False)
        except (IndexLocked, IndexReadOnly):
            return False
        try:
            if read_state(self._database).published != self.generation:
                return False
            Publisher(self._folder, self._database, self._lease).mend(level)
        except IndexDamaged:
            raise
        except IndexError_:
            return False
        else:
            return True
        finally:
            lock.release()

    # -- the database ---------------------------------------------------------------------------------------

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        return self._snapshot.passages(chunk_ids)

    def neighbours(self, chunk_id: int, before: int = 1, after: int = 1) -> list[Passage]:
        return self._snapshot.neighbours(chunk_id, before, after)

    def chunks_of_page(self, file: str, page: int) -> list[int]:
        return self._snapshot.chunks_of_page(file, page)

    def sketch_pages(
        self, pages: Sequence[tuple[str, int]], head: int = 400
    ) -> dict[tuple[str, int], PageSketch]:
        return self._snapshot.sketch_pages(pages, head)

    def vectors(self, chunk_ids: Sequence[int]) -> Vectors:
        return self._snapshot.vectors(chunk_ids, self.spec.dimension)

    def page(self, file: str, number: int) -> Page | None:
        return next(iter(self._snapshot.pages(file, number)), None)

    def pages(self, file: str) -> list[Page]:
        return self._snapshot.pages(file)

    def source(self, file: str) -> Source | None:
        return self._snapshot.source(file)

    def sources(self) -> list[Source]:
        return self._snapshot.sources()

    def ledger(self) -> list[LedgerEntry]:
        return self._snapshot.ledger()

    def counts(self) -> Totals:
        return self._snapshot.totals()

    def verify(self) -> list[str]:
        return integrity.faults(self._folder, self._database)

    # -- writing --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writer(self, *, wait: bool | float = True, on_wait: Notify | None = None) -> Iterator[IndexWriter]:
        lock = WriterLock(self._folder)
        lock.acquire(wait=wait, on_wait=on_wait)
        try:
            database = Database.open(self._folder / creation.FILE, writable=True)
            try:
                publisher = Publisher(self._folder, database, self._lease)
                publisher.sweep()
                writer = IndexWriter(database, publisher, self.refresh)
                yield writer
                writer.publish()
            finally:
                database.close()
        finally:
            lock.release()

    def close(self) -> None:
        with self._loading:
            self._dense, self._keywords = None, {}
            self._database.close()
            self._lease.close()
            while self._links:
                self._links.pop().cleanup()


def _set_ranges(selector: NDArray[np.bool_], ranges: NDArray[np.int64], value: bool) -> None:
    for first, last in ranges.tolist():
        selector[max(first, 0) : last + 1] = value


def _counted(terms: Sequence[str]) -> dict[str, float]:
    """How often each term was asked for: BM25 adds a repeated term up."""
    weights: dict[str, float] = {}
    for term in terms:
        weights[term] = weights.get(term, 0.0) + 1.0
    return weights
