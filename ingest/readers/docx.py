"""Reads DOCX with python-docx: paragraphs, headings by style, and tables row by row, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest.raw import Line, LineKind, RawDocument
from ingest.readers.text import marked, paginate
from rag.errors import MissingExtra
from rag.text.figures import is_figure


def read_docx(path: Path) -> RawDocument:
    """The document without its pages yet: lines in `pages` are for the caller to lay out.

    Raises MissingExtra without python-docx, ValueError when the file is not a DOCX.
    """
    try:
        import docx
        from docx.opc.exceptions import PackageNotFoundError
    except ImportError as error:
        raise MissingExtra("python-docx", "docx", "Reading DOCX") from error
    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise ValueError("not a Word document, or a damaged one") from error
    properties = document.core_properties
    return RawDocument(
        paginate(list(_lines(document))),
        title=properties.title or "",
        author=properties.author or "",
        created=properties.created.date().isoformat() if properties.created else "",
    )


def _lines(document: Any) -> Iterator[Line]:
    from docx.table import Table

    for item in document.iter_inner_content():
        if isinstance(item, Table):
            for row in item.rows:
                cells = dict.fromkeys(cell.text.strip() for cell in row.cells)  # merged cells come repeatedly
                if any(cells):
                    line = marked(LineKind.ROW, " | ".join(cell for cell in cells if cell))
                    line.cells = tuple(_once(" ".join(cell.text.split()) for cell in row.cells))
                    yield line
        elif item.text.strip():
            style = (item.style.name or "") if item.style is not None else ""
            heading = style.startswith(("Heading", "Title", "제목"))
            yield marked(LineKind.HEADING if heading else LineKind.PARAGRAPH, item.text)


def _once(texts: Iterable[str]) -> Iterator[str]:
    """The texts with those that a merged cell repeats left out, but for figures, which may well be alike."""
    before = ""
    for text in texts:
        yield "" if text == before and not is_figure(text) else text
        before = text
