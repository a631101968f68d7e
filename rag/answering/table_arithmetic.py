"""Figures computed from cells of a table when the question names the operation, with their formula."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rag.answering.citations import PageSource
from rag.answering.table_cells import ALIKE, AskedCells, period_before
from rag.answering.table_matching import Match
from rag.answering.table_questions import TableQuestion, Wanted, operand_questions
from rag.answering.table_wording import TableAnswer, full_name, told
from rag.text.figures import as_printed, is_period, value_of
from rag.text.keywords import keyword_tokens
from rag.types import Derived

OPERAND = 0.8
"""Share of a label that must be named for its row to be one of the two things that are put in relation."""
OPERAND_FITS = 0.6
"""Score from which a cell fits the words for one of the two."""
_HUNDRED = Decimal(100)
_PLACES = Decimal("0.01")
"""Computed shares and averages are given to two places, as reports give them."""
_OF_TWO_THINGS = (Wanted.SHARE, Wanted.RATIO, Wanted.CHANGE)
_CHANGES = (Wanted.CHANGE, Wanted.PERCENT_CHANGE)


def computed(found: AskedCells, best: Match | None, wanted: Wanted, pages: PageSource) -> TableAnswer | None:
    """The figure with the cells that it is made of; None when the question does not tell them."""
    cells = _two_things(found, wanted) or (_operands(found, best, wanted) if best is not None else [])
    derived = compute(wanted, [m.cell.text for m in cells])
    if derived is None:
        return None
    names = "; ".join(dict.fromkeys(full_name(m) for m in cells))
    text = f"{names}: {derived.figure} = {derived.formula.rpartition(' ')[0].rstrip(' =≈')}"
    fitting = best if best in cells else min(cells, key=lambda m: m.score)
    return told(text, cells, fitting, pages, with_unit="%" not in derived.figure, derived=(derived,))


def _two_things(found: AskedCells, wanted: Wanted) -> list[Match]:
    """The cells of the two things that the question puts in relation, the second first for a difference.

    They stand in one column, or in one row when the question names both columns.
    """
    best: list[Match] = []
    for questions in operand_questions(found.question) if wanted in _OF_TWO_THINGS else ():
        parts = [_of_best_row(found.asking(question)) for question in questions]
        pairs = [
            [first, second]
            for first in parts[0]
            for second in parts[1]
            if (
                first.place is second.place
                and (first.row is not second.row and first.cell.column == second.cell.column)
            )
            or (first.row is second.row and _both_columns_named(first, second, questions))
        ]
        for pair in pairs:
            if not best or min(m.score for m in pair) > min(m.score for m in best):
                best = pair
    return best[::-1] if wanted is Wanted.CHANGE else best


def _of_best_row(found: AskedCells) -> list[Match]:
    """The figures of the row that is named, no years among them; none when another row is named as well."""
    best = found.best
    if best is None or best.precision < OPERAND or best.score < OPERAND_FITS:
        return []
    rivals = (m for m in found.matches if m.row is not best.row and m.score >= best.score - ALIKE)
    if any(m.row.label == best.row.label for m in rivals) or len(found.rows(best)) > 1:
        return []
    return [m for m in found.in_row(best) if not is_period(m.cell.text)]


def _both_columns_named(first: Match, second: Match, questions: Sequence[TableQuestion]) -> bool:
    """Whether the words for each of two cells in one row hold all that tells its column from the other's."""
    columns = [m.place.in_column(m.cell) for m in (first, second)]
    said = [frozenset(keyword_tokens(question.text)) for question in questions]
    own = [columns[0] - columns[1], columns[1] - columns[0]]
    return all(tokens and tokens <= words for tokens, words in zip(own, said, strict=True))


def _operands(found: AskedCells, best: Match, wanted: Wanted) -> list[Match]:
    """The cells of one item in several periods, the older first, or of several items in the order of the question."""
    if wanted is Wanted.SHARE:
        return []
    rows = found.rows(best)
    years = found.question.years
    if len(rows) >= 2 and len(years) <= 1:
        cells = [found.asked_of(row)[0] for row in rows]
        return cells[::-1] if wanted is Wanted.CHANGE else cells
    if wanted is Wanted.RATIO:
        return []
    series = found.series(best)
    if years:
        series = [m for m in series if m.years & set(years)]
    series.sort(key=lambda m: min(m.years))
    if len(series) == len(years) == 1 and wanted in _CHANGES:
        before = period_before(series[0])
        series = [before, *series] if before is not None else series
    if (wanted in _CHANGES and len(series) != 2) or len(years) > len(series) or len(series) < 2:
        return []
    return series


def compute(wanted: Wanted, texts: Sequence[str]) -> Derived | None:
    """The result of `wanted` over the figures of cells, as they are printed.

    For a change they are the older and the newer one; for a ratio or share the first and the second that the question
    names. None when one holds no number, when they are too few, or when there is nothing to divide by.
    """
    amounts = [amount for text in texts if (amount := value_of(text)) is not None]
    if len(amounts) < max(2, len(texts)):
        return None
    told = [as_printed(text) for text in texts]
    if wanted in (Wanted.SUM, Wanted.AVERAGE):
        total, left = sum(amounts, Decimal(0)), " + ".join(told)
        if wanted is Wanted.AVERAGE:
            return _derived(wanted, total / len(amounts), f"({left}) ÷ {len(amounts)}", told)
        return _derived(wanted, total, left, told)
    if len(amounts) != 2:
        return None
    (first, second), (a, b) = amounts, told
    if wanted is Wanted.CHANGE:
        return _derived(wanted, second - first, f"{b} − {a}", told)
    if wanted is Wanted.PERCENT_CHANGE:
        left = f"({b} − {a}) ÷ {a}"
        return _derived(wanted, (second - first) / first * _HUNDRED, left, told, "%") if first else None
    if not second:
        return None
    if wanted is Wanted.SHARE:
        return _derived(wanted, first / second * _HUNDRED, f"{a} ÷ {b}", told, "%")
    return _derived(wanted, first / second, f"{a} ÷ {b}", told)


def _derived(wanted: Wanted, amount: Decimal, left: str, texts: Sequence[str], suffix: str = "") -> Derived:
    rounded = amount.quantize(_PLACES)
    text = f"{rounded.normalize():,f}{suffix}"
    return Derived(text, wanted.value, tuple(texts), f"{left} {'=' if rounded == amount else '≈'} {text}")
