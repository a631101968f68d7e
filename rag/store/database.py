"""index.db: connections that trust nothing in the file, and errors as one sentence."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexMismatch, IndexMissing, IndexReadOnly
from rag.store.rows import Parameters, T, WritableDatabase, decodable
from rag.store.schema import MIGRATIONS, check_schema, migrate

PAGE_SIZE = 8192
"""Five float32 vectors of 384 numbers fill 95 % of 8 KiB; of SQLite's default, 4 KiB, two fill 76 %."""

MAX_VALUE_BYTES = 64 * 2**20
"""Longest text or blob of a row: a bomb in a tampered file is refused by SQLite itself."""

BUSY_SECONDS = 30.0
_FIX = "`rag ingest --rebuild PATH` makes the index again and keeps the paid embeddings it can still read"

_CODES: dict[int, type[IndexError_]] = {
    sqlite3.SQLITE_CORRUPT: IndexDamaged,
    sqlite3.SQLITE_NOTADB: IndexDamaged,
    sqlite3.SQLITE_MISMATCH: IndexDamaged,
    sqlite3.SQLITE_TOOBIG: IndexDamaged,
    sqlite3.SQLITE_FORMAT: IndexDamaged,
    sqlite3.SQLITE_BUSY: IndexLocked,
    sqlite3.SQLITE_LOCKED: IndexLocked,
    sqlite3.SQLITE_READONLY: IndexReadOnly,
    sqlite3.SQLITE_CANTOPEN: IndexError_,
    sqlite3.SQLITE_FULL: IndexError_,
    sqlite3.SQLITE_IOERR: IndexError_,
}


_CANNOT_WRITE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_IN_MEMORY = "/dev/shm"  # noqa: S108 - only a folder of our own inside it
"""Files in memory, on Linux."""


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors, and rows that do not decode, into one sentence about the file at `path`."""
    try:
        with decodable(str(path), _FIX):
            yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError):
        raise  # a mistake of the caller, not of the file
    except sqlite3.Error as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: sqlite3.Error) -> IndexError_:
    code = getattr(error, "sqlite_errorcode", None)
    kind = _CODES.get(code & 0xFF) if code is not None else None
    if kind is IndexError_:
        return IndexError_(
            f"{path} could not be read or written ({error}): free some disk space or check the disk, "
            "then run the same command again; everything finished so far is kept."
        )
    if kind is IndexLocked:
        return IndexLocked(f"{path} is in use by another program ({error}): try again when it has finished.")
    if kind is IndexReadOnly:
        return IndexReadOnly(f"{path} may be read but not written: choose another place with --index.")
    return IndexDamaged(f"{path} is damaged ({error}); {_FIX}.")


def _copied(files: Sequence[Path]) -> tempfile.TemporaryDirectory[str]:
    """Copies of the files in a temporary folder; in one in memory where the disk has no room for them."""
    places = [None, *(place for place in (_IN_MEMORY,) if os.path.isdir(place))]
    for place in places:
        copy = None
        try:
            copy = tempfile.TemporaryDirectory(prefix="pagequote-", dir=place)
            for file in files:
                shutil.copy(file, Path(copy.name) / file.name)
            return copy
        except OSError as error:
            if copy is not None:
                copy.cleanup()
            if place == places[-1]:
                raise IndexError_(
                    f"{files[0]} needs a copy to be read, and there is no room for it ({error.strerror}): "
                    "free some disk space, then run the same command again."
                ) from error
    raise AssertionError("there is always a temporary folder")


def _require_regular_file(path: Path, *, needed: bool) -> None:
    """Raise IndexDamaged for a link, pipe or device where a plain file belongs: an index never needs one,
    and following one would read or overwrite a file outside the index."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if needed:
            raise IndexMissing(
                f"there is no index at {path.parent}: run `rag ingest FOLDER` first."
            ) from error
        return
    except OSError as error:
        raise IndexError_(
            f"{path} cannot be read ({error.strerror}): check the folder's permissions."
        ) from error
    if not stat.S_ISREG(mode):
        raise IndexDamaged(
            f"{path} is not a plain file but a link or a device: remove it and run `rag ingest`."
        )


class SqliteDatabase(WritableDatabase):
    """A connection to index.db; one that was opened for reading refuses to write."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._tables: set[str] = set()

    # -- opening --------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path) -> SqliteDatabase:
        """Make a new, empty database at `path`, which must not exist."""
        with readable_errors(path):
            connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            _configure(connection, writable=True)
            database = cls(connection, path)
            with database.transaction():
                migrate(connection)
        return database

    @classmethod
    def open(cls, path: Path, *, writable: bool) -> SqliteDatabase:
        """Open an existing database and check that it is one of ours.

        Raises IndexMissing, IndexMismatch (made by a newer version), IndexDamaged, IndexReadOnly.
        """
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")):
            _require_regular_file(name, needed=name == path)
        with readable_errors(path):
            if writable:
                database = cls(_connect(path, "rw"), path)
                _configure(database._connection, writable=True)
            else:
                database = cls._open_for_reading(path)
            try:
                database._check(migrated=writable)
            except BaseException:
                database.close()
                raise
        return database

    @classmethod
    def _open_for_reading(cls, path: Path) -> SqliteDatabase:
        connection = _connect(path, "ro")
        try:
            _configure(connection, writable=False)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return cls(connection, path)
        except sqlite3.OperationalError as error:
            # In a folder that may not be written, or on a full disk, SQLite cannot make the shared-memory file that
            # WAL needs.
            connection.close()
            if error.sqlite_errorcode & 0xFF not in _CANNOT_WRITE:
                raise
        return cls._open_unwritable_folder(path)

    @classmethod
    def _open_unwritable_folder(cls, path: Path) -> SqliteDatabase:
        wal = Path(f"{path}-wal")
        copy = None
        if wal.exists() and wal.stat().st_size:
            # A writer was killed: the newest commits are in the WAL, and only a copy can be recovered.
            copy = _copied((path, wal))
            connection = _connect(Path(copy.name) / path.name, "rw")
        else:
            connection = _connect(path, "ro&immutable=1")
        _configure(connection, writable=False)
        database = cls(connection, path)
        database._copy = copy
        return database

    def _check(self, *, migrated: bool) -> None:
        """Raise unless this is a database of ours; `migrated`: bring one of an older format up to date."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version < 1:
            raise IndexDamaged("it is empty")
        if version > len(MIGRATIONS):
            raise IndexMismatch(
                f"{self.path} was made by a newer pagequote (format {version}, this reads {len(MIGRATIONS)}): "
                "upgrade pagequote, or run `rag ingest --rebuild PATH`."
            )
        check_schema(self._connection, version)
        if migrated and version < len(MIGRATIONS):  # an older one is read as it is
            with self.transaction():
                migrate(self._connection)

    # -- use ------------------------------------------------------------------------------------------------

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        with readable_errors(self.path), self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, a batch at a time."""
        with readable_errors(self.path):
            cursor = self._connection.execute(sql, parameters)
            while batch := cursor.fetchmany(1000):
                yield from batch

    def has_table(self, table: str) -> bool:
        if table not in self._tables:
            sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
            if self.rows(sql, (table,)) != [(1,)]:
                return False
            self._tables.add(table)
        return True

    def execute(self, sql: str, parameters: Parameters = ()) -> None:
        with readable_errors(self.path), self._lock:
            self._connection.execute(sql, parameters)

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        with readable_errors(self.path), self._lock:
            self._connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: commits at the end, rolls back on any error."""
        with self._lock:
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk may have rolled it back already
                    self._connection.execute("ROLLBACK")
                raise

    def atomically(self, work: Callable[[], T]) -> T:
        with self.transaction():
            return work()

    def readable_errors(self) -> AbstractContextManager[None]:
        return readable_errors(self.path)

    # -- what differs between databases ------------------------------------------------------------------------

    def one_of(self, column: str, name: str, kind: Literal["bigint", "text"] = "bigint") -> str:  # noqa: ARG002
        return f"{column} IN (SELECT value FROM json_each(:{name}))"

    def array(self, values: Sequence[int] | Sequence[str]) -> object:
        return json.dumps(list(values), default=int)  # of NumPy's integers

    def matches_glob(self, column: str, name: str) -> str:
        # one list, not one condition for each: SQLite refuses an expression that is nested a thousand deep
        return f"EXISTS (SELECT 1 FROM json_each(:{name}) AS pattern WHERE {column} GLOB pattern.value)"

    def globs(self, patterns: Sequence[str]) -> object:
        return self.array(patterns)

    def has_field(self, key: str, values: str | None = None) -> str:
        one = "" if values is None else f" AND {self.one_of('casefold(m.value)', values)}"
        return f"EXISTS (SELECT 1 FROM json_each(s.metadata) AS m WHERE m.key = :{key}{one})"

    def page_list(self, name: str) -> str:
        columns = "json_extract(value, '$[0]') AS file, json_extract(value, '$[1]') AS page"
        return f"(SELECT {columns} FROM json_each(:{name}))"

    def new_chunk_ids(self, count: int) -> int:  # noqa: ARG002 - they are taken by being used
        # AUTOINCREMENT remembers the highest id ever given: an id in a saved answer is never another chunk.
        found = self.rows("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")
        return int(found[0][0]) + 1 if found else 1

    def close(self) -> None:
        """Close the connection; the last writer to leave folds the WAL into the database."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )


def _configure(connection: sqlite3.Connection, *, writable: bool) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.create_function("casefold", 1, lambda value: str(value).casefold(), deterministic=True)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    # A truncated file under a memory map is a SIGBUS, through read() it is an error code.
    connection.execute("PRAGMA mmap_size = 0")
    if not writable:
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL syncs the WAL only at checkpoints: a power cut could take back embeddings that were paid for
    # minutes ago. FULL costs one fsync for each finished file or batch, nothing beside embedding it.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync() stops at the drive's cache
    connection.execute(f"PRAGMA journal_size_limit = {64 * 2**20}")
