"""Rows whose labels are ranges: "3 to 9 days before" and 5년 이상 7년 미만 answer for 5 days and 6년."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rag.text.patterns import lazy_compile
from rag.text.quantities import in_digits, numbers
from rag.types import Row

_TO_ZERO = lazy_compile(r"전부터\s?(?:당일|그날)|\bto the (?:same )?day\b")
_FROM = lazy_compile(
    r"\b(?:or more|at least|over|more than|above|from|or (?:older|longer|heavier)|and (?:over|above|more|older))\b"
    r"|\d\s?\w*\+|이상|초과|넘|전까지|부터",
    re.IGNORECASE,
)
_UP_TO = lazy_compile(
    r"\b(?:or less|at most|under|less than|below|up to|within|or (?:younger|shorter|lighter)|no more than)\b"
    r"|이하|미만|이내|까지",
    re.IGNORECASE,
)
_WITHOUT_END = lazy_compile(r"미만|\b(?:under|below|less than)\b", re.IGNORECASE)
_WITHOUT_START = lazy_compile(r"초과|\b(?:over|above|more than)\b", re.IGNORECASE)
_BETWEEN = lazy_compile(r"\d\s?\w*\s?(?:to|through|and|[-–—~]|부터|에서)\s?|이상|초과|전부터", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Range:
    unit: str
    low: Decimal
    high: Decimal
    with_low: bool = True
    with_high: bool = True

    def holds(self, amount: Decimal) -> bool:
        return (self.low < amount < self.high) or (
            (amount == self.low and self.with_low) or (amount == self.high and self.with_high)
        )


def rows_within(question: str, rows: Sequence[Row]) -> dict[int, bool]:
    """For each row (by its start) whose label is a range of the unit of an amount in the question, whether it holds
    the amount; empty unless two rows are ranges and one of them holds it."""
    asked = [number for number in numbers(in_digits(question)) if number.unit]
    ranges = {row.start: found for row in rows if (found := _range(row.label)) is not None} if asked else {}
    for number in asked:
        within = {start: r.holds(number.amount) for start, r in ranges.items() if r.unit == number.unit}
        if len(within) > 1 and any(within.values()) and not all(within.values()):
            return within
    return {}


def _range(label: str) -> _Range | None:
    found = numbers(in_digits(label))
    unit = next((number.unit for number in reversed(found) if number.unit), "")
    amounts = [number.amount for number in found if number.unit in ("", unit)]
    if not unit or len(amounts) != len(found):
        return None
    with_low, with_high = not _WITHOUT_START.search(label), not _WITHOUT_END.search(label)
    if len(amounts) == 2 and _BETWEEN.search(label):
        return _Range(unit, min(amounts), max(amounts), with_low, with_high)
    if len(amounts) != 1:
        return None
    (amount,) = amounts
    if _TO_ZERO.search(label):
        return _Range(unit, Decimal(0), amount)
    if _FROM.search(label):
        return _Range(unit, amount, Decimal("Infinity"), with_low)
    if _UP_TO.search(label):
        return _Range(unit, Decimal(0), amount, with_high=with_high)
    return None
