"""Gives each column of a table its headers; a header may span several columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

from ingest.tables.rows import Column
from ingest.tables.segments import Segment, VisualRow
from rag.text.figures import is_period, unit_in

_SLACK = 8.0
"""Points by which a header may stand off the middle of the columns that it spans."""
_SAME_EDGE = 2.5
"""Points by which the lines of one wrapped header may be off the same middle or edge."""
_LEFT_OUT = 12.0
"""Points that leaving a column without a header counts as, against headers that stand off their middle."""
_PERIOD_WORD = re.compile(
    r"\b(?:years?|quarters?|months?|weeks?|fiscal|ended|ending|as\s(?:of|at)|jan\w*|feb\w*|mar(?:ch)?|apr\w*|may|june?"
    r"|july?|aug\w*|sept?\w*|oct\w*|nov\w*|dec\w*)\b|(?:19|20)\d\d|기간|년도|연도|분기|기말|당기|전기",
    re.IGNORECASE,
)
_UNIT_WORDS = re.compile(
    r"[\W_]+|\b(?:except|per|share|amounts?|data|and|percentages?|otherwise|noted)\b|단위", re.IGNORECASE
)


def header_paths(heads: Sequence[VisualRow], columns: Sequence[Column], left: float) -> list[tuple[str, ...]]:
    """For each column the texts of the headers above it, from the top down. Labels end at `left` (points)."""
    paths: list[list[str]] = [[] for _ in columns]
    owns = [_own(row, columns, left) for row in heads]
    for place, own in enumerate(owns):
        below = owns[place + 1 :]
        for segment, covered in zip(own, _spans(own, columns, below), strict=True):
            for column in covered:
                paths[column].append(segment.text)
    return [tuple(path) for path in paths]


def tiers(rows: Sequence[VisualRow]) -> list[VisualRow]:
    """The rows of headers from the top down, the lines of a wrapped header put together.

    A producer that writes cell by cell gives the lines of one header before those of the next, so that the reading
    order jumps up again; only then are lines below each other taken for one header.
    """
    wrapped = any(below.middle >= above.middle for above, below in pairwise(rows))
    cells: list[tuple[Segment, float, float]] = []
    last: list[int] = []
    previous: VisualRow | None = None
    for row in rows:
        joined: list[int] = []
        for segment in row.segments:
            low, high = segment.line.y0, segment.line.y1
            near = previous is not None and 0 < previous.middle - row.middle < 1.4 * row.height
            into = next((i for i in last if wrapped and near and _under(cells[i][0], segment)), None)
            if into is None:
                cells.append((replace(segment), low, high))
                joined.append(len(cells) - 1)
            else:
                cell, below, above = cells[into]
                cell.text = f"{cell.text} {segment.text}"
                cell.x0, cell.x1 = min(cell.x0, segment.x0), max(cell.x1, segment.x1)
                cells[into] = cell, min(low, below), max(high, above)
                joined.append(into)
        last, previous = joined, row
    return _tiers_of(cells)


def _under(above: Segment, segment: Segment) -> bool:
    """Whether a segment goes on with the header above it: set on the same middle, left or right edge."""
    if segment.period:
        return False
    offsets = (above.centre - segment.centre, above.x0 - segment.x0, above.x1 - segment.x1)
    return min(map(abs, offsets)) < _SAME_EDGE


def _tiers_of(cells: list[tuple[Segment, float, float]]) -> list[VisualRow]:
    found: list[VisualRow] = []
    floor = 0.0
    for cell, low, high in sorted(cells, key=lambda c: -c[2]):
        if found and high - floor > 0.3 * (high - low):
            found[-1].segments.append(cell)
            found[-1].lines.append(cell.line)
            floor = min(floor, low)
        else:
            found.append(VisualRow([cell.line], [cell]))
            floor = low
    for row in found:
        row.segments.sort(key=lambda segment: segment.x0)
    return found


def is_unit_alone(text: str) -> bool:
    """Whether a header says the unit and nothing else."""
    unit = unit_in(text)
    return bool(unit) and not is_period(text) and not _UNIT_WORDS.sub("", text.replace(unit, ""))


def _own(row: VisualRow, columns: Sequence[Column], left: float) -> list[Segment]:
    """The segments of a row of headers that stand over the columns."""
    segments = [s for s in row.segments if not is_unit_alone(s.text)]
    if len(segments) == len(columns) + 1 and segments[0].centre < columns[0].x0:
        return segments[1:]
    return [s for s in segments if s.centre > left or s.x1 > columns[0].centre]


def _spans(
    own: Sequence[Segment], columns: Sequence[Column], below: Sequence[Sequence[Segment]]
) -> list[range]:
    """Which columns each header of a row is over."""
    count = len(columns)
    if len(own) == count:
        return [range(i, i + 1) for i in range(count)]
    if not own or len(own) > count:
        nearest = [min(range(count), key=lambda i: abs(columns[i].centre - s.centre)) for s in own]
        return [range(i, i + 1) for i in nearest]
    return _shared(own, columns, below)


def _shared(
    own: Sequence[Segment], columns: Sequence[Column], below: Sequence[Sequence[Segment]]
) -> list[range]:
    """Fewer headers than columns: each takes a run of columns, by the least sum of distances.

    A header is in the middle of its columns, or over the first of them when those have headers of their own.
    """
    spanning = any(len(row) >= 2 for row in below)
    periods = any(sum(s.period for s in row) >= max(2, len(columns) - 1) for row in below)
    count = len(columns)

    def distance(segment: Segment, run: range) -> float:
        first, last = columns[run.start], columns[run.stop - 1]
        own_column = min(
            abs(segment.centre - first.centre), abs(segment.centre - (first.low + first.high) / 2)
        )
        if len(run) == 1:
            return own_column
        if not spanning:
            return 1e6
        middle = min(
            abs(segment.centre - (first.x0 + last.x1) / 2), abs(segment.centre - (first.low + last.high) / 2)
        )
        anchored = periods or (bool(below) and bool(_PERIOD_WORD.search(segment.text)))
        off = min(middle, own_column if anchored else 1e6)
        return 0.0 if off <= _SLACK else off

    @cache
    def best(place: int, at: int) -> tuple[float, tuple[range, ...]]:
        if place == len(own):
            return _LEFT_OUT * (count - at), ()
        options = []
        for first in range(at, count - (len(own) - place - 1)):
            for end in range(first + 1, count - (len(own) - place - 1) + 1):
                rest, runs = best(place + 1, end)
                here = distance(own[place], range(first, end)) + _LEFT_OUT * (first - at)
                options.append((here + rest, (range(first, end), *runs)))
        return min(options, key=lambda option: option[0])

    return list(best(0, 0)[1])
