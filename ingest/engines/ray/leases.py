"""Who works on what, so that nobody pays for a text that another is paying for, and the dead let go."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

LEASE_SECONDS = 60.0
"""A worker that gave no sign of life for so long is taken for dead. Most deaths are noticed earlier, when
Ray gives the work to another."""
_SWEPT_EVERY = 10.0
"""Sweeps that are further apart than this were held up, and the signs of life with them."""


class Leases:
    """Claims of workers on texts, and the pieces of work they began."""

    def __init__(self, on_death: Callable[[str], None]) -> None:
        """`on_death` hears of a holder that is gone."""
        self._on_death = on_death
        self._seen: dict[str, float] = {}
        self._swept = time.monotonic()
        self._claims: dict[Hashable, str] = {}
        self._begun: dict[str, tuple[str, int]] = {}

    def beat(self, holder: str) -> None:
        """A sign of life."""
        self._seen[holder] = time.monotonic()

    def begin(self, holder: str, work: str) -> int:
        """`holder` begins a piece of work. Returns how many died over it; the last of them lets go.

        Ray lets the workers of an earlier pass finish what they are at: such a one keeps its claims, so that what it
        is paying for is not paid again, until it gives no more signs of life.
        """
        self.beat(holder)
        before, deaths = self._begun.get(work, (holder, 0))
        if before != holder:
            if pass_of(before) == pass_of(holder) or before not in self._seen:
                self.end(before)
            deaths += 1
        self._begun[work] = holder, deaths
        return deaths

    def finish(self, work: str) -> None:
        """A piece of work is done."""
        self._begun.pop(work, None)

    def claim(self, holder: str, things: Sequence[Hashable]) -> list[int]:
        """Take what nobody else holds; returns the positions of what was taken."""
        self.beat(holder)
        return [
            place for place, thing in enumerate(things) if self._claims.setdefault(thing, holder) == holder
        ]

    def release(self, holder: str, things: Sequence[Hashable]) -> None:
        """Give claims back."""
        for thing in things:
            if self._claims.get(thing) == holder:
                del self._claims[thing]

    def sweep(self) -> None:
        """End the leases of those who gave no sign of life."""
        now = time.monotonic()
        held_up, self._swept = now - self._swept > _SWEPT_EVERY, now
        if held_up:
            self._seen = dict.fromkeys(self._seen, now)
        for holder in [holder for holder, seen in self._seen.items() if now - seen > LEASE_SECONDS]:
            self.end(holder)

    def end(self, holder: str) -> None:
        """A holder is gone: its claims are free."""
        self._seen.pop(holder, None)
        self._claims = {thing: other for thing, other in self._claims.items() if other != holder}
        self._on_death(holder)


def name_of(number: int, worker: str) -> str:
    """The name of a worker of the pass with this number."""
    return f"{number}.{worker}"


def pass_of(holder: str) -> str:
    """The number of the pass that a worker belongs to."""
    return holder.partition(".")[0]
