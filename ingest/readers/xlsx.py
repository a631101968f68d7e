"""Reads XLSX: every sheet as a page, its tables with the names of their cells, values as the sheet shows them.

Formulas are never computed: the file holds the value that was last shown. Macros of XLSM files are never looked at.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ingest.options import ReadOptions
from ingest.raw import Line, LineKind, RawDocument, RawPage, RawTable
from ingest.readers.archive import local, open_archive, stated
from ingest.readers.lines import MOST_COLUMNS, GridCell, marked, table_lines
from ingest.tables.grid import grid_tables
from ingest.visibility import hidden_note
from rag.text.figures import is_figure, is_period
from rag.types import Status

_MOST_ROWS = 50_000
"""Of one sheet. Excel allows a million; more than these are data and no document."""
_MOST_CELLS = 500_000
"""Of one file, with text in them."""
_PART = 20_000
"""Characters from which a long sheet goes on on another page, so that a citation shows the rows around its cell."""


def read_xlsx(path: Path, options: ReadOptions) -> RawDocument:
    """The sheets as pages. Raises ArchiveNotReadable, ValueError when the file is not a workbook."""
    import openpyxl

    with open_archive(path, "Excel", options) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions, which are not shown here
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            return _Workbook(book, archive, options).read()
        except (OSError, MemoryError, RecursionError):
            raise
        except Exception as error:  # the package behind raises whatever a damaged file makes it stumble over
            raise ValueError("not a workbook of Excel, or a damaged one") from error


@dataclass(slots=True)
class _SheetLayout:
    """What a sheet says beside its cells: by row and column from 1."""

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """Rows and columns of a merged cell, by its first row and column."""


class _Workbook:
    def __init__(self, book: Any, archive: ZipFile, options: ReadOptions) -> None:
        self._book, self._archive, self._options = book, archive, options
        self._cells = 0
        self._hidden = 0

    def read(self) -> RawDocument:
        pages: list[RawPage] = []
        notes: list[str] = []
        left_out: list[str] = []
        for sheet in self._book.worksheets:
            if sheet.sheet_state != "visible" and not self._options.keep_hidden_text:
                left_out.append(sheet.title)
                continue
            regions, cut = self._regions(sheet)
            if cut:
                notes.append(f"long sheets read in part: ({cut:,} rows of {sheet.title})")
            pages += _pages(sheet.title, regions, len(pages) + 1)
        if self._hidden:
            kept = self._options.keep_hidden_text
            notes.append(hidden_note(self._hidden, "rows, columns", kept=kept))
        if left_out:
            notes.append(f"hidden sheets left out: ({', '.join(left_out)})")
        properties = self._book.properties
        title, author, created = stated(properties, properties.creator)
        document = RawDocument(pages, title=title, author=author, created=created)
        if not any(page.lines for page in pages):
            document.pages = []
            hidden = bool(left_out or self._hidden)
            document.status = Status.HIDDEN_TEXT if hidden else Status.EMPTY
            document.reason = (
                "nothing but hidden sheets, rows and columns" if hidden else "no cell holds text"
            )
        else:
            pages[0].note = "; ".join(notes)
        return document

    def _regions(self, sheet: Any) -> tuple[list[list[GridCell]], int]:
        """The cells with text in regions, and the rows read when the sheet has more.

        An empty row ends a region, unless figures follow: those go on with the table above.
        """
        layout = self._layout(sheet)
        sheet.reset_dimensions()  # what a file says of its size is not to be trusted
        regions: list[list[GridCell]] = []
        last = -1
        for number, row in enumerate(sheet.iter_rows(), start=1):
            if number > _MOST_ROWS or self._cells > _MOST_CELLS:
                return regions, number - 1
            cells = list(self._row(row, number, layout, sheet.title))
            if not cells:
                continue
            apart = number > last + 1 and not _has_figures(cells)
            if apart or not regions:
                regions.append([])
            regions[-1] += cells
            last = max(number, *(cell.row + cell.rows for cell in cells))
            self._cells += len(cells)
        return regions, 0

    def _row(self, row: Any, number: int, layout: _SheetLayout, title: str) -> Iterator[GridCell]:
        for column, cell in enumerate(row[:MOST_COLUMNS], start=1):
            if cell.value is None:
                continue
            text = shown(cell.value, cell.number_format)
            if number in layout.hidden_rows or column in layout.hidden_columns:
                self._hidden += len("".join(text.split()))
                if not self._options.keep_hidden_text:
                    continue
            rows, columns = layout.merged.get((number, column), (1, 1))
            yield GridCell(number - 1, column - 1, text, rows, columns, f"{title}!{cell.coordinate}")

    def _layout(self, sheet: Any) -> _SheetLayout:
        from lxml import etree
        from openpyxl.utils.cell import range_boundaries

        layout = _SheetLayout()
        with self._archive.open(sheet._worksheet_path) as part:
            for _, element in etree.iterparse(part, resolve_entities=False, no_network=True):
                name = local(element)
                if name == "row" and element.get("hidden") in ("1", "true"):
                    layout.hidden_rows.add(int(element.get("r", "0")))
                elif name == "col" and element.get("hidden") in ("1", "true"):
                    first, last = int(element.get("min", "1")), int(element.get("max", "1"))
                    layout.hidden_columns.update(range(first, min(last, MOST_COLUMNS) + 1))
                elif name == "mergeCell" and len(layout.merged) < _MOST_ROWS:
                    left, top, right, bottom = range_boundaries(element.get("ref", "A1"))
                    layout.merged[top, left] = bottom - top + 1, right - left + 1
                if name in ("row", "c", "v", "is", "t"):
                    element.clear()
        return layout


def _has_figures(cells: Sequence[GridCell]) -> bool:
    """Whether a row holds figures beside its label, as a row of headers does not."""
    return any(is_figure(cell.text) and not is_period(cell.text) for cell in cells[1:])


def _pages(title: str, regions: list[list[GridCell]], number: int) -> list[RawPage]:
    """A sheet as one page, or as several when it is long; its tables know their headers on each of them."""
    lines: list[Line] = []
    for region in regions:
        is_title = True  # or a note
        for line in table_lines(region):
            is_title = is_title and sum(map(bool, line.cells)) == 1
            lines.append(marked(LineKind.PARAGRAPH, line.text) if is_title else line)
    pages = [RawPage(number, label=title)]
    for line in lines:
        if sum(len(one.text) for one in pages[-1].lines[-1:]) and pages[-1].characters > _PART:
            pages.append(RawPage(number + len(pages), label=title))
        pages[-1].lines.append(line)
        pages[-1].characters += len(line.text)
    for table in grid_tables(lines):
        for page in pages:
            own = {id(line) for line in page.lines}
            rows = [row for row in table.rows if id(row.lines[0]) in own]
            if rows:
                page.tables.append(RawTable(table.title, table.unit, table.columns, rows, table.head))
    return pages


# -- number formats ---------------------------------------------------------------------------------------


_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<skipped>.)|\*(?P<filled>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<ampm>AM/PM|A/P|오전/오후)|(?P<date>y+|m+|d+|h+|s+|a{3,4}|e+)|(?P<digits>[0#?][0#?,.]*|\.[0#?]+)"
    r"|(?P<exponent>E[+-]0+)|(?P<general>General|G/표준)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_KOREAN_WEEKDAYS = "월화수목금토일"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_LONGEST = 200
"""Characters of a number format at most; Excel allows 255, and a hostile one costs time."""


def shown(value: object, number_format: str | None) -> str:
    """The text of a cell by its number format (ECMA-376 part 1, 18.8.31), or the plain value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    form = (number_format or "General")[:_LONGEST]
    if isinstance(value, datetime | date | time | timedelta):
        return _moment(value, form)
    if not isinstance(value, int | float | Decimal):
        return str(value)
    try:
        return _number(Decimal(str(value)), form)
    except (InvalidOperation, ValueError, OverflowError):
        return str(value)


def _number(value: Decimal, form: str) -> str:
    sections = _sections(form)
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, value = sections[1], -value  # the section says itself how it marks what is below zero
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    tokens = [(match.lastgroup or "other", match[0], match) for match in _TOKEN.finditer(section)]
    digits = next((text for kind, text, _ in tokens if kind == "digits"), None)
    unreadable = any(kind == "exponent" or text == "/" for kind, text, _ in tokens)
    if any(kind == "general" for kind, _, _ in tokens) or (digits is not None and unreadable):
        return _plain(value)
    value *= 100 ** section.count("%")
    written: list[str] = []
    used = False
    for kind, text, match in tokens:
        if kind == "digits":
            written.append("" if used else _digits(abs(value), text))
            used = True
        elif kind == "bracket":
            written.append(match["bracket"].partition("-")[0][1:] if match["bracket"].startswith("$") else "")
        elif kind == "skipped":
            written.append(" ")
        elif kind != "filled":
            written.append(match["quoted"] or match["escaped"] or (text if text[:1] not in '"\\' else ""))
    sign = "-" if value < 0 and section is sections[0] else ""
    return sign + " ".join("".join(written).split())


def _sections(form: str) -> list[str]:
    """The parts of a format for positive, negative, zero and text; a `;` in quotes separates nothing."""
    return re.findall(r'(?:"[^"]*"|\\.|[^;"\\])+|(?<=;)(?=;|$)', form) or ["General"]


def _digits(value: Decimal, pattern: str) -> str:
    scaled = len(pattern) - len(pattern.rstrip(","))
    pattern = pattern.rstrip(",")
    whole, _, fraction = pattern.partition(".")
    value /= 1000**scaled
    text = f"{value.quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP):f}"
    before, _, after = text.partition(".")
    optional = len(fraction) - len(fraction.rstrip("#?"))
    while optional and after.endswith("0"):
        after, optional = after[:-1], optional - 1
    before = before.zfill(whole.count("0"))
    if whole and not whole.count("0") and before == "0":
        before = ""
    if "," in whole and before:
        before = f"{int(before):,}".zfill(len(before))
    return before + (f".{after}" if after else "")


def _plain(value: Decimal) -> str:
    """As the format General: up to eleven digits."""
    if value == value.to_integral_value() and abs(value) < 10**11:
        return str(int(value))
    return f"{float(value):.10g}"


def _moment(value: datetime | date | time | timedelta, form: str) -> str:
    tokens = [(match.lastgroup or "other", match[0], match) for match in _TOKEN.finditer(_sections(form)[0])]
    if not any(kind == "date" for kind, _, _ in tokens):
        return value.isoformat(" ") if isinstance(value, datetime) else str(value)
    if isinstance(value, timedelta):
        hours, rest = divmod(int(value.total_seconds()), 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    half = any(kind == "ampm" for kind, _, _ in tokens)
    kinds = [text[0].lower() for kind, text, _ in tokens if kind == "date"]
    written: list[str] = []
    place = 0
    for kind, text, match in tokens:
        if kind == "date":
            letter = text[0].lower()
            near = kinds[max(0, place - 1) : place] + kinds[place + 1 : place + 2]
            minute = letter == "m" and (near[:1] == ["h"] or "s" in near)
            written.append(_field(value, "minute" if minute else letter, len(text), half))
            place += 1
        elif kind == "ampm":
            names = ("오전", "오후") if "오" in text else ("AM", "PM")
            written.append(names[getattr(value, "hour", 0) >= 12])
        elif kind == "skipped":
            written.append(" ")
        elif kind not in ("bracket", "filled"):
            written.append(match["quoted"] or match["escaped"] or (text if text[:1] not in '"\\@' else ""))
    return " ".join("".join(written).split())


def _field(value: datetime | date | time, kind: str, length: int, half: bool) -> str:
    if kind in ("h", "minute", "s"):
        hour = getattr(value, "hour", 0)
        hour = (hour % 12 or 12) if half else hour
        number = {"h": hour, "minute": getattr(value, "minute", 0), "s": getattr(value, "second", 0)}[kind]
        return f"{number:0{min(length, 2)}}"
    if isinstance(value, time):
        return ""
    match kind, length:
        case ("y" | "e", _):
            return f"{value.year % 100:02}" if length <= 2 and kind == "y" else str(value.year)
        case ("m", 3 | 4 | 5):
            return _MONTHS[value.month - 1][: {3: 3, 4: 20, 5: 1}[length]]
        case ("m", _):
            return f"{value.month:0{min(length, 2)}}"
        case ("a", _):
            return _KOREAN_WEEKDAYS[value.weekday()] + ("요일" if length == 4 else "")
        case ("d", 3 | 4):
            return _WEEKDAYS[value.weekday()][: 3 if length == 3 else 20]
        case _:
            return f"{value.day:0{min(length, 2)}}"
