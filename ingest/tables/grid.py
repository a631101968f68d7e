"""Tables of formats that say where their cells are: HTML, Markdown, CSV and office files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.raw import Line, RawCell, RawRow, RawTable
from ingest.tables.headers import is_unit_alone
from ingest.tables.rows import tidy
from rag.text.figures import is_figure, is_period, unit_in

_HEADER_ROWS = 3
"""Rows at most that are taken for headers where the format does not mark them."""
_TITLE = 220
"""Characters of the line above a table that are its title at most."""


def grid_tables(lines: Sequence[Line]) -> list[RawTable]:
    """The tables among the lines of a page, each with the line above it as its title.

    A line that only says the unit may stand between the two.
    """
    tables: dict[object, list[Line]] = {}
    captions: dict[object, tuple[str, str]] = {}
    title = unit = ""
    for line in lines:
        if line.cells:
            tables.setdefault(line.table, []).append(line)
            captions.setdefault(line.table, (title[-_TITLE:], unit))
            title = unit = ""
        elif is_unit_alone(line.text):
            unit = unit_in(line.text)
        else:
            title, unit = line.text, ""
    found = (grid_table(rows, *captions[shared]) for shared, rows in tables.items())
    return [table for table in found if table is not None]


def grid_table(lines: Sequence[Line], title: str, unit: str) -> RawTable | None:
    """The table that lines with cells make, with its title and the unit that was said; None when it has no cell."""
    width = max(len(line.cells) for line in lines)
    rows = [(*line.cells, *[""] * (width - len(line.cells))) for line in lines]
    heads = _heads(lines, rows)
    if width < 2 or heads == len(rows):
        return None
    labels = _label_columns(rows[heads:], width)
    columns = [
        tuple(dict.fromkeys(text for row in rows[:heads] if (text := row[column])))
        for column in range(labels, width)
    ]
    corner = " ".join(text for row in rows[:heads] for text in row[:labels])
    names = " ".join(text for path in columns for text in path)
    unit = unit_in(corner) or unit_in(names) or unit or unit_in(title)
    body = list(_rows(lines[heads:], rows[heads:], labels))
    return RawTable(title, unit, columns, body, list(lines[:heads])) if body else None


def _heads(lines: Sequence[Line], rows: Sequence[tuple[str, ...]]) -> int:
    """How many rows at the top are headers: those that are marked, else the first when it has no figure.

    Further ones without figures are headers when they have no label of their own. Pairs of a name and what it stands
    for have none, unless most of what the names stand for are figures.
    """
    marked = next((i for i, line in enumerate(lines) if not line.head), len(lines))
    if marked:
        return marked
    figures = [any(is_figure(text) and not is_period(text) for text in row[1:]) for row in rows]
    if figures[0] or (len(rows[0]) == 2 and sum(figures) <= len(rows) / 2):
        return 0
    heads = 1
    for above, row, has_figure in zip(rows, rows[1:_HEADER_ROWS], figures[1:], strict=False):
        if has_figure or row[0] not in ("", above[0]):
            break
        heads += 1
    return heads


def _label_columns(rows: Sequence[tuple[str, ...]], width: int) -> int:
    """How many columns at the left are labels.

    The first alone when it names every row differently and does not just number them, or when no other column holds a
    figure; else also those after it that hold none.
    """
    held = [any(is_figure(row[column]) for row in rows) for column in range(width)]
    names = {row[0] for row in rows}
    if not any(held[1:]) or (not held[0] and "" not in names and len(names) == len(rows)):
        return 1
    return max(1, held.index(True, 1))


def _rows(lines: Sequence[Line], rows: Sequence[tuple[str, ...]], labels: int) -> Iterator[RawRow]:
    group = ""
    for line, row in zip(lines, rows, strict=True):
        path = tuple(dict.fromkeys(tidy(text) for text in row[:labels] if text))
        names = (*line.names, *[""] * (len(row) - len(line.names)))
        cells = [
            RawCell(line, text, column - labels, name=names[column])
            for column, text in enumerate(row)
            if text and column >= labels
        ]
        if not cells:
            group = path[0] if path else group
            continue
        name = next(filter(None, line.names), "")
        yield RawRow([line], (*([group] if group else []), *path), cells, name)


def named_rows(lines: Sequence[Line]) -> list[RawTable]:
    """A table whose every line names its columns (`name: value; ...`), as CSV files are read; the first labels it."""
    if not lines:
        return []
    names = list(dict.fromkeys(name for line in lines for name, _ in line.named))
    columns = names[1:]
    rows: list[RawRow] = []
    for line in lines:
        label = next((value for name, value in line.named if name == names[0]), "")
        cells = [RawCell(line, value, columns.index(name)) for name, value in line.named if name in columns]
        if cells:
            rows.append(RawRow([line], (label,) if label else (), cells))
    unit = next((unit for name in names if (unit := unit_in(name))), "")
    return [RawTable("", unit, [(name,) for name in columns], rows)] if columns and rows else []
