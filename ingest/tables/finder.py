"""Finds the tables of a PDF page by the alignment of their figures, with or without rules.

A row of data has figures apart from its label. Rows that follow each other and whose figures stand in columns make a
table; the rows above it that stand over its columns are its headers. Prose, a table of contents and a list with
one number a line are no tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ingest.pdf.characters import PlacedLine
from ingest.raw import Line, LineKind, RawPage, RawTable
from ingest.tables.headers import header_paths, tiers
from ingest.tables.rows import Column, columns_of, label_edge, table_rows
from ingest.tables.segments import Positions, VisualRow, row_of, visual_rows
from rag.text.figures import UNITS, unit_in

_FIGURE_WORD = re.compile(rf"[-–—(△▲$€£¥₩]*\d[\d,.]*{UNITS}?[)%원명개x*†‡]*|[-–—]+|[)%]+")
_LONG_LINE = 14
"""Words of a line from which one figure at its end is no sign of a table."""
_AROUND = 9
"""Lines before such a line that may belong to its table; a label goes on for two lines after it at most."""
_PAGE_NUMBER = re.compile(r"[-–—]?\s?\d{1,4}\s?[-–—]?")
_SAME_EDGE = 3.0
"""Points by which the right edges of the figures of a column may differ."""
LEADERS = re.compile(r"(?:\.\s?){5,}|…{2,}|·{4,}")
_PROSE_WORDS = 9
"""A single segment of so many words, as wide as half the page, is prose."""
GAP_BELOW = 3.2
"""White space, in heights of a row, that ends a table."""
_BETWEEN = 4
"""Rows without figures (groups, wrapped labels) that may lie between two rows of data."""
_WRAPPED = 8
"""Lines of a label at most that lie between two parts of one table."""
_RUNNING_LINES = 3
"""Lines of a running header or footer that may lie between the parts of a table on two pages."""
_SAME_COLUMN = 8.0
"""Points by which the right edges of one column's figures differ on two pages."""
_HEADER_ROWS = 12
_TITLE = 220
"""Characters of a title at most: the end of the sentence that introduces the table."""
_HEADER_GAP = 2.6
"""White space, in heights of a row, up to which a row above belongs to the headers."""


def find_tables(lines: Sequence[PlacedLine], width: float, positions: Positions) -> list[RawTable]:
    """The tables among the lines of a page, in reading order. `width` of the page in points."""
    maybe = [i for i, placed in enumerate(lines) if placed.line.placed and _may_be_row(placed.line.text)]
    if len(maybe) < 2:
        return []
    near = {k for i in maybe for k in range(i - _AROUND, i + 3)}
    kept = [placed for i, placed in enumerate(lines) if i in near and placed.line.placed]
    rows = [row for group in visual_rows(kept) if (row := row_of(group, positions)).segments]
    if _is_page_number(rows, lines[-1]):
        rows.pop()
    tables: list[RawTable] = []
    before: list[Column] = []
    at = 0
    for first, last in _regions(rows, width):
        if first < at:
            continue
        columns = columns_of(rows[first:last])
        between = rows[at:first]
        if tables and _goes_on(before, columns, between, rows[first]):
            body = [*between, *rows[first:last]]
            tables[-1].rows += table_rows(body, before)
            mark_rows(body)
            at = last
            continue
        table = _table(rows, at, first, last, columns, width)
        if table is not None:
            tables.append(table)
            before, at = columns, last
    return tables


def _is_page_number(rows: Sequence[VisualRow], last: PlacedLine) -> bool:
    """Whether the last row is a lone number on the last line of the page under which no column of figures ends."""
    if not rows or rows[-1].lines != [last.line] or not _PAGE_NUMBER.fullmatch(rows[-1].text):
        return False
    edges = (segment.x1 for row in rows[:-1] for segment in row.segments if segment.figure)
    return all(abs(edge - rows[-1].x1) > _SAME_EDGE for edge in edges)


def carry_over(before: RawPage, page: RawPage) -> None:
    """Give the first table of a page what the last one of the page before says, when it is the rest of it.

    It is when nothing but running lines is between the two and its figures stand in the same columns: then one
    without column headers takes those, and one that repeats them the title and the unit.
    """
    if not before.tables or not page.tables:
        return
    last, first = before.tables[-1], page.tables[0]
    ends, begins = _box_of(last), _box_of(first)
    if ends is None or begins is None:
        return
    under = sum(line.placed and line.middle < ends[1] for line in before.lines)
    above = sum(line.placed and line.middle > begins[3] and line not in first.head for line in page.lines)
    if under > _RUNNING_LINES or above > _RUNNING_LINES or not _same_columns(last, first):
        return
    if not any(first.columns):
        first.columns = list(last.columns)
    if first.columns == last.columns:
        first.title, first.unit = last.title or first.title, first.unit or last.unit


def _box_of(table: RawTable) -> tuple[float, float, float, float] | None:
    """Left, bottom, right, top of the cells, None when their places are not known."""
    boxes = [cell.box for row in table.rows for cell in row.cells if cell.box is not None]
    if not boxes:
        return None
    left, bottom, right, top = zip(*boxes, strict=True)
    return min(left), min(bottom), max(right), max(top)


def _same_columns(table: RawTable, other: RawTable) -> bool:
    """Whether the columns of two tables are as many and stand at the same places, by the edges of their figures."""

    def edges(of: RawTable) -> dict[int, float]:
        cells = [cell for row in of.rows for cell in row.cells if cell.box is not None]
        return {
            cell.column: max(c.box[2] for c in cells if c.column == cell.column and c.box) for cell in cells
        }

    ours, theirs = edges(table), edges(other)
    same = ours.keys() == theirs.keys() and len(table.columns) == len(other.columns)
    return same and all(abs(ours[column] - theirs[column]) < _SAME_COLUMN for column in ours)


def _goes_on(
    before: Sequence[Column], columns: Sequence[Column], between: Sequence[VisualRow], first: VisualRow
) -> bool:
    """Whether rows without headers of their own stand in the columns of the table before them."""
    if not columns or len(columns) != len(before) or len(between) > _WRAPPED:
        return False
    over = any(segment.x1 > before[0].x0 for row in between for segment in row.segments)
    if over or any(breaks(a, b, GAP_BELOW) for a, b in pairwise([*between, first])):
        return False
    return all(min(a.x1, b.x1) > max(a.x0, b.x0) for a, b in zip(before, columns, strict=True))


def mark_rows(rows: Sequence[VisualRow]) -> None:
    """Tell cleaning that these lines are a table's, so that none is joined with another."""
    for line in (line for row in rows for line in row.lines):
        line.mark = LineKind.ROW


def _may_be_row(text: str) -> bool:
    """Whether a line ends in a figure: a page without two of them has no table and is not measured."""
    words = text.split()
    if not words or not _FIGURE_WORD.fullmatch(words[-1]):
        return False
    return len(words) < _LONG_LINE or _FIGURE_WORD.fullmatch(words[-2]) is not None


def is_data(row: VisualRow) -> bool:
    """Whether a row has a figure apart from its label, and not only years as headers have."""
    figures = [segment for segment in row.segments if segment.figure and not segment.period]
    return bool(figures) and (len(row.segments) > 1 or row.segments[0].x0 > 0)


def _is_prose(row: VisualRow, width: float) -> bool:
    longest = max(row.segments, key=lambda segment: segment.x1 - segment.x0)
    words = len(longest.text.split())
    return words >= _PROSE_WORDS and longest.x1 - longest.x0 > 0.5 * width


def breaks(above: VisualRow, row: VisualRow, most: float) -> bool:
    """Whether white space or another column of the page lies between two rows."""
    step = above.middle - row.middle
    return step <= 0 or step > most * max(above.height, row.height, 6.0)


def _regions(rows: Sequence[VisualRow], width: float) -> list[tuple[int, int]]:
    """Ranges of rows (end exclusive) that begin and end with data."""
    regions: list[tuple[int, int]] = []
    first = last = -1
    for i, row in enumerate(rows):
        broken = i > 0 and breaks(rows[i - 1], row, GAP_BELOW)
        heads = _is_header(row) and first >= 0 and last > first - 1
        if first >= 0 and (broken or _is_prose(row, width) or i - last > _BETWEEN or heads):
            regions.append((first, last + 1))
            first = -1
        if is_data(row) and not _is_prose(row, width):
            first = i if first < 0 else first
            last = i
    if first >= 0:
        regions.append((first, last + 1))
    return [region for region in regions if not _is_contents(rows[region[0] : region[1]])]


def _is_header(row: VisualRow) -> bool:
    """Whether a row holds two or more periods and no other figure: the headers of a table."""
    periods = sum(segment.period for segment in row.segments)
    others = sum(segment.figure and not segment.period for segment in row.segments)
    return (
        periods >= 2
        and not others
        and not (row.segments[0].period is False and len(row.segments) > periods + 1)
    )


def _is_contents(rows: Sequence[VisualRow]) -> bool:
    """Whether these are lines with page numbers: dot leaders, or one rising plain number at the end of each."""
    leaders = sum(bool(LEADERS.search(row.text)) for row in rows)
    if leaders >= max(2, len(rows) // 3):
        return True
    ends = [row.segments[-1].text for row in rows if len(row.segments) == 2 and row.segments[-1].figure]
    if len(ends) < max(4, 0.7 * len(rows)) or not all(end.isdecimal() and len(end) <= 3 for end in ends):
        return False
    return all(int(a) <= int(b) for a, b in pairwise(ends))


def _table(
    rows: Sequence[VisualRow],
    floor: int,
    first: int,
    last: int,
    columns: Sequence[Column],
    width: float,
) -> RawTable | None:
    """The table whose data are rows `first` to `last`, with what belongs to it above; None when it is none."""
    body = list(rows[first:last])
    if not _aligned(body, columns):
        return None
    ends = [row.segments[0].x1 for row in body if row.segments[0].x1 < columns[0].x0]
    left = max(ends, default=columns[0].low)  # where the labels end: what is right of it is over the columns
    begin = _header_start(rows, floor, first, columns, left, width)
    heads, groups = _divided(rows[begin:first], body, columns, left)
    heads = tiers(heads)
    if len(body) == 1 and not (heads and len(columns) >= 2):
        return None
    title = title_above(rows[:begin], rows[begin] if begin < last else None)
    corner = " ".join(
        segment.text for row in heads for segment in row.segments if segment.x1 <= columns[0].x0
    )
    paths = header_paths(heads, columns, left)
    units = (unit_in(text) for text in (corner, *(row.text for row in heads), title))
    unit = next((unit for unit in units if unit), "")
    lines: list[Line] = [line for row in heads for line in row.lines]
    found = table_rows([*groups, *body], columns)
    mark_rows(rows[begin:last])
    return RawTable(title, unit, paths, found, lines)


def _aligned(body: Sequence[VisualRow], columns: Sequence[Column]) -> bool:
    """Whether the figures of a region stand in columns as those of a table do."""
    if not columns:
        return False
    full = [column for column in columns if column.count >= 2]
    if len(columns) >= 2 and (full or len(body) == 1):
        return True
    return len(columns) == 1 and columns[0].count >= 2


def _header_start(
    rows: Sequence[VisualRow],
    floor: int,
    first: int,
    columns: Sequence[Column],
    left: float,
    width: float,
) -> int:
    """Index of the topmost row that belongs to the table whose first row of data is `first`."""
    begin = first
    for i in range(first - 1, max(floor, first - _HEADER_ROWS) - 1, -1):
        row = rows[i]
        if _is_prose(row, width) or (
            not _jumps(row, rows[i + 1], rows[first]) and breaks(row, rows[i + 1], _HEADER_GAP)
        ):
            break
        over = any(left < segment.centre < columns[-1].x1 + 20 for segment in row.segments)
        if over and not (len(row.segments) == 1 and row.words > _PROSE_WORDS):
            begin = i
        higher = (r.segments for r in rows[max(floor, i - 2) : i] if len(r.segments) > 1)
        if begin < first and not over and not any(s.centre > left for segments in higher for s in segments):
            break
    return begin


def _jumps(row: VisualRow, following: VisualRow, data: VisualRow) -> bool:
    """Whether the reading order goes up again after a row, as between the wrapped headers of a table's cells."""
    height = max(row.height, 6.0)
    return (
        row.middle <= following.middle and 0.5 * height < row.middle - data.middle < _HEADER_ROWS / 2 * height
    )


def _divided(
    above: Sequence[VisualRow], body: Sequence[VisualRow], columns: Sequence[Column], left: float
) -> tuple[list[VisualRow], list[VisualRow]]:
    """The rows above the data as headers of columns, and as groups of rows that follow the headers."""
    last = -1
    labels = label_edge(body)
    for i, row in enumerate(above):
        alone = len(row.segments) == 1
        group = alone and (row.text.endswith((":", "：")) or (row.x0 <= labels and row.x1 < columns[-1].x0))
        if not group and any(s.centre > left or s.x1 > columns[0].x0 for s in row.segments):
            last = i
    heads, groups = list(above[: last + 1]), list(above[last + 1 :])
    return heads, [row for row in groups if not unit_in(row.text)]


def title_above(above: Sequence[VisualRow], top: VisualRow | None) -> str:
    """The lines just above a table: a caption or heading, or the last sentence of a paragraph."""
    lines: list[str] = []
    following = top
    for row in reversed(above[-4:]):
        if following is not None and (row.middle <= following.middle or breaks(row, following, 4.0)):
            break
        if lines and (following is None or breaks(row, following, 1.6)):
            break
        lines.insert(0, row.text)
        following = row
        if len(" ".join(lines)) > _TITLE:
            break
    text = " ".join(lines)
    if len(text) <= _TITLE:
        return text
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return sentences[-1][-_TITLE:]
