"""The desk as workers see it: a meter, a rate limiter and a cache that stand elsewhere."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ingest.engines.ray.desk import Errand
from ingest.engines.ray.leases import name_of
from rag.errors import BudgetReached, IndexLocked
from rag.providers.pacing import RateLimiter
from rag.types import Usage
from rag.usage.meter import Meter, Reservation
from rag.usage.prices import Prices

_ASK_AGAIN = 0.1
_BEAT_EVERY = 5.0
_KEEP_TRIES = 20
"""Of half a minute each: a transaction that takes longer than this hangs."""


class DeskConnection:
    """A worker's line to the desk. `ask.method(...)` waits for the answer."""

    def __init__(self, desk: Any, number: int) -> None:
        """`number` is that of the pass."""
        self.worker = name_of(number, uuid.uuid4().hex)
        self.stopped = threading.Event()
        """Set soon after the run was stopped, when `keep_alive` was called."""
        self._desk = desk

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the desk. Raises what it raised."""
        import ray
        from ray.exceptions import RayTaskError

        try:
            return ray.get(getattr(self._desk, method).remote(*arguments))
        except RayTaskError as error:
            raise error.cause from None

    def errand(self) -> Errand:
        """What the run is about; waits until it was handed over."""
        while (errand := self.ask("errand")) is None:
            time.sleep(_ASK_AGAIN)
        assert isinstance(errand, Errand)
        return errand

    def tell(self, kind: str, name: str | None = None, **values: Any) -> None:
        """Report something, once for each name."""
        self.ask("tell", name or uuid.uuid4().hex, kind, values)

    def stop(self, error: Exception) -> None:
        """End the run: the first reason counts."""
        transient = bool(getattr(error, "transient", False))
        self.tell("stop", "stop", error=type(error).__name__, text=str(error), transient=transient)

    def keep_alive(self) -> None:
        """Give signs of life as long as this process lives."""
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while True:
            with suppress(Exception):  # the desk may be starting again; the next beat reaches it
                if self.ask("beat", self.worker):
                    self.stopped.set()
            time.sleep(_BEAT_EVERY)


class DeskMeter(Meter):
    """The run's meter, at the desk."""

    def __init__(self, line: DeskConnection, prices: Prices) -> None:
        super().__init__(prices, max_cost=math.inf)
        self._line = line
        self._names: dict[Reservation, str] = {}

    def reserve(self, spec: str, input_tokens: int, output_tokens: int = 0) -> Reservation:
        """Set the price of a call aside. Raises BudgetReached."""
        name = uuid.uuid4().hex
        holder = (self._line.worker, threading.get_ident())
        while (verdict := self._line.ask("reserve", name, holder, spec, input_tokens)) is not True:
            if isinstance(verdict, str):
                raise BudgetReached(verdict)
            time.sleep(_ASK_AGAIN)
        price = self.prices.find(spec)
        amount = price.cost(input_tokens, output_tokens) if price else 0.0
        reservation = Reservation(self, spec, input_tokens, output_tokens, amount)
        self._names[reservation] = name
        return reservation

    def book(self, reservation: Reservation | None, spec: str, usage: Usage, estimated: bool) -> None:
        """Add to the bill."""
        name = uuid.uuid4().hex if reservation is None else self._names.pop(reservation)
        self._line.ask("book", name, spec, usage, estimated)

    def drop(self, reservation: Reservation) -> None:
        """Give back what was set aside."""
        self._line.ask("drop", self._names.pop(reservation))


class DeskLimiter(RateLimiter):
    """The run's rate limits, at the desk."""

    def __init__(self, line: DeskConnection) -> None:
        super().__init__()
        self._line = line

    def take(self, tokens: int) -> float:
        """Take a request of so many tokens, or say in how many seconds to ask again."""
        return float(self._line.ask("pace", tokens))


class DeskCache:
    """The embedding cache of an index in a folder, which only the desk's machine can see."""

    def __init__(self, line: DeskConnection) -> None:
        self._line = line

    def cached_vectors(self, texts: Sequence[str]) -> dict[int, Any]:
        """The vectors of texts that were embedded before, by position."""
        found: dict[int, Any] = self._line.ask("cached", list(texts))
        return found

    def cache_vectors(self, texts: Sequence[str], vectors: Any) -> None:
        """Keep embeddings for good; they are on the disk when this returns."""
        for _ in range(_KEEP_TRIES):
            try:
                return self._line.ask("keep", list(texts), vectors)  # type: ignore[no-any-return]
            except IndexLocked:  # the run itself is storing a very large file
                time.sleep(_ASK_AGAIN)
        return self._line.ask("keep", list(texts), vectors)  # type: ignore[no-any-return]
