"""The bill of a run whose calls are made by many processes on many machines."""

from __future__ import annotations

from dataclasses import asdict

from ingest.engines.ray.journal import EventJournal
from rag.types import Usage
from rag.usage.meter import Meter, Reservation
from rag.usage.prices import Prices

Holder = tuple[str, int]
"""A worker and one of its threads."""


class Bill:
    """The run's meter. Reservations have names, so that they can be made and closed from far away, and twice."""

    def __init__(self, prices: Prices, cap: float, journal: EventJournal, spent: dict[str, Usage]) -> None:
        """`spent` was booked before, by model. What the journal holds is booked again."""
        self._meter = Meter(prices, max_cost=cap)
        self._journal = journal
        self._open: dict[str, tuple[Holder, Reservation]] = {}
        for spec, usage in spent.items():
            self._meter.book(None, spec, usage, False)
        for event in journal.events:
            if event["kind"] == "booked":
                self._meter.book(None, event["spec"], Usage(**event["usage"]), event["estimated"])
        self._reserve_again()

    @property
    def holders(self) -> set[str]:
        """The workers whose calls are under way."""
        return {worker for (worker, _), _ in self._open.values()}

    def _reserve_again(self) -> None:
        """The calls that were under way when the desk was killed are still out: their prices stay set aside."""
        closed = {event["name"] for event in self._journal.events if event["kind"] in ("booked", "dropped")}
        for event in self._journal.events:
            if event["kind"] == "reserved" and event["call"] not in closed:
                holder = (event["worker"], event["thread"])
                reservation = self._meter.set_aside(event["spec"], event["tokens"], holder=holder)
                self._open[event["call"]] = holder, reservation

    def reserve(self, name: str, holder: Holder, spec: str, tokens: int) -> bool:
        """Set the price of a call aside; False when the caller must ask again. Raises BudgetReached."""
        if name in self._open or self._journal.knows(name):
            return True
        reservation = self._meter.try_reserve(spec, tokens, holder=holder)
        if reservation is not None:
            self._open[name] = holder, reservation
            worker, thread = holder
            call = {"call": name, "worker": worker, "thread": thread, "spec": spec, "tokens": tokens}
            self._journal.add(f"reserved {name}", "reserved", call)
        return reservation is not None

    def book(self, name: str, spec: str, usage: Usage, estimated: bool) -> None:
        """Close a reservation with what was billed."""
        _, reservation = self._open.pop(name, (None, None))
        if self._journal.add(name, "booked", {"spec": spec, "usage": asdict(usage), "estimated": estimated}):
            if reservation is not None:
                reservation.closed = True
            self._meter.book(reservation, spec, usage, estimated)

    def drop(self, name: str) -> None:
        """Close a reservation of a call that was not billed."""
        _, reservation = self._open.pop(name, (None, None))
        if reservation is not None:
            reservation.release()
            self._journal.add(name, "dropped", {})

    def forfeit(self, worker: str) -> None:
        """A worker died: nobody knows whether its calls were billed, so they count in full."""
        for name, (holder, reservation) in list(self._open.items()):
            if holder[0] == worker:
                price = self._meter.prices.find(reservation.spec)
                cost = price.cost(reservation.input_tokens) if price else None
                usage = Usage(reservation.input_tokens, 0, cost, calls=1)
                self.book(name, reservation.spec, usage, True)
