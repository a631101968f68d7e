"""What can be computed from the figures of a quote, by a few operations on one or two of them, or on all.

Every result keeps its formula, so that a reader can see where a figure comes from. Amounts are taken without their
sign: "fell by 5 %" and "-5 %" say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Literal

from rag.text.facts import Fact, facts
from rag.text.quantities import Number, numbers

Operation = Literal[
    "sum",
    "difference",
    "ratio",
    "percentage",
    "percentage change",
    "average",
    "count",
    "rounding",
    "conversion",
]
MOST_TERMS = 12
"""Figures of one unit from which nothing is computed any more: something can always be made of so many."""
_YEARS = range(1000, 3000)
_YEAR, _DAY = Decimal(365), Decimal(1)
"""The steps of dates."""
_HUNDRED = Decimal(100)
_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)$", re.IGNORECASE)
_COUNTER = re.compile(r"[가-힣](?<![은는이가을를의에로과와도만])")
"""What is written to a Korean figure and is no particle counts something, though it be none of the known units."""
_MONEY = frozenset({"USD", "EUR", "GBP", "JPY", "CNY", "KRW"})
_CONVERSIONS = {
    ("minute", "hour"): 60,
    ("second", "minute"): 60,
    ("hour", "day"): 24,
    ("day", "week"): 7,
    ("month", "year"): 12,
    ("m", "km"): 1000,
    ("cm", "m"): 100,
    ("g", "kg"): 1000,
    ("kg", "t"): 1000,
}
"""How many of the first make one of the second."""


@dataclass(frozen=True, slots=True)
class Term:
    """A figure of a quote that may be computed with."""

    text: str
    amount: Decimal
    unit: str
    """As in `Number`; `date` for a year or a day, whose amounts are years and days."""
    step: Decimal
    bare: bool = False
    """Neither a unit nor a scale stands at it, so those of a table's header may be meant."""


@dataclass(frozen=True, slots=True)
class Result:
    """A computed amount and how it was computed; `left` is the formula without its result."""

    operation: Operation
    amount: Decimal
    unit: str
    terms: tuple[Term, ...]
    left: str
    direction: Literal["", "up", "down"] = ""
    """For a change, whether its base is the smaller or the larger term."""


def terms_of(text: str) -> list[Term]:
    """The figures and dates of a text, in order, each amount with a unit once."""
    stated = {number.start: number for number in numbers(text)}
    found: dict[tuple[object, ...], Term] = {}
    for fact in facts(text):
        made = _date_terms(fact) if fact.kind == "date" else _number_terms(text, fact, stated.get(fact.start))
        for term in made:
            found.setdefault((term.amount, term.unit, term.unit == "date" and term.step), term)
    return list(found.values())


def _number_terms(text: str, fact: Fact, number: Number | None) -> Iterator[Term]:
    if fact.kind != "number" or number is None or _ORDINAL.search(fact.text):
        return
    counter = _COUNTER.match(text, number.end) if not number.unit else None
    amount = abs(number.amount)
    plain = not number.unit and amount == abs(number.mantissa)
    if plain and fact.text.isdigit() and amount in _YEARS:
        yield Term(fact.text, amount, "date", _YEAR)
    else:
        unit = number.unit or (counter[0] if counter else "")
        yield Term(fact.text.strip(), amount, unit, number.step, plain and number.cell)


def _date_terms(fact: Fact) -> Iterator[Term]:
    """The year and the day that a date names."""
    if fact.value[:4].isdigit():
        yield Term(fact.value[:4], Decimal(fact.value[:4]), "date", _YEAR)
    with suppress(ValueError):
        day = date.fromisoformat(fact.value) if len(fact.value) == len("2023-05-01") else None
        if day is not None:
            yield Term(fact.text, Decimal(day.toordinal()), "date", _DAY)


def of_one_unit(terms: Sequence[Term], unit: str) -> list[Term]:
    """The terms with a unit; figures of a table join a currency, which stands at the first of them alone."""
    joined = [t for t in terms if t.unit == unit or (t.bare and unit in _MONEY)]
    return joined if len(joined) <= MOST_TERMS else []


def results(terms: Sequence[Term]) -> Iterator[Result]:
    """Everything that the operations make of two of the terms, or of all; `terms` are of one unit."""
    unit = next((t.unit for t in terms if t.unit), "")
    for a, b in combinations(sorted(terms, key=lambda t: -t.amount), 2):
        if a.amount == b.amount or not b.amount:
            continue
        yield from _of_dates(a, b) if unit == "date" else _of_two(a, b, unit)
    if len(terms) > 2 and unit != "date":
        yield from _of_all(tuple(terms), unit)


def _of_two(a: Term, b: Term, unit: str) -> Iterator[Result]:
    """`a` is the larger one."""
    difference = a.amount - b.amount
    yield Result("difference", difference, "%p" if unit == "%" else unit, (a, b), f"{a.text} − {b.text}")
    if unit == "%":
        return
    yield from _of_all((a, b), unit)
    less = f"({a.text} − {b.text})"
    yield Result("ratio", a.amount / b.amount, "x", (a, b), f"{a.text} ÷ {b.text}")
    yield Result("percentage", b.amount / a.amount * _HUNDRED, "%", (b, a), f"{b.text} ÷ {a.text}")
    up, down = difference / b.amount * _HUNDRED, difference / a.amount * _HUNDRED
    yield Result("percentage change", up, "%", (a, b), f"{less} ÷ {b.text}", "up")
    yield Result("percentage change", down, "%", (a, b), f"{less} ÷ {a.text}", "down")


def _of_all(terms: tuple[Term, ...], unit: str) -> Iterator[Result]:
    total = sum((t.amount for t in terms), Decimal(0))
    added = " + ".join(t.text for t in terms)
    yield Result("sum", total, unit, terms, added)
    yield Result("average", total / len(terms), unit, terms, f"({added}) ÷ {len(terms)}")


def _of_dates(a: Term, b: Term) -> Iterator[Result]:
    """The time between two years, or between two days."""
    if a.step == b.step:
        unit = "year" if a.step == _YEAR else "day"
        yield Result("difference", a.amount - b.amount, unit, (a, b), f"{a.text} − {b.text}")


def converted(term: Term, unit: str) -> Iterator[Result]:
    """The term in another unit of the same measure."""
    if (many := _CONVERSIONS.get((term.unit, unit))) is not None:
        yield Result("conversion", term.amount / many, unit, (term,), term.text)
    if (many := _CONVERSIONS.get((unit, term.unit))) is not None:
        yield Result("conversion", term.amount * many, unit, (term,), term.text)
