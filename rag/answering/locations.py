"""Names the place of a quote in documents without printed pages: the cell of a sheet, the paragraph of a section."""

from __future__ import annotations

from dataclasses import replace

from rag.answering.citations import PageTexts
from rag.answering.tables import Tables
from rag.text.patterns import lazy_compile
from rag.types import Citation

_PARAGRAPH = lazy_compile(r"section (\d+), paragraph (\d+)")


def located(citation: Citation, library: PageTexts, tables: Tables | None) -> Citation:
    """The citation with its place as the page label: `Budget!C14`, `Budget!B14:D14`, `section 2, paragraph 7`.

    A page of a sheet is labelled with the sheet; one of a section with the first paragraph on it, and the paragraph
    of the quote is counted from there: every line of such a page's text is one.
    """
    if not citation.spans:
        return citation
    if citation.cell is not None and citation.cell.name:
        return replace(citation, page_label=citation.cell.name)
    span = citation.spans[0]
    page = library.page(citation.file, span.page)
    if page is None or not page.label:
        return citation
    if section := _PARAGRAPH.fullmatch(page.label):
        before = sum(bool(line.strip()) for line in page.text[: span.start].split("\n")[:-1])
        label = f"section {section[1]}, paragraph {int(section[2]) + before}"
        return replace(citation, page_label=label)
    names: list[str] = []
    for table in tables.tables(citation.file, span.page) if tables is not None else ():
        for row in table.rows:
            if row.name and row.start < span.end and row.end > span.start:
                whole = [row.name] if span.start <= row.start else []
                inside = [c.name for c in row.cells if c.start < span.end and c.end > span.start]
                names += [*whole, *inside] or [row.name]
    if not names:
        return citation
    first, last = names[0], names[-1].rpartition("!")[2]
    return replace(citation, page_label=first if len(names) == 1 else f"{first}:{last}")
