"""Counts what a command spends, and keeps it under its cap.

Before a call its largest possible price is reserved, afterwards the real one is booked. Parallel calls
therefore cannot pass the cap together: one that does not fit waits until others are booked, and is refused
when it would not fit even then.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from rag.errors import BudgetReached
from rag.types import Usage
from rag.usage.prices import Prices
from rag.usage.replies import PaidReply

DEFAULT_CAP_USD = 1.0
"""The cap of a command when the user set none."""


@dataclass(slots=True)
class UsageTotal:
    """Usage summed up, by model."""

    by_model: dict[str, Usage] = field(default_factory=dict)
    estimated: set[str] = field(default_factory=set)
    """Models some of whose tokens were estimated because the server did not report them."""

    @property
    def total(self) -> Usage:
        return sum(self.by_model.values(), Usage())

    def add(self, spec: str, usage: Usage, estimated: bool) -> None:
        self.by_model[spec] = self.by_model.get(spec, Usage()) + usage
        if estimated:
            self.estimated.add(spec)


_totals: ContextVar[tuple[UsageTotal, ...]] = ContextVar("totals", default=())


@contextmanager
def counting_usage(total: UsageTotal) -> Iterator[UsageTotal]:
    """Add to `total` every call booked inside the block, in this thread and those that copy its context."""
    token = _totals.set((*_totals.get(), total))
    try:
        yield total
    finally:
        _totals.reset(token)


class Meter:
    """The running usage of one command; safe to share between threads."""

    def __init__(self, prices: Prices, *, max_cost: float | None = None) -> None:
        self.prices = prices
        self.cap = DEFAULT_CAP_USD if max_cost is None else max_cost
        self.total = UsageTotal()
        self._unlogged = UsageTotal()
        self.spent = 0.0
        """US dollars booked so far, as far as prices are known."""
        self._reserved: dict[Reservation, Hashable] = {}
        """What is set aside, and by whom."""
        self._changed = threading.Condition()

    @property
    def usage(self) -> Usage:
        with self._changed:
            return self.total.total

    def reserve(self, spec: str, input_tokens: int, output_tokens: int = 0) -> Reservation:
        """Set aside the price of a call of at most so many tokens; to be settled, forfeited or released.

        Raises BudgetReached when the call could pass the cap. A model without a known price reserves nothing.
        """
        me = threading.get_ident()
        with self._changed:
            while (reservation := self.try_reserve(spec, input_tokens, output_tokens, holder=me)) is None:
                self._changed.wait()
        return reservation

    def try_reserve(
        self, spec: str, input_tokens: int, output_tokens: int = 0, *, holder: Hashable
    ) -> Reservation | None:
        """`reserve` for `holder`, without waiting: None when it may fit once the calls of others are booked.

        Waiting makes sense only for the calls of others; a holder would wait for its own ones for ever.
        """
        price = self.prices.find(spec)
        amount = price.cost(input_tokens, output_tokens) if price else 0.0
        reservation = Reservation(self, spec, input_tokens, output_tokens, amount)
        with self._changed:
            held = sum(other.amount for other in self._reserved)
            if amount and self.spent + held + amount > self.cap:
                others = any(r.amount and other != holder for r, other in self._reserved.items())
                if self.spent + amount > self.cap or not others:
                    raise BudgetReached(
                        f"The next call to {spec} may cost ${amount:.4f}, and ${self.spent:.4f} of the cap of"
                        f" ${self.cap:g} is spent; what is finished is kept. Raise --max-cost or RAG_MAX_COST to"
                        " go on."
                    )
                return None
            self._reserved[reservation] = holder
        return reservation

    def book(self, reservation: Reservation | None, spec: str, usage: Usage, estimated: bool) -> None:
        """Book `usage`, in place of its reservation."""
        with self._changed:
            if reservation is not None:
                self._reserved.pop(reservation, None)
            self.spent += usage.cost_usd or 0.0
            self.total.add(spec, usage, estimated)
            self._unlogged.add(spec, usage, estimated)
            for total in _totals.get():
                total.add(spec, usage, estimated)
            self._changed.notify_all()

    def paid_before(self, spec: str, paid: PaidReply) -> None:
        """Count a reply that an interrupted attempt paid for: booked unless it is in the usage log already."""
        if not paid.logged:
            self.book(None, spec, paid.usage, paid.estimated)
            return
        with self._changed:
            for total in _totals.get():
                total.add(spec, paid.usage, paid.estimated)

    @contextmanager
    def unlogged(self) -> Iterator[UsageTotal]:
        """What was booked since the last such block, for the usage log; on an error the next block gets it again."""
        with self._changed:
            taken, self._unlogged = self._unlogged, UsageTotal()
        try:
            yield taken
        except BaseException:
            with self._changed:
                for spec, usage in taken.by_model.items():
                    self._unlogged.add(spec, usage, spec in taken.estimated)
            raise

    def forfeit_open(self) -> None:
        """Book every call that is still under way as if it had been billed in full: nobody waits for it any more."""
        with self._changed:
            for reservation in list(self._reserved):
                reservation.forfeit()

    def drop(self, reservation: Reservation) -> None:
        """Give back what was reserved: the call was not billed."""
        with self._changed:
            self._reserved.pop(reservation, None)
            self._changed.notify_all()


@dataclass(eq=False, slots=True)
class Reservation:
    """Money set aside for one call. The first of the three ways to close it counts; later ones do nothing."""

    meter: Meter
    spec: str
    input_tokens: int
    output_tokens: int
    amount: float
    closed: bool = False

    def settle(
        self, input_tokens: int, output_tokens: int = 0, *, cached_input: int = 0, estimated: bool = False
    ) -> Usage:
        """Book the call as billed; returns what was booked."""
        price = self.meter.prices.find(self.spec)
        cost = price.cost(input_tokens, output_tokens, cached_input) if price else None
        usage = Usage(input_tokens, output_tokens, cost, calls=1)
        if not self.closed:
            self.closed = True
            self.meter.book(self, self.spec, usage, estimated)
        return usage

    def forfeit(self) -> Usage:
        """Book the whole reservation: the call failed in a way that may have been billed."""
        return self.settle(self.input_tokens, self.output_tokens, estimated=True)

    def release(self) -> None:
        """Give the reservation back: the call was refused before it was billed."""
        if not self.closed:
            self.closed = True
            self.meter.drop(self)
