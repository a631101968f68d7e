"""The index in a folder: SQLite with FAISS and Tantivy files derived from it."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexReadOnly
from rag.store import keywords, rows, vectors
from rag.store.creation import FILE, ReaderLease, WriterLock, ensure_folder
from rag.store.database import SqliteDatabase
from rag.store.derived import DerivedFiles
from rag.store.keywords import KeywordField, KeywordIndex
from rag.store.rows import Selection
from rag.store.spec import (
    IndexSpec,
    IndexState,
    delete_removed,
    has_removed,
    has_unpublished,
    read_state,
)
from rag.store.writer import Notify, Publisher
from rag.types import DocumentRecord

SELECTORS_CACHED = 4
"""Filters whose chunks are remembered, a byte a chunk: the next search mostly is within the same one."""


class FolderBackend:
    """An open index folder. See `rag.store.index.Backend`."""

    @classmethod
    def open(cls, folder: Path, create: IndexSpec | None, *, rebuild: bool, notify: Notify) -> FolderBackend:
        """Open the folder, after making or emptying an index there when that is asked for."""
        if create is not None:
            ensure_folder(folder, create, rebuild=rebuild, notify=notify)
        return cls(folder, notify)

    def __init__(self, folder: Path, notify: Notify) -> None:
        self.location = str(folder)
        self.folder = folder
        self.notify = notify
        self.database = SqliteDatabase.open(folder / FILE, writable=False)
        self.lease = ReaderLease(folder)
        self.lease.share()
        self.reading = threading.Lock()
        """Held while a reader begins and while old rows are deleted, so that no reader begins on rows that go."""
        self._readers: weakref.WeakSet[FolderReader] = weakref.WeakSet()

    def state(self) -> IndexState:
        return read_state(self.database)

    def read(self, *, prepare: bool) -> FolderReader:
        """A reader of the newest published generation; `prepare`: with its derived files open."""
        while True:
            with self.reading:
                reader = FolderReader(self, self.state())
                self._readers.add(reader)
            # Files that are missing because a newer generation replaced them are those of an old state.
            if not prepare or reader.prepare() or self.state().published == reader.state.published:
                return reader

    def oldest_read(self, published: int) -> int:
        """The oldest generation that is still read through this backend."""
        return min((reader.state.published for reader in list(self._readers)), default=published)

    @contextlib.contextmanager
    def write(
        self, *, wait: bool | float, on_wait: Notify | None
    ) -> Iterator[tuple[SqliteDatabase, FolderPublisher]]:
        """The database and what publishes it, under the lock of the one writer."""
        lock = WriterLock(self.folder)
        lock.acquire(wait=wait, on_wait=on_wait)
        try:
            database = SqliteDatabase.open(self.folder / FILE, writable=True)
            try:
                publisher = FolderPublisher(self, database)
                publisher.clean()
                yield database, publisher
            finally:
                database.close()
        finally:
            lock.release()

    def faults(self) -> list[str]:
        """One sentence for each fault; an empty list when the index is sound. Reads everything."""
        path = self.database.path
        found = [f"{path}: {m}" for (m,) in self.database.rows("PRAGMA integrity_check(5)") if m != "ok"]
        found += rows.row_faults(self.database, str(path))
        state = self.state()
        if rows.holds_contents(self.database, state.published):
            found += DerivedFiles.of(self.folder, self.database, state, state.published).faults()
        return found

    def close(self) -> None:
        for reader in list(self._readers):
            reader.close()
        self.database.close()
        self.lease.close()


class FolderReader:
    """One published generation with its derived files, which are opened at the first search and then stay open."""

    at_once = 1

    def __init__(self, backend: FolderBackend, state: IndexState) -> None:
        self.state = state
        self.database = backend.database
        self._backend = backend
        self._files = DerivedFiles.of(backend.folder, backend.database, state, state.published)
        self._opening = threading.Lock()
        self._vectors: Any = None
        self._keywords: KeywordIndex | None = None
        self._selectors: dict[tuple[bytes, int | None, int | None], NDArray[np.bool_]] = {}
        self._empty = not rows.holds_contents(self.database, state.published)

    def prepare(self) -> bool:
        """Open the derived files, without repairing them. False when they are missing or damaged."""
        try:
            with self._opening:
                if not self._empty:
                    self._vectors = self._vectors or self._files.open_vectors()
                    self._keywords = self._keywords or self._files.open_keywords()
        except (OSError, IndexDamaged):
            return False
        return True

    def close(self) -> None:
        with self._opening:
            self._vectors = None
            self._keywords = None

    # -- searching ------------------------------------------------------------------------------------------

    def nearest(self, vector: rows.Vectors, k: int, selection: Selection | None) -> list[tuple[int, float]]:
        """The `k` chunks nearest to a unit vector as (chunk id, cosine), best first, equal scores by id."""
        if self._empty:
            return []
        with self._opening:
            if self._vectors is None:
                self._vectors = self._opened_vectors()
            index = self._vectors
        selector = None if selection is None else self._selector(selection)
        if selector is not None and vectors.lists_of(index) and selector.sum() <= vectors.COMPARED_DIRECTLY:
            few = np.flatnonzero(selector)
            table = rows.vectors_of_chunks(self.database, few.tolist(), self.state.spec.dimension)
            return vectors.compare(few, table, vector, k)
        return vectors.search(index, vector, k, selector)

    def _selector(self, selection: Selection) -> NDArray[np.bool_]:
        """By chunk id, what a search may return."""
        key = (selection.contents.tobytes(), selection.first_page, selection.last_page)
        known = self._selectors.get(key)
        if known is not None:
            return known
        size = self.database.rows("SELECT coalesce(max(last_chunk), 0) + 1 FROM contents")[0][0]
        selector = np.zeros(size, bool)
        if selection.by_page:
            selector[rows.chunks_on_pages(self.database, selection)] = True
        else:
            for first, last in selection.ranges.tolist():
                selector[max(first, 0) : last + 1] = True
        if len(self._selectors) >= SELECTORS_CACHED:
            self._selectors.clear()
        self._selectors[key] = selector
        return selector

    def match(
        self, field: KeywordField, weights: Mapping[str, float], k: int, selection: Selection | None
    ) -> list[tuple[int, int, float]]:
        """The `k` best by BM25 as (content, chunk id or page number, score), best first, equal scores by ids."""
        if self._empty:
            return []
        with self._opening:
            if self._keywords is None:
                self._keywords = self._opened_keywords()
            index = self._keywords
        try:
            return index.search(field, weights, k, selection)
        except IndexDamaged as error:
            with self._opening:
                self._keywords = self._repaired_keywords(error)
                return self._keywords.search(field, weights, k, selection)

    # -- opening and repairing ------------------------------------------------------------------------------

    def _opened_vectors(self) -> Any:
        try:
            return self._files.open_vectors()
        except (OSError, IndexDamaged) as error:
            if self._repair(vectors.FILE, error):
                return self._files.open_vectors()
            return self._files.build_vectors()

    def _opened_keywords(self) -> KeywordIndex:
        try:
            return self._files.open_keywords()
        except (OSError, IndexDamaged) as error:
            return self._repaired_keywords(error)

    def _repaired_keywords(self, error: OSError | IndexDamaged) -> KeywordIndex:
        if self._repair(keywords.FOLDER, error):
            return self._files.open_keywords()
        return self._files.build_keywords()

    def _repair(self, name: str, error: OSError | IndexDamaged) -> bool:
        """Rebuild a derived index on disk and say so; False when it can only be made in memory."""
        path = self._backend.folder / name
        if self._rebuilt_on_disk(name):
            self._backend.notify(_rebuilt(path, error))
            return True
        self._backend.notify(
            f"{path} {_reason(error)}: using one made in memory, because the index cannot be written now."
        )
        return False

    def _rebuilt_on_disk(self, name: str) -> bool:
        """True when this reader may write and reads what is published, and so could rebuild the files."""
        lock = WriterLock(self._backend.folder)
        try:
            lock.acquire(wait=False)
        except (IndexLocked, IndexReadOnly):
            return False
        try:
            if self._backend.state().published != self.state.published:
                return False
            with _disk_errors(self._backend.folder):
                _rebuild(self._files, name)
        except IndexDamaged:
            raise
        except IndexError_:  # a full disk is no reason not to answer
            return False
        else:
            return True
        finally:
            lock.release()


class FolderPublisher(Publisher):
    """Brings what was written to the readers. Used under the writer's lock only."""

    def __init__(self, backend: FolderBackend, database: SqliteDatabase) -> None:
        self._backend = backend
        self._folder = backend.folder
        self._database = database

    def clean(self) -> None:
        """Remove what killed writers left half-written."""
        for pattern in (f"{FILE}.*.tmp*", f"{vectors.FILE}.*.tmp", "writer.json.*.tmp"):
            for leftover in self._folder.glob(pattern):
                leftover.unlink(missing_ok=True)

    def document_added(self, identity: int, record: DocumentRecord) -> None:
        """Nothing: the derived files follow the rows when they are published."""

    def content_added(self, identity: int) -> None:
        """Nothing, as for `document_added`."""

    def publish(self, on_publish: Callable[[], object]) -> None:
        """Write the derived files of the new generation, let readers in, then delete what nobody reads."""
        state = read_state(self._database)
        files = self._files(state, state.published)
        if rows.holds_contents(self._database, state.published):
            self._repair(files)
        if has_unpublished(self._database, state):
            files = self._publish_next(state)
        with _disk_errors(self._folder):
            files.switch_vectors()
        on_publish()
        files.clean()
        self._purge()

    def _publish_next(self, state: IndexState) -> DerivedFiles:
        # Writes after this belong to the next generation, so that this number always means one set of rows, also
        # when this process is killed before the last step.
        with self._database.transaction():
            self._database.execute("UPDATE state SET working = working + 1")
        files = self._files(state, state.working)
        with _disk_errors(self._folder):
            files.write_vectors()
            files.write_keywords()
        with self._database.transaction():
            self._database.execute(
                "UPDATE state SET published = ?, spec = json_set(spec, '$.tokeniser', ?)",
                (state.working, keywords.tokeniser_id()),
            )
        return files

    def _files(self, state: IndexState, generation: int) -> DerivedFiles:
        return DerivedFiles.of(self._folder, self._database, state, generation)

    def _repair(self, files: DerivedFiles) -> None:
        """Rebuild what is missing or damaged of the published generation, and say so."""
        for name, open_ in ((vectors.FILE, files.open_vectors), (keywords.FOLDER, files.open_keywords)):
            try:
                open_()
            except (OSError, IndexDamaged) as error:
                with _disk_errors(self._folder):
                    _rebuild(files, name)
                self._backend.notify(_rebuilt(self._folder / name, error))

    def _purge(self) -> None:
        """Delete rows that were removed before anything that is still read."""
        with self._backend.reading:
            published = read_state(self._database).published
            bound = min(published, self._backend.oldest_read(published))
            if not has_removed(self._database, bound):
                return
            try:
                if self._backend.lease.alone():
                    self._database.atomically(lambda: delete_removed(self._database, bound))
            finally:
                self._backend.lease.share()


def _rebuild(files: DerivedFiles, name: str) -> None:
    """Write one derived index again, from the rows where it cannot be updated."""
    if name == vectors.FILE:
        files.write_vectors()
        files.switch_vectors()
    else:
        keywords.remove_tree(files.keywords_path)
        files.write_keywords()


def _rebuilt(path: Path, error: OSError | IndexDamaged) -> str:
    return f"{path} {_reason(error)}: rebuilt it from the database."


def _reason(error: OSError | IndexDamaged) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing or was made by an earlier version"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    text = str(error)
    return text if text.startswith(("does not", "was made")) else f"is damaged ({text})"


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn errors of writing derived files into one sentence."""
    try:
        yield
    except PermissionError as error:
        raise IndexReadOnly(f"{folder} may be read but not written ({error.strerror}).") from error
    except (OSError, RuntimeError) as error:
        raise IndexError_(
            f"the derived indexes in {folder} could not be written ({error}): free some disk space "
            "and run the same command again; everything finished so far is kept."
        ) from error
