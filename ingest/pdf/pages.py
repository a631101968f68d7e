"""Reads the pages of a PDF with PDFium: lines with their place, hidden text left out, what the page shows."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.pdf.columns import split_columns
from ingest.pdf.hidden import PageObjects, Way, describe, inspect
from ingest.pdf.objects import Box, address
from ingest.raw import Line, RawPage, count_visible
from rag.text.normalise import SOFT_HYPHENS

_BOLD = re.compile(r"bold|black|heavy|semib|demi", re.IGNORECASE)
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u180e"
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_SMUGGLED = re.compile(rf"[{_ZERO_WIDTH}]{{4,}}")
_BETWEEN_LETTERS = re.compile(rf"(?<=[A-Za-z가-힣])[{_ZERO_WIDTH}]+(?=[A-Za-z가-힣])")
_LINE = re.compile(f"[^\r\n{SOFT_HYPHENS}]+[{SOFT_HYPHENS}]?|[\r\n{SOFT_HYPHENS}]+")
"""PDFium ends a line at a hyphen with a soft hyphen and nothing else: the next line follows at once."""
_MOST_ANNOTATIONS = 300
_LONGEST_OBJECT = 256
_MANY = 8
FEW = 100
"""Below so many characters a page may have lost some, and a look at what it draws is cheap."""


@dataclass(slots=True)
class PageView:
    """What PDFium says of a page beyond its text, for deciding on a second opinion and on its status."""

    page: RawPage
    objects: PageObjects
    visible: int
    """Characters that are neither white space nor hidden."""
    drawn_characters: int
    """Characters of the text objects, counted only where the text page gave few."""


def read_page(document: pdfium.PdfDocument, number: int, *, keep_hidden: bool) -> PageView:
    """Read physical page `number` (from 1).

    Raises pdfium.PdfiumError when PDFium cannot load the page.
    """
    page = _with_fields_drawn(document, number - 1)
    try:
        textpage = page.get_textpage()
        try:
            return _read(document, page, textpage, number, keep_hidden=keep_hidden)
        finally:
            textpage.close()
    finally:
        page.close()


def _with_fields_drawn(document: pdfium.PdfDocument, index: int) -> Any:
    """The page, with what is filled into forms and written into text boxes made part of its content."""
    page = document.get_page(index)
    if _has_fields(page.raw) and c.FPDFPage_Flatten(page.raw, c.FLAT_NORMALDISPLAY) == c.FLATTEN_SUCCESS:
        page.close()
        page = document.get_page(index)
    return page


def _has_fields(page: Any) -> bool:
    for index in range(min(_MOST_ANNOTATIONS, c.FPDFPage_GetAnnotCount(page))):
        annotation = c.FPDFPage_GetAnnot(page, index)
        kind = c.FPDFAnnot_GetSubtype(annotation)
        c.FPDFPage_CloseAnnot(annotation)
        if kind in (c.FPDF_ANNOT_WIDGET, c.FPDF_ANNOT_FREETEXT):
            return True
    return False


def _read(document: Any, page: Any, textpage: Any, number: int, *, keep_hidden: bool) -> PageView:
    box = page.get_bbox()
    objects = inspect(page, textpage, box)
    text = _Characters(textpage)
    extracted = len(text.text)
    ways: Counter[str] = Counter()
    if objects.hidden and not keep_hidden:
        ways = text.drop(objects.hidden)
    if invisible := smuggled(text.text):
        ways[Way.ZERO_WIDTH] += invisible
    frame = _Frame(box, page.get_rotation())
    lines = split_columns(text.lines(frame), frame.width, lambda line, at: text.box(line.start + at, frame))
    raw = RawPage(
        number,
        [placed.line for placed in lines],
        frame.width,
        frame.height,
        label=_label(document, number),
        characters=extracted,
    )
    if ways:
        verb = "kept" if keep_hidden else "left out"
        raw.note = f"hidden text {verb}: {sum(ways.values())} characters ({describe(ways)})"
    visible = count_visible(text.text)
    drawn = _drawn_characters(page.raw, textpage.raw) if visible < FEW else visible
    return PageView(raw, objects, visible, drawn)


@dataclass(slots=True)
class _Frame:
    """Takes page coordinates to those of the page as it is read: origin at the corner, rotation applied."""

    box: Box
    rotation: int

    @property
    def width(self) -> float:
        return self.box[3] - self.box[1] if self.rotation in (90, 270) else self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[2] - self.box[0] if self.rotation in (90, 270) else self.box[3] - self.box[1]

    def place(self, rect: Any) -> Box:
        left, bottom = rect.left - self.box[0], rect.bottom - self.box[1]
        right, top = rect.right - self.box[0], rect.top - self.box[1]
        if self.rotation == 90:
            return bottom, self.height - right, top, self.height - left
        if self.rotation == 180:
            return self.width - right, self.height - top, self.width - left, self.height - bottom
        if self.rotation == 270:
            return self.width - top, left, self.width - bottom, right
        return left, bottom, right, top


@dataclass(slots=True)
class PlacedLine:
    """A line and the characters of the text page that it is made of."""

    line: Line
    start: int
    end: int


class _Characters:
    """The text of a text page, by character index."""

    def __init__(self, textpage: Any) -> None:
        self._raw = textpage.raw
        self.text: str = textpage.get_text_range()
        # The index calls count PDFium's own characters; they part from the text's only on odd pages.
        self._direct = len(self.text) == c.FPDFText_CountChars(self._raw)
        self._rect = c.FS_RECTF()
        self._name = ctypes.create_string_buffer(128)
        self._flags = ctypes.c_int()
        self._kept: list[int] | None = None

    def drop(self, hidden: dict[int, Way]) -> Counter[str]:
        """Remove the characters of hidden objects; returns how many visible ones went, by way of hiding."""
        ways: Counter[str] = Counter()
        kept: list[int] = []
        for position, character in enumerate(self.text):
            way = hidden.get(address(c.FPDFText_GetTextObject(self._raw, self._index(position))))
            if way is None:
                kept.append(position)
            elif not character.isspace():
                ways[way] += 1
        self._kept = kept
        self.text = "".join(self.text[position] for position in kept)
        return ways

    def lines(self, frame: _Frame) -> list[PlacedLine]:
        """The lines that are not empty, in the order of the page's content."""
        lines: list[PlacedLine] = []
        start = 0
        for part in _LINE.findall(self.text):
            words = part.strip()
            if words:
                first = start + len(part) - len(part.lstrip())
                lines.append(PlacedLine(self._line(words, first, frame), first, first + len(words)))
            start += len(part)
        return lines

    def _line(self, words: str, first: int, frame: _Frame) -> Line:
        begin, end = self.box(first, frame), self.box(first + len(words) - 1, frame)
        if begin is None or end is None:
            return Line(words)
        return Line(
            words,
            min(begin[0], end[0]),
            max(begin[2], end[2]),
            begin[1],
            begin[3],
            size=round(begin[3] - begin[1], 2),
            bold=self._bold(first),
        )

    def box(self, position: int, frame: _Frame) -> Box | None:
        """Where a character stands, or None when PDFium does not know."""
        index = self._index(position)
        if index < 0 or not c.FPDFText_GetLooseCharBox(self._raw, index, self._rect):
            return None
        return frame.place(self._rect)

    def _bold(self, position: int) -> bool:
        index = self._index(position)
        length = c.FPDFText_GetFontInfo(self._raw, index, self._name, 128, self._flags)
        if 0 < length <= 128 and _BOLD.search(self._name.value.decode("latin-1")):
            return True
        return bool(c.FPDFText_GetFontWeight(self._raw, index) >= 600)

    def _index(self, position: int) -> int:
        if self._kept is not None:
            position = self._kept[position] if position < len(self._kept) else -1
        return position if self._direct else int(c.FPDFText_GetCharIndexFromTextIndex(self._raw, position))


def _label(document: Any, number: int) -> str:
    label = str(document.get_page_label(number - 1)).strip()
    return "" if label == str(number) else label[:40]


def smuggled(text: str) -> int:
    """Zero-width characters that carry something: tags, long runs, or many between the letters of words.

    A single one is a line-break hint; Persian and Indic scripts need joiners, so other letters do not count.
    """
    if text.isascii():
        return 0
    count = len(_TAGS.findall(text)) + sum(len(run) for run in _SMUGGLED.findall(text))
    between = _BETWEEN_LETTERS.findall(text)
    return count + (sum(map(len, between)) if len(between) >= _MANY else 0)


def _drawn_characters(page: Any, textpage: Any) -> int:
    """Visible characters that the page's own text objects hold; one for each that PDFium cannot decode."""
    total = 0
    buffer = (ctypes.c_ushort * _LONGEST_OBJECT)()
    for index in range(min(c.FPDFPage_CountObjects(page), 200)):
        handle = c.FPDFPage_GetObject(page, index)
        if c.FPDFPageObj_GetType(handle) == c.FPDF_PAGEOBJ_TEXT:
            size = c.FPDFTextObj_GetText(handle, textpage, buffer, ctypes.sizeof(buffer))
            text = bytes(buffer)[: max(0, min(size, ctypes.sizeof(buffer)) - 2)].decode(
                "utf-16-le", "replace"
            )
            total += count_visible(text) if text else 1
    return total
