"""Tells cells of tables in a sentence, and quotes for each the row that it stands in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rag.answering.citations import PageSource
from rag.answering.markers import Quote
from rag.answering.reply import Draft, DraftSentence
from rag.answering.table_matching import Match
from rag.answering.tables import Place
from rag.text.figures import as_printed, unit_in, years_in
from rag.text.keywords import keyword_tokens
from rag.text.patterns import lazy_compile
from rag.types import CellReference, Derived

SURE = 0.75
"""Score from which a cell is evidence enough by itself, however few words of the question the passages hold."""
EXACT = 0.95
"""Share of a label that the question names, and of the question that the headers hold, for an exact match."""
LONGEST_COLUMN = 80
"""Characters of a column's headers that are told at most, the innermost ones."""
_PERCENT = lazy_compile(r"\(\s?%\s?\)|^\s?%|%\s?$")
_OWN_UNIT = lazy_compile(
    r"\bper (?:\w+ )?(?:share|unit)\b|\bpercent|\((?:in )?(?:years|days|months)\)|주당|백분율", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """A draft from cells, with how well they fit."""

    draft: Draft
    score: float
    recall: float
    """Share (0 to 1) of what the question names that the headers of the cells hold."""
    headers: frozenset[str] = frozenset()
    """Tokens of the headers of the best cell and of its table's title."""
    certain: bool = False
    """Whether only a table can be meant: the question is about its headers."""
    exact: bool = False
    """Whether the question names the whole label of the best cell and nothing that its headers do not hold."""

    @property
    def evidence(self) -> float:
        """From 0 to 1, as `rag.answering.evidence` scores passages: 0 for a match that says little by itself."""
        if self.draft.declined:
            return 0.0
        return min(self.score, 0.99) if self.certain or self.score >= SURE else 0.0


def told(
    text: str,
    cells: Sequence[Match],
    best: Match,
    pages: PageSource,
    *,
    with_unit: bool = True,
    derived: Sequence[Derived] = (),
    first: Sequence[Quote] = (),
) -> TableAnswer:
    """The answer `text`, quoting the row of each cell, after the quotes in `first`; `best` says how well it fits."""
    unit = best.place.table.unit
    if with_unit and unit and unit not in text and not all(_has_own_unit(m) for m in cells):
        text = f"{text} ({unit})"
    rows = filter(None, map(partial(_row_quote, pages), cells))
    quotes = tuple(dict.fromkeys((*first, *rows)))
    numbers = tuple(dict.fromkeys(m.place.passage for m in cells))
    sentence = DraftSentence(" ".join(text.split()), numbers, quotes, True, tuple(derived))
    path = (*best.row.path, *best.column, best.place.table.title, *(t for m in cells for t in m.column))
    context = best.place.announced | best.place.total_tokens.get(best.row.start, frozenset())
    return TableAnswer(
        Draft((sentence,), declined=not quotes),
        best.score,
        best.recall,
        context | frozenset(keyword_tokens(" ".join(path))),
        exact=best.precision >= EXACT
        and best.recall >= EXACT
        and not derived,  # a sentence may state a computed one
    )


def _row_quote(pages: PageSource, match: Match) -> Quote | None:
    page = pages.page(match.place.file, match.place.table.page)
    if page is None:
        return None
    words = page.text[match.row.start : match.row.end]
    return Quote(words, match.place.passage, match.place.table.page, cell=match.reference)


def period_quote(place: Place, period: str, row: Sequence[str], pages: PageSource) -> Quote | None:
    """The line of a table's headers (or of its labels) that names a period, with that as its cell."""
    table = place.table
    page = pages.page(place.file, table.page)
    text = page.text[table.start : table.end] if page is not None else ""
    line = next((line for line in text.split("\n") if period in line), None)
    if line is None:
        return None
    column = next((path for path in table.columns if period in " ".join(path)), ())
    return Quote(line, place.passage, table.page, cell=CellReference(period, tuple(row), column))


def column_name(match: Match) -> str:
    """The header of a cell's column in short: its period, or its innermost header."""
    path = [text for text in match.column if not (unit_in(text) and not years_in(text))]
    dated = [text for text in path if years_in(text)]
    columns = match.place.table.columns
    if dated and len(columns) == len({years_in(" ".join(column)) for column in columns}):
        return dated[-1]
    return " ".join(path)[-LONGEST_COLUMN:]


def item_name(match: Match) -> str:
    """The label of a cell's row; with its group when another row has the same label."""
    label = match.row.label
    twins = sum(row.label == label for row in match.place.table.rows)
    return " – ".join(match.row.path) if twins > 1 or not label else label


def full_name(match: Match) -> str:
    """The names of the row and the column."""
    column = column_name(match)
    return f"{item_name(match)}, {column}" if column else item_name(match)


def value(match: Match) -> str:
    """The figure as it is printed, with the percent sign that its headers give it."""
    figure = as_printed(match.cell.text)
    percent = figure[-1:].isdecimal() and (
        _PERCENT.search(match.row.label) or _PERCENT.search(_innermost(match))
    )
    return f"{figure}%" if percent else figure


def _has_own_unit(match: Match) -> bool:
    """Whether a figure is not in the unit of its table: a percentage, or so much a share."""
    return "%" in value(match) or bool(_OWN_UNIT.search(f"{match.row.label} {_innermost(match)}"))


def _innermost(match: Match) -> str:
    return match.column[-1] if match.column else ""
