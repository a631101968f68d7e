"""Making an index folder or emptying it, and its locks: one writer at a time, and rows kept for readers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import sys
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import IndexDamaged, IndexLocked, IndexMismatch, IndexReadOnly
from rag.store.database import SqliteDatabase
from rag.store.spec import IndexSpec, read_state, remove_all
from rag.store.writer import Notify

if sys.platform != "win32":
    import fcntl

FILE = "index.db"
_FIX = "run `rag ingest --rebuild PATH` to make it again, or use another --index"
LOCK_FILE = "writer.lock"
HOLDER_FILE = "writer.json"
LEASE_FILE = "readers.lock"


class WriterLock:
    """The lock of the one writer, released by the system when its process dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / LOCK_FILE, thread_local=False)

    def acquire(self, *, wait: bool | float = True, on_wait: Callable[[str], None] | None = None) -> None:
        """Take the lock. `wait` is True (for ever), False (not at all) or seconds.

        `on_wait` gets one sentence naming the holder before waiting. Raises IndexLocked, IndexReadOnly.
        """
        try:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                if wait is False:
                    raise
                if on_wait is not None:
                    on_wait(f"Waiting for {self._holder()}, which is writing the index {self._folder}.")
                self._lock.acquire(timeout=-1 if wait is True else float(wait), poll_interval=0.1)
        except Timeout:
            raise IndexLocked(
                f"the index {self._folder} is being written by {self._holder()}: "
                "try again when it has finished."
            ) from None
        except OSError as error:
            raise IndexReadOnly(
                f"the index {self._folder} may be read but not written ({error.strerror}): "
                "choose another place with --index, or change the folder's permissions."
            ) from error
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now().astimezone().isoformat(),
        }
        beside = self._folder / f"{HOLDER_FILE}.{os.getpid()}.tmp"
        beside.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the names are a courtesy; on a full disk the lock still holds
            beside.write_text(json.dumps(holder), encoding="utf-8")
            os.replace(beside, self._folder / HOLDER_FILE)

    def release(self) -> None:
        """Give the lock back."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self._folder / HOLDER_FILE).unlink(missing_ok=True)
            self._lock.release()

    def _holder(self) -> str:
        try:
            with (self._folder / HOLDER_FILE).open(encoding="utf-8") as file:
                holder = json.loads(file.read(4096))
            host, since = str(holder["host"])[:80], str(holder["since"])[:19]
            return f"process {int(holder['pid'])} on {host} since {since}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


class ReaderLease:
    """A shared lock that every open reader holds; whoever gets it exclusively knows that nobody reads."""

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        if sys.platform == "win32":
            return
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        for attempt in (flags, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW):
            with contextlib.suppress(OSError):
                self._descriptor = os.open(folder / LEASE_FILE, attempt, 0o666)
                return

    def share(self) -> None:
        """Hold the lease with the other readers."""
        if sys.platform != "win32" and self._descriptor is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def alone(self) -> bool:
        """Try to hold the lease exclusively, without waiting. True where the system has no such locks."""
        if sys.platform == "win32":
            return True
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the lease back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


# -- making -------------------------------------------------------------------------------------------------------


def ensure_folder(folder: Path, spec: IndexSpec, *, rebuild: bool, notify: Notify) -> None:
    """Leave an index made with `spec` at `folder`. Raises IndexMismatch when there is another one."""
    path = folder / FILE
    if not rebuild and (path.exists() or path.is_symlink()):
        _require(path, spec)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IndexReadOnly(
            f"the folder {folder} for the index cannot be made ({error.strerror}): choose another --index."
        ) from error
    lock = WriterLock(folder)
    lock.acquire()
    try:
        if not (path.exists() or path.is_symlink()):
            _create(path, spec)
        elif rebuild:
            _restart(path, spec, notify)
        else:
            _require(path, spec)  # another process made it while this one waited
    finally:
        lock.release()


def _require(path: Path, spec: IndexSpec) -> None:
    database = SqliteDatabase.open(path, writable=False)
    try:
        read_state(database).spec.require_same_content(spec, str(path.parent), _FIX)
    finally:
        database.close()


def _create(path: Path, spec: IndexSpec, damaged: Path | None = None) -> None:
    """Make index.db beside its place and rename it, so that no half-made index is ever seen."""
    beside = path.with_name(f"{FILE}.{os.getpid()}.tmp")
    for leftover in (beside, Path(f"{beside}-wal"), Path(f"{beside}-shm")):
        leftover.unlink(missing_ok=True)
    database = SqliteDatabase.create(beside)
    try:
        database.execute(
            "INSERT INTO state (only_row, instance, spec, published, working, purged) VALUES (1, ?, ?, 0, 1, 0)",
            (uuid.uuid4().hex, spec.to_json()),
        )
        if damaged is not None:
            _save_embeddings(database, damaged)
    finally:
        database.close()
    for stale in (Path(f"{path}-wal"), Path(f"{path}-shm")):
        stale.unlink(missing_ok=True)  # SQLite would replay the log of a lost database into the new one
    os.replace(beside, path)
    (path.parent / LEASE_FILE).touch()


def _restart(path: Path, spec: IndexSpec, notify: Notify) -> None:
    """Remove all rows for `spec`; a database that cannot be read is quarantined, its embeddings saved if possible."""
    try:
        database = SqliteDatabase.open(path, writable=True)
    except (IndexDamaged, IndexMismatch) as error:
        quarantined = _quarantine(path)
        _create(path, spec, damaged=quarantined)
        notify(f"The old database was kept as {quarantined}, because {error}")
        return
    try:
        with database.transaction():
            remove_all(database, spec)
    finally:
        database.close()


def _quarantine(path: Path) -> Path:
    quarantined = path.with_name(f"{FILE}.damaged")
    for suffix in ("-wal", "-shm", ""):
        old = Path(f"{path}{suffix}")
        if old.is_symlink() or old.exists():
            os.replace(old, f"{quarantined}{suffix}")
    return quarantined


def _save_embeddings(database: SqliteDatabase, damaged: Path) -> None:
    """Copy the embeddings that a damaged database still gives up: they may have been paid for."""
    if damaged.is_symlink() or not damaged.is_file():
        return
    old = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)
    try:
        old.execute("PRAGMA trusted_schema = OFF")
        tables = old.execute(
            "SELECT count(*) FROM sqlite_schema "
            "WHERE type = 'table' AND name IN ('embeddings', 'embedding_models')"
        ).fetchone()
        if tables != (2,):
            return
        with database.transaction():
            _copy_embeddings(old, database)
    except sqlite3.Error:
        return  # what was copied before the damage was met is kept
    finally:
        old.close()


def _copy_embeddings(old: sqlite3.Connection, database: SqliteDatabase) -> None:
    models = old.execute("SELECT id, embedding_id, dimension FROM embedding_models").fetchall()
    sizes = {number: 4 * dimension for number, _, dimension in models}
    database.insert("embedding_models", "id, embedding_id, dimension", models)
    rows = iter(old.execute("SELECT model, digest, vector FROM embeddings"))
    while True:
        try:
            model, digest, vector = next(rows)
        except (StopIteration, sqlite3.Error):
            return
        if isinstance(vector, bytes) and len(vector) == sizes.get(model) and len(digest) == 32:
            database.execute(
                "INSERT OR IGNORE INTO embeddings (model, digest, vector) VALUES (?, ?, ?)",
                (model, digest, vector),
            )
