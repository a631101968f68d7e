"""What readers hand to cleaning: pages of lines, with their place on the paper when the format has one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rag.types import Status


class LineKind(StrEnum):
    """What a format says a line is; a PDF says nothing, and cleaning finds out."""

    UNKNOWN = ""
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ROW = "row"


APART = "   "
"""Between the cells of a row that words alone do not tell apart; elsewhere white space becomes one blank."""


@dataclass(slots=True)
class Line:
    """One line of text, with its place in points from the lower left corner of the page as it is read.

    y runs upwards. `x1 <= x0` means that the place is not known.
    """

    text: str
    x0: float = 0.0
    x1: float = 0.0
    y0: float = 0.0
    y1: float = 0.0
    size: float = 0.0
    """Font size in points, 0 when not known."""
    bold: bool = False
    mark: LineKind = LineKind.UNKNOWN
    cells: tuple[str, ...] = ()
    """The cells of a table's row by column, empty ones included, where the format says them."""
    table: object = None
    """What all rows of one table share, and no other line."""
    names: tuple[str, ...] = ()
    """The names of these cells in a sheet (`C14`), where they have one."""
    head: bool = False
    """Whether such a row holds headers."""
    named: tuple[tuple[str, str], ...] = ()
    """Of a row that names its columns itself: (name, value)."""

    @property
    def placed(self) -> bool:
        return self.x1 > self.x0

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2


@dataclass(slots=True)
class RawCell:
    """A value of a table: its text, the line it stands in, and its column (from 0)."""

    line: Line
    text: str
    column: int
    box: tuple[float, float, float, float] | None = None
    name: str = ""
    through: Line | None = None
    """The last line of a text that is written on several."""


@dataclass(slots=True)
class RawRow:
    """A row of a table: the lines it takes, its header path and its values."""

    lines: list[Line]
    path: tuple[str, ...]
    cells: list[RawCell]
    name: str = ""
    """The name of its first cell in a sheet."""


@dataclass(slots=True)
class RawTable:
    """A table as read, before its lines have a place in the page's text."""

    title: str
    unit: str
    columns: list[tuple[str, ...]]
    rows: list[RawRow]
    head: list[Line] = field(default_factory=list)
    """The lines of its column headers."""


@dataclass(slots=True)
class RawPage:
    """A page as read, before cleaning. `number` counts from 1; sizes are in points."""

    number: int
    lines: list[Line] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    label: str = ""
    status: Status = Status.OK
    reason: str = ""
    note: str = ""
    """A remark about a page that is searchable all the same, such as hidden text that was left out."""
    characters: int = 0
    """Characters as extracted, hidden text and white space included."""
    tables: list[RawTable] = field(default_factory=list)


@dataclass(slots=True)
class RawDocument:
    """Everything that was read of one file. A status other than OK says why there is nothing to search."""

    pages: list[RawPage] = field(default_factory=list)
    status: Status = Status.OK
    reason: str = ""
    title: str = ""
    author: str = ""
    created: str = ""
    """Creation date as ISO text, or empty."""
