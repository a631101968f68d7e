"""The desk: one actor beside the process that runs the ingest, which all workers ask and report to.

It holds what must be one in the whole cluster: the bill with its cap, the rate limits, the claims on texts, the
passwords, and the embedding cache of an index in a folder. It is asked from many processes and answers one call at
a time, none of which waits. When it is killed, Ray starts it again and it reads its journal.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.engines.ray.journal import Event, EventJournal
from ingest.engines.ray.leases import Leases
from ingest.options import Passwords
from rag.errors import BudgetReached
from rag.providers.pacing import RateLimiter
from rag.settings import Settings
from rag.types import Usage
from rag.usage.meter import Meter, Reservation
from rag.usage.prices import Prices

if TYPE_CHECKING:
    from rag.store import EmbeddingCache


@dataclass(frozen=True, slots=True)
class Terms:
    """What the desk is made with. Ray keeps it to start the desk again, so it holds no secret."""

    prices: Prices
    cap: float
    rpm: int | None
    tpm: int | None
    journal: Path
    spent: dict[str, Usage]
    """Booked before the cluster was started, by model."""
    folder: str | None
    """The index when it is a folder: then the desk keeps its embedding cache."""


@dataclass(frozen=True, slots=True, repr=False)
class Errand:
    """What workers need to know. It holds keys and passwords: it goes from memory to memory, by calls."""

    settings: Settings
    prices: Prices
    embeddings: str
    """The embedding model's name."""
    dimension: int | None
    embedder: bytes | None
    """A model given by the program, in place of the named one."""
    version: str
    """Of pagequote on the machine that runs the ingest."""
    cache_at_desk: bool


@dataclass(frozen=True, slots=True, repr=False)
class Permit:
    """Leave to begin a piece of work."""

    deaths: int
    """How many workers died over it."""
    passwords: tuple[str, ...] | None = ()
    """To try on the file; None when the desk has to be told them again, so that the worker must ask again."""


class Desk:
    """See the module. Every method can be called twice with the same effect as once."""

    def __init__(self, terms: Terms) -> None:
        self._journal = EventJournal(terms.journal)
        self._bill = Bill(terms.prices, terms.cap, self._journal, terms.spent)
        self._leases = Leases(self._bill.forfeit)
        for worker in self._bill.holders:  # heard of last before the desk was killed
            self._leases.beat(worker)
        self._limiter = RateLimiter(terms.rpm, terms.tpm, full=not self._journal.events)
        self._folder = terms.folder
        self._open = ExitStack()
        self._cache: EmbeddingCache | None = None
        self._errand: Errand | None = None
        self._passwords: Passwords | None = None

    # -- what the process that runs the ingest asks ---------------------------------------------------------

    def hand_over(self, errand: Errand, passwords: Passwords) -> None:
        """Take in what workers need to know; of the passwords they are told those for the file that they read."""
        self._errand, self._passwords = errand, passwords

    def news(self, since: int) -> tuple[list[Event], bool]:
        """Events from the one with this number on, and whether the errand must be handed over (again)."""
        self._leases.sweep()
        return self._journal.events[since:], self._errand is None

    # -- what workers ask -----------------------------------------------------------------------------------

    def errand(self) -> Errand | None:
        """What to know; None while it has not been handed over."""
        return self._errand

    def begin(self, worker: str, work: str, file: str | None = None) -> Permit | None:
        """A worker begins to read `file`, or to embed. None when the run has been stopped."""
        deaths = self._leases.begin(worker, work)
        if self._journal.knows("stop"):
            return None
        if file is None:
            return Permit(deaths)
        return Permit(deaths, None if self._passwords is None else self._passwords.for_file(file))

    def finish(self, work: str) -> None:
        """It is done."""
        self._leases.finish(work)

    def tell(self, name: str, kind: str, values: dict[str, Any]) -> None:
        """Report something once: `read`, `embedded`, `note`, or `stop` under the name `stop`."""
        self._journal.add(name, kind, values)

    def beat(self, worker: str) -> bool:
        """A sign of life. Returns whether the run has been stopped."""
        self._leases.beat(worker)
        return self._journal.knows("stop")

    def claim(self, worker: str, things: Sequence[Hashable]) -> list[int] | None:
        """Positions of what the worker may embed now; None when the run has been stopped."""
        return None if self._journal.knows("stop") else self._leases.claim(worker, things)

    def release(self, worker: str, things: Sequence[Hashable]) -> None:
        """Give claims back."""
        self._leases.release(worker, things)

    def reserve(self, name: str, holder: Holder, spec: str, tokens: int) -> bool | str:
        """Whether the price of a call is set aside, or why it never will be."""
        self._leases.beat(holder[0])
        try:
            return self._bill.reserve(name, holder, spec, tokens)
        except BudgetReached as error:
            return str(error)

    def book(self, name: str, spec: str, usage: Usage, estimated: bool) -> None:
        """Close a reservation with what was billed."""
        self._bill.book(name, spec, usage, estimated)

    def drop(self, name: str) -> None:
        """Close a reservation of a call that was not billed."""
        self._bill.drop(name)

    def pace(self, tokens: int) -> float:
        """0 when a request of so many tokens may go now, else seconds after which to ask again."""
        return self._limiter.take(tokens)

    def cached(self, texts: Sequence[str]) -> dict[int, Any]:
        """Look texts up in the cache of an index in a folder."""
        return self._open_cache().cached_vectors(texts)

    def keep(self, texts: Sequence[str], vectors: Any) -> None:
        """Put texts into it; they are on the disk when this returns."""
        self._open_cache().cache_vectors(texts, vectors)

    def _open_cache(self) -> EmbeddingCache:
        if self._cache is None:
            from rag.store import open_cache

            assert self._folder is not None
            self._cache = self._open.enter_context(open_cache(self._folder))
        return self._cache


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
