"""Reading index.db as it stood at one generation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.store import rows
from rag.store.filters import Filter
from rag.store.spec import IndexSpec
from rag.store.sql import Database
from rag.types import Document, Page, Passage, Source, Status

FILTERS_KEPT = 16
"""Filters whose contents a snapshot remembers: a question asks each engine within the same one."""

VISIBLE = "{0}.added <= :g AND ({0}.removed IS NULL OR {0}.removed > :g)"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A file with what became of its pages."""

    source: Source
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


@dataclass(frozen=True, slots=True)
class State:
    """The one row of table `state`."""

    instance: str
    """Random name given at creation: a derived file copied from another index is not mistaken for ours."""
    spec: IndexSpec
    published: int
    """The generation that readers see."""
    working: int
    """The generation that writes belong to; always above `published`."""
    purged: int
    """What was removed up to this generation is deleted for good."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The part of the index that a search may answer from, as both engines want it."""

    contents: NDArray[np.int64]
    """Ids of the contents, ascending."""
    ranges: NDArray[np.int64]
    """First and last chunk id of each content, shape [n, 2]."""
    first_page: int | None = None
    last_page: int | None = None


def read_state(database: Database) -> State:
    """The state now. Raises IndexDamaged."""
    found = database.rows("SELECT instance, spec, published, working, purged FROM state")
    with database.readable_errors():
        if len(found) != 1:
            raise IndexDamaged("it does not say what it was made with")
        instance, spec, published, working, purged = found[0]
        if not 0 <= purged <= published < working or len(bytes.fromhex(instance)) != 16:
            raise IndexDamaged(f"its generations are impossible ({published}, {working})")
        return State(instance, IndexSpec.from_json(spec), published, working, purged)


class Snapshot:
    """What a reader at `generation` sees of the database. Every method answers from that generation alone."""

    def __init__(self, database: Database, generation: int) -> None:
        self.database = database
        self.generation = generation
        self._allowed: dict[Filter, Allowed] = {}

    # -- the ledger -----------------------------------------------------------------------------------------

    def source(self, file: str) -> Source | None:
        """The ledger's row of a file, or None."""
        found = self._sources("s.file = :file", {"file": rows.storable(file)})
        return found[0] if found else None

    def sources(self) -> list[Source]:
        """All rows of the ledger, by file name."""
        return self._sources("1 = 1", {})

    def _sources(self, condition: str, parameters: Mapping[str, Any]) -> list[Source]:
        sql = (
            f"SELECT {rows.SOURCE_COLUMNS} FROM sources s "
            f"WHERE {condition} AND {VISIBLE.format('s')} ORDER BY file"
        )
        found = self.database.rows(sql, {**parameters, "g": self.generation})
        with self.database.readable_errors():
            return [rows.source_of(row) for row in found]

    def ledger(self) -> list[LedgerEntry]:
        """All files with the counts of their pages and chunks, by file name."""
        found = self.database.rows(
            f"SELECT {rows.SOURCE_COLUMNS}, coalesce(c.pages, 0), coalesce(c.searchable_pages, 0), "
            "coalesce(c.chunks, 0) FROM sources s LEFT JOIN contents c ON c.id = s.content "
            f"WHERE {VISIBLE.format('s')} ORDER BY file",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            return [LedgerEntry(rows.source_of(row[:-3]), *row[-3:]) for row in found]

    def page_problems(self) -> list[PageProblem]:
        """The pages with another status than ok or with a reason, by file name and number."""
        found = self.database.rows(
            "SELECT s.file, p.number, p.status, p.reason FROM sources s JOIN pages p ON p.content = s.content "
            f"WHERE {VISIBLE.format('s')} AND (p.status <> :ok OR p.reason <> '') ORDER BY s.file, p.number",
            {"g": self.generation, "ok": Status.OK.value},
        )
        with self.database.readable_errors():
            return [PageProblem(file, page, Status(status), reason) for file, page, status, reason in found]

    def characters(self) -> dict[str, int]:
        """Characters extracted, by file; files without pages are left out."""
        found = self.database.rows(
            "SELECT s.file, sum(p.characters) FROM sources s JOIN pages p ON p.content = s.content "
            f"WHERE {VISIBLE.format('s')} GROUP BY s.file",
            {"g": self.generation},
        )
        return dict(found)

    def totals(self) -> Totals:
        """Files by status, pages, searchable pages and chunks."""
        found = self.database.rows(
            "SELECT s.status, count(*), sum(c.pages), sum(c.searchable_pages), sum(c.chunks) FROM sources s "
            f"LEFT JOIN contents c ON c.id = s.content WHERE {VISIBLE.format('s')} GROUP BY s.status",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            files = {Status(row[0]): int(row[1]) for row in found}
        pages, searchable, chunks = (sum(row[column] or 0 for row in found) for column in (2, 3, 4))
        return Totals(files, pages, searchable, chunks)

    # -- pages ----------------------------------------------------------------------------------------------

    def pages(self, file: str, number: int | None = None) -> list[Page]:
        """The stored pages of a file (or the one with `number`), in order."""
        one = "" if number is None else "AND number = :number"
        found = self.database.rows(
            f"SELECT {rows.PAGE_COLUMNS} FROM pages WHERE content = (SELECT content FROM sources s "
            f"WHERE s.file = :file AND {VISIBLE.format('s')}) {one} ORDER BY number",
            {"g": self.generation, "file": rows.storable(file), "number": number},
        )
        with self.database.readable_errors():
            return [rows.page_of(row) for row in found]

    def files_of_contents(self, contents: Sequence[int]) -> dict[int, str]:
        """The file of each visible content."""
        found = self.database.rows(
            "SELECT s.content, s.file FROM sources s "
            f"WHERE {self.database.one_of('s.content', 'ids')} AND {VISIBLE.format('s')}",
            {"g": self.generation, "ids": self.database.numbers(contents)},
        )
        return dict(found)

    # -- chunks ---------------------------------------------------------------------------------------------

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """The chunks with these ids, in this order; ids that are not visible are left out."""
        found = self.database.rows(
            f"{rows.PASSAGE_QUERY}WHERE {self.database.one_of('c.id', 'ids')}",
            {"g": self.generation, "ids": self.database.numbers(chunk_ids)},
        )
        with self.database.readable_errors():
            by_id = {row[0]: rows.passage_of(row) for row in found}
        return [by_id[chunk] for chunk in chunk_ids if chunk in by_id]

    def neighbours(self, chunk_id: int, before: int, after: int) -> list[Passage]:
        """The chunks up to `before` before and `after` after this one in its file, in order, with itself."""
        found = self.database.rows(
            rows.PASSAGE_QUERY + "JOIN chunks o ON o.id = :id AND o.content = c.content "
            "WHERE c.ordinal BETWEEN o.ordinal - :before AND o.ordinal + :after ORDER BY c.ordinal",
            {"g": self.generation, "id": int(chunk_id), "before": before, "after": after},
        )
        with self.database.readable_errors():
            return [rows.passage_of(row) for row in found]

    def chunks_of_page(self, file: str, page: int) -> list[int]:
        """Ids of the chunks that touch a page, in reading order."""
        found = self.database.rows(
            "SELECT c.id FROM chunks c JOIN sources s ON s.content = c.content "
            f"WHERE s.file = :file AND {VISIBLE.format('s')} AND c.page <= :page AND c.page_end >= :page "
            "ORDER BY c.ordinal",
            {"g": self.generation, "file": rows.storable(file), "page": page},
        )
        return [row[0] for row in found]

    def chunks_of_pages(self, pages: Sequence[tuple[str, int]]) -> dict[tuple[str, int], list[int]]:
        """Ids of the chunks that touch each page, in reading order, in one query."""
        found = self.database.rows(
            f"SELECT s.file, w.page, c.id FROM {self.database.page_list('pages')} AS w "
            "JOIN sources s ON s.file = w.file JOIN chunks c ON c.content = s.content "
            # a chunk runs over a page's end only to finish a sentence: looking 3 pages back is ample, and
            # spares a walk through all earlier chunks of the file
            "AND c.page BETWEEN w.page - 3 AND w.page AND c.page_end >= w.page "
            f"WHERE {VISIBLE.format('s')} ORDER BY c.ordinal",
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
            f"WHERE {self.database.one_of('c.id', 'ids')} AND {VISIBLE.format('s')}",
            {"g": self.generation, "ids": self.database.numbers(chunk_ids)},
        )
        return {chunk: (file, first, last) for chunk, file, first, last in found}

    def vectors(self, chunk_ids: Sequence[int], dimension: int) -> rows.Vectors:
        """The embeddings of chunks, shape [n, dimension], in order. Raises LookupError for an unknown chunk."""
        found = dict(
            self.database.rows(
                "SELECT c.id, e.vector FROM chunks c JOIN embeddings e ON e.id = c.embedding "
                f"WHERE {self.database.one_of('c.id', 'ids')}",
                {"ids": self.database.numbers(chunk_ids)},
            )
        )
        vectors = np.empty((len(chunk_ids), dimension), dtype=np.float32)
        with self.database.readable_errors():
            for place, chunk in enumerate(chunk_ids):
                if chunk not in found:
                    raise LookupError(f"there is no chunk {chunk} in the index")
                vectors[place] = np.frombuffer(found[chunk], dtype=np.float32)
        return vectors

    # -- whole files ----------------------------------------------------------------------------------------

    def contents(self) -> list[tuple[Source, int | None]]:
        """The ledger with the content that each file has, in the order in which the contents were made."""
        found = self.database.rows(
            f"SELECT {rows.SOURCE_COLUMNS}, s.content FROM sources s WHERE {VISIBLE.format('s')} "
            "ORDER BY coalesce(s.content, 0), s.file",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            return [(rows.source_of(row[:-1]), row[-1]) for row in found]

    def document(self, source: Source, content: int) -> tuple[Document, rows.Vectors]:
        """A file's pages and chunks, and the vectors of the chunks, shape [chunks, dimension]."""
        pages = self.database.rows(
            f"SELECT {rows.PAGE_COLUMNS} FROM pages WHERE content = ? ORDER BY number", (content,)
        )
        chunks = self.database.rows(
            "SELECT c.ordinal, c.spans, c.text, c.header, c.heading, c.tokens, e.vector FROM chunks c "
            "JOIN embeddings e ON e.id = c.embedding WHERE c.content = ? ORDER BY c.ordinal",
            (content,),
        )
        with self.database.readable_errors():
            stored = [rows.chunk_of(row[:-1]) for row in chunks]
            vectors = np.frombuffer(b"".join(row[-1] for row in chunks), dtype=np.float32)
            table = vectors.reshape(len(chunks), -1) if chunks else np.empty((0, 0), np.float32)
            return Document(source, tuple(map(rows.page_of, pages)), tuple(stored)), table

    def holds_anything(self) -> bool:
        """False for an index without a single visible content: then nothing derived from it is expected."""
        sql = f"SELECT EXISTS (SELECT 1 FROM contents c WHERE {VISIBLE.format('c')})"
        return bool(self.database.rows(sql, {"g": self.generation})[0][0])

    # -- what a search may answer from ----------------------------------------------------------------------

    def allowed(self, where: Filter) -> Allowed:
        """What the filter lets through, looked up once: a snapshot does not change."""
        found = self._allowed.get(where)
        if found is None:
            if len(self._allowed) >= FILTERS_KEPT:
                self._allowed.clear()  # whole, so that threads need no lock for an order of use
            found = self._allowed[where] = self._read_allowed(where)
        return found

    def _read_allowed(self, where: Filter) -> Allowed:
        condition, parameters = where.source_condition(self.database)
        found = self.database.rows(
            "SELECT c.id, c.first_chunk, c.last_chunk FROM sources s JOIN contents c ON c.id = s.content "
            f"WHERE {condition} AND {VISIBLE.format('s')} ORDER BY c.id",
            {**parameters, "g": self.generation},
        )
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        return Allowed(table[:, 0], table[:, 1:], where.first_page, where.last_page)

    def chunks_on_pages(self, allowed: Allowed) -> NDArray[np.int64]:
        """Ids of the allowed contents' chunks that touch the allowed pages."""
        first = allowed.first_page if allowed.first_page is not None else -(2**62)
        last = allowed.last_page if allowed.last_page is not None else 2**62
        found = self.database.rows(
            f"SELECT id FROM chunks WHERE {self.database.one_of('content', 'ids')} "
            "AND page <= :last AND page_end >= :first",
            {"ids": self.database.numbers(allowed.contents.tolist()), "first": first, "last": last},
        )
        return np.array(found, dtype=np.int64).reshape(-1)

    def hidden(self, base: int, stamp: int) -> Allowed:
        """Contents that a derived index with this base and stamp holds but this generation does not show.

        Such an index holds every content with `added <= stamp` that was not removed up to `base`.
        """
        found = self.database.rows(
            "SELECT id, first_chunk, last_chunk FROM contents WHERE added > :g AND added <= :stamp "
            "UNION SELECT id, first_chunk, last_chunk FROM contents WHERE removed > :base AND removed <= :g "
            "ORDER BY id",
            {"g": self.generation, "base": base, "stamp": stamp},
        )
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        return Allowed(table[:, 0], table[:, 1:])
