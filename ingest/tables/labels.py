"""Reads the rows of a table (their labels, groups and values), and names a table by its headers in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.raw import RawCell, RawRow
from ingest.tables.columns import Column, column_at, label_edge
from ingest.tables.segments import Segment, VisualRow
from rag.types import Table

_NOTE = re.compile(r"(?<=\S)\s?(?:\((?:\d{1,2}|[a-z])\)|[*†‡§¹²³])+$|(?<=[a-z]{3})\d(?=\s*(?:\(|$))")
_LEADER = re.compile(r"[\s.…·_]{3,}$")
_INDENT = 1.5
"""Points by which a row further right is inside the group above it."""
_LONG = 0.8
"""Share of the width of the labels from which a label without values may go on in the next row."""
_TOTAL = re.compile(r"^(?:grand |sub)?total\b|^합\s?계|^총\s?계|^소\s?계|^계$", re.IGNORECASE)


@dataclass(slots=True)
class _Group:
    x0: float
    text: str
    indented: bool | None = None
    """Whether its rows stand further right; None before its first row."""


def table_rows(rows: Sequence[VisualRow], columns: Sequence[Column]) -> list[RawRow]:
    """The rows with values, each with its header path; rows without values are groups or parts of labels."""
    edge = label_edge(rows)
    groups: list[_Group] = []
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


def _open(groups: list[_Group], row: VisualRow) -> None:
    while groups and (groups[-1].x0 >= row.x0 - _INDENT or groups[-1].indented is False):
        groups.pop()
    groups.append(_Group(row.x0, tidy(row.text)))


def _close(groups: list[_Group], row: VisualRow, label: str) -> None:
    """Leave the groups that a row with values is no longer in."""
    while groups:
        group = groups[-1]
        inside = row.x0 > group.x0 + _INDENT or not label
        if group.indented is None and label:
            group.indented = inside
        if inside or group.indented is False:
            break
        groups.pop()
    if groups and groups[-1].indented is False and _TOTAL.match(label) and _covers(groups, label):
        return


def _covers(groups: Sequence[_Group], label: str) -> bool:
    return groups[-1].text.casefold() in label.casefold()


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
