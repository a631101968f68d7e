"""Comparing the rows of an index with themselves and with what is searched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rag.store import integrity
from rag.store.postgres import dense, keywords
from rag.store.postgres.database import PostgresDatabase
from rag.store.postgres.keywords import Field

_DOCUMENTS = {
    keywords.CHUNKS.table: "SELECT c.content, c.id AS key FROM chunks c",
    keywords.PAGES.table: "SELECT p.content, p.number AS key FROM pages p WHERE p.text <> ''",
    keywords.HEADS.table: "SELECT p.content, p.number AS key FROM pages p WHERE p.text <> ''",
}


def faults(database: PostgresDatabase) -> list[str]:
    """One sentence for each fault; an empty list when the index is sound. Reads everything."""
    return list(_faults(database))


def _faults(database: PostgresDatabase) -> Iterator[str]:
    name = database.location.shown
    yield from integrity.row_faults(database, name)
    yield from (f"{name}: {fault}" for fault in _vector_faults(database))
    for field in keywords.FIELDS:
        yield from (f"{name}: {fault}" for fault in _keyword_faults(database, field))


def _vector_faults(database: PostgresDatabase) -> Iterator[str]:
    # After other embeddings were chosen, what was removed before has no vectors any more.
    missing = database.rows(
        "SELECT count(*) FROM chunks c JOIN contents t ON t.id = c.content LEFT JOIN vectors v ON v.chunk = c.id "
        "WHERE t.removed IS NULL AND (v.chunk IS NULL OR v.content <> c.content)"
    )[0][0]
    if missing:
        yield f"{missing} chunks are not searched by vector"
    stray = database.rows(
        "SELECT count(*) FROM vectors v WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = v.chunk)"
    )[0][0]
    if stray:
        yield f"{stray} vectors belong to no chunk"
    rows = database.stream(
        "SELECT e.vector, vector_send(v.embedding) FROM vectors v JOIN chunks c ON c.id = v.chunk "
        "JOIN embeddings e ON e.id = c.embedding"
    )
    other = sum(not _same(stored, searched) for stored, searched in rows)
    if other:
        yield f"{other} chunks are searched by another vector than their own"
    found = database.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)", (dense.INDEX,))
    if found == [(False,)]:
        yield f"the index {dense.INDEX} is not valid"


def _same(stored: bytes, searched: bytes) -> bool:
    """A float32 blob and the binary form of a `vector`, which begins with its dimension."""
    return bool(np.array_equal(np.frombuffer(stored, "<f4"), np.frombuffer(searched, ">f4", offset=4)))


def _keyword_faults(database: PostgresDatabase, field: Field) -> Iterator[str]:
    wanted = _DOCUMENTS[field.table]
    differing = database.rows(
        f"SELECT count(*) FROM ({wanted}) w FULL JOIN {field.table} d ON d.content = w.content AND d.key = w.key "
        "WHERE w.key IS NULL OR d.key IS NULL"
    )[0][0]
    if differing:
        yield f"{field.table} holds {differing} other documents than the rows"
    wrong = database.rows(
        f"SELECT count(*) FROM (SELECT e AS id, count(*) AS documents FROM {field.table} d, unnest(d.entries) e "
        "GROUP BY e) f FULL JOIN (SELECT id, documents FROM keyword_terms WHERE field = :field AND documents <> 0) t "
        "ON t.id = f.id WHERE t.documents IS DISTINCT FROM f.documents",
        {"field": field.number},
    )[0][0]
    if wrong:
        yield f"{field.table}: {wrong} words are counted wrongly"
    lengths = database.rows(
        f"SELECT count(*) FROM (SELECT norm, count(*) AS documents, sum(tokens) AS tokens FROM {field.table} "
        "GROUP BY norm) f FULL JOIN (SELECT * FROM keyword_lengths WHERE field = :field AND documents <> 0) l "
        "ON l.norm = f.norm WHERE l.documents IS DISTINCT FROM f.documents OR l.tokens IS DISTINCT FROM f.tokens",
        {"field": field.number},
    )[0][0]
    if lengths:
        yield f"{field.table}: {lengths} lengths are counted wrongly"
