"""Finds the tables of words of a PDF page by the white gutters between their columns.

A table of figures is found by its figures (`finder`). The rows of one of words have pieces of text far apart, and all
of them leave the same gutters white. Lists with bullets or numbers, contents and prose in two columns are no tables.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from ingest.pdf.characters import PlacedLine
from ingest.pdf.objects import Box
from ingest.raw import APART, Line, LineKind, RawCell, RawRow, RawTable
from ingest.tables.finder import GAP_BELOW, LEADERS, breaks, mark_rows, title_above
from ingest.tables.grid import grid_table
from ingest.tables.segments import GAP, Positions, Segment, VisualRow, row_of, visual_rows
from rag.text.figures import is_figure

_FULL = 3
"""Rows with text in two columns or more that a table has at least."""
_MOST = 300
"""Rows that are looked at from each on at most: no page of paper has more."""
_GUTTER = 5.0
"""Points that a gutter is wide at least."""
_NATURAL = 0.52
"""Share of the type size that a letter takes on average where no gap is; East Asian letters take all of it."""
_NARROWER = 0.85
"""Share of the usual step between rows from which on a line belongs to the row above: a wrapped cell."""
_PROSE_WORDS = 6
"""Words of a line, in the median, from which columns are those of prose."""
_MARKER = re.compile(
    r"[-•·●○▪■◦–—*]|\[?\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4}|[가-하])[.)\]-]{0,2}|[①-⑳]|제\s?\d+조"
)
_DIGIT = re.compile(r"\d")
_PAGE = re.compile(r"\d{1,4}|[ivxlc]{1,6}")

Span = tuple[float, float]


@dataclass(slots=True)
class _TableRow:
    """A row of a table: its lines, and by column the pieces of text that its cell is written in."""

    lines: list[Line] = field(default_factory=list)
    cells: dict[int, list[Segment]] = field(default_factory=dict)

    def text(self, column: int) -> str:
        return " ".join(segment.text for segment in self.cells.get(column, ()))


def find_word_tables(lines: Sequence[PlacedLine], positions: Positions) -> list[RawTable]:
    """The tables of words among the lines of a page that are in no table yet, in reading order."""
    rows: list[VisualRow] = []
    for group in visual_rows([placed for placed in lines if placed.line.placed]):
        rows.append(_row(group, rows[-1] if rows else None, positions))
    tables: list[RawTable] = []
    at = floor = 0
    while at < len(rows):
        end, gutters = _region(rows, at)
        table = _table(rows[floor:at], rows[at:end], gutters) if gutters else None
        if table is not None:
            tables.append(table)
            mark_rows(rows[at:end])
            floor = end
        at = end if table is not None else at + 1
    return tables


def set_cells_apart(of_words: Sequence[RawTable], of_figures: Sequence[RawTable]) -> None:
    """Put more space between the cells of tables whose rows end in words: nothing else tells them apart."""
    for table in (*of_words, *filter(_ends_in_words, of_figures)):
        names = [path[-1] for path in reversed(table.columns) if path]
        for line in table.head:
            _set_apart(line, names)
        for row in table.rows:
            for line in row.lines:
                _set_apart(line, [cell.text for cell in reversed(row.cells) if cell.line is line])


def _ends_in_words(table: RawTable) -> bool:
    return any(row.cells and not is_figure(row.cells[-1].text) for row in table.rows)


def _set_apart(line: Line, cells: Sequence[str]) -> None:
    """Set the cells of a line apart, from the right; one that goes on in the next line by its beginning."""
    end = len(line.text)
    for cell in cells:
        words = cell.split()
        places = (line.text.rfind(" ".join(words[:count]), 0, end) for count in range(len(words), 0, -1))
        at = next((place for place in places if place > 0), 0)
        if at:
            line.text = f"{line.text[:at].rstrip()}{APART}{line.text[at:]}"
            end = at


def _row(group: Sequence[PlacedLine], above: VisualRow | None, positions: Positions) -> VisualRow:
    """A row of the page; gaps are measured only where its width leaves room for one, and below a row with gaps."""
    lines = [placed.line for placed in group]
    if any(line.mark is LineKind.ROW for line in lines):
        return VisualRow(lines)
    if len(group) > 1 or (above and len(above.segments) > 1) or _is_stretched(lines[0]):
        row = row_of(group, positions, closely=True)
        if row.segments:
            return row
    return VisualRow(lines, [Segment(line, line.text, line.x0, line.x1) for line in lines])


def _is_stretched(line: Line) -> bool:
    size = max(4.0, line.size or line.y1 - line.y0)
    wide = 0 if line.text.isascii() else sum(unicodedata.east_asian_width(c) in "WF" for c in line.text)
    return line.x1 - line.x0 > size * (wide + _NATURAL * (len(line.text) - wide) + GAP)


def _region(rows: Sequence[VisualRow], first: int) -> tuple[int, list[Span]]:
    """Where the rows end (exclusive) that leave gutters white from row `first` on, and the gutters; none at prose."""
    if not rows[first].segments:
        return first + 1, []
    white, left, right = _white(rows[first]), rows[first].x0, rows[first].x1
    gutters = _between(white, left, right)
    last = first
    for above, row in pairwise(rows[first : first + _MOST]):
        if not gutters or not row.segments or breaks(above, row, GAP_BELOW):
            break
        left, right = min(left, row.x0), max(right, row.x1)
        white = [
            span for a in white for b in _white(row) if _wide(span := (max(a[0], b[0]), min(a[1], b[1])))
        ]
        kept = _between(white, left, right)
        if len(kept) < len(gutters):
            break
        gutters, last = kept, last + 1
    while last > first and len(rows[last].segments) == 1 and rows[last].x0 < gutters[0][0]:
        last -= 1  # a heading or the end of a paragraph below
    return last + 1, gutters


def _white(row: VisualRow) -> list[Span]:
    """The spans of a row, from one end of the world to the other, that no text is in."""
    ends = [float("-inf"), *(segment.x1 for segment in row.segments)]
    starts = [*(segment.x0 for segment in row.segments), float("inf")]
    return [span for span in zip(ends, starts, strict=True) if _wide(span)]


def _wide(span: Span) -> bool:
    return span[1] - span[0] >= _GUTTER


def _between(white: Sequence[Span], left: float, right: float) -> list[Span]:
    return [(a, b) for a, b in white if left < a and b < right]


def _table(above: Sequence[VisualRow], rows: Sequence[VisualRow], gutters: Sequence[Span]) -> RawTable | None:
    """The table of these rows; None when they are none."""
    full = [row for row in rows if len(row.segments) > 1]
    if len(full) < max(_FULL, len(rows) / 2):
        return None
    found = _rows(rows, gutters)
    if len(found) < _FULL or _is_list(found) or _is_prose(full, len(gutters) + 1):
        return None
    width = len(gutters) + 1
    lines = [Line("", cells=tuple(row.text(column) for column in range(width))) for row in found]
    if _is_head(found):
        lines[0].head = True
    else:  # as the pairs of a name and what it stands for
        lines.insert(0, Line("", cells=("",) * width, head=True))
    table = grid_table(lines, title_above(above, rows[0]), "")
    if table is None:
        return None
    places = {id(line): row for line, row in zip(lines[-len(found) :], found, strict=True)}
    labels = width - len(table.columns)
    table.head = [line for head in table.head if id(head) in places for line in places[id(head)].lines]
    table.rows = [_placed(row, places[id(row.lines[0])], labels) for row in table.rows]
    return table if all(row.cells for row in table.rows) else None  # else a row could not be quoted


def _rows(rows: Sequence[VisualRow], gutters: Sequence[Span]) -> list[_TableRow]:
    """The rows of the table: a cell may be written on several lines."""
    starts = [row for row in rows if row.x0 < gutters[0][0]]
    steps = [above.middle - row.middle for above, row in pairwise(starts)]
    usual = median(steps) if steps else 0.0
    found: list[_TableRow] = []
    for i, row in enumerate(rows):
        wrapped = i > 0 and (
            row.x0 > gutters[0][0]
            or rows[i - 1].middle - row.middle < _NARROWER * usual
            or (row.text[:1].islower() and not found[-1].text(0)[:1].islower())
        )
        if not wrapped:
            found.append(_TableRow())
        found[-1].lines += row.lines
        for segment in row.segments:
            column = sum(segment.centre > span[0] for span in gutters)
            found[-1].cells.setdefault(column, []).append(segment)
    return found


def _is_head(rows: Sequence[_TableRow]) -> bool:
    """Whether the first row names the columns: it alone is bold, or it has no figure and most others have some."""
    bold = [all(line.bold for line in row.lines) for row in rows]
    figures = [any(_DIGIT.search(line.text) for line in row.lines) for row in rows]
    return (bold[0] and not all(bold)) or (not figures[0] and sum(figures) > len(rows) / 2)


def _is_list(rows: Sequence[_TableRow]) -> bool:
    """Whether these are the items of a list, or lines with the pages where they lead to."""
    markers = sum(_MARKER.fullmatch(row.text(0)) is not None for row in rows)
    last = max(column for row in rows for column in row.cells)
    pages = sum(_PAGE.fullmatch(row.text(last)) is not None for row in rows) if last == 1 else 0
    leaders = any(LEADERS.search(row.text(column)) for row in rows for column in row.cells)
    return leaders or max(markers, pages) > len(rows) / 2


def _is_prose(rows: Sequence[VisualRow], columns: int) -> bool:
    """Whether every column has lines as long as those of prose."""
    words = [[len(s.text.split()) for s in row.segments] for row in rows if len(row.segments) == columns]
    return bool(words) and min(median(counts) for counts in zip(*words, strict=True)) >= _PROSE_WORDS


def _placed(row: RawRow, own: _TableRow, labels: int) -> RawRow:
    """The row with its lines and the cells that can be quoted: those whose text is in one place."""
    return RawRow(own.lines, row.path, [c for cell in row.cells for c in _cell(cell, own, labels)])


def _cell(cell: RawCell, own: _TableRow, labels: int) -> Iterator[RawCell]:
    column = cell.column + labels
    pieces = own.cells[column]
    wrapped = {id(piece.line) for piece in pieces[1:]}
    beside = any(id(s.line) in wrapped for c, held in own.cells.items() if c != column for s in held)
    after = any(s.line is pieces[0].line and s.x0 > pieces[0].x1 for held in own.cells.values() for s in held)
    if len(pieces) == 1 or not (beside or after):
        low, high = (min(p.line.y0 for p in pieces), max(p.line.y1 for p in pieces))
        box: Box = (min(p.x0 for p in pieces), low, max(p.x1 for p in pieces), high)
        yield RawCell(pieces[0].line, cell.text, cell.column, box, through=pieces[-1].line)
