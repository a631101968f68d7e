"""Lines from tables whose cells span rows and columns: one line for each row, every cell in its column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.raw import Line, LineKind
from ingest.readers.text import marked
from rag.text.figures import is_figure, is_period

MOST_COLUMNS = 1_000
"""No office program shows a table of more in a document; a hostile file asks for millions."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell of a table with the rows and columns (from 0) that it takes."""

    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1
    name: str = ""
    """Its name in a sheet (`C14`)."""


def table_lines(cells: Iterable[GridCell], *, head_rows: int = 0) -> Iterator[Line]:
    """One line for each row that holds text.

    A cell over several rows is repeated in each, as the label of all of them. One over several columns is written
    once and stands for each of them, as a header does; a figure belongs to its first column alone. `head_rows` are
    rows at the top that are known to be headers.
    """
    texts: dict[int, dict[int, str]] = {}
    shown: dict[int, dict[int, str]] = {}
    names: dict[int, dict[int, str]] = {}
    for cell in cells:
        text = " ".join(cell.text.split())
        if not text or cell.column >= MOST_COLUMNS:
            continue
        wide = 1 if is_figure(text) and not is_period(text) else max(1, cell.columns)
        for row in range(cell.row, cell.row + min(max(1, cell.rows), MOST_COLUMNS)):
            shown.setdefault(row, {})[cell.column] = text
            names.setdefault(row, {})[cell.column] = cell.name
            for column in range(cell.column, min(cell.column + wide, MOST_COLUMNS)):
                texts.setdefault(row, {})[column] = text
    if not texts:
        return
    first = min(min(row) for row in texts.values())
    last = max(max(row) for row in texts.values())
    for row in sorted(texts):
        written = [shown[row][column] for column in sorted(shown[row])]
        line = marked(LineKind.ROW, " | ".join(written))
        line.cells = tuple(texts[row].get(column, "") for column in range(first, last + 1))
        line.head = row < head_rows
        if any(names[row].values()):
            line.names = tuple(names[row].get(column, "") for column in range(first, last + 1))
        yield line
