"""Comparing the database with itself and with what is derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rag.errors import IndexDamaged
from rag.store import dense, derive, keywords, vectors
from rag.store.database import SqliteDatabase
from rag.store.keywords import KeywordIndex, Level
from rag.store.sql import Database
from rag.store.state import State, read_state
from rag.store.vectors import Stamp

ROW_CHECKS = (
    (
        "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM contents t WHERE t.id = c.content)",
        "chunks belong to no file",
    ),
    (
        "SELECT count(*) FROM pages p WHERE NOT EXISTS (SELECT 1 FROM contents t WHERE t.id = p.content)",
        "pages belong to no file",
    ),
    (
        "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.id = c.embedding)",
        "chunks have no embedding",
    ),
    (
        "SELECT count(*) FROM contents t WHERE t.removed IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM sources s WHERE s.content = t.id AND s.removed IS NULL)",
        "contents belong to no file",
    ),
    (
        "SELECT count(*) FROM contents t "
        "WHERE t.chunks != (SELECT count(*) FROM chunks WHERE content = t.id) "
        "OR t.pages != (SELECT count(*) FROM pages WHERE content = t.id)",
        "files have not all their pages and chunks",
    ),
    (
        "SELECT count(*) FROM chunks c JOIN embeddings e ON e.id = c.embedding "
        "JOIN embedding_models m ON m.id = e.model WHERE length(e.vector) != 4 * m.dimension",
        "chunks have an embedding of the wrong size",
    ),
)


def faults(folder: Path, database: SqliteDatabase) -> list[str]:
    """One sentence for each fault; an empty list when the index is sound. Reads everything."""
    return list(_faults(folder, database))


def row_faults(database: Database, name: str) -> Iterator[str]:
    """What contradicts itself in the rows that every kind of index has."""
    for sql, what in ROW_CHECKS:
        if count := database.rows(sql)[0][0]:
            yield f"{name}: {count} {what}"


def _faults(folder: Path, database: SqliteDatabase) -> Iterator[str]:
    for (message,) in database.rows("PRAGMA integrity_check(5)"):
        if message != "ok":
            yield f"{database.path}: {message}"
    yield from row_faults(database, str(database.path))
    state = read_state(database)
    if not database.rows("SELECT 1 FROM contents WHERE removed IS NULL LIMIT 1"):
        return
    yield from _vector_faults(folder, database, state)
    for level in keywords.LEVELS:
        yield from _keyword_faults(folder, database, state, level)


def _expected(
    database: SqliteDatabase, stamp: Stamp, columns: str, joins: str, order: str
) -> list[tuple[int, ...]]:
    target = derive.Target(database, 0, stamp, 0)
    return [tuple(row) for row in target.select_added(0, columns, joins, order)]


def _vector_faults(folder: Path, database: SqliteDatabase, state: State) -> Iterator[str]:
    path = folder / vectors.FILE
    try:
        stamp = vectors.read_stamp(path, state.spec.dimension)
        index = vectors.load(path, mapped=True)
    except (OSError, IndexDamaged) as error:
        yield f"{path}: {error}"
        return
    if not stamp.serves(state.instance, state.published):
        yield f"{path}: is not of generation {state.published}"
        return
    ids, table = dense.entries(index)
    target = derive.Target(database, state.spec.dimension, stamp, 0)
    at = 0
    for wanted, vectors_wanted in derive.stored_vectors(target):
        upto = at + len(wanted)
        if not np.array_equal(ids[at:upto], wanted):
            break
        if not np.array_equal(table[at:upto], vectors_wanted):
            yield f"{path}: holds other vectors than the database"
            return
        at = upto
    if at != len(ids) or at != target.chunks():
        yield f"{path}: holds other chunks than the database"


def _keyword_faults(folder: Path, database: SqliteDatabase, state: State, level: Level) -> Iterator[str]:
    place = derive.level_folder(folder, level)
    try:
        index = KeywordIndex.open(place)
        made = index.stamp
        found = sorted(index.keys())
    except (OSError, IndexDamaged) as error:
        yield f"{place}: {error}"
        return
    serves = made is not None and made.stamp.serves(state.instance, state.published)
    if made is None or not serves or made.tokeniser != keywords.tokenizer()[0]:
        yield f"{place}: is not of generation {state.published}"
        return
    if level == "chunk":
        wanted = _expected(database, made.stamp, "t.id, c.id", "JOIN chunks c ON c.content = t.id", "c.id")
    else:
        wanted = _expected(
            database,
            made.stamp,
            "t.id, p.number",
            "JOIN pages p ON p.content = t.id AND p.text != ''",
            "t.id, p.number",
        )
    if found != sorted(wanted):
        yield f"{place}: holds other {level}s than the database"
