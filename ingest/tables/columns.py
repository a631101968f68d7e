"""The columns of a region of rows: where their figures stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.tables.segments import Segment, VisualRow

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
        if before is not None and before.x1 - column.x0 > _SPILL and not _share_a_row(before, column):
            before.x0, before.x1 = min(before.x0, column.x0), max(before.x1, column.x1)
            before.count += column.count
            before.members += column.members
        else:
            merged.append(column)
    return merged


def _share_a_row(a: Column, b: Column) -> bool:
    lines = {id(segment.line) for segment in a.members}
    return any(id(segment.line) in lines for segment in b.members)


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
