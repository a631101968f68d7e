"""Reads PPTX: every slide as a page, with its title, text, tables, charts, alternative texts and notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.options import ReadOptions
from ingest.raw import Line, LineKind, RawDocument, RawPage
from ingest.readers.archive import open_archive, parse_xml, stated
from ingest.readers.lines import GridCell, marked, page_of, table_lines
from rag.types import Status

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DEEPEST = 20
"""Groups within groups, at most."""
_SLIDE_NUMBER, _FOOTER, _DATE = 13, 15, 16  # types of placeholders (PP_PLACEHOLDER)


def read_pptx(path: Path, options: ReadOptions) -> RawDocument:
    """The slides as pages. Raises ArchiveNotReadable, ValueError when the file is not a presentation."""
    import pptx

    open_archive(path, "PowerPoint", options).close()
    try:
        deck = pptx.Presentation(str(path))
        repeated: set[str] = set()
        pages = [_page(number, slide, repeated, options) for number, slide in enumerate(deck.slides, start=1)]
        properties = deck.core_properties
        title, author, created = stated(properties, properties.author)
    except (OSError, MemoryError, RecursionError):
        raise
    except Exception as error:  # the package behind raises whatever a damaged file makes it stumble over
        raise ValueError("not a PowerPoint presentation, or a damaged one") from error
    return RawDocument(pages, title=title, author=author, created=created)


def _page(number: int, slide: Any, repeated: set[str], options: ReadOptions) -> RawPage:
    """A slide. What is repeated at the foot of every slide is read once."""
    if slide._element.get("show") in ("0", "false") and not options.keep_hidden_text:
        return RawPage(number, status=Status.HIDDEN_TEXT, reason="a hidden slide")
    lines: list[Line] = []
    unread = 0
    title = slide.shapes.title
    if title is not None:
        lines += [marked(LineKind.HEADING, " ".join(p.text for p in title.text_frame.paragraphs))]
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        kind = int(shape.placeholder_format.type or 0) if shape.is_placeholder else 0
        found = [] if kind == _SLIDE_NUMBER else _readable_lines(shape)
        unread += found is None
        for line in found or ():
            if kind in (_FOOTER, _DATE) and line.text in repeated:
                continue
            repeated.update([line.text] if kind in (_FOOTER, _DATE) else [])
            lines.append(line)
    lines = [line for line in [*lines, *_notes(slide)] if line.text]
    page = page_of(number, lines)
    if unread:
        page.note = "charts or shapes that cannot be read left out"
    if not lines:
        pictures = any(shape.shape_type == 13 for shape in _shapes(slide.shapes))  # MSO_SHAPE_TYPE.PICTURE
        page.status, page.reason = (Status.SCANNED, "a picture") if pictures else (Status.EMPTY, "")
    return page


def _notes(slide: Any) -> Iterator[Line]:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    for paragraph in frame.paragraphs if frame is not None else ():
        if paragraph.text.strip():
            yield marked(LineKind.PARAGRAPH, f"Notes: {paragraph.text}")


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    """The shapes in the order in which a screen reader reads them, groups opened."""
    for shape in shapes:
        if shape.shape_type == 6 and depth < _DEEPEST:  # MSO_SHAPE_TYPE.GROUP
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _readable_lines(shape: Any) -> list[Line] | None:
    """The lines of a shape; None for one that cannot be read, such as a chart of a kind that the package lacks."""
    try:
        return list(_lines(shape))
    except (OSError, MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - whatever the package stumbles over costs that shape alone
        return None


def _lines(shape: Any) -> Iterator[Line]:
    """The text of a shape: its paragraphs, table, chart or diagram, and its alternative text."""
    if shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            if paragraph.text.strip():
                yield marked(LineKind.PARAGRAPH, paragraph.text)
    if getattr(shape, "has_table", False):
        table = shape.table
        cells = [
            GridCell(r, c, cell.text_frame.text, cell.span_height, cell.span_width)
            for r, row in enumerate(table.rows)
            for c, cell in enumerate(row.cells)
            if not cell.is_spanned
        ]
        yield from table_lines(cells, head_rows=1 if table.first_row else 0)
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)
    elif shape.shape_type is None and not shape.has_text_frame:
        yield from _diagram(shape)
    described = next(shape._element.iter("{*}cNvPr"), None)
    text = "" if described is None else (described.get("descr") or "").strip()
    if text:
        yield marked(LineKind.PARAGRAPH, f"[{text}]")


def _chart(chart: Any) -> Iterator[Line]:
    """The title of a chart, and its figures as a table: categories down, series across."""
    if chart.has_title and chart.chart_title.has_text_frame and chart.chart_title.text_frame.text.strip():
        yield marked(LineKind.PARAGRAPH, chart.chart_title.text_frame.text)
    for plot in chart.plots:
        cells: list[GridCell] = []
        for column, series in enumerate(plot.series, start=1):
            cells.append(GridCell(0, column, series.name or ""))
            for row, value in enumerate(series.values, start=1):
                cells.append(GridCell(row, column, "" if value is None else f"{value:,.10g}"))
        for row, category in enumerate(plot.categories, start=1):
            cells.append(GridCell(row, 0, str(category)))
        yield from table_lines(cells, head_rows=1)


def _diagram(shape: Any) -> Iterator[Line]:
    """The texts of a SmartArt diagram, which lie in a part of their own."""
    ids = next(shape._element.iter("{*}relIds"), None)
    target = None if ids is None else next((v for k, v in ids.attrib.items() if k.endswith("}dm")), None)
    if target is None:
        return
    root = parse_xml(io.BytesIO(shape.part.related_part(target).blob))
    for paragraph in root.iter(_A + "p"):
        text = "".join(piece.text or "" for piece in paragraph.iter(_A + "t"))
        if text.strip():
            yield marked(LineKind.PARAGRAPH, text)
