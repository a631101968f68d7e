"""Reads the pages of a PDF with PDFium: lines with their place, hidden text left out, what the page shows."""

from __future__ import annotations

import ctypes
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.clean.lines import unreadable_share
from ingest.pdf.characters import Characters, Frame, PlacedLine, restore_spaces
from ingest.pdf.columns import split_columns
from ingest.pdf.fonts import FontJudge
from ingest.pdf.hidden import (
    HidingMethod,
    PageObjects,
    inspect,
    remove_replacement_text,
)
from ingest.pdf.objects import Box, Drawing, drawing_of
from ingest.raw import RawPage
from ingest.tables.finder import find_tables
from ingest.visibility import hidden_note, invisible_characters
from rag.text.normalise import count_visible

_MOST_ANNOTATIONS = 300
_LONGEST_OBJECT = 256
FEW = 100
"""Below so many characters a page may have lost some, and a look at what it draws is cheap."""


@dataclass(slots=True)
class PageStatistics:
    """What PDFium says of a page beyond its text, for deciding on a second opinion and on its status."""

    page: RawPage
    objects: PageObjects
    visible: int
    """Characters that are neither white space nor hidden."""
    drawn_characters: int
    """Characters of the text objects, counted only where the text page gave few."""


def read_page(
    document: pdfium.PdfDocument, number: int, fonts: FontJudge, *, keep_hidden: bool
) -> PageStatistics:
    """Read physical page `number` (from 1). `fonts` knows those of the pages before.

    Raises pdfium.PdfiumError when PDFium cannot load the page.
    """
    page = _with_fields_drawn(document, number - 1)
    try:
        drawing = drawing_of(page)
        textpage = page.get_textpage()
        replaced = 0
        if not keep_hidden and remove_replacement_text(drawing):
            textpage, replaced = _as_drawn(page, textpage)
        try:
            return _read(document, page, textpage, drawing, number, fonts, replaced, keep_hidden=keep_hidden)
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


def _as_drawn(page: Any, textpage: Any) -> tuple[Any, int]:
    """The text page without replacement text, and how many letters and digits of that nothing draws.

    Where the fonts do not say what they draw, the replacement is all there is, and stays.
    """
    before = textpage.get_text_range()
    drawn = page.get_textpage()
    after = drawn.get_text_range()
    if unreadable_share(after) > unreadable_share(before) or not after.strip():
        drawn.close()
        return textpage, 0
    textpage.close()
    letters, shown = (Counter(filter(str.isalnum, text.casefold())) for text in (before, after))
    return drawn, (letters - shown).total()


def _has_fields(page: Any) -> bool:
    for index in range(min(_MOST_ANNOTATIONS, c.FPDFPage_GetAnnotCount(page))):
        annotation = c.FPDFPage_GetAnnot(page, index)
        kind = c.FPDFAnnot_GetSubtype(annotation)
        c.FPDFPage_CloseAnnot(annotation)
        if kind in (c.FPDF_ANNOT_WIDGET, c.FPDF_ANNOT_FREETEXT):
            return True
    return False


def _read(
    document: Any,
    page: Any,
    textpage: Any,
    drawing: Drawing,
    number: int,
    fonts: FontJudge,
    replaced: int,
    *,
    keep_hidden: bool,
) -> PageStatistics:
    box = page.get_bbox()
    objects = inspect(page, textpage, drawing, box)
    frame = Frame(box, page.get_rotation())
    text = Characters(textpage, frame)
    extracted = len(text.text)
    ways: Counter[str] = Counter()
    if objects.hidden and not keep_hidden:
        ways = text.drop(objects.hidden)
    if replaced:
        ways[HidingMethod.REPLACED] = replaced
    if invisible := invisible_characters(text.text):
        ways[HidingMethod.ZERO_WIDTH] += invisible
    unreadable = fonts.mark(text, None if keep_hidden else page)

    def position(placed: PlacedLine, at: int) -> Box | None:
        return text.box(placed.start + at)

    lines = split_columns(text.lines(), frame.width, position)
    tables = find_tables(lines, frame.width, position)  # before spaces are added, which move its offsets
    restore_spaces(lines, text.box)
    label = str(document.get_page_label(number - 1)).strip()
    raw = RawPage(
        number,
        [placed.line for placed in lines],
        frame.width,
        frame.height,
        label="" if label == str(number) else label[:40],
        characters=extracted,
        tables=tables,
    )
    if ways:
        methods = ", ".join(way for way, _ in ways.most_common())
        raw.note = hidden_note(ways.total(), methods, kept=keep_hidden)
    elif unreadable:
        raw.note = f"unreadable text: {unreadable} characters (fonts that do not say which letters they draw)"
    visible = count_visible(text.text)
    drawn = _drawn_characters(page.raw, textpage.raw) if visible < FEW else visible
    return PageStatistics(raw, objects, visible, drawn)


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
