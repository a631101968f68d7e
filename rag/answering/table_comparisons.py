"""Answers that compare or list: which period or item is the largest, which periods and items a table has."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from rag.answering.citations import PageSource
from rag.answering.reply import Draft, DraftSentence
from rag.answering.table_cells import MOST_ROWS, AskedCells
from rag.answering.table_matching import AROUND_WEIGHT, CONTEXT_WEIGHT, HEADER_BONUS, Match
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
from rag.answering.tables import TOTAL, Place, held
from rag.text.figures import is_period, scale_of, unit_in, value_of, years_in
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
ABSENT = 0.4
"""Share of what a question names that must stand nowhere around for the tables to be about something else."""
RANK_COST = 0.3
"""What a passage costs the columns of its tables against those of the one before, in words of the question."""
MOST_ITEMS = 12
LONGEST_PERIOD = 45
"""Characters of a header that may name a period."""
ITEM_WORDS = frozenset(
    re.findall(
        r"\w+",
        "type component item segment region country currency category element kind class table financial listed "
        "expensive contribute contributed name "
        "longest shortest tallest heaviest lightest deepest widest narrowest cheapest",
    )
)
"""Words for what rows are: they name none."""
_MAGNITUDE = lazy_compile(
    r"\b(?:larg|great|bigg|movement|loss|expens|cost|charge|outflow|used in|decrease|deficit|provision)",
    re.IGNORECASE,
)
"""Words of a question or label with which a figure below 0 is the larger, the further below it is."""
_ADDS_UP = lazy_compile(
    r"\b(?:totals?|averages?|mean|median|overall|combined)\b|합계|총계|소계|^계$|전체|평균|중앙값",
    re.IGNORECASE,
)
"""Labels of rows and columns that sum the others up, and so are none of them."""
_BEHIND_FIGURE = lazy_compile(r"(?<=\d)\s?[^\W\d_]+$|%$")
_STATED = lazy_compile(r"\((?:in )?[^\W\d]{1,4}(?:²|³|/h|/s)?\)\s*$|%", re.IGNORECASE)
"""A unit in brackets behind a header: (kg), (km²)."""
_SIGNS = lazy_compile(r"[$€£¥₩]")
_SIZE = lazy_compile(r"\b(?:changes?|movements?|fluctuations?)\b|변동|변화", re.IGNORECASE)
"""What is the larger the further from 0 it is."""
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
    """The row with the largest or smallest value in the column that is named, or the column in a named row.

    Totals, averages and rows without a figure take no part; figures of different units are not compared.
    """
    best = found.best
    if (
        best is not None
        and best.own - FRAME
        and best.precision >= ITEM_FITS
        and not (
            _is_sum(best.place, best.row)
            and best.place.in_column(best.cell) & _item_terms(found.question).keys()
        )
    ):
        compared = [m.row for m in found.rows(best)]
        if len(compared) > 1:  # "Which had more sales, Canada or France?"
            return _largest_row(found, best, compared, pages)
        under = _rows_under(best)
        return _largest_row(found, best, under, pages) if under else _largest_column(found, best, pages)
    column = _named_column(found, pages)
    return _largest_row(found, column[0], column[0].place.table.rows, pages, column[1]) if column else None


def _named_column(found: AskedCells, pages: PageSource) -> tuple[Match, bool] | None:
    """The first cell of the column that holds what the question measures, and whether its headers say so.

    None when much of what the question names stands nowhere around: then no column is about what is asked.
    """
    terms = _item_terms(found.question)
    here = found.around.union(
        *(t for place in found.places for t in (*place.column_tokens, place.title_tokens))
    )
    if math.fsum(w for t, w in terms.items() if not held(t, here)) >= ABSENT * math.fsum(terms.values()) > 0:
        return None
    years = set(found.question.years)
    scored = [
        (_held_by_column(found, place, column, pages), place, column)
        for place in found.places
        for column, own in enumerate(place.column_years)
        if not years or not own or own & years
    ]
    words = math.fsum(terms.values())
    scored = [(share - RANK_COST * place.passage, place, column) for share, place, column in scored]
    if not scored:
        return None
    most, place, column = max(scored, key=lambda item: item[0])
    cells = _column(place, column)
    if not cells:
        return None
    share = min(1.0, (most + RANK_COST * place.passage) / words) if words else LEAST_ITEM
    rivals = [o for o, at, number in scored if at is place and number != column and o == most]
    named = bool(place.column_tokens[column] & found.question.terms.keys()) and not rivals
    match = Match(place, *cells[0][:2], max(LEAST_ITEM, share), frozenset(), 1.0, share)
    return match, named and (share >= LIST_NAMED or not words)


def _held_by_column(found: AskedCells, place: Place, column: int, pages: PageSource) -> float:
    """How many words of the question the headers of a column and what is around its table hold, weighed."""
    page = pages.page(place.file, place.table.page)
    first = min((row.start for row in place.table.rows), default=place.table.start)
    # the header over the labels is stored as text alone
    heads = (
        frozenset(keyword_tokens(page.text[place.table.start : first])) if page is not None else frozenset()
    )
    heads = (heads - frozenset[str]().union(*place.column_tokens)) | place.title_tokens
    total = frozenset(t for tokens in place.total_tokens.values() for t in tokens)
    context = place.announced | total
    terms = found.question.terms
    asking = sum(HEADER_BONUS for t in terms if t in FRAME and held(t, place.column_tokens[column]))
    return (
        asking
        + found.names_word_for_word(place.table.columns[column])
        + sum(
            weight
            * max(
                held(t, place.column_tokens[column]),
                held(t, heads),
                CONTEXT_WEIGHT * held(t, context),
                AROUND_WEIGHT * held(t, found.around),
            )
            for t, weight in _item_terms(found.question).items()
        )
    )


def _largest_row(
    found: AskedCells, fitting: Match, rows: Sequence[Row], pages: PageSource, certain: bool = False
) -> TableAnswer | None:
    """The largest or smallest of some rows in the column of the cell that fits the question."""
    among = {row.start for row in rows}
    place = fitting.place
    values = [value for value in _column(place, fitting.cell.column) if value[0].start in among]
    values = [v for v in values if not _ADDS_UP.search(v[0].label) and not _is_sum(place, v[0])]
    matches = [(replace(fitting, row=row, cell=cell), amount) for row, cell, amount in values]
    if len(matches) < 2 or not _comparable([m for m, _ in matches]):
        return None
    chosen = _extremes(found.question, matches)
    text = "; ".join(f"{full_name(match)}: {value(match)}" for match in chosen)
    return replace(told(text, chosen, chosen[0], pages), certain=certain)


def _extremes(question: TableQuestion, values: Sequence[tuple[Match, Decimal]]) -> list[Match]:
    """The cells with the largest or smallest amount, several when they share it."""
    below = all(v <= 0 for _, v in values) and bool(
        _MAGNITUDE.search(f"{question.text} {values[0][0].row.label}")
    )
    sizes = [(m, abs(v) if below or _SIZE.search(question.text) else v) for m, v in values]
    extreme = (max if question.most else min)(size for _, size in sizes)
    return [match for match, size in sizes if size == extreme][:MOST_ROWS]


def _comparable(matches: Sequence[Match]) -> bool:
    """Whether all figures are of one unit; a currency may stand at the first one alone."""
    units = {_unit_of(match) for match in matches}
    currencies = {c for match in matches for c in _SIGNS.findall(match.cell.text)}
    return len(units) == 1 and len(currencies) <= 1


def _unit_of(match: Match) -> str:
    behind = _BEHIND_FIGURE.search(value(match))
    stated = _STATED.search(match.row.label) or _STATED.search(match.column[-1] if match.column else "")
    unit = unit_in(match.row.label) or (stated[0] if stated else "")
    return f"{behind[0].strip().casefold() if behind else ''} {unit.casefold()}".strip()


def _is_sum(place: Place, row: Row) -> bool:
    """Whether a row without the word for it adds up all others, or those right above it, in each of its columns.

    In one column two figures that add up to a third may be chance.
    """
    rows = [r for r in place.table.rows if not _ADDS_UP.search(r.label)]
    at = next((i for i, r in enumerate(rows) if r is row), None)
    if at is None or len(rows) < 3:
        return False
    spans = [[*rows[:at], *rows[at + 1 :]], *(rows[first:at] for first in range(at - 1))]
    return any(len(span) * len(row.cells) > 3 and _adds_up(row, span) for span in spans)


def _adds_up(total: Row, rows: Sequence[Row]) -> bool:
    for cell in total.cells:
        addends = [value_of(c.text) for r in rows for c in r.cells if c.column == cell.column]
        known = [amount for amount in addends if amount is not None]
        if len(known) < 2 or value_of(cell.text) != sum(known, Decimal(0)):
            return False
    return bool(total.cells)


def _rows_under(match: Match) -> Sequence[Row]:
    """The rows that a total adds up; none for another row."""
    lists = _totals(match.place) if TOTAL.search(match.row.label) else ()
    return next((rows for total, rows in lists if total is match.row), ())


def _item_terms(question: TableQuestion) -> dict[str, float]:
    """What a question names, with its weights, beside the words that only ask."""
    return {t: w for t, w in question.terms.items() if t not in FRAME and t not in ITEM_WORDS}


def _column(place: Place, column: int) -> list[tuple[Row, Cell, Decimal]]:
    """The cells of a column that are in a row with a label and hold a figure."""
    return [
        (row, cell, amount)
        for row in place.table.rows
        for cell in row.cells
        if cell.column == column and row.label and (amount := value_of(cell.text)) is not None
    ]


def _largest_column(found: AskedCells, best: Match, pages: PageSource) -> TableAnswer | None:
    """The column with the largest or smallest value in a row."""
    named = [
        (m, amount)
        for m in sorted(found.in_row(best), key=lambda m: m.cell.start)
        if m.column
        and not _ADDS_UP.search(" ".join(m.column))
        and (amount := value_of(m.cell.text)) is not None
    ]
    if len(named) > 2:
        total = sum((amount for _, amount in named), Decimal(0))
        named = [(m, amount) for m, amount in named if 2 * amount != total]  # a total without the word for it
    if len(named) < 2 or any(m.place.column_years[m.cell.column] for m, _ in named):
        return None
    if not _comparable([m for m, _ in named]):
        return None
    chosen = _extremes(found.question, named)
    text = "; ".join(f"{column_name(m)} – {item_name(m)}: {value(m)}" for m in chosen)
    exact = best.precision >= ITEM_FITS and best.recall >= ITEM_FITS
    return replace(told(text, chosen, best, pages), certain=exact)


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
    terms = _item_terms(found.question).keys()
    best: tuple[float, Place, list[Row]] = (0.0, found.places[0], [])
    for place in found.places:
        for named, bonus, rows in _lists(place):
            share = len(terms & named) / max(1, len(terms))
            fits = share + (bonus * len(terms & named) / len(named) if named else 0.0)
            if fits > best[0] or not best[2]:
                best = fits, place, rows
    fits, place, rows = best
    labels = list(dict.fromkeys(row.label for row in rows if row.label and not TOTAL.search(row.label)))
    if (terms and fits < ITEMS_NAMED) or not 2 <= len(labels) <= MOST_ITEMS:
        return None
    score = fits if terms else LIKELY
    matches = [
        Match(place, row, row.cells[0], score, frozenset(), 1.0, score) for row in rows if row.label in labels
    ]
    answer = told(", ".join(labels), matches, matches[0], pages, with_unit=False)
    return replace(answer, certain=not terms or fits >= LIST_NAMED or "table" in found.question.terms)


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
