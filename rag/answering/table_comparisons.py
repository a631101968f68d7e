"""Answers that compare or list: which period or item is the largest, which periods and items a table has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from rag.answering.citations import PageSource
from rag.answering.reply import Draft, DraftSentence
from rag.answering.table_cells import AskedCells
from rag.answering.table_questions import FRAME, TableQuestion
from rag.answering.table_wording import (
    TableAnswer,
    column_name,
    full_name,
    item_name,
    period_quote,
    told,
    value,
)
from rag.answering.tables import AROUND_WEIGHT, CONTEXT_WEIGHT, TOTAL, Match, Place
from rag.text.figures import is_period, scale_of, value_of, years_in
from rag.text.keywords import keyword_tokens
from rag.text.patterns import lazy_compile
from rag.types import Cell, Row

LIKELY = 0.7
"""Score of an answer about the headers of a table: no cell's score says how well it fits."""
ITEM_FITS = 0.9
"""Share of a row's label that the question must name for its columns to be compared."""
ROW_NAMED = 0.55
"""Score of the row whose periods are asked for; below it the periods are those of the table."""
PLACE_FITS = 0.25
"""Score of a cell from which its table is the one whose periods are asked for, not that of the first passage."""
ITEMS_NAMED = 0.5
"""Share of the question's words that the title of a table or of a group must hold for its rows to be listed."""
LIST_NAMED = 0.75
"""The same, from which no sentence of the text is preferred to the list; nor when the question says "table"."""
LEAST_ITEM = 0.6
"""Score of the largest or smallest row of a column of which the headers say little."""
RANK_COST = 0.3
"""What a passage costs the columns of its tables against those of the one before, in words of the question."""
MOST_ITEMS = 12
LONGEST_PERIOD = 45
"""Characters of a header that may name a period."""
ITEM_WORDS = frozenset(
    re.findall(
        r"\w+",
        "type component item segment region country currency category element kind class table financial listed "
        "expensive contribute contributed",
    )
)
"""Words for what rows are: they name none."""
_MAGNITUDE = lazy_compile(
    r"\b(?:larg|great|bigg|movement|loss|expens|cost|charge|outflow|used in|decrease|deficit|provision)",
    re.IGNORECASE,
)
"""Words of a question or label with which a figure below 0 is the larger, the further below it is."""
_NIL = lazy_compile(r"[$€£¥₩]?\s?[-–—]+")


def largest_period(found: AskedCells, best: Match, pages: PageSource) -> TableAnswer | None:
    """The period in which the best item is the largest or smallest, or above or below a figure."""
    series = [(m, amount) for m in found.series(best) if (amount := _amount(m.cell.text)) is not None]
    if len(series) < 2:
        return None
    chosen = _chosen_periods(found.question, series)
    if not chosen:
        return None
    periods = ", ".join(column_name(m) or m.row.label for m in chosen)
    figures = "; ".join(f"{column_name(m) or m.row.label}: {value(m)}" for m, _ in series)
    named = ((m, _period_of(" ".join((*m.column, *m.row.path)), m.years)) for m in chosen)
    headers = (period_quote(m.place, period, m.row.path, pages) for m, period in named)
    quotes = [quote for quote in headers if quote is not None]
    cells = [m for m, _ in series]
    return told(f"{periods} – {item_name(best)}, {figures}", cells, best, pages, first=quotes)


def _amount(text: str) -> Decimal | None:
    """The amount of a cell; a dash in its place is nothing."""
    return Decimal(0) if _NIL.fullmatch(text.strip()) else value_of(text)


def _chosen_periods(question: TableQuestion, series: Sequence[tuple[Match, Decimal]]) -> list[Match]:
    first = series[0][0]
    if question.above is not None and question.threshold is not None:
        scale = scale_of(first.place.table.unit)
        if scale == 1 or scale_of(question.text) == 1:  # one of them does not say: taken for the same
            scale = scale_of(question.text)
        limit = question.threshold
        return [m for m, v in series if (v * scale > limit if question.above else v * scale < limit)]
    below = all(v <= 0 for _, v in series) and bool(_MAGNITUDE.search(f"{question.text} {first.row.label}"))
    pick = max if question.most is not below else min
    return [pick(series, key=lambda item: item[1])[0]]


def largest_item(found: AskedCells, pages: PageSource) -> TableAnswer | None:
    """The row with the largest or smallest value in the column that is named, or the column in a named row."""
    best = found.best
    if best is not None and best.own - FRAME and best.precision >= ITEM_FITS:
        under = _rows_under(best)
        return _largest_row(found, best, under, pages) if under else _largest_column(found, best, pages)
    scored = [
        (_held_by_column(found, place, column) - RANK_COST * place.passage, place, column)
        for place in found.places
        for column in range(len(place.table.columns))
        if not found.question.years
        or not place.column_years[column]
        or place.column_years[column] & set(found.question.years)
    ]
    if not scored:
        return None
    held, place, column = max(scored, key=lambda item: item[0])
    words = len(_item_terms(found.question))
    share = min(1.0, (held + RANK_COST * place.passage) / words) if words else LEAST_ITEM
    first = next(((row, cell) for row, cell, _ in _column(place, column)), None)
    if first is None:
        return None
    match = Match(place, *first, max(LEAST_ITEM, share), frozenset(), 1.0, share)
    return _largest_row(found, match, place.table.rows, pages)


def _largest_row(
    found: AskedCells, fitting: Match, rows: Sequence[Row], pages: PageSource
) -> TableAnswer | None:
    """The largest or smallest of some rows, totals left out, in the column of the cell that fits the question."""
    among = {row.start for row in rows}
    values = [
        (row, cell, amount)
        for row, cell, amount in _column(fitting.place, fitting.cell.column)
        if row.start in among and not TOTAL.search(row.label)
    ]
    if len(values) < 2:
        return None
    pick = max if found.question.most else min
    row, cell, _ = pick(values, key=lambda item: item[2])
    match = replace(fitting, row=row, cell=cell)
    return told(f"{full_name(match)}: {value(match)}", [match], match, pages)


def _rows_under(match: Match) -> Sequence[Row]:
    """The rows that a total adds up; none for another row."""
    lists = _totals(match.place) if TOTAL.search(match.row.label) else ()
    return next((rows for total, rows in lists if total is match.row), ())


def _item_terms(question: TableQuestion) -> list[str]:
    return [t for t in question.terms if t not in FRAME and t not in ITEM_WORDS]


def _held_by_column(found: AskedCells, place: Place, column: int) -> float:
    """How many words of the question the headers of a column and what is around its table hold, weighed."""
    total = frozenset(t for tokens in place.total_tokens.values() for t in tokens)
    return sum(
        max(
            float(t in place.column_tokens[column] or t in place.title_tokens),
            CONTEXT_WEIGHT * (t in place.announced or t in total),
            AROUND_WEIGHT * (t in found.around),
        )
        for t in _item_terms(found.question)
    )


def _column(place: Place, column: int) -> Iterator[tuple[Row, Cell, Decimal]]:
    """The cells of a column that are in a row with a label and hold a figure."""
    for row in place.table.rows:
        for cell in row.cells:
            amount = value_of(cell.text) if cell.column == column and row.label else None
            if amount is not None:
                yield row, cell, amount


def _largest_column(found: AskedCells, best: Match, pages: PageSource) -> TableAnswer | None:
    """The column with the largest or smallest value in a row, totals left out."""
    named = [
        (m, amount)
        for m in found.in_row(best)
        if m.column and not TOTAL.search(" ".join(m.column)) and (amount := value_of(m.cell.text)) is not None
    ]
    if len(named) < 2 or any(m.place.column_years[m.cell.column] for m, _ in named):
        return None
    pick = max if found.question.most else min
    chosen = pick(named, key=lambda item: item[1])[0]
    return told(f"{column_name(chosen)} – {item_name(chosen)}: {value(chosen)}", [chosen], best, pages)


def periods(found: AskedCells, pages: PageSource) -> TableAnswer | None:
    """The periods that the columns (or rows) of the table in question are about."""
    best = found.best
    named = best is not None and best.precision >= ROW_NAMED and best.score >= ROW_NAMED
    place = best.place if best is not None and best.score >= PLACE_FITS else found.places[0]
    paths = [*place.table.columns, *(row.path for row in place.table.rows)]
    texts = dict.fromkeys(t for path in paths for t in path if years_in(t) and len(t) <= LONGEST_PERIOD)
    over_columns = [text for text in texts if any(text in path for path in place.table.columns)]
    texts = dict.fromkeys(over_columns if len(over_columns) > 1 else texts)
    if len(texts) < 2:
        return None
    title = (place.table.title,) if place.table.title else ()
    row = best.row.path if best is not None and named else title
    quotes = [period_quote(place, _period_of(text, years_in(text)), row, pages) for text in texts]
    kept = tuple(quote for quote in quotes if quote is not None)
    if len(kept) < len(texts):
        return None
    sentence = DraftSentence(", ".join(texts), (place.passage,), kept, True)
    return TableAnswer(Draft((sentence,)), LIKELY, LIKELY, certain=True)


def _period_of(text: str, years: Sequence[str] | frozenset[str]) -> str:
    """The year of a header as it is printed, else the header itself."""
    printed = [year for year in sorted(years) if year in text]
    return printed[0] if printed else next((part for part in text.split() if is_period(part)), text)


def items(found: AskedCells, pages: PageSource) -> TableAnswer | None:
    """The rows of the group or under the total that the question names, or all of the table whose title it names."""
    terms = set(_item_terms(found.question))
    best: tuple[float, Place, list[Row]] = (0.0, found.places[0], [])
    for place in found.places:
        for named, bonus, rows in _lists(place):
            share = len(terms & named) / max(1, len(terms))
            held = share + (bonus * len(terms & named) / len(named) if named else 0.0)
            if held > best[0] or not best[2]:
                best = held, place, rows
    held, place, rows = best
    labels = list(dict.fromkeys(row.label for row in rows if row.label and not TOTAL.search(row.label)))
    if (terms and held < ITEMS_NAMED) or not 2 <= len(labels) <= MOST_ITEMS:
        return None
    score = held if terms else LIKELY
    matches = [
        Match(place, row, row.cells[0], score, frozenset(), 1.0, score) for row in rows if row.label in labels
    ]
    answer = told(", ".join(labels), matches, matches[0], pages, with_unit=False)
    return replace(answer, certain=not terms or held >= LIST_NAMED or "table" in found.question.terms)


def _lists(place: Place) -> Iterator[tuple[frozenset[str], float, list[Row]]]:
    """The lists of rows that a table has, each with the words that name it and what the share of these adds."""
    rows = place.table.rows
    yield place.title_tokens | place.announced, 0.0, list(rows)
    for group in sorted({row.path[:-1] for row in rows if len(row.path) > 1}):
        yield frozenset(keyword_tokens(group[-1])), 0.2, [r for r in rows if r.path[: len(group)] == group]
    for total, added in _totals(place):
        yield frozenset(keyword_tokens(total.label)) - {"total"}, 0.2, added


def _totals(place: Place) -> Iterator[tuple[Row, list[Row]]]:
    """The totals of a table, each with the rows since the one before."""
    since: list[Row] = []
    for row in place.table.rows:
        if TOTAL.search(row.label):
            yield row, since
            since = []
        else:
            since.append(row)
