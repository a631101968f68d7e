"""The pages and chunks as they stood at one generation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.store import rows
from rag.store.filters import STANDARD_FIELDS, Filter, unknown_field
from rag.store.ledger import Ledger
from rag.store.sql import Database
from rag.types import Document, Page, Passage, Source

FILTERS_KEPT = 16
"""Filters whose contents a snapshot remembers: a question asks each engine within the same one."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The part of the index that a search may answer from, as both engines want it."""

    contents: NDArray[np.int64]
    """Ids of the contents, ascending."""
    ranges: NDArray[np.int64]
    """First and last chunk id of each content, shape [n, 2]."""
    first_page: int | None = None
    last_page: int | None = None


class Snapshot:
    """What a reader at `generation` sees of the database. Every method answers from that generation alone."""

    def __init__(self, database: Database, generation: int) -> None:
        self.database = database
        self.generation = generation
        self.ledger = Ledger(database, generation)
        self._allowed: dict[Filter, Allowed] = {}

    # -- pages ----------------------------------------------------------------------------------------------

    def pages(self, file: str, number: int | None = None) -> list[Page]:
        """The stored pages of a file (or the one with `number`), in order."""
        one = "" if number is None else "AND number = :number"
        found = self.database.rows(
            f"SELECT {rows.PAGE_COLUMNS} FROM pages WHERE content = (SELECT content FROM sources s "
            f"WHERE s.file = :file AND {rows.VISIBLE.format('s')}) {one} ORDER BY number",
            {"g": self.generation, "file": rows.storable(file), "number": number},
        )
        with self.database.readable_errors():
            return [rows.page_of(row) for row in found]

    def files_of_contents(self, contents: Sequence[int]) -> dict[int, str]:
        """The file of each visible content."""
        found = self.database.rows(
            "SELECT s.content, s.file FROM sources s "
            f"WHERE {self.database.one_of('s.content', 'ids')} AND {rows.VISIBLE.format('s')}",
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
            # a chunk runs over a page's end only to finish a sentence: looking 3 pages back is ample, and
            # spares a walk through all earlier chunks of the file
            "AND c.page BETWEEN w.page - 3 AND w.page AND c.page_end >= w.page "
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
            f"SELECT {rows.SOURCE_COLUMNS}, s.content FROM sources s WHERE {rows.VISIBLE.format('s')} "
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
        sql = f"SELECT EXISTS (SELECT 1 FROM contents c WHERE {rows.VISIBLE.format('c')})"
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
        self._check_fields(where)
        condition, parameters = where.source_condition(self.database, self._documents_named(where))
        found = self.database.rows(
            "SELECT c.id, c.first_chunk, c.last_chunk FROM sources s JOIN contents c ON c.id = s.content "
            f"WHERE {condition} AND {rows.VISIBLE.format('s')} ORDER BY c.id",
            {**parameters, "g": self.generation},
        )
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        return Allowed(table[:, 0], table[:, 1:], where.first_page, where.last_page)

    def _documents_named(self, where: Filter) -> frozenset[str]:
        """The file patterns that are exact names of documents."""
        if not where.plain_names:
            return frozenset()
        found = self.database.rows(
            f"SELECT s.file FROM sources s WHERE {self.database.one_of_texts('s.file', 'names')} "
            f"AND {rows.VISIBLE.format('s')}",
            {"names": self.database.texts(where.plain_names), "g": self.generation},
        )
        return frozenset(row[0] for row in found)

    def _check_fields(self, where: Filter) -> None:
        """Raise UsageError for a metadata field that no document has: it is misspelt."""
        for key in (key for key, _ in where.metadata if key not in STANDARD_FIELDS):
            condition = f"{self.database.has_field('k')} AND {rows.VISIBLE.format('s')}"
            found = self.database.rows(
                f"SELECT 1 FROM sources s WHERE {condition} LIMIT 1", {"k": key, "g": self.generation}
            )
            if not found and self.holds_anything():
                raise unknown_field(key)

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
