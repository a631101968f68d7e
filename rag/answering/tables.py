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
from functools import cached_property
from typing import Protocol

from rag.answering.table_questions import FRAME, TableQuestion
from rag.text.figures import years_in
from rag.text.keywords import PARTICLE_WEIGHT, STOP_WORDS, keyword_tokens
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences
from rag.types import Cell, CellReference, Passage, Row, Table

STEM = 5
"""First letters that two forms of a word share at least ("invented", "invention")."""
STEM_WEIGHT = 0.8
ASIDE_WEIGHT = 0.3
"""Weight of what a label has in brackets ("(see Note 2)"), against 1 for its other words."""
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
TOTAL = lazy_compile(r"\btotals?\b|합계|총계|소계|^계$", re.IGNORECASE)
CHANGE_WORDS = frozenset({"change", "increase", "decrease", "growth", "variance", "증감", "변동"})
_WHOLE = lazy_compile(r"\s*(?:(?:grand |sub)?totals?|all|합계|총계|계|전체)\b", re.IGNORECASE)
"""How the label of a row begins that adds up those above it."""
_DIVIDED = lazy_compile(r".*\b(?:table|표)\s?\d+\W*|\b(?:by|per)\s.*|\S+별(?=\s)", re.IGNORECASE)
"""What a title says beside what is counted: its number, and what its rows are ("by route", 노선별)."""
_ACRONYM = lazy_compile(r"\(([A-Z][A-Z&]{1,7})\)|\((?:the )?[\"“]([^\"“”()]+)[\"”]\)")
"""A name that a label gives in brackets beside the full one: `Loan-to-value (LTV) ratio`, `Apple Inc. (“Apple”)`."""
_ASIDE = lazy_compile(r"\((?:[^()]|\([^()]*\))*\)")
_OPENING = lazy_compile(r"\b(?:beginning|opening|start of)\b|기초", re.IGNORECASE)
_CLOSING = lazy_compile(r"\b(?:ending|closing|end of)\b|기말", re.IGNORECASE)
_SIDE_WORDS = frozenset({"beginning", "opening", "start", "end", "ending", "closing", "year", "period"})
_ANNOUNCES = lazy_compile(
    r"[::]$|\b(?:following|below)\b.*\btables?\b|\btables?\b.*\b(?:following|below|above)\b"
    r"|(?:다음|아래|위)\S*\s?(?:의\s)?표|표와\s?같",
    re.IGNORECASE | re.DOTALL,
)


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
    announced: frozenset[str] = frozenset()
    """Tokens of the sentences that announce it ("... were as follows:")."""

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

    @cached_property
    def labels(self) -> tuple[frozenset[str], ...]:
        """The tokens of the label of each row."""
        return tuple(frozenset(label_tokens(row.label)) for row in self.table.rows)

    @cached_property
    def counted(self) -> frozenset[str]:
        """Tokens of what the title says the figures count: of "Passengers carried by route" the first two."""
        return frozenset(keyword_tokens(_DIVIDED.sub(" ", self.table.title))) - STOP_WORDS

    @cached_property
    def whole(self) -> Row | None:
        """The last row when it adds up all others and says no more than that: "All routes" of a table by route."""
        last = self.table.rows[-1] if len(self.table.rows) > 2 else None
        if last is None or _WHOLE.match(last.label) is None:
            return None
        return (
            last
            if self.title_tokens.issuperset(keyword_tokens(_WHOLE.sub("", last.label, count=1)))
            else None
        )

    @cached_property
    def total_tokens(self) -> Mapping[int, frozenset[str]]:
        """By the start of a row, the tokens of the label of the total that closes it: "Total net sales"."""
        found: dict[int, frozenset[str]] = {}
        total: Row | None = None
        for row in reversed(self.table.rows):
            if TOTAL.search(row.label):
                total = row
            elif total is not None and row.path[: len(total.path) - 1] == total.path[:-1]:
                found[row.start] = frozenset(keyword_tokens(total.label))
        return found

    @cached_property
    def single_groups(self) -> frozenset[tuple[str, ...]]:
        """The groups that have one row."""
        counts = Counter(row.path[:-1] for row in self.table.rows if len(row.path) > 1)
        return frozenset(group for group, count in counts.items() if count == 1)

    def in_column(self, cell: Cell) -> frozenset[str]:
        """The tokens of the headers of a cell's column."""
        return self.column_tokens[cell.column] if cell.column < len(self.column_tokens) else frozenset()


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
    words = place.in_column(cell) & CHANGE_WORDS & question.terms.keys()
    return bool(words) and not place.column_years[cell.column]


def places_of(passages: Sequence[Passage], tables: Tables) -> list[Place]:
    """The tables of the pages that the passages are on, in the order of the passages."""
    seen: set[tuple[str, int]] = set()
    found: list[Place] = []
    for number, passage in enumerate(passages, 1):
        for page in range(passage.page, passage.page_end + 1):
            if (passage.file, page) in seen:
                continue
            seen.add((passage.file, page))
            stored = tables.tables(passage.file, page)
            announced = frozenset[str]()
            if len(stored) == 1:
                announced = _announcement(passages, passage.file, page)
            found += [Place(number, passage.file, table, announced) for table in stored]
    return found


def _announcement(passages: Sequence[Passage], file: str, page: int) -> frozenset[str]:
    """The tokens of the sentences of a page with one table that announce a table."""
    texts = [p.text for p in passages if p.file == file and p.page <= page <= p.page_end]
    said = (text[start:end].strip() for text in texts for start, end in sentences(text))
    return frozenset(token for one in said if _ANNOUNCES.search(one) for token in keyword_tokens(one))


def matches_of(question: TableQuestion, places: Sequence[Place], around: frozenset[str]) -> list[Match]:
    """The cells that fit the question, best first; those of other periods than it asks about are left out.

    `around` are the tokens of the pages that the tables are on.
    """
    scorer = _Scorer(question, places, around)
    found = [
        scorer.match(place, row, cell)
        for place in places
        for row in place.table.rows
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
        self._only_rows: dict[tuple[int, frozenset[str]], Row | None] = {}
        rows = [row for place in places for row in place.table.rows]
        self._counts = Counter(t for row in rows for t in frozenset(keyword_tokens(" ".join(row.path))))
        self._total = len(rows)

    def match(self, place: Place, row: Row, cell: Cell) -> Match:
        column = place.in_column(cell)
        label = label_tokens(row.label) if row.label and not _is_year(row.label) else {}
        own = label or {token: 1.0 for token in column if not token.isdecimal()}
        group = frozenset(keyword_tokens(" ".join(row.path[:-1])))
        terms = self._question.terms
        precision = self._precision(own, row.label)
        if row.path[:-1] in place.single_groups:  # a heading with one row under it names that row
            precision = max(precision, self._precision(label_tokens(row.path[-2]), row.path[-2]))
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


def held(token: str, tokens: Mapping[str, float] | Set[str]) -> float:
    """1 when the token is among the tokens, less for another form of it, 0 when it is not."""
    if token in tokens:
        return 1.0
    if len(token) < STEM:
        return 0.0
    return STEM_WEIGHT if any(t[:STEM] == token[:STEM] for t in tokens if len(t) >= STEM) else 0.0


def _side(text: str) -> int:
    """-1 for a text about the beginning of a period, 1 for one about its end, 0 for neither or both."""
    return (_CLOSING.search(text) is not None) - (_OPENING.search(text) is not None)


def label_tokens(label: str) -> dict[str, float]:
    """The words of a label with their weights; what it has in brackets counts less."""
    inside = [
        t for t in keyword_tokens(" ".join(_ASIDE.findall(label))) if not t.isdecimal()
    ]  # no footnote marks
    outside = [t for t in keyword_tokens(_ASIDE.sub(" ", label)) if t not in STOP_WORDS]
    tokens = dict.fromkeys((t for t in inside if t not in STOP_WORDS), ASIDE_WEIGHT if outside else 1.0)
    return tokens | dict.fromkeys(outside, 1.0) or dict.fromkeys(keyword_tokens(label), 1.0)


def _is_year(label: str) -> bool:
    return bool(years_in(label)) and len(label) <= 12
