"""A read-only view of one generation of an index: its documents, pages and chunks, and searching them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rag.errors import IndexMismatch
from rag.store import rows
from rag.store.filters import STANDARD_FIELDS, Filter, unknown_field
from rag.store.keywords import KeywordField
from rag.store.rows import Database, Selection
from rag.store.spec import IndexSpec, IndexState
from rag.types import Document, DocumentRecord, Page, Passage, Status, Table

FILTERS_CACHED = 16
"""Filters whose contents a snapshot remembers: a question asks each search within the same one."""
PAGES_CROSSED = 3
"""A chunk runs over a page's end only to finish a sentence; looking so many pages back for its beginning is ample,
and spares a walk through all earlier chunks of the file."""


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A chunk that a search found."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class ScoredPage:
    """A page that a keyword search found."""

    file: str
    page: int
    score: float


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """A document with what became of its pages."""

    record: DocumentRecord
    pages: int
    searchable_pages: int
    chunks: int


@dataclass(frozen=True, slots=True)
class PageProblem:
    """A page that is not plainly ok."""

    file: str
    page: int
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Totals:
    """The index in numbers."""

    files: Mapping[Status, int]
    pages: int
    searchable_pages: int
    chunks: int


class GenerationRows:
    """The rows of the database as of one generation. Every method answers from that generation alone."""

    def __init__(self, database: Database, spec: IndexSpec, generation: int) -> None:
        self.database = database
        self.spec = spec
        self.generation = generation

    # -- documents ------------------------------------------------------------------------------------------

    def document(self, file: str) -> DocumentRecord | None:
        """The record of a document, or None."""
        found = self._records("s.file = :file", {"file": rows.storable(file)})
        return found[0] if found else None

    def documents(self) -> list[DocumentRecord]:
        """The records of all documents, by file name."""
        return self._records("1 = 1", {})

    def _records(self, condition: str, parameters: Mapping[str, Any]) -> list[DocumentRecord]:
        found = self.database.rows(
            f"SELECT {rows.RECORD_COLUMNS} FROM sources s "
            f"WHERE {condition} AND {rows.VISIBLE.format('s')} ORDER BY file",
            {**parameters, "g": self.generation},
        )
        with self.database.readable_errors():
            return [rows.record_of(row) for row in found]

    def document_statuses(self) -> list[DocumentStatus]:
        """All documents with the counts of their pages and chunks, by file name."""
        found = self.database.rows(
            f"SELECT {rows.RECORD_COLUMNS}, coalesce(c.pages, 0), coalesce(c.searchable_pages, 0), "
            "coalesce(c.chunks, 0) FROM sources s LEFT JOIN contents c ON c.id = s.content "
            f"WHERE {rows.VISIBLE.format('s')} ORDER BY file",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            return [DocumentStatus(rows.record_of(row[:-3]), *row[-3:]) for row in found]

    def page_problems(self) -> list[PageProblem]:
        """The pages with another status than ok or with a reason, by file name and number, without their texts."""
        found = self.database.rows(
            "SELECT s.file, p.number, p.status, p.reason FROM sources s JOIN pages p ON p.content = s.content "
            f"WHERE {rows.VISIBLE.format('s')} AND (p.status <> :ok OR p.reason <> '') ORDER BY s.file, p.number",
            {"g": self.generation, "ok": Status.OK.value},
        )
        with self.database.readable_errors():
            return [PageProblem(file, page, Status(status), reason) for file, page, status, reason in found]

    def characters(self) -> dict[str, int]:
        """Characters extracted, by file; files without pages are left out."""
        found = self.database.rows(
            "SELECT s.file, sum(p.characters) FROM sources s JOIN pages p ON p.content = s.content "
            f"WHERE {rows.VISIBLE.format('s')} GROUP BY s.file",
            {"g": self.generation},
        )
        return dict(found)

    def counts(self) -> Totals:
        """Documents by status, pages, searchable pages and chunks."""
        found = self.database.rows(
            "SELECT s.status, count(*), sum(c.pages), sum(c.searchable_pages), sum(c.chunks) FROM sources s "
            f"LEFT JOIN contents c ON c.id = s.content WHERE {rows.VISIBLE.format('s')} GROUP BY s.status",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            files = {Status(row[0]): int(row[1]) for row in found}
        pages, searchable, chunks = (sum(row[column] or 0 for row in found) for column in (2, 3, 4))
        return Totals(files, pages, searchable, chunks)

    # -- pages ----------------------------------------------------------------------------------------------

    def page(self, file: str, number: int) -> Page | None:
        """A page, or None."""
        return next(iter(self._pages(file, number)), None)

    def pages(self, file: str) -> list[Page]:
        """All pages of a file, in order."""
        return self._pages(file, None)

    def _pages(self, file: str, number: int | None) -> list[Page]:
        one = "" if number is None else "AND number = :number"
        found = self.database.rows(
            f"SELECT {rows.PAGE_COLUMNS} FROM pages WHERE content = (SELECT content FROM sources s "
            f"WHERE s.file = :file AND {rows.VISIBLE.format('s')}) {one} ORDER BY number",
            {"g": self.generation, "file": rows.storable(file), "number": number},
        )
        with self.database.readable_errors():
            return [rows.page_of(row) for row in found]

    def tables(self, file: str, number: int | None = None) -> list[Table]:
        """The tables of a file (or of its page `number`), in order; none for an index made before they were kept."""
        if not self.database.has_table("page_tables"):
            return []
        one = "" if number is None else "AND page = :number"
        found = self.database.rows(
            "SELECT form FROM page_tables WHERE content = (SELECT content FROM sources s "
            f"WHERE s.file = :file AND {rows.VISIBLE.format('s')}) {one} ORDER BY id",
            {"g": self.generation, "file": rows.storable(file), "number": number},
        )
        with self.database.readable_errors():
            return [rows.table_from_json(row[0]) for row in found]

    def _files_of_contents(self, contents: Sequence[int]) -> dict[int, str]:
        """The file of each visible content."""
        found = self.database.rows(
            "SELECT s.content, s.file FROM sources s "
            f"WHERE {self.database.one_of('s.content', 'ids')} AND {rows.VISIBLE.format('s')}",
            {"g": self.generation, "ids": self.database.array(contents)},
        )
        return dict(found)

    # -- chunks ---------------------------------------------------------------------------------------------

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """The chunks with these ids, in this order; ids that are not visible are left out."""
        found = self.database.rows(
            f"{rows.PASSAGE_QUERY}WHERE {self.database.one_of('c.id', 'ids')}",
            {"g": self.generation, "ids": self.database.array(chunk_ids)},
        )
        with self.database.readable_errors():
            by_id = {row[0]: rows.passage_of(row) for row in found}
        return [by_id[chunk] for chunk in chunk_ids if chunk in by_id]

    def chunks_of_page(self, file: str, page: int) -> list[int]:
        """Ids of the chunks that touch a page, in reading order."""
        found = self.database.rows(
            "SELECT c.id FROM chunks c JOIN sources s ON s.content = c.content "
            f"WHERE s.file = :file AND {rows.VISIBLE.format('s')} AND c.page <= :page AND c.page_end >= :page "
            "ORDER BY c.ordinal",
            {"g": self.generation, "file": rows.storable(file), "page": page},
        )
        return [row[0] for row in found]

    def chunks_of_pages(self, pages: Sequence[tuple[str, int]]) -> dict[tuple[str, int], list[int]]:
        """Ids of the chunks that touch each page, in reading order, in one query."""
        found = self.database.rows(
            f"SELECT s.file, w.page, c.id FROM {self.database.page_list('pages')} AS w "
            "JOIN sources s ON s.file = w.file JOIN chunks c ON c.content = s.content "
            f"AND c.page BETWEEN w.page - {PAGES_CROSSED} AND w.page AND c.page_end >= w.page "
            f"WHERE {rows.VISIBLE.format('s')} ORDER BY c.ordinal",
            {"g": self.generation, "pages": json.dumps([(rows.storable(f), int(p)) for f, p in pages])},
        )
        chunks: dict[tuple[str, int], list[int]] = {}
        for file, page, chunk in found:
            chunks.setdefault((file, page), []).append(chunk)
        return chunks

    def locate(self, chunk_ids: Sequence[int]) -> dict[int, tuple[str, int, int]]:
        """File, first and last page by chunk id; ids that are not visible are left out."""
        found = self.database.rows(
            "SELECT c.id, s.file, c.page, c.page_end FROM chunks c JOIN sources s ON s.content = c.content "
            f"WHERE {self.database.one_of('c.id', 'ids')} AND {rows.VISIBLE.format('s')}",
            {"g": self.generation, "ids": self.database.array(chunk_ids)},
        )
        return {chunk: (file, first, last) for chunk, file, first, last in found}

    def vectors(self, chunk_ids: Sequence[int]) -> rows.Vectors:
        """Unit embeddings of chunks, shape [n, dimension], in order. Raises LookupError for an unknown chunk."""
        return rows.vectors_of_chunks(self.database, chunk_ids, self.spec.dimension)

    # -- whole documents ----------------------------------------------------------------------------------------

    def contents(self) -> list[tuple[DocumentRecord, int | None]]:
        """All documents with the content that each has, in the order in which the contents were made."""
        found = self.database.rows(
            f"SELECT {rows.RECORD_COLUMNS}, s.content FROM sources s WHERE {rows.VISIBLE.format('s')} "
            "ORDER BY coalesce(s.content, 0), s.file",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            return [(rows.record_of(row[:-1]), row[-1]) for row in found]

    def load_document(self, record: DocumentRecord, content: int) -> tuple[Document, rows.Vectors]:
        """A file's pages and chunks, and the vectors of the chunks, shape [chunks, dimension]."""
        pages = self.database.rows(
            f"SELECT {rows.PAGE_COLUMNS} FROM pages WHERE content = ? ORDER BY number", (content,)
        )
        chunks = self.database.rows(
            "SELECT c.ordinal, c.spans, c.text, c.header, c.heading, c.tokens, e.vector FROM chunks c "
            "JOIN embeddings e ON e.id = c.embedding WHERE c.content = ? ORDER BY c.ordinal",
            (content,),
        )
        tables: list[tuple[str]] = []
        if self.database.has_table("page_tables"):
            tables = self.database.rows(
                "SELECT form FROM page_tables WHERE content = ? ORDER BY id", (content,)
            )
        with self.database.readable_errors():
            vectors = np.frombuffer(b"".join(row[-1] for row in chunks), dtype=np.float32)
            table = vectors.reshape(len(chunks), -1) if chunks else np.empty((0, 0), np.float32)
            parts = tuple(rows.chunk_of(row[:-1]) for row in chunks)
            kept = tuple(rows.table_from_json(row[0]) for row in tables)
            return Document(record, tuple(map(rows.page_of, pages)), parts, kept), table

    # -- what a search may answer from ----------------------------------------------------------------------

    def selection(self, where: Filter) -> Selection:
        """What the filter allows. Raises UsageError for a metadata field that no document has."""
        self._check_fields(where)
        condition, parameters = where.source_condition(self.database, self._documents_named(where))
        found = self.database.rows(
            "SELECT c.id, c.first_chunk, c.last_chunk FROM sources s JOIN contents c ON c.id = s.content "
            f"WHERE {condition} AND {rows.VISIBLE.format('s')} ORDER BY c.id",
            {**parameters, "g": self.generation},
        )
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        return Selection(table[:, 0], table[:, 1:], where.first_page, where.last_page)

    def _documents_named(self, where: Filter) -> frozenset[str]:
        """The file patterns that are exact names of documents."""
        if not where.plain_names:
            return frozenset()
        found = self.database.rows(
            f"SELECT s.file FROM sources s WHERE {self.database.one_of('s.file', 'names', 'text')} "
            f"AND {rows.VISIBLE.format('s')}",
            {"names": self.database.array(where.plain_names), "g": self.generation},
        )
        return frozenset(row[0] for row in found)

    def _check_fields(self, where: Filter) -> None:
        """Raise UsageError for a metadata field that no document has: it is misspelt."""
        for key in (key for key, _ in where.metadata if key not in STANDARD_FIELDS):
            condition = f"{self.database.has_field('k')} AND {rows.VISIBLE.format('s')}"
            found = self.database.rows(
                f"SELECT 1 FROM sources s WHERE {condition} LIMIT 1", {"k": key, "g": self.generation}
            )
            if not found and rows.holds_contents(self.database, self.generation):
                raise unknown_field(key)


class GenerationReader(Protocol):
    """What a kind of index gives a snapshot: one published generation, and the searches over it.

    The rows of the generation are not deleted as long as the reader exists and is not closed.
    """

    @property
    def state(self) -> IndexState:
        """The state that is read; its `published` is the generation."""

    @property
    def database(self) -> Database:
        """The rows of all generations."""

    @property
    def at_once(self) -> int:
        """How many searches gain time when they run at once."""

    def prepare(self) -> bool:
        """Open what searches need now rather than at the first one. False when that is not there as it should be."""

    def nearest(self, vector: rows.Vectors, k: int, selection: Selection | None) -> list[tuple[int, float]]:
        """The `k` chunks nearest to a unit vector as (chunk id, cosine), best first, equal scores by id."""

    def match(
        self, field: KeywordField, weights: Mapping[str, float], k: int, selection: Selection | None
    ) -> list[tuple[int, int, float]]:
        """The `k` best by BM25 as (content, chunk id or page number, score), best first, equal scores by ids."""


class Snapshot(GenerationRows):
    """One published generation of an index, safe to read from several threads.

    It never changes: whatever is ingested meanwhile, the searches, passages and pages of one snapshot belong
    together. Take one for each question with `Index.snapshot()` and pass it on.
    """

    def __init__(self, location: str, reader: GenerationReader) -> None:
        super().__init__(reader.database, reader.state.spec, reader.state.published)
        self.location = location
        self._reader = reader
        self._selections: dict[Filter, Selection] = {}

    def together(self, searches: Sequence[Callable[[], list[Any]]]) -> list[list[Any]]:
        """What searches of this snapshot find, in their order; they run at once where that gains time."""
        if self._reader.at_once == 1:
            return [search() for search in searches]
        with ThreadPoolExecutor(self._reader.at_once) as pool:
            return list(pool.map(lambda search: search(), searches))

    def search_dense(self, vector: Any, k: int, where: Filter | None = None) -> list[ScoredChunk]:
        """The `k` chunks nearest to `vector` (shape [dimension]) by cosine; equal scores by chunk id.

        Raises IndexMismatch when the vector has another dimension.
        """
        query = self._unit_query(vector)
        selection = self._selected(where)
        if k <= 0 or (selection is not None and not len(selection.contents)):
            return []
        return [ScoredChunk(chunk, score) for chunk, score in self._reader.nearest(query, k, selection)]

    def search_keywords(
        self, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None = None
    ) -> list[ScoredChunk]:
        """The `k` best chunks by BM25 for tokens of `rag.text.keywords`, or for tokens with weights."""
        return [ScoredChunk(chunk, score) for _, chunk, score in self._match("chunk", terms, k, where)]

    def search_pages(
        self,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None = None,
        *,
        head: bool = False,
    ) -> list[ScoredPage]:
        """The `k` best pages by BM25 over their whole text, or over their beginnings alone."""
        found = self._match("head" if head else "page", terms, k, where)
        files = self._files_of_contents([content for content, _, _ in found])
        return [ScoredPage(files[content], page, score) for content, page, score in found if content in files]

    def _match(
        self,
        field: KeywordField,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None,
    ) -> list[tuple[int, int, float]]:
        # BM25 adds a repeated term up.
        weights = (
            dict(terms) if isinstance(terms, Mapping) else {t: float(n) for t, n in Counter(terms).items()}
        )
        selection = self._selected(where)
        if not weights or k <= 0 or (selection is not None and not len(selection.contents)):
            return []
        return self._reader.match(field, weights, k, selection)

    def _selected(self, where: Filter | None) -> Selection | None:
        """What the filter allows, looked up once; None for everything."""
        if where is None or where.empty:
            return None
        found = self._selections.get(where)
        if found is None:
            if len(self._selections) >= FILTERS_CACHED:
                self._selections.clear()  # whole, so that threads need no lock for an order of use
            found = self._selections[where] = self.selection(where)
        return found

    def _unit_query(self, vector: Any) -> rows.Vectors:
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        if query.size != self.spec.dimension:
            raise IndexMismatch(
                f"{self.location} holds embeddings of {self.spec.dimension} numbers "
                f"({self.spec.embedding_model}) and the question came as {query.size}: "
                "ask with the same embeddings, or run `rag ingest --rebuild PATH`."
            )
        length = float(np.linalg.norm(query))
        if not np.isfinite(length):
            raise ValueError("the embedding of the question holds values that are not finite numbers")
        return query / np.float32(length) if length else query
