"""Pages with a stored table, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering.extractive import answer
from rag.answering.verification import CheckedDraft, check_draft
from rag.types import Cell, Page, Row, Table
from tests.answering.shelf import Shelf

HEAD = "Results of the group (in thousands)\n"


def table_page(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    head: str = HEAD,
    unit: str = "in thousands",
    over_labels: str = "",
):
    """A page that holds a table, and the table as it is stored: rows of a label and the texts of the cells."""
    text = head
    first = len(text)
    text += f"{over_labels} {' '.join(columns)}".strip() + "\n"
    stored = []
    for label, *values in rows:
        start = len(text)
        text += label
        cells = []
        for column, value in enumerate(values):
            text += " "
            cells.append(Cell(column, value, len(text), len(text) + len(value)))
            text += value
        stored.append(Row((label,), start, len(text), tuple(cells)))
        text += "\n"
    table = Table(
        1, head.strip(), unit, tuple((column,) for column in columns), tuple(stored), first, len(text) - 1
    )
    return Page(1, text.rstrip("\n")), table


class TableShelf(Shelf):
    """Pages with stored tables."""

    def __init__(self, page: Page, table: Table) -> None:
        super().__init__({"report.pdf": [page]})
        self._table = table

    def tables(self, file: str, number: int) -> list[Table]:
        return [self._table] if (file, number) == ("report.pdf", 1) else []


def ask(shelf: TableShelf, question: str) -> CheckedDraft:
    passages = [shelf.passage("report.pdf", 1)]
    draft = answer(question, passages, pages=shelf, tables=shelf)
    return check_draft(draft, passages, shelf, question=question, tables=shelf)


def values(checked: CheckedDraft) -> list[str]:
    return [citation.cell.value for citation in checked.citations if citation.cell is not None]
