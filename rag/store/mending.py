"""Opening the derived indexes for a reader, and mending what is missing, behind or damaged."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexReadOnly
from rag.store import derive, keywords, vectors
from rag.store.database import SqliteDatabase
from rag.store.index import Notify
from rag.store.keywords import KeywordIndex, Level
from rag.store.lock import ReaderLease, WriterLock
from rag.store.publish import FolderPublisher
from rag.store.snapshot import Allowed, Snapshot
from rag.store.state import State, read_state
from rag.store.vectors import Stamp

BEHIND = "does not belong to this state of the database"


@dataclass(frozen=True, slots=True)
class Opened:
    """A derived index with what it holds but this reader must not see."""

    engine: Any
    hidden: Allowed


class DerivedIndexes:
    """The derived indexes as one reader needs them; each is opened when it is first asked for."""

    def __init__(
        self,
        folder: Path,
        database: SqliteDatabase,
        snapshot: Snapshot,
        state: State,
        lease: ReaderLease,
        notify: Notify,
    ) -> None:
        self._folder = folder
        self._database = database
        self._snapshot = snapshot
        self._state = state
        self._lease = lease
        self._notify = notify
        self._loading = threading.Lock()
        self._dense: Opened | None = None
        self._keywords: dict[Level, Opened] = {}
        self._links: list[tempfile.TemporaryDirectory[str]] = []

    def dense(self) -> Opened:
        """The FAISS index."""
        with self._loading:
            if self._dense is None:
                try:
                    self._dense = self._open_dense()
                except (OSError, IndexDamaged) as error:
                    self._dense = self._mended_dense(_reason(error))
            return self._dense

    def keywords(self, level: Level) -> Opened:
        """The Tantivy index of a level."""
        with self._loading:
            if level not in self._keywords:
                try:
                    self._keywords[level] = self._open_keywords(level)
                except (OSError, IndexDamaged) as error:
                    self._keywords[level] = self._mended_keywords(level, _reason(error))
            return self._keywords[level]

    def renew_keywords(self, level: Level, error: IndexDamaged) -> Opened:
        """After an answer failed: make the index anew."""
        with self._loading:
            keywords.remove_quietly(derive.level_folder(self._folder, level))
            self._keywords[level] = self._mended_keywords(level, _reason(error))
            return self._keywords[level]

    def close(self) -> None:
        """Let go of files."""
        with self._loading:
            self._dense, self._keywords = None, {}
            while self._links:
                self._links.pop().cleanup()

    # -- opening --------------------------------------------------------------------------------------------

    def _open_dense(self) -> Opened:
        path, dimension = self._folder / vectors.FILE, self._state.spec.dimension
        while True:
            stamp = vectors.read_stamp(path, dimension)
            self._require(stamp)
            index = vectors.load(path, mapped=True)
            # A writer may have put a newer file in place between the two looks at it.
            if vectors.read_stamp(path, dimension) == stamp:
                return Opened(index, self._hidden_in(stamp))

    def _open_keywords(self, level: Level) -> Opened:
        place = derive.level_folder(self._folder, level)
        if os.access(place, os.W_OK):
            index = KeywordIndex.open(place)
        else:
            index, links = derive.open_unwritable(place)
            self._links.append(links)
        made = index.stamp
        if made is None or made.tokeniser != keywords.tokenizer()[0]:
            raise IndexDamaged("was made with another tokeniser")
        self._require(made.stamp)
        return Opened(index, self._hidden_in(made.stamp))

    def _require(self, stamp: Stamp) -> None:
        if not stamp.serves(self._state.instance, self._snapshot.generation):
            raise IndexDamaged(BEHIND)

    def _hidden_in(self, stamp: Stamp) -> Allowed:
        return self._snapshot.hidden(stamp.base, stamp.generation)

    # -- mending --------------------------------------------------------------------------------------------

    def _mended_dense(self, why: str) -> Opened:
        path = self._folder / vectors.FILE
        if self._mend_on_disk(None):
            self._notify(f"{path} {why}: brought it up to the database.")
            return self._open_dense()
        self._notify_in_memory(path, why)
        target = self._target()
        return Opened(derive.build_vectors(target), self._hidden_in(target.stamp))

    def _mended_keywords(self, level: Level, why: str) -> Opened:
        place = derive.level_folder(self._folder, level)
        if self._mend_on_disk(level):
            self._notify(f"{place} {why}: brought it up to the database.")
            return self._open_keywords(level)
        self._notify_in_memory(place, why)
        target = self._target()
        return Opened(derive.build_keywords(target, level), self._hidden_in(target.stamp))

    def _target(self) -> derive.Target:
        generation = self._snapshot.generation
        stamp = Stamp(self._state.instance, generation, generation)
        return derive.Target(self._database, self._state.spec.dimension, stamp, self._state.purged)

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
            if read_state(self._database).published != self._snapshot.generation:
                return False
            FolderPublisher(self._folder, self._database, self._lease, self._notify).mend(level)
        except IndexDamaged:
            raise
        except IndexError_:  # a full disk is no reason not to answer
            return False
        else:
            return True
        finally:
            lock.release()


def _reason(error: OSError | IndexDamaged) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    text = str(error)
    return text if text.startswith(("does not", "was made")) else f"is damaged ({text})"
