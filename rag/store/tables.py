"""The form in which a table is kept and sent: lists of JSON, nothing that could run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.types import Cell, Row, Table


def table_form(table: Table) -> list[Any]:
    """A table as `[page, title, unit, columns, rows, start, end]`; `table_of` reads it."""
    rows = [
        [
            list(row.path), row.start, row.end, [_cell_form(cell) for cell in row.cells],
            *([row.name] if row.name else []),
        ]
        for row in table.rows
    ]  # fmt: skip
    columns = [list(path) for path in table.columns]
    return [table.page, table.title, table.unit, columns, rows, table.start, table.end]


def table_of(form: Sequence[Any]) -> Table:
    """From the form of `table_form`. Raises ValueError or TypeError for another one."""
    page, title, unit, columns, rows, start, end = form
    return Table(
        int(page),
        str(title),
        str(unit),
        tuple(tuple(map(str, path)) for path in columns),
        tuple(_row_of(row) for row in rows),
        int(start),
        int(end),
    )


def _cell_form(cell: Cell) -> list[Any]:
    box = None if cell.box is None else [round(edge, 1) for edge in cell.box]
    form = [cell.column, cell.text, cell.start, cell.end, box]
    return [*form, cell.name] if cell.name else form


def _row_of(form: Sequence[Any]) -> Row:
    path, start, end, cells, *name = form  # a row of a sheet has a name
    found = tuple(_cell_of(cell) for cell in cells)
    return Row(tuple(map(str, path)), int(start), int(end), found, "".join(map(str, name)))


def _cell_of(form: Sequence[Any]) -> Cell:
    column, text, start, end, edges, *name = form  # a cell of a sheet has a name
    box = None
    if edges is not None:
        left, bottom, right, top = map(float, edges)
        box = left, bottom, right, top
    return Cell(int(column), str(text), int(start), int(end), box, "".join(map(str, name)))
