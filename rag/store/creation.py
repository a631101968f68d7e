"""Making an index, requiring that one was made the same way, and making it anew."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

from rag.errors import IndexDamaged, IndexMismatch, IndexReadOnly
from rag.store.database import SqliteDatabase
from rag.store.generations import end_everything
from rag.store.lock import LEASE_FILE, WriterLock
from rag.store.spec import IndexSpec
from rag.store.state import read_state

FILE = "index.db"
MEND = "run `rag ingest --rebuild PATH` to make it anew, or use another --index"


def ensure(folder: Path, spec: IndexSpec, *, rebuild: bool, notify: Callable[[str], None]) -> None:
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
            _rebuild(path, spec, notify)
        else:
            _require(path, spec)  # another process made it while this one waited
    finally:
        lock.release()


def _require(path: Path, spec: IndexSpec) -> None:
    database = SqliteDatabase.open(path, writable=False)
    try:
        read_state(database).spec.require_same_content(spec, str(path.parent), MEND)
    finally:
        database.close()


def _create(path: Path, spec: IndexSpec, salvage: Path | None = None) -> None:
    """Make index.db beside its place and rename it, so that no half-made index is ever seen."""
    beside = path.with_name(f"{FILE}.{os.getpid()}.tmp")
    for leftover in (beside, Path(f"{beside}-wal"), Path(f"{beside}-shm")):
        leftover.unlink(missing_ok=True)
    database = SqliteDatabase.create(beside)
    try:
        with database.transaction():
            _insert_state(database, spec)
        if salvage is not None:
            _salvage(database, salvage)
    finally:
        database.close()
    for stale in (Path(f"{path}-wal"), Path(f"{path}-shm")):
        stale.unlink(missing_ok=True)  # SQLite would replay the log of a lost database into the new one
    os.replace(beside, path)
    (path.parent / LEASE_FILE).touch()


def _insert_state(database: SqliteDatabase, spec: IndexSpec) -> None:
    database.execute(
        "INSERT INTO state (only_row, instance, spec, published, working, purged) VALUES (1, ?, ?, 0, 1, 0)",
        (uuid.uuid4().hex, spec.to_json()),
    )


def _rebuild(path: Path, spec: IndexSpec, notify: Callable[[str], None]) -> None:
    """Empty the index for `spec`; one that cannot be read is set aside, its embeddings saved if possible."""
    try:
        database = SqliteDatabase.open(path, writable=True)
    except (IndexDamaged, IndexMismatch) as error:
        aside = _set_aside(path)
        _create(path, spec, salvage=aside)
        notify(f"The old database was kept as {aside}, because {error}")
        return
    try:
        _empty(database, spec)
    finally:
        database.close()


def _empty(database: SqliteDatabase, spec: IndexSpec) -> None:
    """End every row. With the same embeddings readers keep the old state until the next publication."""
    state = read_state(database)
    same = (state.spec.embedding_id, state.spec.dimension) == (spec.embedding_id, spec.dimension)
    with database.transaction():
        end_everything(database, state.working)
        database.execute("UPDATE state SET spec = ?", (spec.to_json(),))
        if not same:
            # Vectors of two dimensions cannot be searched together: the old state ends at once.
            database.execute("UPDATE state SET published = working, working = working + 1")


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{FILE}.damaged")
    for suffix in ("-wal", "-shm", ""):
        old = Path(f"{path}{suffix}")
        if old.is_symlink() or old.exists():
            os.replace(old, f"{aside}{suffix}")
    return aside


def _salvage(database: SqliteDatabase, damaged: Path) -> None:
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
    database.execute_many(
        "INSERT INTO embedding_models (id, embedding_id, dimension) VALUES (?, ?, ?)", models
    )
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
