"""The kinds of index that a test runs against: a folder, and a database of a real server.

A module whose tests hold for both says `KINDS = BOTH_KINDS`; the tests of others get folders. A place for an index
comes from the fixtures `new_location` and, in the store's tests, `location`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

BOTH_KINDS = ("folder", pytest.param("postgres", marks=pytest.mark.slow))


def exists(location: Path | str) -> bool:
    """Whether there is an index, or anything that was begun as one."""
    if isinstance(location, Path):
        return location.exists()
    schema = location.rpartition("=")[2]
    return bool(_asked(location, f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'"))


def stored_chunks(location: Path | str) -> int:
    """How many rows of chunks an index holds, whoever may see them."""
    count = "SELECT count(*) FROM chunks"
    if isinstance(location, Path):
        with sqlite3.connect(location / "index.db") as database:
            return int(database.execute(count).fetchone()[0])
    return int(_asked(location, count)[0][0])


def stored_bytes(location: Path | str) -> bytes:
    """Everything that an index keeps, to look for what it must not keep."""
    if isinstance(location, Path):
        return b"".join(path.read_bytes() for path in location.rglob("*") if path.is_file())
    from rag.store.postgres.schema import TABLES

    return "".join(
        str(row) for table in TABLES for row in _asked(location, f"SELECT t.* FROM {table} t")
    ).encode()


def _asked(location: str, sql: str) -> list[tuple[Any, ...]]:
    from rag.store.postgres.database import ReadingDatabase
    from rag.store.postgres.location import parse

    database = ReadingDatabase(parse(location))
    try:
        return database.rows(sql)
    finally:
        database.close()
