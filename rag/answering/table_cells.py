"""Which of the matching cells a question asks for: of one row or several, of each period, of each named column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answering.table_matching import Match, is_change, matches_of
from rag.answering.table_questions import TableQuestion, Wanted
from rag.answering.tables import Place
from rag.text.figures import years_in
from rag.text.keywords import STOP_WORDS

ALIKE = 0.012
"""Cells of one row whose scores differ by less are all given: the question does not tell between them."""
MOST_CELLS = 6
"""Cells of one row given at most."""
MOST_ROWS = 4
NAMED_WHOLE = 0.99
"""Share of a label that a question which names several rows must name of each."""


@dataclass(frozen=True, slots=True)
class AskedCells:
    """The cells of some tables that fit a question, best first."""

    question: TableQuestion
    places: Sequence[Place]
    around: frozenset[str]
    matches: Sequence[Match]

    @classmethod
    def of(cls, question: TableQuestion, places: Sequence[Place], around: frozenset[str]) -> AskedCells:
        """`around` are the tokens of the pages that the tables are on."""
        return cls(question, places, around, matches_of(question, places, around))

    def asking(self, question: TableQuestion) -> AskedCells:
        """The same tables, asked another question."""
        return AskedCells.of(question, self.places, self.around)

    @property
    def best(self) -> Match | None:
        return self.matches[0] if self.matches else None

    def in_row(self, match: Match) -> list[Match]:
        """The matching cells of the row of `match`, best first."""
        return [m for m in self.matches if m.place is match.place and m.row is match.row]

    def rows(self, best: Match) -> list[Match]:
        """The best cell of each row that the question names: one, or several in the order of the question."""
        rows = [best]
        if self.question.several:
            for match in self.matches:
                same = match.place is best.place and match.row is not best.row
                if not same or match.precision < NAMED_WHOLE or any(m.row is match.row for m in rows):
                    continue
                if all(match.own - m.own and m.own - match.own for m in rows):
                    rows.append(match)
        order = list(self.question.terms)
        rows.sort(key=lambda m: min((order.index(t) for t in m.own if t in order), default=0))
        return rows[:MOST_ROWS] if best in rows[:MOST_ROWS] else [best]

    def asked_of(self, best: Match) -> list[Match]:
        """The cells of a row that are asked for: one for each column or period, or those that fit equally well."""
        own = self.in_row(best)
        if changes := self.changes(best):
            return changes[:1]
        if len(columns := self._named_columns(own)) > 1:
            return columns
        years = self.question.years
        if years and any(m.years for m in own):
            found = [next((m for m in own if year in m.years), None) for year in years]
            kept = list({id(m): m for m in found if m is not None}.values())
            return kept or [best]
        if years and best.years:
            return [best]
        alike = [m for m in own if m.score >= best.score - ALIKE]
        alike = [m for m in alike if self.names_word_for_word(m.column)] or alike
        alike.sort(key=lambda m: m.cell.start)
        return alike if len(alike) <= MOST_CELLS else [best]

    def _named_columns(self, own: Sequence[Match]) -> list[Match]:
        """The cells in columns that the question names by all that tells them apart ("the high and low prices")."""
        tokens = own[0].place.column_tokens
        if not self.question.several or len(tokens) < 2:
            return []
        common = frozenset.intersection(*tokens)
        order = list(self.question.terms)
        found: dict[frozenset[str], Match] = {}
        for match in own:
            telling = frozenset(
                t
                for t in match.place.in_column(match.cell) - common
                if not t.isdecimal() and t not in STOP_WORDS
            )
            if telling and telling <= self.question.terms.keys():
                found.setdefault(telling, match)
        cells = {a: m for a, m in found.items() if not any(a < b for b in found)}
        return [cells[a] for a in sorted(cells, key=lambda a: min(map(order.index, a)))]

    def names_word_for_word(self, column: Sequence[str]) -> bool:
        """Whether the question has a column's innermost header word for word, one with a number ("3분기", "Q3")."""
        header = column[-1].strip() if column else ""
        if not re.search(r"\d", header):
            return False
        return re.search(rf"(?<!\w){re.escape(header)}(?![A-Za-z\d])", self.question.text, re.I) is not None

    def changes(self, best: Match) -> list[Match]:
        """The cells of a row in a column of changes, when the question asks for one of that kind."""
        percent = self.question.wanted is Wanted.PERCENT_CHANGE or "%" in self.question.text
        return [
            m
            for m in self.in_row(best)
            if is_change(self.question, m.place, m.cell)
            and percent
            == ("%" in " ".join((m.cell.text, *m.column)) or "percent" in " ".join(m.column).lower())
        ]

    def series(self, best: Match) -> list[Match]:
        """The cells of the best item, one for each period, in the order of the table."""
        best = next((m for m in self.in_row(best) if m.years), best)
        found: dict[frozenset[str], Match] = {}
        for match in self.matches:
            if match.place is best.place and match.years and _item_key(match) == _item_key(best):
                found.setdefault(match.years, match)
        return sorted(found.values(), key=lambda m: m.cell.start)


def period_before(match: Match) -> Match | None:
    """The cell of the period before in the same row: "by how much did it rise in 2025" is since then."""
    own = [replace(match, cell=cell) for cell in match.row.cells]
    earlier = [m for m in own if m.years and max(m.years) < min(match.years)]
    earlier = [m for m in earlier if _item_key(m) == _item_key(match)]
    return max(earlier, key=lambda m: max(m.years)) if earlier else None


def _item_key(match: Match) -> tuple[object, ...]:
    """What two cells of different periods share when they are about the same item."""
    if any(years_in(text) for text in match.column):
        periods = [years for years in match.place.column_years if years]
        if len(set(periods)) == len(periods):
            return (match.row.start,)  # one column a period: what else stands over it tells nothing apart
        return match.row.start, tuple(text for text in match.column if not years_in(text))
    groups = tuple(text for text in match.row.path if not years_in(text))
    return match.cell.column, groups
