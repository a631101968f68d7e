"""Answers from the stored tables, without a model: the cells that a question names, each with its row quoted.

    Revenue, 2019: $481,985; 2018: $402,100 (in thousands)

Comparisons ("in which year was it larger") are made over the cells of one item, and computed figures (a change, an
average, a share) say their formula and quote every cell that goes into them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from rag.answering.citations import PageSource
from rag.answering.reply import Draft, DraftSentence, Quote
from rag.answering.table_arithmetic import compute
from rag.answering.table_questions import FRAME, TableQuestion, Wanted, table_question_of
from rag.answering.tables import Lookup, Match, Place, Tables, is_change, places_of
from rag.text.figures import as_printed, scale_of, unit_in, value_of, years_in
from rag.text.keywords import keyword_tokens
from rag.text.patterns import lazy_compile
from rag.types import CellReference, Passage, Row

ENOUGH = 0.55
"""Score from which a cell's headers fit a question, chosen on half of the development reports."""
SURE = 0.75
"""Score from which a cell is evidence enough by itself, however few words of the question the passages hold."""
EXACT = 0.95
"""Share of a label that the question names, and of the question that the headers hold, for an exact match."""
NAMED = 0.6
"""Share of a row's label that the question must name."""
ALIKE = 0.012
"""Cells of one row whose scores differ by less are all given: the question does not tell between them."""
ITEMS_NAMED = 0.5
"""Share of the question's words that the title of a table or of a group must hold for its rows to be listed."""
MOST_ITEMS = 12
ITEM_WORDS = frozenset(
    {
        "type",
        "component",
        "item",
        "segment",
        "region",
        "category",
        "element",
        "kind",
        "class",
        "table",
        "financial",
        "listed",
    }
)
MOST_CELLS = 6
"""Cells of one row given at most."""
_AVERAGE = lazy_compile(r"(?<!weighted[ -])\baverage\b|(?<!가중)평균", re.IGNORECASE)
_TOTAL = lazy_compile(r"\btotals?\b|합계|총계|소계|^계$", re.IGNORECASE)
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


def answer_from_tables(
    question: str, passages: Sequence[Passage], tables: Tables, pages: PageSource
) -> TableAnswer | None:
    """The answer that the tables on the passages' pages hold, or None when no cell is clearly asked for."""
    asked = table_question_of(question)
    places = places_of(passages, tables) if asked is not None else []
    if asked is None or not places:
        return None
    around = frozenset(keyword_tokens(" ".join(f"{p.title} {p.heading} {p.text}" for p in passages)))
    answerer = _Answerer(asked, places, pages, around)
    return answerer.answer()


class _Answerer:
    def __init__(
        self, question: TableQuestion, places: Sequence[Place], pages: PageSource, around: frozenset[str]
    ) -> None:
        self._question = question
        self._places = places
        self._pages = pages
        self._matches = Lookup(places, around).matches(question)

    def answer(self) -> TableAnswer | None:
        wanted = self._question.wanted
        if wanted is Wanted.PERIODS:
            return self._periods()
        if wanted is Wanted.ITEMS:
            return self._items()
        if wanted is Wanted.ITEM:
            return self._item()
        if not self._matches or self._matches[0].score < ENOUGH or self._matches[0].precision < NAMED:
            return None
        best = self._matches[0]
        if wanted is Wanted.PERIOD:
            return self._period(best)
        if not self._question.measured and len(self._cells_of(best)) > 1:
            return None
        words = _OPERATION_WORDS.get(wanted, set())
        named = words & set(keyword_tokens(best.row.label)) if len(self._question.years) < 2 else set()
        if wanted is Wanted.VALUE or named or self._changes(best):
            return self._values(best)
        if wanted is not Wanted.AVERAGE and _AVERAGE.search(self._question.text):
            return None  # a change of an average, and the like
        return self._computed(best, wanted)

    # -- values ---------------------------------------------------------------------------------------------

    def _values(self, best: Match) -> TableAnswer:
        groups = [self._cells_of(row_best) for row_best in self._rows(best)]
        texts: list[str] = []
        for cells in groups:
            heads = [_column_name(match) for match in cells]
            pieces = [
                f"{head}: {_value(m)}" if head else _value(m) for head, m in zip(heads, cells, strict=True)
            ]
            name = _item_name(cells[0])
            joint = ", " if heads[0] else ": "
            texts.append(f"{name}{joint}{'; '.join(pieces)}" if name else "; ".join(pieces))
        cells = [match for group in groups for match in group]
        return self._told("; ".join(texts), cells, best)

    def _rows(self, best: Match) -> list[Match]:
        """The best cell of each row that the question names: one, or several in the order of the question."""
        rows = [best]
        if self._question.several:
            for match in self._matches:
                same = match.place is best.place and match.row is not best.row
                if not same or match.precision < 0.99 or any(m.row is match.row for m in rows):
                    continue
                if all(match.own - m.own and m.own - match.own for m in rows):
                    rows.append(match)
        order = list(self._question.terms)
        rows.sort(key=lambda m: min((order.index(t) for t in m.own if t in order), default=0))
        return rows[:4] if best in rows[:4] else [best]

    def _cells_of(self, best: Match) -> list[Match]:
        """The cells of a row that are asked for: one for each period, or those that fit equally well."""
        own = [m for m in self._matches if m.place is best.place and m.row is best.row]
        changes = self._changes(best)
        if changes:
            return changes[:1]
        years = self._question.years
        if years and any(m.years for m in own):
            found = [next((m for m in own if year in m.years), None) for year in years]
            kept = list({id(m): m for m in found if m is not None}.values())
            return kept or [best]
        if years and best.years:
            return [best]
        alike = [m for m in own if m.score >= best.score - ALIKE]
        alike = [m for m in alike if self._names(m.column)] or alike
        alike.sort(key=lambda m: m.cell.start)
        return alike if len(alike) <= MOST_CELLS else [best]

    def _names(self, column: Sequence[str]) -> bool:
        """Whether the question has a column's innermost header word for word, one with a number ("3분기", "Q3")."""
        header = column[-1].strip() if column else ""
        if not re.search(r"\d", header):
            return False
        return re.search(rf"(?<!\w){re.escape(header)}(?![A-Za-z\d])", self._question.text, re.I) is not None

    def _changes(self, best: Match) -> list[Match]:
        """The cells of a row in a column of changes, when the question asks for one of that kind."""
        percent = self._question.wanted is Wanted.PERCENT_CHANGE or "%" in self._question.text
        return [
            m
            for m in self._matches
            if m.row is best.row
            and m.place is best.place
            and is_change(self._question, m.place, m.cell)
            and percent
            == ("%" in " ".join((m.cell.text, *m.column)) or "percent" in " ".join(m.column).lower())
        ]

    # -- comparisons ----------------------------------------------------------------------------------------

    def _series(self, best: Match) -> list[Match]:
        """The cells of the best item, one for each period, in the order of the table."""
        best = next(
            (m for m in self._matches if m.row is best.row and m.place is best.place and m.years), best
        )
        found: dict[frozenset[str], Match] = {}
        for match in self._matches:
            if match.place is best.place and match.years and _item_key(match) == _item_key(best):
                found.setdefault(match.years, match)
        return sorted(found.values(), key=lambda m: m.cell.start)

    def _period(self, best: Match) -> TableAnswer | None:
        series = [(m, v) for m in self._series(best) if (v := value_of(m.cell.text)) is not None]
        if len(series) < 2:
            return None
        chosen = self._chosen(series)
        if not chosen:
            return None
        periods = ", ".join(_column_name(m) or m.row.label for m in chosen)
        told = "; ".join(f"{_column_name(m) or m.row.label}: {_value(m)}" for m, _ in series)
        text = f"{periods} – {_item_name(best)}, {told}"
        answer = self._told(text, [m for m, _ in series], best)
        headers = tuple(quote for m in chosen if (quote := self._header_quote(m)) is not None)
        sentence = answer.draft.sentences[0]
        named = replace(sentence, quotes=(*headers, *sentence.quotes))
        return replace(answer, draft=replace(answer.draft, sentences=(named,)))

    def _header_quote(self, match: Match) -> Quote | None:
        """The line of the headers that holds the period of a cell: the period is what was asked for."""
        table = match.place.table
        page = self._pages.page(match.place.file, table.page)
        year = next(iter(sorted(match.years)), "")
        head = page.text[table.start : table.rows[0].start] if page is not None else ""
        line = next((line for line in head.split("\n") if year and year in line), None)
        if line is None:
            return None
        cell = CellReference(year, match.row.path, match.column)
        return Quote(line, match.place.passage, table.page, cell=cell)

    def _chosen(self, series: Sequence[tuple[Match, Decimal]]) -> list[Match]:
        question = self._question
        if question.above is not None and question.threshold is not None:
            scale = scale_of(series[0][0].place.table.unit)
            if scale == 1 or scale_of(question.text) == 1:  # one of them does not say: taken for the same
                scale = scale_of(question.text)
            limit = question.threshold
            return [m for m, v in series if (v * scale > limit if question.above else v * scale < limit)]
        pick = max if question.most else min
        return [pick(series, key=lambda item: item[1])[0]]

    def _item(self) -> TableAnswer | None:
        """The row with the largest or smallest value in the column that is named, or the column in a named row."""
        best = self._matches[0] if self._matches else None
        total = best is not None and best.own <= {"total", "합계", "총계"}
        if best is not None and not total and best.precision >= 0.9 and best.score >= ENOUGH:
            return self._column_of(best)
        scored: list[tuple[float, Place, int]] = []
        for place in self._places:
            for column in range(len(place.table.columns)):
                years = place.column_years[column]
                if self._question.years and years and not years & set(self._question.years):
                    continue
                tokens = place.column_tokens[column] | place.title_tokens
                rows = frozenset(t for row in place.table.rows for t in keyword_tokens(" ".join(row.path)))
                held = sum(
                    max(t in tokens, 0.5 * (t in rows)) for t in self._question.terms if t not in FRAME
                )
                scored.append((held - 0.3 * place.passage, place, column))
        if not scored:
            return None
        held, place, column = max(scored, key=lambda item: item[0])
        values = [
            (row, cell, value)
            for row in place.table.rows
            for cell in row.cells
            if cell.column == column
            and row.label
            and not _TOTAL.search(row.label)
            and (value := value_of(cell.text)) is not None
        ]
        if len(values) < 2:
            return None
        pick = max if self._question.most else min
        row, cell, _ = pick(values, key=lambda item: item[2])
        named = [t for t in self._question.terms if t not in FRAME and t not in ITEM_WORDS]
        share = min(1.0, held / len(named)) if named else 0.6
        match = Match(place, row, cell, max(0.6, share), frozenset(), 1.0, share)
        name = _column_name(match)
        return self._told(
            f"{_item_name(match)}{', ' + name if name else ''}: {_value(match)}", [match], match
        )

    def _column_of(self, best: Match) -> TableAnswer | None:
        """The column with the largest or smallest value in a row, totals left out."""
        row = [m for m in self._matches if m.row is best.row and m.place is best.place]
        named = [
            (m, v)
            for m in row
            if m.column and not _TOTAL.search(" ".join(m.column)) and (v := value_of(m.cell.text)) is not None
        ]
        if len(named) < 2 or any(m.years and m.place.column_years[m.cell.column] for m, _ in named):
            return None
        pick = max if self._question.most else min
        chosen = pick(named, key=lambda item: item[1])[0]
        return self._told(f"{_column_name(chosen)} – {_item_name(chosen)}: {_value(chosen)}", [chosen], best)

    def _periods(self) -> TableAnswer | None:
        """The periods that the columns (or rows) of the table in question are about."""
        best = self._matches[0] if self._matches else None
        place = best.place if best is not None and best.score > 0.2 else self._places[0]
        table = place.table
        page = self._pages.page(place.file, table.page)
        named = [text for path in table.columns for text in path if years_in(text)]
        if page is None or len(set(named)) < 2:
            return None
        first = min(row.start for row in table.rows)
        head = page.text[table.start : first]
        periods = list(dict.fromkeys(year for text in named for year in years_in(text)))
        lines = [line for line in head.split("\n") if any(year in line for year in periods)]
        if not lines:
            return None
        quote = max(lines, key=lambda line: sum(year in line for year in periods))
        sentence = DraftSentence(
            ", ".join(dict.fromkeys(named)),
            (place.passage,),
            (Quote(quote, place.passage, table.page),),
            True,
        )
        return TableAnswer(Draft((sentence,)), 0.7, 0.7, certain=True)

    def _items(self) -> TableAnswer | None:
        """The rows of the group that the question names, or all of the table whose title it names."""
        terms = {t for t in self._question.terms if t not in FRAME and t not in ITEM_WORDS}
        best: tuple[float, Place, tuple[str, ...]] = (0.0, self._places[0], ())
        for place in self._places:
            groups = {row.path[:-1] for row in place.table.rows if len(row.path) > 1}
            for group in ((), *sorted(groups)):
                named = frozenset(keyword_tokens(group[-1])) if group else place.title_tokens
                held = len(terms & named) / max(1, len(terms)) + (
                    0.2 * len(terms & named) / len(named) if group and named else 0
                )
                best = max(best, (held, place, group), key=lambda item: item[0])
        held, place, group = best
        rows = [
            row
            for row in place.table.rows
            if row.path[:-1][: len(group)] == group and row.label and not _TOTAL.search(row.label)
        ]
        labels = list(dict.fromkeys(row.label for row in rows))
        if (terms and held < ITEMS_NAMED) or not 2 <= len(labels) <= MOST_ITEMS:
            return None
        matches = [Match(place, row, row.cells[0], held, frozenset(), 1.0, held) for row in rows]
        answer = self._told(", ".join(labels), matches, matches[0], with_unit=False)
        return replace(answer, certain=True)

    # -- computed figures -----------------------------------------------------------------------------------

    def _computed(self, best: Match, wanted: Wanted) -> TableAnswer | None:
        operands = self._operands(best, wanted)
        made = compute(wanted, [(m.cell.text, m) for m in operands]) if operands else None
        if made is None:
            return None
        derived, order = made
        names = "; ".join(dict.fromkeys(_full_name(m) for m in order))
        text = f"{names}: {derived.figure} = {derived.formula.rpartition(' ')[0].rstrip(' =≈')}"
        answer = self._told(text, order, best, with_unit="%" not in derived.figure)
        sentence = answer.draft.sentences[0]
        computed = DraftSentence(sentence.text, sentence.passages, sentence.quotes, True, (derived,))
        return replace(answer, draft=Draft((computed,)), exact=False)  # a sentence may state it

    def _operands(self, best: Match, wanted: Wanted) -> list[Match]:
        """The cells to compute with, in the order of the question (periods: the older first)."""
        rows = self._rows(best)
        years = self._question.years
        if len(rows) >= 2 and len(years) <= 1:
            cells = [self._cells_of(row)[0] for row in rows]
            return cells[::-1] if wanted is Wanted.CHANGE else cells
        if wanted in (Wanted.SHARE, Wanted.RATIO):
            return []
        series = self._series(best)
        if years:
            series = [m for m in series if m.years & set(years)]
        series.sort(key=lambda m: min(m.years))
        if len(series) == len(years) == 1 and wanted in (Wanted.CHANGE, Wanted.PERCENT_CHANGE):
            series = [*self._before(series[0]), *series]
        if wanted in (Wanted.CHANGE, Wanted.PERCENT_CHANGE) and len(series) != 2:
            return []
        if len(years) > len(series):
            return []
        return series if len(series) >= 2 else []

    def _before(self, match: Match) -> list[Match]:
        """The cell of the period before in the same row: "by how much did it rise in 2025" is since then."""
        own = [replace(match, cell=cell) for cell in match.row.cells]
        earlier = [
            m for m in own if m.years and max(m.years) < min(match.years) and _item_key(m) == _item_key(match)
        ]
        return [max(earlier, key=lambda m: max(m.years))] if earlier else []

    def _told(self, text: str, cells: Sequence[Match], best: Match, *, with_unit: bool = True) -> TableAnswer:
        unit = best.place.table.unit
        if with_unit and unit and not all("%" in m.cell.text for m in cells) and unit not in text:
            text = f"{text} ({unit})"
        quotes = tuple(dict.fromkeys(q for m in cells if (q := self._quote(m)) is not None))
        numbers = tuple(dict.fromkeys(m.place.passage for m in cells))
        sentence = DraftSentence(" ".join(text.split()), numbers, quotes, starts_line=True)
        path = (*best.row.path, *best.column, best.place.table.title, *(t for m in cells for t in m.column))
        headers = frozenset(keyword_tokens(" ".join(path)))
        draft = Draft((sentence,), declined=not quotes)
        exact = best.precision >= EXACT and best.recall >= EXACT
        return TableAnswer(draft, best.score, best.recall, headers, exact=exact)

    def _quote(self, match: Match) -> Quote | None:
        page = self._pages.page(match.place.file, match.place.table.page)
        if page is None:
            return None
        row: Row = match.row
        words = page.text[row.start : row.end]
        return Quote(words, match.place.passage, match.place.table.page, cell=match.reference)


def _value(match: Match) -> str:
    return as_printed(match.cell.text)


def _column_name(match: Match) -> str:
    """The header of a cell's column in short: its period, or its innermost header."""
    path = [text for text in match.column if not (unit_in(text) and not years_in(text))]
    dated = [text for text in path if years_in(text)]
    if dated and len(match.place.table.columns) == len(
        {years_in(" ".join(c)) for c in match.place.table.columns}
    ):
        return dated[-1]
    return " ".join(path)[-80:]


def _item_name(match: Match) -> str:
    """The label of a cell's row; with its group when another row has the same label."""
    label = match.row.label
    twins = sum(row.label == label for row in match.place.table.rows)
    if twins > 1 or not label:
        return " – ".join(match.row.path)
    return label


def _full_name(match: Match) -> str:
    column = _column_name(match)
    return f"{_item_name(match)}, {column}" if column else _item_name(match)


def _item_key(match: Match) -> tuple[object, ...]:
    """What two cells of different periods share when they are about the same item."""
    if any(years_in(text) for text in match.column):
        periods = [years for years in match.place.column_years if years]
        if len(set(periods)) == len(
            periods
        ):  # one column a period: what else stands over it tells nothing apart
            return (match.row.start,)
        return match.row.start, _without_years(match.column)
    groups = tuple(text for text in match.row.path if not years_in(text))
    return match.cell.column, groups


def _without_years(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for text in path if not years_in(text))
