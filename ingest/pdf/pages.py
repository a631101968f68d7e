"""Reads the pages of a PDF with PDFium: lines with their place, hidden text left out, what the page shows."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.clean.lines import unreadable_share
from ingest.pdf.characters import Characters, Frame, PlacedLine, restore_spaces
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
from ingest.tables.words import find_word_tables, set_cells_apart
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
    # before spaces are added, which move the offsets
    of_figures, of_words = find_tables(lines, frame.width, position), find_word_tables(lines, position)
    restore_spaces(lines, text.box)
    set_cells_apart(of_words, of_figures)
    order = {id(placed.line): place for place, placed in enumerate(lines)}
    tables = sorted([*of_figures, *of_words], key=lambda table: order[id(table.rows[0].lines[0])])
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


# -- the reading order of two columns ---------------------------------------------------------------------


Positions = Callable[["PlacedLine", int], "Box | None"]
"""The box of the character at a position of a line."""

_MIN_LINES = 6
_MIDDLE = (0.3, 0.7)
"""The gutter lies in this part of the page's width."""
_GAP = 0.8
"""A gap between columns is at least this multiple of the line height."""
_MOST = 0.6
_BLANK = re.compile(r"(?<=\S)\s+(?=\S)")
_WORD = re.compile(r"[^\W\d_]{2,}|[가-힣]")
_NUMBER = re.compile(r"\d")


def split_columns(lines: list[PlacedLine], width: float, positions: Positions) -> list[PlacedLine]:
    """The lines in reading order; lines across a gutter become two. `width` of the page in points.

    Most producers write column after column, and PDFium keeps that order. Where a page was written row by row, PDFium
    gives lines that run across the gutter, or left and right lines in turn. Tables look alike, and their rows must
    stay on a line, so only prose is taken apart: on both sides mostly words, and lines that fill their column.
    """
    placed = [p for p in lines if p.line.placed]
    if len(placed) < _MIN_LINES or width <= 0:
        return lines
    wide = [p for p in placed if p.line.x0 < _MIDDLE[0] * width and p.line.x1 > _MIDDLE[1] * width]
    if len(wide) >= _MIN_LINES and _reads_like_prose(wide, 6) and _has_gaps(wide, width, positions):
        return _split_merged(lines, wide, width, positions)
    return _unweave(lines, placed, width)


def _has_gaps(wide: list[PlacedLine], width: float, positions: Positions) -> bool:
    """A look at three lines, since asking for places is slow."""
    sample = [wide[len(wide) * k // 4] for k in (1, 2, 3)]
    return sum(_gap(p, positions, width) is not None for p in sample) >= 2


def _gap(placed: PlacedLine, positions: Positions, width: float) -> tuple[float, float, int] | None:
    """The widest white gap in the middle of a line: its left and right edge and the character after it."""
    best: tuple[float, float, int] | None = None
    needed = _GAP * max(4.0, placed.line.y1 - placed.line.y0)
    text = placed.line.text
    for blank in _BLANK.finditer(text, len(text) // 6, len(text) - len(text) // 6):
        before, after = positions(placed, blank.start() - 1), positions(placed, blank.end())
        if before is None or after is None or after[0] - before[2] < needed:
            continue
        centre = (before[2] + after[0]) / 2
        wider = best is None or after[0] - before[2] > best[1] - best[0]
        if wider and _MIDDLE[0] * width <= centre <= _MIDDLE[1] * width:
            best = (before[2], after[0], blank.end())
    return best


def _split_merged(
    lines: list[PlacedLine], wide: list[PlacedLine], width: float, positions: Positions
) -> list[PlacedLine]:
    gaps = {id(p): gap for p in wide if (gap := _gap(p, positions, width)) is not None}
    if len(gaps) < _MOST * len(wide):
        return lines
    gutter = median((left + right) / 2 for left, right, _ in gaps.values())
    halves = {
        id(p): _halves(p, gaps[id(p)])
        for p in wide
        if id(p) in gaps and gaps[id(p)][0] - 2 <= gutter <= gaps[id(p)][1] + 2
    }
    pairs = list(halves.values())
    if len(pairs) < _MOST * len(wide) or not (
        _is_prose([left for left, _ in pairs]) and _is_prose([right for _, right in pairs])
    ):
        return lines
    pieces: list[PlacedLine] = []
    for placed in lines:
        pieces.extend(halves.get(id(placed), (placed,)))
    return _by_column(pieces, gutter)


def _halves(placed: PlacedLine, gap: tuple[float, float, int]) -> tuple[PlacedLine, PlacedLine]:
    left, right, at = gap
    line = placed.line
    head, tail = line.text[:at].rstrip(), line.text[at:]
    return (
        replace(placed, line=replace(line, text=head, x1=left), end=placed.start + len(head)),
        replace(placed, line=replace(line, text=tail, x0=right), start=placed.start + at),
    )


def _unweave(lines: list[PlacedLine], placed: list[PlacedLine], width: float) -> list[PlacedLine]:
    """Left and right lines that take turns are put column by column."""
    middle = width / 2
    slack = 0.02 * width
    left = [p for p in placed if p.line.x1 <= middle + slack]
    right = [p for p in placed if p.line.x0 >= middle - slack]
    rights = set(map(id, right))
    one_sided = [p for p in placed if p.line.x1 <= middle + slack or id(p) in rights]
    fewer = min(len(left), len(right))
    if fewer < _MIN_LINES // 2:
        return lines
    turns = sum((a in rights) != (b in rights) for a, b in pairwise(map(id, one_sided)))
    if turns < _MOST * 2 * fewer or not (_is_prose(left) and _is_prose(right)):
        return lines
    return _by_column(lines, middle)


def _by_column(pieces: list[PlacedLine], gutter: float) -> list[PlacedLine]:
    """Between lines that cross the gutter, first what stands left of it, then what stands right."""
    ordered: list[PlacedLine] = []
    left: list[PlacedLine] = []
    right: list[PlacedLine] = []
    for piece in pieces:
        if not piece.line.placed or piece.line.x0 < gutter < piece.line.x1:
            ordered += [*left, *right, piece]
            left, right = [], []
        elif piece.line.x1 <= gutter:
            left.append(piece)
        else:
            right.append(piece)
    return [*ordered, *left, *right]


def _reads_like_prose(side: list[PlacedLine], least: int) -> bool:
    """Mostly words, `least` of them on the middling line."""
    texts = [p.line.text for p in side]
    if sum(len(_NUMBER.findall(text)) for text in texts) > 0.15 * sum(map(len, texts)):
        return False
    return median(len(_WORD.findall(text)) for text in texts) >= least


def _is_prose(side: list[PlacedLine]) -> bool:
    """Mostly words, and most lines end near the right edge of the column."""
    if not _reads_like_prose(side, 3):
        return False
    start, end = median(p.line.x0 for p in side), max(p.line.x1 for p in side)
    filled = sum(p.line.x1 >= end - 0.2 * max(1.0, end - start) for p in side)
    return filled >= _MOST * len(side)
