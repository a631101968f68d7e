"""Gives the tables of a page their place in its cleaned text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ingest.raw import RawRow, RawTable
from rag.types import Cell, Row, Table

Range = tuple[int, int]


def placed_tables(
    tables: Sequence[RawTable], page: int, text: str, places: Mapping[int, Range]
) -> tuple[Table, ...]:
    """The tables whose rows are in the page's text. `places` has the range of each line there, by the line's id.

    A table of which cleaning left nothing (a running header, lines that another reader gave) is dropped.
    """
    found: list[Table] = []
    for table in tables:
        rows = [row for raw in table.rows if (row := _row(raw, text, places)) is not None]
        if not rows:
            continue
        heads = [places[id(line)] for line in table.head if id(line) in places]
        start = min(row.start for row in rows)
        start = min([start, *(first for first, _ in heads if first < start)])
        end = max(row.end for row in rows)
        columns = tuple(tuple(path) for path in table.columns)
        found.append(Table(page, table.title, table.unit, columns, tuple(rows), start, end))
    return tuple(found)


def _row(raw: RawRow, text: str, places: Mapping[int, Range]) -> Row | None:
    ranges = [places[id(line)] for line in raw.lines if id(line) in places]
    if not ranges:
        return None
    cells: list[Cell] = []
    cursors: dict[int, int] = {}
    for cell in raw.cells:
        place = places.get(id(cell.line))
        if place is None:
            continue
        match = _find(cell.text, text, cursors.get(id(cell.line), place[0]), place[1])
        if match is not None:
            cursors[id(cell.line)] = match[1]
            cells.append(Cell(cell.column, cell.text, *match, cell.box))
    start, end = min(a for a, _ in ranges), max(b for _, b in ranges)
    return Row(raw.path, start, end, tuple(cells)) if cells else None


def _find(words: str, text: str, start: int, end: int) -> Range | None:
    """Where the words of a cell are in a line of the text, whatever white space is between them."""
    at = text.find(words, start, end)
    if at >= 0:
        return at, at + len(words)
    pattern = re.compile(r"\s*".join(map(re.escape, words.split())))
    match = pattern.search(text, start, end)
    return match.span() if match else None
