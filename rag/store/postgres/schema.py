"""The tables of an index in PostgreSQL. The rows are those of `rag.store.schema`, with what a folder keeps in
FAISS and Tantivy beside them.

Texts are compared byte by byte (collation "C"), as SQLite does. A stored text never holds U+0000: see `connection`.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from rag.store.keywords import KeywordField

FORMAT = 2
"""Version of these tables; an index of another one is refused."""

MAX_DIMENSION = 16_000
"""The longest `vector` of pgvector."""

ROWS = """
CREATE TABLE state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    format INTEGER NOT NULL,
    instance TEXT COLLATE "C" NOT NULL,
    spec TEXT COLLATE "C" NOT NULL,
    published BIGINT NOT NULL,
    working BIGINT NOT NULL,
    purged BIGINT NOT NULL,
    last_chunk BIGINT NOT NULL
);
CREATE TABLE embedding_models (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    embedding_id TEXT COLLATE "C" NOT NULL UNIQUE,
    dimension INTEGER NOT NULL
);
CREATE TABLE embeddings (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model BIGINT NOT NULL REFERENCES embedding_models (id),
    digest BYTEA NOT NULL,
    vector BYTEA NOT NULL,
    UNIQUE (model, digest)
);
ALTER TABLE embeddings ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE TABLE contents (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pages INTEGER NOT NULL,
    searchable_pages INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    first_chunk BIGINT NOT NULL,
    last_chunk BIGINT NOT NULL,
    added BIGINT NOT NULL,
    removed BIGINT
);
CREATE INDEX contents_added ON contents (added);
CREATE INDEX contents_removed ON contents (removed) WHERE removed IS NOT NULL;
CREATE TABLE sources (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    metadata TEXT COLLATE "C" NOT NULL,
    content BIGINT REFERENCES contents (id),
    added BIGINT NOT NULL,
    removed BIGINT
);
CREATE UNIQUE INDEX sources_current ON sources (file) WHERE removed IS NULL;
CREATE INDEX sources_file ON sources (file);
CREATE INDEX sources_content ON sources (content);
CREATE INDEX sources_added ON sources (added);
CREATE INDEX sources_removed ON sources (removed) WHERE removed IS NOT NULL;
CREATE TABLE source_fields (
    source BIGINT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (source, key)
);
CREATE TABLE pages (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content BIGINT NOT NULL REFERENCES contents (id),
    number INTEGER NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    characters INTEGER NOT NULL,
    furniture TEXT COLLATE "C" NOT NULL,
    UNIQUE (content, number)
);
CREATE TABLE chunks (
    id BIGINT PRIMARY KEY,
    content BIGINT NOT NULL REFERENCES contents (id),
    ordinal INTEGER NOT NULL,
    page INTEGER NOT NULL,
    page_end INTEGER NOT NULL,
    spans TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    header TEXT COLLATE "C" NOT NULL,
    heading TEXT COLLATE "C" NOT NULL,
    tokens INTEGER NOT NULL,
    embedding BIGINT NOT NULL REFERENCES embeddings (id),
    UNIQUE (content, ordinal)
);
CREATE INDEX chunks_page ON chunks (content, page, page_end);
CREATE TABLE page_tables (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content BIGINT NOT NULL REFERENCES contents (id),
    page INTEGER NOT NULL,
    form TEXT COLLATE "C" NOT NULL
);
CREATE INDEX page_tables_page ON page_tables (content, page);
CREATE INDEX chunks_embedding ON chunks (embedding);
CREATE TABLE keyword_terms (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    field SMALLINT NOT NULL,
    term TEXT COLLATE "C" NOT NULL,
    times INTEGER NOT NULL,
    documents BIGINT NOT NULL,
    UNIQUE (field, term, times)
) WITH (fillfactor = 70);
CREATE TABLE keyword_lengths (
    field SMALLINT NOT NULL,
    norm SMALLINT NOT NULL,
    documents BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    PRIMARY KEY (field, norm)
) WITH (fillfactor = 50);
"""
"""`keyword_terms.documents` says how many documents of a field hold a term so many times; `keyword_lengths` how
many are of a length (as BM25 rounds it) and how many tokens these hold."""

VECTOR_INDEX = "vectors_hnsw"

VECTORS = """
CREATE TABLE vectors (
    chunk BIGINT PRIMARY KEY,
    content BIGINT NOT NULL REFERENCES contents (id),
    embedding vector({dimension}) NOT NULL
);
ALTER TABLE vectors ALTER COLUMN embedding SET STORAGE EXTERNAL;
CREATE INDEX vectors_content ON vectors (content);
"""

KEYWORDS = """
CREATE TABLE {table} (
    content BIGINT NOT NULL REFERENCES contents (id),
    key BIGINT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    norm SMALLINT NOT NULL,
    tokens INTEGER NOT NULL,
    entries INTEGER[] NOT NULL,
    counts sparsevec NOT NULL,
    PRIMARY KEY (content, key)
) WITH (toast_tuple_target = 8160);
ALTER TABLE {table} ALTER COLUMN counts SET STORAGE EXTERNAL;
CREATE INDEX {table}_entries ON {table} USING gin (entries);
"""
"""An entry is the id of a row of `keyword_terms`, that is of a term and how often it stands in the document;
`counts` holds the same ids as the places of a sparse vector of ones, whose inner product with a question is BM25
(`rag.store.postgres.search`)."""


@dataclass(frozen=True, slots=True)
class KeywordTable:
    """One kind of text that is searched by keywords."""

    number: int
    table: str
    documents: str
    """SQL: the contents and keys of what it holds."""


_WRITTEN = "SELECT p.content, p.number AS key FROM pages p WHERE p.text <> ''"
FIELDS: dict[KeywordField, KeywordTable] = {
    "chunk": KeywordTable(0, "chunk_keywords", "SELECT c.content, c.id AS key FROM chunks c"),
    "page": KeywordTable(1, "page_keywords", _WRITTEN),
    "head": KeywordTable(2, "head_keywords", _WRITTEN),
}

LOOKUP = "keyword_entries"
"""The function that looks up the words of a question. A reader who may not see every document is granted this and not
the table, which would list the words of all of them."""


def lookup(schema: str) -> sql.Composed:
    """SQL that makes the function.

    Its table is named in full, because it runs with the rights of the owner, for anybody. The schema of temporary
    tables would be looked into first unless it is named: whoever may ask could put a table of their own in the place
    of ours and have it read with the rights of the owner.
    """
    own = sql.Identifier(schema)
    body = (
        f"SELECT t.term, t.id, t.times, t.documents FROM {own.as_string(None)}.keyword_terms t "
        "WHERE t.field = in_field AND t.term = ANY(terms) AND t.documents > 0 ORDER BY t.term, t.times"
    )
    return sql.SQL(
        "CREATE FUNCTION {schema}.{name}(in_field smallint, terms text[]) "
        "RETURNS TABLE (term text, id integer, times integer, documents bigint) "
        "LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS {body}"
    ).format(schema=own, name=sql.Identifier(LOOKUP), body=sql.Literal(body))


TABLES = (
    *("state", "embedding_models", "embeddings", "contents", "sources", "source_fields", "pages", "chunks"),
    *("page_tables", "keyword_terms", "keyword_lengths", "vectors"),
    *("chunk_keywords", "page_keywords", "head_keywords"),
)
"""Every table, in the order of their making."""

STATE_COLUMNS = ("only_row", "format", "instance", "spec", "published", "working", "purged")
"""By these a table `state` is known to be that of an index, of this version or of another."""


def _keyword_checks(field: KeywordTable) -> tuple[tuple[str, str], ...]:
    number, table = field.number, field.table
    return (
        (
            f"SELECT count(*) FROM ({field.documents}) w FULL JOIN {table} d ON d.content = w.content "
            "AND d.key = w.key WHERE w.key IS NULL OR d.key IS NULL",
            f"documents differ between {table} and the rows",
        ),
        (
            f"SELECT count(*) FROM (SELECT e AS id, count(*) AS documents FROM {table} d, unnest(d.entries) e "
            f"GROUP BY e) f FULL JOIN (SELECT id, documents FROM keyword_terms WHERE field = {number} "
            "AND documents <> 0) t ON t.id = f.id WHERE t.documents IS DISTINCT FROM f.documents",
            f"words of {table} are counted wrongly",
        ),
        (
            f"SELECT count(*) FROM (SELECT norm, count(*) AS documents, sum(tokens) AS tokens FROM {table} "
            f"GROUP BY norm) f FULL JOIN (SELECT * FROM keyword_lengths WHERE field = {number} "
            "AND documents <> 0) l ON l.norm = f.norm "
            "WHERE l.documents IS DISTINCT FROM f.documents OR l.tokens IS DISTINCT FROM f.tokens",
            f"lengths of {table} are counted wrongly",
        ),
    )


CHECKS = (
    (
        # After other embeddings were chosen, what was removed before has no vectors any more.
        "SELECT count(*) FROM chunks c JOIN contents t ON t.id = c.content LEFT JOIN vectors v ON v.chunk = c.id "
        "WHERE t.removed IS NULL AND (v.chunk IS NULL OR v.content <> c.content)",
        "chunks are not searched by vector",
    ),
    (
        "SELECT count(*) FROM vectors v WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = v.chunk)",
        "vectors belong to no chunk",
    ),
    (
        f"SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('{VECTOR_INDEX}') AND NOT indisvalid",
        "index of vectors is not valid",
    ),
    *(check for field in FIELDS.values() for check in _keyword_checks(field)),
)
"""SQL that counts what is wrong with the vectors and keywords beside the rows, and what it is."""
