"""Answers from the stored tables, without a model: the cells that a question names, each with its row quoted.

    Revenue, 2019: $481,985; 2018: $402,100 (in thousands)

`table_questions` reads the question, `tables` compares it with the headers of every cell, `table_cells` takes the
cells that are asked for, and `table_wording` tells them. Comparisons and lists are `table_comparisons`, computed
figures `table_arithmetic`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.citations import PageSource
from rag.answering.table_arithmetic import computed
from rag.answering.table_cells import AskedCells
from rag.answering.table_comparisons import items, largest_item, largest_period, periods
from rag.answering.table_matching import Match
from rag.answering.table_questions import TableQuestion, Wanted, table_question_of
from rag.answering.table_wording import TableAnswer, column_name, item_name, told, value
from rag.answering.tables import TOTAL, Tables, places_of
from rag.text.keywords import keyword_tokens
from rag.text.patterns import lazy_compile
from rag.types import Passage

ENOUGH = 0.55
"""Score from which a cell's headers fit a question, chosen on half of the development reports."""
NAMED = 0.6
"""Share of a row's label that the question must name."""
_AVERAGE = lazy_compile(r"(?<!weighted[ -])\baverage\b|(?<!가중)평균", re.IGNORECASE)
_DIFFERENCE = lazy_compile(
    r"\b(?:difference|change|growth|increase|decrease)\b|차이|변동|증감", re.IGNORECASE
)
_OPERATION_WORDS = {
    Wanted.AVERAGE: {"average", "mean", "평균"},
    Wanted.CHANGE: {
        "change",
        "difference",
        "increase",
        "decrease",
        "decline",
        "growth",
        "변동",
        "차이",
        "증감",
    },
    Wanted.PERCENT_CHANGE: {"change", "growth", "increase", "decrease", "변동", "증감"},
    Wanted.SUM: {"sum", "combined"},
    Wanted.RATIO: {"ratio", "비율"},
    Wanted.SHARE: {"percentage", "percent", "비율", "비중"},
}
"""Words for an operation that a label may hold itself: then its figure is given as it is."""


def answer_from_tables(
    question: str, passages: Sequence[Passage], tables: Tables, pages: PageSource
) -> TableAnswer | None:
    """The answer that the tables on the passages' pages hold, or None when no cell is clearly asked for."""
    asked = table_question_of(question)
    places = places_of(passages, tables) if asked is not None else []
    if asked is None or not places:
        return None
    around = frozenset(keyword_tokens(" ".join(f"{p.title} {p.heading} {p.text}" for p in passages)))
    found = AskedCells.of(asked, places, around)
    if asked.wanted is Wanted.PERIODS:
        return periods(found, pages)
    if asked.wanted is Wanted.ITEMS:
        return items(found, pages)
    if asked.wanted is Wanted.ITEM:
        return largest_item(found, pages)
    best = found.best
    if best is None or best.score < ENOUGH or best.precision < NAMED:
        return computed(found, None, asked.wanted, pages)  # the two things of a share may each be named well
    if asked.wanted is Wanted.PERIOD:
        return largest_period(found, best, pages) or largest_item(found, pages)
    if not asked.measured and len(found.asked_of(best)) > 1:
        return None
    operation = _operation(found, best)
    if operation is None:
        return _values(found, best, pages)
    nested = _DIFFERENCE if operation is Wanted.AVERAGE else _AVERAGE
    if nested.search(question) and not nested.search(best.row.label):
        return None  # a change of an average, and the like
    return computed(found, best, operation, pages)


def _operation(found: AskedCells, best: Match) -> Wanted | None:
    """What is to be computed; None when the cells answer as they are."""
    question, wanted = found.question, found.question.wanted
    if wanted is Wanted.VALUE:
        return Wanted.SUM if _asks_total_of_periods(question, best) else None
    named = _OPERATION_WORDS.get(wanted, set()) & set(keyword_tokens(best.row.label))
    if (named and len(question.years) < 2) or found.changes(best):
        return None
    if wanted is Wanted.SHARE and all("%" in m.cell.text for m in found.asked_of(best)):
        return None  # the row gives the shares themselves
    return wanted


def _asks_total_of_periods(question: TableQuestion, best: Match) -> bool:
    """ "The total tax charge in 2018 and 2019", of a row that is no total itself."""
    total = "total" in question.terms and not TOTAL.search(best.row.label)
    return total and len(question.years) > 1 and "respective" not in question.text.lower()


def answer_from_row(
    text: str, file: str, passages: Sequence[Passage], tables: Tables, pages: PageSource
) -> TableAnswer | None:
    """A row of a file that is written so, told with its headers; None when that is no whole row of a table that has
    headers."""
    words = "".join(text.split())
    for place in places_of(passages, tables):
        page = pages.page(place.file, place.table.page) if place.file == file else None
        for row in place.table.rows if page is not None and any(place.table.columns) else ():
            assert page is not None
            if words == "".join(page.text[row.start : row.end].split()):
                cells = [Match(place, row, cell, 1.0, frozenset(), 1.0, 1.0) for cell in row.cells]
                whole = _letters("".join((*row.path, *(cell.text for cell in row.cells))))
                return told(_named(cells), cells, cells[0], pages) if whole >= _letters(words) else None
    return None


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _values(found: AskedCells, best: Match, pages: PageSource) -> TableAnswer:
    """The cells of each row that is named, with their columns."""
    groups = [found.asked_of(row) for row in found.rows(best)]
    return told("; ".join(map(_named, groups)), [m for group in groups for m in group], best, pages)


def _named(cells: Sequence[Match]) -> str:
    """The label of a row and some of its cells with their columns."""
    heads = [column_name(match) for match in cells]
    pieces = [f"{head}: {value(m)}" if head else value(m) for head, m in zip(heads, cells, strict=True)]
    name, joint = item_name(cells[0]), ", " if heads[0] else ": "
    return f"{name}{joint}{'; '.join(pieces)}" if name else "; ".join(pieces)
