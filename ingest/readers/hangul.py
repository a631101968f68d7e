"""The text of a Hangul document in reading order, whichever format it was saved in (HWPX, HWP 5).

A Hangul file has no pages: where they end is decided when it is shown. A part of a section stands in for a page here.
It is labelled with the section and its first paragraph, so that a citation can name the paragraph of its quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ingest.raw import Line, LineKind, RawDocument
from ingest.readers.lines import GridCell, margin_lines, marked, paginate, table_lines
from ingest.visibility import Colour, hidden_note
from rag.types import Status

_TINY = 200
"""Hundredths of a point; at 2 points and below no reader makes out a letter."""
_NEAR_WHITE = 0xF0
"""From which on each of red, green and blue is white to the eye on white paper."""
_HEADING_STYLES = ("개요", "제목", "outline", "heading", "title")


class TextPlace(Enum):
    """Where paragraphs stand that are not in the running text."""

    BOX = "text box, caption"
    NOTE = "footnote, endnote"
    MARGIN = "header, footer"


@dataclass(slots=True)
class HangulParagraph:
    """A paragraph with what is anchored in it."""

    text: str
    heading: bool = False
    inner: list[Inner | Grid] = field(default_factory=list)


@dataclass(slots=True)
class Inner:
    """Paragraphs that stand apart from the running text."""

    place: TextPlace
    paragraphs: list[HangulParagraph]


@dataclass(slots=True)
class Grid:
    """A table: (row, column, rows, columns, paragraphs) of each cell, counted from 0."""

    cells: list[tuple[int, int, int, int, list[HangulParagraph]]]
    head_rows: int = 0


@dataclass(slots=True)
class HangulCounts:
    """What was found besides the text that a reader sees: characters, and deletions of tracked changes."""

    hidden: int = 0
    deletions: int = 0


def is_unseen(text: Colour | None, shade: Colour | None, size: int | None) -> bool:
    """Whether text is white on nothing or on white, or too small. `size` is in hundredths of a point."""
    white = text is not None and min(text) >= _NEAR_WHITE
    unshaded = shade is None or min(shade) >= _NEAR_WHITE
    return (white and unshaded) or (size is not None and size <= _TINY)


def is_heading_style(name: str) -> bool:
    """Whether the name of a style is that of headings."""
    return name.strip().casefold().startswith(_HEADING_STYLES)


def document_of(
    sections: Sequence[Sequence[HangulParagraph]], counts: HangulCounts, *, kept: bool
) -> RawDocument:
    """The sections as pages: each with its notes at its end, headers and footers once."""
    document = RawDocument()
    seen: set[str] = set()
    for number, paragraphs in enumerate(sections, start=1):
        counted = 1
        for page in paginate(_section(paragraphs, seen)):
            page.number = len(document.pages) + 1
            page.label = f"section {number}, paragraph {counted}"
            counted += len(page.lines)
            document.pages.append(page)
    remarks: list[str] = []
    if counts.hidden:
        remarks.append(hidden_note(counts.hidden, "style", kept=kept))
    if counts.deletions:
        remarks.append(f"tracked changes: ({counts.deletions} deletions dropped)")
    if document.pages:
        document.pages[0].note = "; ".join(remarks)
    elif counts.hidden:
        document.status, document.reason = Status.HIDDEN_TEXT, "nothing but text that Hangul hides"
    return document


def _section(paragraphs: Sequence[HangulParagraph], seen: set[str]) -> list[Line]:
    """The lines of a section; `seen` are those of headers and footers that came before."""
    apart: list[Inner] = []
    lines = list(_lines(paragraphs, apart))
    while notes := [inner for inner in apart if inner.place is TextPlace.NOTE]:
        apart = [inner for inner in apart if inner.place is not TextPlace.NOTE]
        lines += [line for note in notes for line in _lines(note.paragraphs, apart)]
    margins = (line for margin in apart for line in _lines(margin.paragraphs, []))
    lines += margin_lines(margins, seen)
    return lines


def _lines(paragraphs: Sequence[HangulParagraph], apart: list[Inner]) -> Iterator[Line]:
    """The lines of paragraphs with their tables and text boxes; notes, headers and footers go to `apart`."""
    for paragraph in paragraphs:
        if paragraph.text.strip():
            yield marked(LineKind.HEADING if paragraph.heading else LineKind.PARAGRAPH, paragraph.text)
        for inner in paragraph.inner:
            if isinstance(inner, Grid):
                yield from _table(inner, apart)
            elif inner.place is TextPlace.BOX:
                yield from _lines(inner.paragraphs, apart)
            else:
                apart.append(inner)


def _table(table: Grid, apart: list[Inner]) -> Iterator[Line]:
    """A line for each row; a table of one column, which only draws a frame, as the paragraphs in it."""
    if len({column for _, column, _, _, _ in table.cells}) < 2:
        for *_, paragraphs in sorted(table.cells, key=lambda cell: cell[:2]):
            yield from _lines(paragraphs, apart)
        return
    cells: list[GridCell] = []
    nested: list[Line] = []
    for row, column, rows, columns, paragraphs in table.cells:
        own = list(_lines(paragraphs, apart))
        nested += [line for line in own if line.mark is LineKind.ROW]
        text = " ".join(line.text for line in own if line.mark is not LineKind.ROW)
        cells.append(GridCell(row, column, text, rows, columns))
    yield from table_lines(cells, head_rows=table.head_rows)
    yield from nested
