"""The columns and rows of a region of a page: where figures stand, and what labels them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.raw import RawCell, RawRow
from ingest.tables.segments import Segment, VisualRow
from rag.types import Table

_LABEL_SLACK = 22.0
"""Points right of the leftmost label up to which a figure is a label itself (a year, a number of a note)."""
_SPILL = 4.0
"""Points by which figures of neighbouring columns may seem to overlap: brackets and signs hang over."""


@dataclass(slots=True)
class Column:
    """A column of figures from `x0` to `x1` in points; `low` and `high` are halfway to its neighbours."""

    x0: float
    x1: float
    count: int = 0
    low: float = 0.0
    high: float = 0.0
    members: list[Segment] = field(default_factory=list)

    @property
    def centre(self) -> float:
        return (self.x0 + self.x1) / 2


def label_edge(body: Sequence[VisualRow]) -> float:
    """x in points up to which a row's first segment begins when it is its label."""
    texts = [row.x0 for row in body if not row.segments[0].figure]
    if texts:
        return min(texts) + _LABEL_SLACK
    starts = sorted(row.x0 for row in body)
    firsts = [row.segments[0] for row in body if row.x0 <= starts[0] + _LABEL_SLACK]
    labelled = firsts and all(segment.period for segment in firsts)
    return starts[0] + _LABEL_SLACK if labelled else starts[0] - 1.0


def columns_of(body: Sequence[VisualRow]) -> list[Column]:
    """The columns in which the figures of the rows stand, from left to right."""
    edge = label_edge(body)
    figures = [
        segment
        for row in body
        for place, segment in enumerate(row.segments)
        if segment.figure and (place > 0 or segment.x0 > edge)
    ]
    columns: list[Column] = []
    for segment in sorted(figures, key=lambda segment: segment.x1):
        column = next((c for c in columns if _fits(segment, c)), None)
        if column is None:
            column = Column(segment.x0, segment.x1)
            columns.append(column)
        column.x0, column.x1 = min(column.x0, segment.x0), max(column.x1, segment.x1)
        column.count += 1
        column.members.append(segment)
    columns.sort(key=lambda column: column.centre)
    return _bounded(_merged(columns))


def _fits(segment: Segment, column: Column) -> bool:
    narrower = min(segment.x1 - segment.x0, column.x1 - column.x0)
    return min(segment.x1, column.x1) - max(segment.x0, column.x0) > min(_SPILL, 0.5 * narrower)


def _merged(columns: list[Column]) -> list[Column]:
    """Columns that overlap after all made one, unless a row has a figure in each."""
    merged: list[Column] = []
    for column in columns:
        before = merged[-1] if merged else None
        lines = {id(segment.line) for segment in before.members} if before else set()
        if (
            before is not None
            and before.x1 - column.x0 > _SPILL
            and not lines & {id(s.line) for s in column.members}
        ):
            before.x0, before.x1 = min(before.x0, column.x0), max(before.x1, column.x1)
            before.count += column.count
            before.members += column.members
        else:
            merged.append(column)
    return merged


def _bounded(columns: list[Column]) -> list[Column]:
    for place, column in enumerate(columns):
        before = columns[place - 1] if place else None
        after = columns[place + 1] if place + 1 < len(columns) else None
        column.low = (before.x1 + column.x0) / 2 if before else column.x0 - 40.0
        column.high = (column.x1 + after.x0) / 2 if after else column.x1 + 40.0
    return columns


def column_at(columns: Sequence[Column], segment: Segment) -> int | None:
    """Index of the column that a segment stands in, or None."""
    best = max(range(len(columns)), key=lambda i: _overlap(columns[i], segment), default=None)
    if best is not None and _overlap(columns[best], segment) > 0:
        return best
    return next((i for i, c in enumerate(columns) if c.low <= segment.centre <= c.high), None)


def _overlap(column: Column, segment: Segment) -> float:
    return min(column.x1, segment.x1) - max(column.x0, segment.x0)


# -- rows: labels, groups and values ----------------------------------------------------------------------


_NOTE = re.compile(r"(?<=\S)\s?(?:\((?:\d{1,2}|[a-z])\)|[*†‡§¹²³])+$|(?<=[a-z]{3})\d(?=\s*(?:\(|$))")
_LEADER = re.compile(r"[\s.…·_]{3,}$")
_INDENT = 1.5
"""Points by which a row further right is inside the group above it."""
_LONG = 0.8
"""Share of the width of the labels from which a label without values may go on in the next row."""


@dataclass(slots=True)
class _RowGroup:
    x0: float
    text: str
    indented: bool | None = None
    """Whether its rows stand further right; None before its first row."""


def table_rows(rows: Sequence[VisualRow], columns: Sequence[Column]) -> list[RawRow]:
    """The rows with values, each with its header path; rows without values are groups or parts of labels."""
    edge = label_edge(rows)
    groups: list[_RowGroup] = []
    found: list[RawRow] = []
    waiting: list[VisualRow] = []
    widest = max((row.segments[0].x1 for row in rows if row.segments[0].x0 <= edge), default=0.0)
    for row in rows:
        label, values = _parts(row, columns, edge)
        if not values:
            if found and not waiting and _continues(label):
                _extend(found[-1], row, label)
            else:
                waiting.append(row)
            continue
        own = [row]
        while waiting and _wrapped(waiting[-1], label, widest):
            own.insert(0, waiting.pop())
            label = f"{own[0].text} {label}".strip()
        for group in waiting:
            _open(groups, group)
        waiting = []
        _close(groups, own[0], label)
        path = (*(group.text for group in groups), *([tidy(label)] if label else []))
        cells = [_cell(segment, columns) for segment in values]
        found.append(
            RawRow([line for r in own for line in r.lines], path, [c for c in cells if c is not None])
        )
    return found


def tidy(label: str) -> str:
    """A label without footnote marks, dot leaders and the colon at its end."""
    return _NOTE.sub("", _LEADER.sub("", label)).rstrip(" :：").strip()


def _parts(row: VisualRow, columns: Sequence[Column], edge: float) -> tuple[str, list[Segment]]:
    """The label and the values of a row."""
    label: list[str] = []
    values: list[Segment] = []
    for place, segment in enumerate(row.segments):
        first_label = place == 0 and (segment.x0 <= edge or segment.x1 < columns[0].x0)
        beside = not segment.figure and not values and segment.x1 <= columns[0].low
        if first_label or beside:
            label.append(segment.text)
        else:
            values.append(segment)
    return " ".join(label), values


def _continues(label: str) -> bool:
    """Whether a row without values goes on with the label above it."""
    return label[:1].islower() or (label[:1] in "(&" and len(label) > 3)


def _extend(row: RawRow, above: VisualRow, label: str) -> None:
    row.lines += above.lines
    own = row.path[-1] if row.path else ""
    row.path = (*row.path[:-1], tidy(f"{own} {label}"))


def _wrapped(above: VisualRow, label: str, widest: float) -> bool:
    """Whether a row without values is the first part of the label below it."""
    if above.text.rstrip().endswith((":", "：")):
        return False
    if label[:1].islower() or label[:1] in "(&":
        return True
    long = above.x1 >= _LONG * widest and len(above.text) > 24
    return long and (not label or above.text.rstrip().endswith((",", " and", " of", " the", "-", "–")))


def _open(groups: list[_RowGroup], row: VisualRow) -> None:
    while groups and (groups[-1].x0 >= row.x0 - _INDENT or groups[-1].indented is False):
        groups.pop()
    groups.append(_RowGroup(row.x0, tidy(row.text)))


def _close(groups: list[_RowGroup], row: VisualRow, label: str) -> None:
    """Leave the groups that a row with values is no longer in."""
    while groups:
        group = groups[-1]
        inside = row.x0 > group.x0 + _INDENT or not label
        if group.indented is None and label:
            group.indented = inside
        if inside or group.indented is False:
            break
        groups.pop()


def _cell(segment: Segment, columns: Sequence[Column]) -> RawCell | None:
    column = column_at(columns, segment)
    if column is None:
        return None
    line = segment.line
    return RawCell(line, segment.text, column, (segment.x0, line.y0, segment.x1, line.y1))


_LONGEST_TITLE = 140
_LONGEST = 320
"""Characters of the line at most: it is embedded with every piece, beside the rows themselves."""
_HANGUL = re.compile("[가-힣]")


def table_headers(table: Table, groups: Sequence[str] = ()) -> str:
    """`Table: title (unit) | columns | group of the first row`."""
    columns = list(dict.fromkeys(" ".join(path) for path in table.columns if path))
    title = table.title[-_LONGEST_TITLE:]
    unit = f" ({table.unit})" if table.unit and table.unit not in title else ""
    parts = [f"{title}{unit}".strip(), " · ".join(columns), " > ".join(groups)]
    line = " | ".join(part for part in parts if part)
    label = "표" if _HANGUL.search(line) else "Table"
    return f"{label}: {line}"[:_LONGEST] if line else ""
