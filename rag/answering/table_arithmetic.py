"""Computes a figure from cells of a table, with its formula."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from rag.answering.table_questions import Wanted
from rag.text.figures import as_printed, value_of
from rag.types import Derived

T = TypeVar("T")
_HUNDRED = Decimal(100)
_PLACES = Decimal("0.01")
"""Computed shares and averages are given to two places, as reports give them."""


def compute(wanted: Wanted, cells: Sequence[tuple[str, T]]) -> tuple[Derived, list[T]] | None:
    """The result of `wanted` over cells (their texts, each with what it stands for), and those it was made of.

    For a change the cells are the older and the newer one; for a ratio or share of two items the first and the second
    that the question names. None when a cell holds no number, or there is nothing to divide by.
    """
    values = [value_of(text) for text, _ in cells]
    if len(values) < 2 or any(value is None for value in values):
        return None
    amounts = [value for value in values if value is not None]
    texts = [as_printed(text) for text, _ in cells]
    marks = [mark for _, mark in cells]
    if wanted in (Wanted.SUM, Wanted.AVERAGE):
        return _of_all(wanted, amounts, texts), marks
    if len(amounts) != 2:
        return None
    found = _of_two(wanted, amounts, texts)
    return (found, marks) if found is not None else None


def _of_all(wanted: Wanted, amounts: Sequence[Decimal], texts: Sequence[str]) -> Derived:
    total = sum(amounts, Decimal(0))
    left = " + ".join(texts)
    if wanted is Wanted.AVERAGE:
        left = f"({left}) ÷ {len(amounts)}"
        total = total / len(amounts)
    return _derived(wanted, total, left, texts)


def _of_two(wanted: Wanted, amounts: Sequence[Decimal], texts: Sequence[str]) -> Derived | None:
    (first, second), (a, b) = amounts, texts
    if wanted is Wanted.CHANGE:
        return _derived(wanted, second - first, f"{b} − {a}", texts)
    if wanted is Wanted.PERCENT_CHANGE:
        if not first:
            return None
        return _derived(wanted, (second - first) / first * _HUNDRED, f"({b} − {a}) ÷ {a}", texts, "%")
    if not second:
        return None
    if wanted is Wanted.SHARE:
        return _derived(wanted, first / second * _HUNDRED, f"{a} ÷ {b}", texts, "%")
    return _derived(wanted, first / second, f"{a} ÷ {b}", texts)


def _derived(wanted: Wanted, amount: Decimal, left: str, texts: Sequence[str], suffix: str = "") -> Derived:
    rounded = amount if amount == amount.quantize(_PLACES) else amount.quantize(_PLACES)
    exact = rounded == amount
    text = f"{rounded.normalize():,f}{suffix}"
    return Derived(text, wanted.value, tuple(texts), f"{left} {'=' if exact else '≈'} {text}")
