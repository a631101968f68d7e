"""Vector search with pgvector, and keyword search in GIN-indexed columns: how both are written and searched.

Every vector is compared while they are few; an HNSW index answers beyond that.
"""

from __future__ import annotations

import hashlib
import math
import struct
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from pgvector import SparseVector

from rag.store.keywords import DIGITS as KEYWORD_DIGITS
from rag.store.keywords import MAX_TERMS, KeywordField, page_head
from rag.store.postgres.database import PostgresDatabase, WritingDatabase
from rag.store.postgres.schema import FIELDS, VECTOR_INDEX, KeywordTable
from rag.store.rows import PAGE_COLUMNS, Selection, Vectors, page_of
from rag.store.vectors import DIGITS
from rag.text.keywords import indexed_tokens

EXACT_ROWS = 20_000
"""Up to so many vectors (all of them, or those that a filter lets through) every one is compared."""

MAX_VECTOR = 2000
"""Numbers of a `vector` that pgvector's HNSW can index."""

MAX_HALFVEC = 4000
"""Numbers of a `halfvec` (half precision) that it can index; beyond this every vector is compared."""

LINKS, LOOKED_AT = 32, 200
"""Links of a vector in the HNSW index, and how many are looked at to choose them: with the session's `ef_search` of
200 it finds 99 % of the ten nearest among 100,000 vectors of many topics, with pgvector's defaults (16, 64) 74 %."""

LAST_CONTENT = 2**63 - 1
"""Beyond any content."""

LAST_PAGE = 2**31 - 1
"""Beyond any page: the largest integer of PostgreSQL."""

RERANKED = 3
"""Found in half precision are so many times as many as wanted, then sorted by the exact scores."""


@dataclass(frozen=True, slots=True)
class VectorIndexKind:
    """How vectors of a dimension are indexed."""

    dimension: int

    @property
    def indexable(self) -> bool:
        """False when pgvector has no index for so many numbers."""
        return self.dimension <= MAX_HALFVEC

    @property
    def halved(self) -> bool:
        """True when the index holds half precision."""
        return self.dimension > MAX_VECTOR

    @property
    def indexed(self) -> str:
        """SQL: what the index is over."""
        return f"(CAST(v.embedding AS halfvec({self.dimension})))" if self.halved else "v.embedding"

    @property
    def question(self) -> str:
        """SQL: the question as the index wants it."""
        return f"CAST(:question AS halfvec({self.dimension}))" if self.halved else ":question"

    def definition(self) -> str:
        """SQL that makes the index. Vectors have unit length, so the inner product is the cosine."""
        over = self.indexed.replace("v.", "")
        operators = "halfvec_ip_ops" if self.halved else "vector_ip_ops"
        build = f"m = {LINKS}, ef_construction = {LOOKED_AT}"
        return f"CREATE INDEX {VECTOR_INDEX} ON vectors USING hnsw ({over} {operators}) WITH ({build})"


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
    conditions, parameters = _conditions("v", pages, selection, generation)
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
        kind = VectorIndexKind(question.size)
        parameters["nearest"] = k * RERANKED if kind.halved else k
        statement = (
            f"SELECT n.chunk, {score.replace('v.', 'n.')} AS score FROM (SELECT v.chunk, v.embedding FROM vectors v "
            f"WHERE {conditions} ORDER BY {kind.indexed} <#> {kind.question} LIMIT :nearest) n "
            "ORDER BY score DESC, n.chunk LIMIT :limit"
        )
    return [(chunk, found / 10**DIGITS) for chunk, found in database.rows(statement, parameters)]


def _conditions(
    row: str, pages: str, selection: Selection | None, generation: int
) -> tuple[str, dict[str, object]]:
    """SQL for the rows called `row` that may be found; `pages` is the SQL for those on the selected pages.

    Contents that other generations see are few, so that they are left out rather than the visible ones looked up; by
    the statement itself, because a writer may add one between two statements.
    """
    others = "SELECT id FROM contents WHERE added > :generation UNION ALL SELECT id FROM contents WHERE removed <= "
    terms = [f"{row}.content NOT IN ({others}:generation)"]
    parameters: dict[str, object] = {"generation": generation}
    if selection is not None:
        terms.append(f"{row}.content = ANY(CAST(:selection AS bigint[]))")
        parameters["selection"] = selection.contents.tolist()
        if selection.by_page:
            terms.append(pages)
            parameters["first_page"] = selection.first_page or 0
            parameters["last_page"] = LAST_PAGE if selection.last_page is None else selection.last_page
    return " AND ".join(terms), parameters


# -- keywords -----------------------------------------------------------------------------------------------

LONGEST_TERM = 200
"""Characters of a token that are kept as they are; of a longer one (a B-tree cannot hold any length) a digest."""

MOST_ENTRIES = 16_000
"""What pgvector's sparsevec can hold: a page with more different words is searched by its most frequent ones."""

LOOKED_AT_DOCUMENTS, LOOKED_AT_SHARE = 8000, 0.04
"""Documents that are scored for a question, those with its rarest words: so many, or this share of all when that is
more. Among 100,000 chunks 4 % hold the same first ten as all for 97 % of questions, and 8 % for all of them; a
thousand documents take PostgreSQL some 2 ms."""

INTEGER = 23
"""The number that PostgreSQL gives to its type of four-byte integers."""

SPARSE_DIMENSION = 1_000_000_000
"""The most that pgvector's sparsevec allows; positions are ids, so nothing is allocated for it."""

K1 = 1.2
B = 0.75


def _rounded_length(code: int) -> int:
    """The length that a byte stands for: exact to 40, then four significant bits (Lucene's SmallFloat.byte4ToInt)."""
    free = 24
    if code < free:
        return code
    bits, exponent = (code - free) & 7, ((code - free) >> 3) - 1
    return free + (bits if exponent < 0 else (bits | 8) << exponent)


LENGTHS = tuple(_rounded_length(code) for code in range(256))


def norm_of(tokens: int) -> int:
    """The byte for a length in tokens: the largest that stands for no more."""
    return bisect_right(LENGTHS, tokens) - 1


# -- writing ------------------------------------------------------------------------------------------------


class KeywordWriter:
    """Writes the keywords of contents; used under the writer's lock."""

    def __init__(self, database: WritingDatabase) -> None:
        self._database = database

    def add(self, content: int) -> None:
        """Make the pages and chunks of a content searchable by keywords, inside the caller's transaction."""
        chunks = self._database.rows(
            "SELECT id, page, page_end, header, text FROM chunks WHERE content = ? ORDER BY ordinal",
            (content,),
        )
        bodies = [
            (key, first, last, f"{header}\n{text}" if header else text)
            for key, first, last, header, text in chunks
        ]
        # A page without text would only weigh down the average length.
        found = self._database.rows(
            f"SELECT {PAGE_COLUMNS} FROM pages WHERE content = ? AND text <> '' ORDER BY number", (content,)
        )
        pages = [page_of(row) for row in found]
        self._add("chunk", content, bodies)
        self._add("page", content, [(p.number, p.number, p.number, p.text) for p in pages])
        heads = [(p.number, p.number, p.number, page_head(p.text, p.headers_footers)) for p in pages]
        self._add("head", content, heads)

    def count(self, after: int) -> None:
        """Count the documents of the contents that were added after a generation, inside the caller's transaction."""
        # Ids rise with generations, and a range of them is found by the primary key.
        first = self._database.rows("SELECT min(id) FROM contents WHERE added > ?", (after,))[0][0]
        self._change_counts("+", "d.content >= :bound", first or LAST_CONTENT)

    def delete_removed(self, bound: int) -> None:
        """Take out the contents that were removed by a generation, inside the caller's transaction."""
        old = "d.content IN (SELECT id FROM contents WHERE removed <= :bound)"
        self._change_counts("-", old, bound)
        for field in FIELDS.values():
            self._database.execute(f"DELETE FROM {field.table} d WHERE {old}", {"bound": bound})
        self._database.execute("DELETE FROM keyword_terms WHERE documents = 0")

    def delete_all(self) -> None:
        """Take out everything, inside the caller's transaction."""
        for table in (*(field.table for field in FIELDS.values()), "keyword_terms", "keyword_lengths"):
            self._database.execute(f"DELETE FROM {table}")

    def _change_counts(self, sign: str, documents: str, bound: int) -> None:
        """Count some documents in (`+`) or out (`-`); `documents` is SQL that takes `:bound`."""
        for field in FIELDS.values():
            values = {"bound": bound, "field": field.number}
            self._database.execute(
                f"UPDATE keyword_terms t SET documents = t.documents {sign} n.documents FROM (SELECT id, count(*) "
                f"AS documents FROM (SELECT unnest(d.entries) AS id FROM {field.table} d WHERE {documents}) e "
                "GROUP BY id) n WHERE t.id = n.id",
                values,
            )
            self._database.execute(
                "INSERT INTO keyword_lengths AS l (field, norm, documents, tokens) "
                f"SELECT :field, d.norm, {sign}count(*), {sign}sum(d.tokens) FROM {field.table} d WHERE {documents} "
                "GROUP BY d.norm ON CONFLICT (field, norm) DO UPDATE "
                "SET documents = l.documents + excluded.documents, tokens = l.tokens + excluded.tokens",
                values,
            )

    def _add(self, field: KeywordField, content: int, texts: Sequence[tuple[int, int, int, str]]) -> None:
        """texts: key (chunk id or page number), first page, last page, text."""
        documents = []
        for key, first, last, text in texts:
            tokens = indexed_tokens(text)
            counts = Counter(map(_term, tokens))
            if len(counts) > MOST_ENTRIES:
                counts = Counter(dict(counts.most_common(MOST_ENTRIES)))
            documents.append((key, first, last, len(tokens), counts))
        known = self._ids(field, sorted(set[tuple[str, int]]().union(*(d[-1].items() for d in documents))))
        self._database.insert(
            FIELDS[field].table,
            "content, key, first, last, norm, tokens, entries, counts",
            (
                (
                    content,
                    key,
                    first,
                    last,
                    norm_of(size),
                    size,
                    *_binary(map(known.__getitem__, counts.items())),
                )
                for key, first, last, size, counts in documents
            ),
        )

    def _ids(self, field: KeywordField, pairs: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """The ids of entries; those that are new are made. Only the writer does this."""
        found = self._database.rows(
            # As one text each, which travels faster than an array; tokens hold no white space.
            "WITH wanted AS (SELECT w.term, w.times, t.id FROM unnest(string_to_array(CAST(:terms AS text), ' '), "
            "CAST(string_to_array(:times, ' ') AS integer[])) AS w (term, times) LEFT JOIN keyword_terms t "
            "ON t.field = :field AND t.term = w.term AND t.times = w.times), "
            "made AS (INSERT INTO keyword_terms (field, term, times, documents) "
            "SELECT :field, term, times, 0 FROM wanted WHERE id IS NULL RETURNING term, times, id) "
            "SELECT * FROM wanted WHERE id IS NOT NULL UNION ALL SELECT * FROM made",
            {
                "field": FIELDS[field].number,
                "terms": " ".join(term for term, _ in pairs),
                "times": " ".join(str(times) for _, times in pairs),
            },
        )
        return {(term, times): number for term, times, number in found}


def _binary(ids: Iterable[int]) -> tuple[bytes, bytes]:
    """The ids as an array and as a sparse vector of ones, as the server sends and receives them."""
    places = np.sort(np.fromiter(ids, np.int32)).astype(">i4")
    items = np.empty((len(places), 2), ">i4")  # each with its size in bytes
    items[:, 0], items[:, 1] = 4, places
    array = struct.pack(">iiIii", 1, 0, INTEGER, len(places), 1) + items.tobytes()
    vector = struct.pack(">iii", SPARSE_DIMENSION, len(places), 0) + places.tobytes()
    return array, vector + np.ones(len(places), ">f4").tobytes()


def _vector(values: Mapping[int, float]) -> SparseVector:
    return SparseVector(dict(values), SPARSE_DIMENSION)


def _term(token: str) -> str:
    if len(token) <= LONGEST_TERM:
        return token
    return f"{token[:LONGEST_TERM]}#{hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()}"


# -- searching ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of a question standing so many times in a document."""

    id: int
    times: int
    documents: int
    """How many hold it so."""
    factor: float
    """The word's weight in the question times its inverse document frequency times (1 + k1)."""

    def score(self, dampening: float) -> float:
        """What it adds to the score of a document whose length dampens so much."""
        return self.factor * self.times / (self.times + dampening)


def search_keywords(
    database: PostgresDatabase,
    field: KeywordTable,
    weights: Mapping[str, float],
    k: int,
    selection: Selection | None,
    generation: int,
) -> list[tuple[int, int, float]]:
    """The `k` best by BM25 as (content, key, score), best first, equal scores by content and key.

    A document is a sparse vector with a one for each pair of a term and how often it stands there (an entry). What an
    entry adds to the score depends on the document's length, rounded to one byte as Lucene and Tantivy do; so a
    question is one sparse vector for each length, and the inner product is the score (Robertson et al., "Okapi at
    TREC-3", 1994, in Lucene's form). Only documents with one of the entries that add most are scored, at least
    `LOOKED_AT_DOCUMENTS` when there are so many, and all when those that a filter leaves do not suffice.
    """
    lengths = database.rows(
        "SELECT norm, documents, tokens FROM keyword_lengths WHERE field = ? AND documents > 0",
        (field.number,),
    )
    total, tokens = sum(row[1] for row in lengths), sum(row[2] for row in lengths)
    entries = _entries(database, field, weights, total)
    if not entries:
        return []
    dampening = {norm: K1 * (1 - B + B * LENGTHS[norm] * total / tokens) for norm, _, _ in lengths}
    pages = "d.first <= :last_page AND d.last >= :first_page"
    conditions, parameters = _conditions("d", pages, selection, generation)
    statement = (
        "WITH question AS (SELECT * FROM "
        "unnest(CAST(:norms AS smallint[]), CAST(:weights AS sparsevec[])) AS q (norm, weights)) "
        f"SELECT d.content, d.key, round(-(d.counts <#> q.weights) * 1e{KEYWORD_DIGITS}) AS score "
        f"FROM {field.table} d JOIN question q ON q.norm = d.norm "
        f"WHERE d.entries && CAST(:entries AS integer[]) AND {conditions} "
        "ORDER BY score DESC, d.content, d.key LIMIT :limit"
    )
    by_length = [_vector({entry.id: entry.score(damp) for entry in entries}) for damp in dampening.values()]
    parameters |= {"norms": list(dampening), "weights": by_length, "limit": k}
    least = min(dampening.values())
    best = sorted(entries, key=lambda entry: (-entry.score(least), entry.id))
    counts = accumulate(entry.documents for entry in best)
    looked_at = bisect_left(list(counts), max(LOOKED_AT_DOCUMENTS, LOOKED_AT_SHARE * total, 4 * k)) + 1
    found: list[tuple[Any, ...]] = []
    for kept in (best[:looked_at], best):
        if len(found) < k:
            found = database.rows(statement, {**parameters, "entries": [entry.id for entry in kept]})
        if len(kept) == len(best):
            break
    return [(content, key, score / 10**KEYWORD_DIGITS) for content, key, score in found]


def _entries(
    database: PostgresDatabase, field: KeywordTable, weights: Mapping[str, float], total: int
) -> list[Entry]:
    """The entries of the rarest words of a question, among so many documents in all."""
    by_term = {_term(token): weight for token, weight in weights.items()}
    known: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for term, *entry in database.rows(
        "SELECT term, id, times, documents FROM "
        "keyword_entries(CAST(:field AS smallint), CAST(:terms AS text[]))",
        {"field": field.number, "terms": list(by_term)},
    ):
        known[term].append(tuple(entry))
    documents = {term: sum(count for _, _, count in entries) for term, entries in known.items()}
    rarest = sorted(known, key=lambda term: (documents[term], term))[:MAX_TERMS]
    rarity = {
        term: math.log(1 + (total - documents[term] + 0.5) / (documents[term] + 0.5)) for term in rarest
    }
    return [
        Entry(*entry, by_term[term] * rarity[term] * (1 + K1)) for term in rarest for entry in known[term]
    ]
