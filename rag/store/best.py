"""The best of what an engine finds, with equal scores in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key", bound=tuple[int, ...])

SPARE = 8
GROWTH = 4


def best(
    fetch: Callable[[int], list[tuple[float, Key]]], k: int, digits: int, most: int | None = None
) -> list[tuple[Key, float]]:
    """The `k` best as (key, score), equal scores in the order of the keys.

    fetch: gives up to so many of the best in any order. digits: scores that agree to so many are equal. most: how
    many there are at all, when that is known. Which of many equal scores an engine keeps is its own choice, so it
    is asked on until the tie at the cut ends.
    """
    if k <= 0:
        return []
    limit = k + SPARE if most is None else min(k + SPARE, most)
    while True:
        hits = sorted((-round(score, digits), key) for score, key in fetch(limit))
        complete = len(hits) < limit or limit == most
        if complete or hits[k - 1][0] != hits[-1][0]:
            return [(key, -score) for score, key in hits[:k]]
        limit = limit * GROWTH if most is None else min(limit * GROWTH, most)
