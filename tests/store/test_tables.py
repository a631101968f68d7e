"""Tables of pages are stored, copied and removed with their file; an index made before them has none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rag.store import IndexWriter, copy_index, open_index
from rag.types import Cell, Row, Table
from tests.kinds import BOTH_KINDS
from tests.store import corpus
from tests.store.corpus import document

KINDS = BOTH_KINDS
TABLE = Table(
    2, "수입 Income", "in millions", (("2019",), ("", "2018")),
    (Row(("Sales", "Net"), 0, 12, (Cell(0, "1,200", 4, 9, (1.5, 2.0, 3.0, 4.5)), Cell(1, "(3)", 9, 12))),),
    0, 12,
)  # fmt: skip


def put(writer: IndexWriter, *tables: Table) -> None:
    item = replace(document("a.pdf", ["one", "Net 1,200(3)"]), tables=tables)
    writer.put(item, corpus.vectors_of(item))


def test_tables_are_read_back_copied_and_replaced(new_location: Callable) -> None:
    first, second = new_location(), new_location()
    with open_index(first, create=corpus.spec()) as index:
        with index.writer() as writer:
            put(writer, TABLE)
        assert index.tables("a.pdf", 2) == [TABLE]
        assert index.tables("a.pdf", 1) == index.tables("b.pdf", 2) == []
        assert copy_index(first, second).same
        old = index.snapshot()
        with index.writer() as writer:
            put(writer)
        assert index.tables("a.pdf", 2) == []
        assert old.documents() == index.documents()
    with open_index(second) as copied:
        assert copied.tables("a.pdf", 2) == [TABLE]


def test_an_index_of_format_1_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    with open_index(tmp_path, create=corpus.spec()) as index, index.writer() as writer:
        put(writer, TABLE)
    connection = sqlite3.connect(tmp_path / "index.db")
    connection.executescript("DROP TABLE page_tables; PRAGMA user_version = 1;")
    connection.close()
    with open_index(tmp_path) as index:
        assert index.tables("a.pdf", 2) == []
        assert [page.text for page in index.pages("a.pdf")] == ["one", "Net 1,200(3)"]
        assert not index.verify()
        with index.writer() as writer:
            put(writer, TABLE)
        assert index.tables("a.pdf", 2) == [TABLE]
