"""Lays text without coordinates out as pages of lines, so that cleaning treats it like any other.

Tables become one line for each row, every cell in its column, whatever rows and columns their cells span.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.raw import Line, LineKind, RawPage
from ingest.tables.grid import grid_tables, named_rows
from rag.text.figures import is_figure, is_period

_ADVANCE, _SIZE, _LEADING = 6.0, 10.0, 12.0  # a typewriter's page, in points
_PAGE_CHARACTERS = 8_000
"""Formats without pages get one page, or several of about this length when they are longer."""


def typed_lines(text: str) -> list[Line]:
    """The lines of a plain text file, placed as a typewriter would: empty lines leave a gap."""
    lines: list[Line] = []
    rows = text.splitlines()
    for row, content in enumerate(rows):
        words = content.strip()
        if not words:
            continue
        y = (len(rows) - row) * _LEADING
        x = _width(content[: len(content) - len(content.lstrip())].expandtabs(4))
        lines.append(Line(words, x, x + max(_ADVANCE, _width(words)), y, y + _SIZE, size=_SIZE))
    return lines


def marked(mark: LineKind, text: str) -> Line:
    """A line that a format has named."""
    return Line(" ".join(text.split()), mark=mark)


def paginate(lines: Sequence[Line]) -> list[RawPage]:
    """Pages of whole lines; a page ends before a heading or after a paragraph where it can."""
    pages: list[RawPage] = []
    current: list[Line] = []
    length = 0
    for line in lines:
        long_enough = length >= _PAGE_CHARACTERS
        heading = line.mark is LineKind.HEADING and length >= 0.6 * _PAGE_CHARACTERS
        if current and (
            heading or (long_enough and _may_end(current[-1], line)) or length > 2 * _PAGE_CHARACTERS
        ):
            pages.append(page_of(len(pages) + 1, current))
            current, length = [], 0
        current.append(line)
        length += len(line.text)
    if current:
        pages.append(page_of(len(pages) + 1, current))
    return pages


def _may_end(last: Line, following: Line) -> bool:
    if last.mark is not LineKind.UNKNOWN:
        return last.mark is not LineKind.HEADING
    return last.y0 - following.y1 > 0.5 * _LEADING


def page_of(number: int, lines: list[Line]) -> RawPage:
    """A page of these lines, with the tables that their cells make."""
    tables = grid_tables(lines) + named_rows([line for line in lines if line.named])
    return RawPage(number, lines, characters=sum(len(line.text) for line in lines), tables=tables)


def margin_lines(lines: Iterable[Line], seen: set[str]) -> Iterator[Line]:
    """The lines of headers and footers that say something and were not `seen` before: each is read once."""
    for line in lines:
        if line.text not in seen and any(map(str.isalpha, line.text)):  # a page number alone says nothing
            seen.add(line.text)
            line.mark = LineKind.PARAGRAPH if line.mark is LineKind.HEADING else line.mark
            yield line


def _width(text: str) -> float:
    """East Asian letters are two columns wide."""
    if text.isascii():
        return _ADVANCE * len(text)
    return _ADVANCE * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


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
    table = object()
    first = min(min(row) for row in texts.values())
    last = max(max(row) for row in texts.values())
    for row in sorted(texts):
        written = [shown[row][column] for column in sorted(shown[row])]
        line = marked(LineKind.ROW, " | ".join(written))
        line.cells = tuple(texts[row].get(column, "") for column in range(first, last + 1))
        line.head, line.table = row < head_rows, table
        if any(names[row].values()):
            line.names = tuple(names[row].get(column, "") for column in range(first, last + 1))
        yield line
