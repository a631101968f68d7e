"""The kinds of index that a test of the facade runs against."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

BOTH_KINDS = ("folder", pytest.param("postgres", marks=pytest.mark.slow))


def stored_chunks(location: Path | str) -> int:
    """How many rows of chunks an index holds, whoever may see them."""
    count = "SELECT count(*) FROM chunks"
    if isinstance(location, Path):
        with sqlite3.connect(location / "index.db") as database:
            return int(database.execute(count).fetchone()[0])
    from rag.store.postgres.database import ReadingDatabase
    from rag.store.postgres.location import parse

    database = ReadingDatabase(parse(location))
    try:
        return int(database.rows(count)[0][0])
    finally:
        database.close()
