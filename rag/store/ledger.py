"""The ledger as it stood at one generation: every file that was given, and what became of its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag.store import rows
from rag.store.sql import Database
from rag.types import DocumentRecord, Status


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """A file with what became of its pages."""

    source: DocumentRecord
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


class Ledger:
    """What a reader at `generation` sees of the files."""

    def __init__(self, database: Database, generation: int) -> None:
        self.database = database
        self.generation = generation

    def source(self, file: str) -> DocumentRecord | None:
        """The ledger's row of a file, or None."""
        found = self._sources("s.file = :file", {"file": rows.storable(file)})
        return found[0] if found else None

    def sources(self) -> list[DocumentRecord]:
        """All rows of the ledger, by file name."""
        return self._sources("1 = 1", {})

    def _sources(self, condition: str, parameters: Mapping[str, Any]) -> list[DocumentRecord]:
        sql = (
            f"SELECT {rows.SOURCE_COLUMNS} FROM sources s "
            f"WHERE {condition} AND {rows.VISIBLE.format('s')} ORDER BY file"
        )
        found = self.database.rows(sql, {**parameters, "g": self.generation})
        with self.database.readable_errors():
            return [rows.source_of(row) for row in found]

    def entries(self) -> list[DocumentStatus]:
        """All files with the counts of their pages and chunks, by file name."""
        found = self.database.rows(
            f"SELECT {rows.SOURCE_COLUMNS}, coalesce(c.pages, 0), coalesce(c.searchable_pages, 0), "
            "coalesce(c.chunks, 0) FROM sources s LEFT JOIN contents c ON c.id = s.content "
            f"WHERE {rows.VISIBLE.format('s')} ORDER BY file",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            return [DocumentStatus(rows.source_of(row[:-3]), *row[-3:]) for row in found]

    def page_problems(self) -> list[PageProblem]:
        """The pages with another status than ok or with a reason, by file name and number."""
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

    def totals(self) -> Totals:
        """Files by status, pages, searchable pages and chunks."""
        found = self.database.rows(
            "SELECT s.status, count(*), sum(c.pages), sum(c.searchable_pages), sum(c.chunks) FROM sources s "
            f"LEFT JOIN contents c ON c.id = s.content WHERE {rows.VISIBLE.format('s')} GROUP BY s.status",
            {"g": self.generation},
        )
        with self.database.readable_errors():
            files = {Status(row[0]): int(row[1]) for row in found}
        pages, searchable, chunks = (sum(row[column] or 0 for row in found) for column in (2, 3, 4))
        return Totals(files, pages, searchable, chunks)
