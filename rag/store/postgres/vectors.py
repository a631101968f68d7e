"""Vector search with pgvector: every vector is compared while they are few, an HNSW index answers beyond that."""

from __future__ import annotations

from rag.store.postgres.database import PostgresDatabase, visible
from rag.store.postgres.schema import VECTOR_INDEX
from rag.store.rows import Selection, Vectors
from rag.store.vectors import DIGITS

EXACT_ROWS = 20_000
"""Up to so many vectors (all of them, or those that a filter lets through) every one is compared."""

MAX_INDEXED = 4000
"""Numbers of a `halfvec` (half precision) that pgvector's HNSW can index; beyond this every vector is compared."""

LINKS, LOOKED_AT = 32, 200
"""Links of a vector in the HNSW index, and how many are looked at to choose them."""


def definition(dimension: int) -> str:
    """SQL that makes the index: in half precision, which finds as many of the nearest in two thirds of the room.
    Vectors have unit length, so the inner product is the cosine."""
    return (
        f"CREATE INDEX {VECTOR_INDEX} ON vectors USING hnsw ((CAST(embedding AS halfvec({dimension}))) "
        f"halfvec_ip_ops) WITH (m = {LINKS}, ef_construction = {LOOKED_AT})"
    )


def has_index(database: PostgresDatabase) -> bool:
    """Whether the HNSW index is there and complete."""
    found = database.rows(
        "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass(:name)", {"name": VECTOR_INDEX}
    )
    return found == [(True,)]


def search_vectors(
    database: PostgresDatabase,
    question: Vectors,
    k: int,
    selection: Selection | None,
    generation: int,
    *,
    indexed: bool,
) -> list[tuple[int, float]]:
    """The `k` nearest by inner product as (chunk, score), best first, equal scores by chunk.

    question: unit length, shape [dimension]. indexed: the HNSW index is there.
    """
    pages = (
        "EXISTS (SELECT 1 FROM chunks c WHERE c.id = v.chunk "
        "AND c.page <= :last_page AND c.page_end >= :first_page)"
    )
    conditions, parameters = visible("v", pages, selection, generation)
    parameters |= {"question": question, "limit": k}
    ranges = None if selection is None else selection.ranges
    few = ranges is not None and int((ranges[:, 1] - ranges[:, 0] + 1).sum()) <= EXACT_ROWS
    score = f"round(-(v.embedding <#> :question) * 1e{DIGITS})"
    if few or not indexed:
        statement = (
            f"SELECT v.chunk, {score} AS score FROM vectors v WHERE {conditions} "
            "ORDER BY score DESC, v.chunk LIMIT :limit"
        )
    else:
        half = f"AS halfvec({question.size}))"
        statement = (
            f"SELECT n.chunk, {score.replace('v.', 'n.')} AS score FROM (SELECT v.chunk, v.embedding FROM vectors v "
            f"WHERE {conditions} ORDER BY CAST(v.embedding {half} <#> CAST(:question {half} LIMIT :limit) n "
            "ORDER BY score DESC, n.chunk LIMIT :limit"
        )
    return [(chunk, found / 10**DIGITS) for chunk, found in database.rows(statement, parameters)]
