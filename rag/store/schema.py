"""The tables of index.db by version, and the check that a file holds them and nothing else.

A *content* is what was read from one version of one file: its pages and chunks. *Sources* are the records of the
documents and point at a content, so a rename or a new status writes one small row. Both carry the generation that
added and the one that removed them; a reader at generation g sees
`added <= g AND (removed IS NULL OR removed > g)`.
"""

from __future__ import annotations

import sqlite3
from functools import cache

from rag.errors import IndexDamaged

MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    instance TEXT NOT NULL,
    spec TEXT NOT NULL,
    published INTEGER NOT NULL,
    working INTEGER NOT NULL,
    purged INTEGER NOT NULL
) STRICT;
CREATE TABLE embedding_models (
    id INTEGER PRIMARY KEY,
    embedding_id TEXT NOT NULL UNIQUE,
    dimension INTEGER NOT NULL
) STRICT;
CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES embedding_models (id),
    digest BLOB NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (model, digest)
) STRICT;
CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pages INTEGER NOT NULL,
    searchable_pages INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    first_chunk INTEGER NOT NULL,
    last_chunk INTEGER NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER
) STRICT;
CREATE INDEX contents_added ON contents (added);
CREATE INDEX contents_removed ON contents (removed) WHERE removed IS NOT NULL;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file TEXT NOT NULL,
    path TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    title TEXT NOT NULL,
    metadata TEXT NOT NULL,
    content INTEGER REFERENCES contents (id),
    added INTEGER NOT NULL,
    removed INTEGER
) STRICT;
CREATE UNIQUE INDEX sources_current ON sources (file) WHERE removed IS NULL;
CREATE INDEX sources_file ON sources (file);
CREATE INDEX sources_content ON sources (content);
CREATE INDEX sources_added ON sources (added);
CREATE INDEX sources_removed ON sources (removed) WHERE removed IS NOT NULL;
CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    content INTEGER NOT NULL REFERENCES contents (id),
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    label TEXT NOT NULL,
    characters INTEGER NOT NULL,
    furniture TEXT NOT NULL,
    UNIQUE (content, number)
) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content INTEGER NOT NULL REFERENCES contents (id),
    ordinal INTEGER NOT NULL,
    page INTEGER NOT NULL,
    page_end INTEGER NOT NULL,
    spans TEXT NOT NULL,
    text TEXT NOT NULL,
    header TEXT NOT NULL,
    heading TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    embedding INTEGER NOT NULL REFERENCES embeddings (id),
    UNIQUE (content, ordinal)
) STRICT;
CREATE INDEX chunks_page ON chunks (content, page, page_end);
""",
    """
CREATE TABLE page_tables (
    id INTEGER PRIMARY KEY,
    content INTEGER NOT NULL REFERENCES contents (id),
    page INTEGER NOT NULL,
    form TEXT NOT NULL
) STRICT;
CREATE INDEX page_tables_page ON page_tables (content, page);
""",
)
"""Entry n brings version n to version n + 1 (`PRAGMA user_version`)."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, inside the caller's transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        # executescript() would commit the transaction that makes the migration all or nothing.
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def check_schema(connection: sqlite3.Connection, version: int) -> None:
    """Raise IndexDamaged unless the file holds exactly the tables and indexes of `version`.

    Triggers, views and expressions in altered definitions are the ways a database file can make its reader do
    something; all would be in `sqlite_schema`, which is compared word for word before any other query.
    """
    found, expected = _entries(connection), _expected(version)
    foreign = sorted(f"{kind} {name}" for kind, name, _ in found - expected)
    if foreign:
        raise IndexDamaged(f"it holds what pagequote did not put there ({', '.join(foreign)[:200]})")
    missing = sorted(f"{kind} {name}" for kind, name, _ in expected - found)
    if missing:
        raise IndexDamaged(f"it lacks {', '.join(missing)[:200]}")


def _entries(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return frozenset(tuple(row) for row in rows if not row[1].startswith("sqlite_"))


@cache
def _expected(version: int) -> frozenset[tuple[str, str, str]]:
    connection = sqlite3.connect(":memory:")
    try:
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        return _entries(connection)
    finally:
        connection.close()
