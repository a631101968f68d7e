"""Finds the cells of the stored tables that a question asks for.

A cell answers when its row and column headers together hold what the question names, and its periods are those that
the question asks about. Headers are compared word by word; words that few rows of the tables hold count more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from rag.answering.table_questions import FRAME, TableQuestion
from rag.text.figures import years_in
from rag.text.keywords import STOP_WORDS, keyword_tokens
from rag.text.patterns import lazy_compile
from rag.types import Cell, CellReference, Passage, Row, Table

STEM = 5
"""First letters that two forms of a word share at least ("invented", "invention")."""
STEM_WEIGHT = 0.8
ASIDE_WEIGHT = 0.3
"""Weight of what a label has in brackets ("(see Note 2)"), against 1 for its other words."""
GROUP_WEIGHT = 0.15
"""Weight of the words of a row's groups that the question does not name, against those of its label."""
AROUND_WEIGHT = 0.3
"""What a word of the question counts that stands on the table's page but in none of its headers."""
RANK_COST = 0.02
"""What a passage loses against the one ranked before it, in units of the score from 0 to 1."""
CHANGE_WORDS = frozenset({"change", "increase", "decrease", "growth", "variance", "증감", "변동"})
_ACRONYM = lazy_compile(r"\(([A-Z][A-Z&]{1,7})\)")
_ASIDE = lazy_compile(r"\([^)]*\)")


class Tables(Protocol):
    """What gives the stored tables; `rag.store.index.Index` is one."""

    def tables(self, file: str, number: int) -> Sequence[Table]:
        """The tables of a page, in order."""


@dataclass(frozen=True)
class Place:
    """A table of a retrieved page."""

    passage: int
    """Number (from 1) of the passage that brought it."""
    file: str
    table: Table

    @cached_property
    def years(self) -> frozenset[str]:
        """The periods that its columns or rows are told apart by."""
        paths = [*self.table.columns, *(row.path for row in self.table.rows)]
        return frozenset(year for path in paths for text in path for year in years_in(text))

    @cached_property
    def column_years(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(years_in(" ".join(path))) for path in self.table.columns)

    @cached_property
    def title_tokens(self) -> frozenset[str]:
        return frozenset(keyword_tokens(self.table.title))

    @cached_property
    def column_tokens(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(keyword_tokens(" ".join(path))) for path in self.table.columns)


@dataclass(frozen=True, slots=True)
class Match:
    """A cell with how well its headers fit a question."""

    place: Place
    row: Row
    cell: Cell
    score: float
    """From 0 to 1."""
    own: frozenset[str]
    """Tokens of the question that its own label holds."""
    precision: float
    """Share (0 to 1) of the label that the question names."""
    recall: float
    """Share (0 to 1) of the question's items that the headers hold."""

    @property
    def column(self) -> tuple[str, ...]:
        columns = self.place.table.columns
        return columns[self.cell.column] if self.cell.column < len(columns) else ()

    @property
    def years(self) -> frozenset[str]:
        """The periods of the cell, of its column or else of its row."""
        return cell_years(self.place, self.row, self.cell)

    @property
    def reference(self) -> CellReference:
        return CellReference(
            self.cell.text, self.row.path, self.column, self.place.table.unit, self.cell.name
        )


def cell_years(place: Place, row: Row, cell: Cell) -> frozenset[str]:
    """The periods of a cell: those of its column, else of its row."""
    column = place.column_years[cell.column] if cell.column < len(place.column_years) else frozenset()
    return column or frozenset(years_in(" ".join(row.path)))


def is_change(question: TableQuestion, place: Place, cell: Cell) -> bool:
    """Whether the cell stands in a column of changes and the question asks for one."""
    column = place.column_tokens[cell.column] if cell.column < len(place.column_tokens) else frozenset()
    return bool(column & CHANGE_WORDS & question.terms.keys()) and not place.column_years[cell.column]


def places_of(passages: Sequence[Passage], tables: Tables) -> list[Place]:
    """The tables of the pages that the passages are on, in the order of the passages."""
    seen: set[tuple[str, int]] = set()
    found: list[Place] = []
    for number, passage in enumerate(passages, 1):
        for page in range(passage.page, passage.page_end + 1):
            if (passage.file, page) not in seen:
                seen.add((passage.file, page))
                found += [Place(number, passage.file, table) for table in tables.tables(passage.file, page)]
    return found


@dataclass
class _Words:
    """The words of one row, weighed."""

    label: dict[str, float]
    group: dict[str, float]
    years: frozenset[str] = field(default_factory=frozenset)


class Lookup:
    """The rows of some tables, ready to be matched with a question."""

    def __init__(self, places: Sequence[Place], around: frozenset[str] = frozenset()) -> None:
        """`around` are the tokens of the pages that the tables are on."""
        self.places = places
        self._around = around
        rows = [row for place in places for row in place.table.rows]
        tokens = [frozenset(keyword_tokens(" ".join(row.path))) for row in rows]
        self._counts = Counter(token for row in tokens for token in row)
        self._total = len(rows)

    def weight(self, token: str) -> float:
        """How much a word tells: more when fewer rows hold it."""
        return math.log(1 + (self._total + 1) / (self._counts[token] + 0.5))

    def matches(self, question: TableQuestion) -> list[Match]:
        """The cells that fit the question, best first; those of other periods than it asks about left out."""
        found = [
            match
            for place in self.places
            for row in place.table.rows
            for match in self._row(question, place, row)
        ]
        return sorted(found, key=lambda match: -match.score)

    def _row(self, question: TableQuestion, place: Place, row: Row) -> Iterator[Match]:
        label = label_tokens(row.label) if row.label and not _is_year(row.label) else {}
        group = frozenset(keyword_tokens(" ".join(row.path[:-1])))
        for cell in row.cells:
            if not self._of_period(question, place, row, cell):
                continue
            column = (
                place.column_tokens[cell.column] if cell.column < len(place.column_tokens) else frozenset()
            )
            own = label or {token: 1.0 for token in column if not token.isdecimal()}
            yield self._match(question, place, row, cell, own, group, column)

    def _of_period(self, question: TableQuestion, place: Place, row: Row, cell: Cell) -> bool:
        if not question.years or is_change(question, place, cell):
            return True
        years = cell_years(place, row, cell)
        if years:
            return bool(years & set(question.years))
        return not (place.years & set(question.years)) or not any(place.column_years)

    def _match(
        self,
        question: TableQuestion,
        place: Place,
        row: Row,
        cell: Cell,
        own: Mapping[str, float],
        group: frozenset[str],
        column: frozenset[str],
    ) -> Match:
        terms = question.terms
        named = {token: share for token in own if (share := _held(token, terms))}
        label_weight = sum(self.weight(t) * w for t, w in own.items())
        precision = (
            sum(self.weight(t) * own[t] * s for t, s in named.items()) / label_weight if label_weight else 0.0
        )
        if {token for name in _ACRONYM.findall(row.label) for token in keyword_tokens(name)} & terms.keys():
            precision = 1.0  # "Loan-to-value (LTV) ratio" is named by its acronym alone
        asked = {t: w * self.weight(t) for t, w in terms.items()}
        around = group | column | place.title_tokens
        got = dict.fromkeys(asked, 0.0)
        for term in asked:
            got[term] = max(
                _held(term, own),
                _held(term, group),
                _held(term, column),
                0.6 * _held(term, around),
                AROUND_WEIGHT * _held(term, self._around),
            )
        needed = sum(w for t, w in asked.items() if t not in FRAME or _held(t, own))
        recall = (
            sum(asked[t] * got[t] for t in asked if t not in FRAME or _held(t, own)) / needed
            if needed
            else 0.0
        )
        score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        extra = sum(1 for t in terms if _held(t, column) or _held(t, group))
        idle = sum(
            1
            for t in keyword_tokens(row.path[-2] if len(row.path) > 1 else "")
            if not _held(t, terms) and t not in STOP_WORDS
        )
        score += 0.02 * min(extra, 4) - 0.004 * min(idle, 5) - RANK_COST * (place.passage - 1)
        exact = frozenset(t for t in terms if _held(t, own))
        return Match(place, row, cell, score, exact, precision, recall)


def _held(token: str, tokens: Mapping[str, float] | frozenset[str]) -> float:
    """1 when the token is among the tokens, less for another form of it, 0 when it is not."""
    if token in tokens:
        return 1.0
    if len(token) < STEM:
        return 0.0
    return STEM_WEIGHT if any(t[:STEM] == token[:STEM] for t in tokens if len(t) >= STEM) else 0.0


def label_tokens(label: str) -> dict[str, float]:
    """The words of a label with their weights; what it has in brackets counts less."""
    inside = keyword_tokens(" ".join(_ASIDE.findall(label)))
    outside = [t for t in keyword_tokens(_ASIDE.sub(" ", label)) if t not in STOP_WORDS]
    tokens = dict.fromkeys((t for t in inside if t not in STOP_WORDS), ASIDE_WEIGHT if outside else 1.0)
    return tokens | dict.fromkeys(outside, 1.0) or dict.fromkeys(keyword_tokens(label), 1.0)


def _is_year(label: str) -> bool:
    return bool(years_in(label)) and len(label) <= 12
