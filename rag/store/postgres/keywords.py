"""Keyword search in GIN-indexed columns: BM25 as an inner product of sparse vectors, written and searched.

A document is a sparse vector with a one for each pair of a term and how often it stands there (an entry). What an
entry adds to the score depends on the document's length, rounded to one byte as Lucene and Tantivy do; so a question
is one sparse vector for each length, and the inner product is the score (Robertson et al., "Okapi at TREC-3", 1994,
in Lucene's form).
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

import numpy as np
from pgvector import SparseVector

from rag.store.keywords import DIGITS, MAX_TERMS, KeywordField, page_head
from rag.store.postgres.database import PostgresDatabase, WritingDatabase, visible
from rag.store.postgres.schema import FIELDS, KeywordTable
from rag.store.rows import PAGE_COLUMNS, Selection, page_of
from rag.text.keywords import indexed_tokens

LONGEST_TERM = 200
"""Characters of a token that are kept as they are; of a longer one (a B-tree cannot hold any length) a digest."""

MOST_ENTRIES = 16_000
"""What pgvector's sparsevec can hold: a page with more different words is searched by its most frequent ones."""

FIRST_LOOK = 1000
"""Documents that are scored to learn what score is wanted: those with the entries that add most."""

MOST_SCORED, MOST_SHARE = 32_000, 0.04
"""Documents that are scored at most, by estimate: so many, or this share of all when that is more. A thousand take
PostgreSQL some 2 ms."""

PASSED_OVER = 100
"""Documents that its GIN index passes over in the time that it takes to score one."""

LAST_CONTENT = 2**63 - 1
"""Beyond any content."""

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


def _term(token: str) -> str:
    if len(token) <= LONGEST_TERM:
        return token
    return f"{token[:LONGEST_TERM]}#{hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()}"


# -- searching ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of a question standing so many times in a document."""

    term: str
    id: int
    times: int
    documents: int
    """How many hold it so."""
    factor: float
    """The word's weight in the question times its inverse document frequency times (1 + k1)."""
    most: float
    """What it adds to the score of the shortest document."""


Sets = list[tuple[Sequence[Entry], Sequence[Entry]]]
"""Documents that hold an entry of the first of a pair, and one of the second unless that is empty; of any pair."""


def search_keywords(
    database: PostgresDatabase,
    field: KeywordTable,
    weights: Mapping[str, float],
    k: int,
    selection: Selection | None,
    generation: int,
) -> list[tuple[int, int, float]]:
    """The `k` best by BM25 as (content, key, score), best first, equal scores by content and key.

    A first look at the documents with the rarest words gives a score that the `k` best reach; then those that may
    reach it are scored. When these are too many, as for a long question, fewer are certain to be the best, or none.
    """
    dampening, total, entries = _entries(database, field, weights)
    if not entries:
        return []
    pages = "d.first <= :last_page AND d.last >= :first_page"
    conditions, parameters = visible("d", pages, selection, generation)
    by_length = [
        SparseVector({e.id: e.factor * e.times / (e.times + damp) for e in entries}, SPARSE_DIMENSION)
        for damp in dampening.values()
    ]
    parameters |= {"norms": list(dampening), "weights": by_length, "limit": k}

    def best(sets: Sets) -> list[tuple[int, int, float]]:
        held = []
        for number, pair in enumerate(sets):
            names = [
                f"{name}{number}" for name, entries in zip(("some", "also"), pair, strict=True) if entries
            ]
            held.append(" AND ".join(f"d.entries && CAST(:{name} AS integer[])" for name in names))
            parameters.update(zip(names, ([entry.id for entry in entries] for entries in pair), strict=False))
        found = database.rows(
            "WITH question AS (SELECT * FROM "
            "unnest(CAST(:norms AS smallint[]), CAST(:weights AS sparsevec[])) AS q (norm, weights)) "
            f"SELECT d.content, d.key, round(-(d.counts <#> q.weights) * 1e{DIGITS}) AS score "
            f"FROM {field.table} d JOIN question q ON q.norm = d.norm WHERE ({' OR '.join(held)}) "
            f"AND {conditions} ORDER BY score DESC, d.content, d.key LIMIT :limit",
            parameters,
        )
        return [(content, key, score / 10**DIGITS) for content, key, score in found]

    counts = list(accumulate(entry.documents for entry in entries))
    first = entries[: bisect_left(counts, max(FIRST_LOOK, 4 * k)) + 1]
    found = best([(first, ())])
    if len(first) == len(entries):
        return found
    if len(found) < k:  # a filter leaves few
        return best([(entries, ())])
    most = max(MOST_SCORED, MOST_SHARE * total)
    for certain in (k, -(-k // 10)):
        # scores are sums in single precision
        sets = may_reach(entries, found[certain - 1][2] * (1 - 1e-5))
        if sum(len(some) for some, _ in sets) <= len(first):
            return found
        if _cost(sets, total) <= most:
            return best(sets)
    return best([(entries[: max(bisect_right(counts, most), len(first))], ())])


def may_reach(entries: Sequence[Entry], score: float) -> Sets:
    """The documents that may reach a score; entries: strongest first.

    As in MaxScore (Turtle and Flood, "Query evaluation", 1995) a document needs one of the strongest entries, and
    one whose own entry does not suffice needs another word beside it.
    """
    by_term: dict[str, list[Entry]] = defaultdict(list)
    for entry in _needed(entries, score):
        by_term[entry.term].append(entry)
    alone: list[Entry] = []
    sets: Sets = []
    for term, held in by_term.items():
        also = _needed([entry for entry in entries if entry.term != term], score - held[0].most)
        if held[0].most >= score or PASSED_OVER * _documents(held) <= _documents(also):
            alone += held
        else:
            sets.append((held, also))
    return [(alone, ()), *sets] if alone else sets


def _needed(entries: Sequence[Entry], score: float) -> Sequence[Entry]:
    """The strongest entries, so many that a document without any of them stays below the score."""
    rest: dict[str, float] = {}
    for place in range(len(entries), 0, -1):
        entry = entries[place - 1]
        rest[entry.term] = entry.most  # a word stands once so many times
        if sum(rest.values()) >= score:
            return entries[:place]
    return ()


def _documents(entries: Sequence[Entry]) -> int:
    return sum(entry.documents for entry in entries)


def _cost(sets: Sets, total: int) -> float:
    """How many documents are scored, as if words stood together by chance, with the time to find them."""
    return sum(
        _documents(some) * min(_documents(also) / total, 1) + _documents([*some, *also]) / PASSED_OVER
        if also
        else _documents(some)
        for some, also in sets
    )


def _entries(
    database: PostgresDatabase, field: KeywordTable, weights: Mapping[str, float]
) -> tuple[dict[int, float], int, list[Entry]]:
    """How a document's length, as its byte, dampens what it holds; the number of documents; and the entries of the
    rarest words of a question, strongest first."""
    by_term = {_term(token): weight for token, weight in weights.items()}
    lengths: list[tuple[int, int, int]] = []
    known: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for term, *row in database.rows(
        "SELECT NULL, norm, tokens, documents FROM keyword_lengths WHERE field = :field AND documents > 0 "
        "UNION ALL SELECT term, id, times, documents FROM "
        "keyword_entries(CAST(:field AS smallint), CAST(:terms AS text[]))",
        {"field": field.number, "terms": list(by_term)},
    ):
        (lengths if term is None else known[term]).append(tuple(row))
    if not known:
        return {}, 0, []
    total, tokens = sum(count for *_, count in lengths), sum(held for _, held, _ in lengths)
    dampening = {norm: K1 * (1 - B + B * LENGTHS[norm] * total / tokens) for norm, *_ in lengths}
    least = min(dampening.values())
    documents = {term: sum(count for *_, count in entries) for term, entries in known.items()}
    entries = []
    for term in sorted(known, key=lambda term: (documents[term], term))[:MAX_TERMS]:
        rarity = math.log(1 + (total - documents[term] + 0.5) / (documents[term] + 0.5))
        factor = by_term[term] * rarity * (1 + K1)
        for number, times, count in known[term]:
            entries.append(Entry(term, number, times, count, factor, factor * times / (times + least)))
    return dampening, total, sorted(entries, key=lambda entry: (-entry.most, entry.id))
