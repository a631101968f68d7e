"""Finds the cells of the stored tables that a question asks for.

A cell answers when its row and column headers together hold what the question names, and its periods are those that
the question asks about. Headers are compared word by word; words that few rows of the tables hold count more. What
the table's title, the total that closes the row and the sentence that announces the table say counts less.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from rag.answering.definitions import identifiers
from rag.answering.table_questions import FRAME, TableQuestion
from rag.answering.table_ranges import rows_within
from rag.answering.tables import Place, cell_years, held, label_tokens, stands_in
from rag.text.figures import years_in
from rag.text.keywords import PARTICLE_WEIGHT, STOP_WORDS, keyword_tokens
from rag.text.patterns import lazy_compile
from rag.types import Cell, CellReference, Row

CONTEXT_WEIGHT = 0.6
"""What a word of the question counts that only the title, the total or the announcement of the table holds."""
AROUND_WEIGHT = 0.3
"""What a word of the question counts that stands on the table's page but in none of its headers."""
YEAR_WEIGHT = 3.0
"""What the year of a question weighs for a cell whose headers name none, about as much as a rare word."""
RANK_COST = 0.02
"""What a passage loses against the one ranked before it, in units of the score from 0 to 1."""
HEADER_BONUS = 0.02
"""What each word adds that the question shares with the column or the groups of a cell, or that only asks and stands
in its label all the same ("total"); four words at most."""
IDLE_COST = 0.004
"""What each word costs of the innermost group that the question does not name, five words at most."""
MORE_YEARS_COST = 0.03
"""What each period costs that is in the headers of a cell and not in the question ("2019 compared with 2018")."""
OPPOSITE = 0.6
"""Factor for a row of the opening balance when the closing one is asked for, and the other way round."""
_ACRONYM = lazy_compile(r"\(([A-Z][A-Z&]{1,7})\)|\((?:the )?[\"“]([^\"“”()]+)[\"”]\)")
"""A name that a label gives in brackets beside the full one: `Loan-to-value (LTV) ratio`, `Apple Inc. (“Apple”)`."""
_OPENING = lazy_compile(r"\b(?:beginning|opening|start of)\b|기초", re.IGNORECASE)
_CLOSING = lazy_compile(r"\b(?:ending|closing|end of)\b|기말", re.IGNORECASE)
_SIDE_WORDS = frozenset({"beginning", "opening", "start", "end", "ending", "closing", "year", "period"})
CHANGE_WORDS = frozenset({"change", "increase", "decrease", "growth", "variance", "증감", "변동"})


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


def is_change(question: TableQuestion, place: Place, cell: Cell) -> bool:
    """Whether the cell stands in a column of changes and the question asks for one."""
    words = place.in_column(cell) & CHANGE_WORDS & question.terms.keys()
    return bool(words) and not place.column_years[cell.column]


def matches_of(question: TableQuestion, places: Sequence[Place], around: frozenset[str]) -> list[Match]:
    """The cells that fit the question, best first; those of other periods or options than it asks about are left out.

    `around` are the tokens of the pages that the tables are on.
    """
    scorer = _Scorer(question, places, around)
    options = identifiers(question.text)
    found = [
        scorer.match(place, row, cell)
        for place in places
        for row in place.table.rows
        if not options or not (own := identifiers(row.label)) or options & own
        if scorer.within(place).get(row.start, True)
        for cell in row.cells
        if _of_period(question, place, row, cell)
    ]
    return sorted(found, key=lambda match: -match.score)


def _of_period(question: TableQuestion, place: Place, row: Row, cell: Cell) -> bool:
    if not question.years or is_change(question, place, cell):
        return True
    years = cell_years(place, row, cell)
    if years:
        return bool(years & set(question.years))
    return not (place.years & set(question.years)) or not any(place.column_years)


class _Scorer:
    """Compares the headers of cells with a question: the harmonic mean of how much of the label the question names
    and how much of the question the headers hold."""

    def __init__(self, question: TableQuestion, places: Sequence[Place], around: frozenset[str]) -> None:
        self._question = question
        self._around = around
        self._named: dict[int, Mapping[int, Sequence[Cell]]] = {}
        self._within: dict[int, Mapping[int, bool]] = {}
        self._only_rows: dict[tuple[int, frozenset[str]], Row | None] = {}
        rows = [row for place in places for row in place.table.rows]
        self._counts = Counter(t for row in rows for t in frozenset(keyword_tokens(" ".join(row.path))))
        self._total = len(rows)

    def within(self, place: Place) -> Mapping[int, bool]:
        """See `rows_within`."""
        if id(place) not in self._within:
            self._within[id(place)] = rows_within(self._question.text, place.table.rows)
        return self._within[id(place)]

    def match(self, place: Place, row: Row, cell: Cell) -> Match:
        column = place.in_column(cell)
        label = label_tokens(row.label) if row.label and not _is_year(row.label) else {}
        own = label or {token: 1.0 for token in column if not token.isdecimal()}
        group = frozenset(keyword_tokens(" ".join(row.path[:-1])))
        terms = self._question.terms
        precision = self._precision(own, row.label)
        if row.path[:-1] in place.single_groups:  # a heading with one row under it names that row
            precision = max(precision, self._precision(label_tokens(row.path[-2]), row.path[-2]))
        alias = self._alias(place, row, cell)
        if alias and precision < 1.0:
            own, precision = alias, 1.0
        if row.start in self.within(place):
            precision = 1.0
        if self._question.asks_amount and (counted := self._counted(place, row, cell)):
            own, precision = own | dict.fromkeys(counted, 1.0), 1.0
        recall = self._recall(own, group, column, place, row, cell)
        score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        extra = sum(1 for t in terms if held(t, column) or held(t, group))
        inner = keyword_tokens(row.path[-2] if len(row.path) > 1 else "")
        idle = sum(1 for t in inner if not held(t, terms) and t not in STOP_WORDS)
        extra += sum(1 for t in terms if t in FRAME and t in label)
        score += HEADER_BONUS * min(extra, 4) - IDLE_COST * min(idle, 5) - RANK_COST * (place.passage - 1)
        if self._question.years:
            score -= MORE_YEARS_COST * len(cell_years(place, row, cell) - set(self._question.years))
        if _side(self._question.text) * _side(row.label) < 0:
            score *= OPPOSITE
        named = frozenset(t for t in terms if held(t, own))
        return Match(place, row, cell, score, named, precision, recall)

    def _alias(self, place: Place, row: Row, cell: Cell) -> dict[str, float]:
        """The words of another cell by which the question names the row, with those of that cell's column."""
        for other in self._named_cells(place).get(row.start, ()):
            if other is not cell:
                return dict.fromkeys((*keyword_tokens(other.text), *place.in_column(other)), 1.0)
        return {}

    def _named_cells(self, place: Place) -> Mapping[int, Sequence[Cell]]:
        """By the start of a row, the cells that the question names; of `long` and `long long` the longer alone."""
        if id(place) not in self._named:
            found = {
                start: [cell for cell in cells if stands_in(cell.text, self._question.text)]
                for start, cells in place.aliases.items()
            }
            texts = {cell.text for cells in found.values() for cell in cells}
            self._named[id(place)] = {
                start: [c for c in cells if not any(c.text != t and stands_in(c.text, t) for t in texts)]
                for start, cells in found.items()
            }
        return self._named[id(place)]

    def _counted(self, place: Place, row: Row, cell: Cell) -> frozenset[str]:
        """What the title says is counted, when it, the row and the column hold all that the question names, and the
        row alone holds the rest: the total, or "Greyholm to Skarra" for passengers to Skarra."""
        question, counted, column = self._question, place.counted, place.in_column(cell)
        terms = {t for t, w in question.terms.items() if w > PARTICLE_WEIGHT} - FRAME
        years = set(question.years)
        if not (terms and counted) or (years and not cell_years(place, row, cell) & years):
            return frozenset()
        if any(held(t, other) > held(t, column) for t in terms for other in place.column_tokens):
            return frozenset()  # another column is asked for
        rest = frozenset(t for t in terms if not (held(t, counted) or held(t, column)))
        return counted if self._only_row(place, rest | (question.figures - years)) is row else frozenset()

    def _only_row(self, place: Place, asked: frozenset[str]) -> Row | None:
        """The row whose label alone holds all that is asked for; the total when that is nothing."""
        if not asked:
            return place.whole
        key = id(place), asked
        if key not in self._only_rows:
            found = [
                row
                for row, label in zip(place.table.rows, place.labels, strict=True)
                if all(held(token, label) for token in asked)
            ]
            self._only_rows[key] = found[0] if len(found) == 1 else None
        return self._only_rows[key]

    def _weight(self, token: str) -> float:
        """How much a word tells: more when fewer rows hold it."""
        return math.log(1 + (self._total + 1) / (self._counts[token] + 0.5))

    def _precision(self, own: Mapping[str, float], label: str) -> float:
        """The share of a label with the tokens `own` that the question names."""
        terms = self._question.terms
        if label and not keyword_tokens(label):  # "=" or "?"
            return float(re.search(rf"(?<!\S){re.escape(label)}(?=\s)", self._question.text) is not None)
        short = [frozenset(keyword_tokens(a or b)) for a, b in _ACRONYM.findall(label)]
        if any(name and name <= terms.keys() for name in short):
            return 1.0
        if label[:1].isupper() and own.keys() <= STOP_WORDS:  # as a label "Other" is no stop word
            return float(re.search(rf"\b{re.escape(label)}\b", self._question.text) is not None)
        weight = sum(self._weight(t) * w for t, w in own.items())
        said = terms.keys() | self._question.figures
        if _side(self._question.text) * _side(label) > 0:  # "ending goodwill" is "goodwill, end of the year"
            said = said | _SIDE_WORDS
        named = sum(self._weight(t) * w * held(t, said) for t, w in own.items())
        return named / weight if weight else 0.0

    def _recall(
        self, own: Mapping[str, float], group: Set[str], column: Set[str], place: Place, row: Row, cell: Cell
    ) -> float:
        """The share of what the question names that the headers hold; words that only ask count when held."""
        context = place.title_tokens | place.announced | place.total_tokens.get(row.start, frozenset())
        needed = got = 0.0
        for term, asked in self._question.terms.items():
            in_label = held(term, own)
            if term in FRAME and not in_label:
                continue
            weight = asked * self._weight(term)
            needed += weight
            got += weight * max(
                in_label,
                held(term, group),
                held(term, column),
                CONTEXT_WEIGHT * held(term, context),
                AROUND_WEIGHT * held(term, self._around),
            )
        if self._question.years and not cell_years(
            place, row, cell
        ):  # the text around may say what period it is
            dated = context | frozenset(years_in(place.table.title))
            needed += YEAR_WEIGHT
            got += YEAR_WEIGHT * max(
                CONTEXT_WEIGHT * any(year in dated for year in self._question.years),
                AROUND_WEIGHT * any(year in self._around for year in self._question.years),
            )
        if not needed and own.keys() <= STOP_WORDS:
            return 1.0  # a question that names "Other" and nothing else
        return got / needed if needed else 0.0


def _side(text: str) -> int:
    """-1 for a text about the beginning of a period, 1 for one about its end, 0 for neither or both."""
    return (_CLOSING.search(text) is not None) - (_OPENING.search(text) is not None)


def _is_year(label: str) -> bool:
    return bool(years_in(label)) and len(label) <= 12
