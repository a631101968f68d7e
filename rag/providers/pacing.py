"""When to call: again with growing pauses as long as patience lasts, and within limits of requests and tokens."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import ProviderError, ProviderTimeout

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")
Listener = Callable[[BaseException, float], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def telling_pauses(listener: Listener) -> Iterator[None]:
    """In this context `listener` gets each failure that is tried again, with the seconds until then."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class InterruptiblePool(ThreadPoolExecutor):
    """Threads in which the caller's context holds, and which nobody waits for after Ctrl-C."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        return super().submit(copy_context().run, partial(fn, *args, **kwargs))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(wait=kind is None or issubclass(kind, Exception), cancel_futures=kind is not None)


LONGEST_ASKED = 120.0
"""Seconds that a server may ask to wait; a longer pause is reported at once."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, after which pauses and for how long a transient failure is tried again.

    Pauses double from `first` seconds to `longest`, each drawn from its upper half (so that parallel calls
    do not come back together). A pause that the server asked for is kept to, and does not use up `patience`.
    """

    retries: int = 6
    first: float = 0.5
    longest: float = 30.0
    patience: float = 60.0
    """Seconds that all tries may take together: no further one begins after them."""
    timeout: float = 0.0
    """Seconds that one try waits for an answer, to tell how many there can be."""
    notify: Callable[[int, int], None] | None = None
    """Gets the number of the try that comes next, and how many there are at most."""

    def run(self, call: Callable[[], Result]) -> Result:
        """The result of `call`; raises its last failure."""
        from tenacity import Retrying

        return Retrying(**self._options())(call)

    async def arun(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """`run` for coroutines."""
        from tenacity import AsyncRetrying

        return await AsyncRetrying(**self._options())(call)

    def _options(self) -> dict[str, Any]:
        from tenacity import retry_if_exception

        asked = 0.0
        """Seconds of pauses that the server asked for."""

        def pause(state: RetryCallState) -> float:
            grown = min(self.first * 2.0 ** (state.attempt_number - 1), self.longest)
            jittered = grown * random.uniform(0.5, 1.0)  # noqa: S311  spreading load needs no secrecy
            wanted = _asked_pause(state)
            return jittered if wanted is None else wanted + jittered * 0.1

        def stop(state: RetryCallState) -> bool:
            nonlocal asked
            waited = (state.seconds_since_start or 0.0) - asked
            asked += _asked_pause(state) or 0.0
            own = 0.0 if _asked_pause(state) is not None else state.upcoming_sleep
            return state.attempt_number > self.retries or waited + own >= self.patience

        def before(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if (listener := _listener.get()) is not None and error is not None:
                listener(error, state.upcoming_sleep)
            if self.notify is None or _asked_pause(state) == 0.0:
                return  # nothing to wait for: the same is only said in other words
            most = self.retries + 1
            if isinstance(error, ProviderTimeout) and self.timeout:
                left = self.patience - (state.seconds_since_start or 0.0)
                most = min(most, state.attempt_number + max(math.ceil(left / self.timeout), 1))
            self.notify(state.attempt_number + 1, most)

        return {
            "stop": stop,
            "wait": pause,
            "retry": retry_if_exception(_worth_it),
            "before_sleep": before,
            "reraise": True,
        }


def _worth_it(error: BaseException) -> bool:
    return (
        isinstance(error, ProviderError) and error.transient and (error.retry_after or 0.0) <= LONGEST_ASKED
    )


def _asked_pause(state: RetryCallState) -> float | None:
    """Seconds that the server asked to wait; None when it did not."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, ProviderError) else None


class RateLimiter:
    """A token bucket for requests and one for tokens, each holding a minute's worth; safe between threads."""

    def __init__(self, rpm: int | None = None, tpm: int | None = None, *, full: bool = True) -> None:
        """`full`: nothing was sent in the last minute."""
        self._requests = _Bucket(rpm, full=full)
        self._tokens = _Bucket(tpm, full=full)
        self._lock = threading.Lock()

    def acquire(self, tokens: int) -> None:
        """Wait until a request of so many tokens keeps within the limits."""
        while (pause := self.take(tokens)) > 0:
            time.sleep(pause)

    def take(self, tokens: int) -> float:
        """Take a request of so many tokens (0.0), or take nothing and say in how many seconds to ask again."""
        with self._lock:
            now = time.monotonic()
            pause = max(self._requests.wait_for(1, now), self._tokens.wait_for(tokens, now))
            if pause <= 0:
                self._requests.take(1)
                self._tokens.take(tokens)
            return pause


class _Bucket:
    """Fills up continuously to the limit of a minute; without a limit it is never empty."""

    def __init__(self, per_minute: int | None, *, full: bool) -> None:
        self.limit = per_minute
        self.level = float(per_minute or 0) if full else 0.0
        self.filled_at = time.monotonic()

    def wait_for(self, amount: float, now: float) -> float:
        if self.limit is None:
            return 0.0
        self.level = min(self.level + (now - self.filled_at) * self.limit / 60, float(self.limit))
        self.filled_at = now
        # what is larger than the bucket waits until it is full, and then goes into debt
        return max(min(amount, self.limit) - self.level, 0.0) * 60 / self.limit

    def take(self, amount: float) -> None:
        if self.limit is not None:
            self.level -= amount


_limiters: dict[str, RateLimiter] = {}
_limiters_lock = threading.Lock()


def shared_limiter(who: str, rpm: int | None, tpm: int | None) -> RateLimiter:
    """One limiter for everything in this process that calls `who` under these limits."""
    with _limiters_lock:
        return _limiters.setdefault(f"{who} {rpm} {tpm}", RateLimiter(rpm, tpm))
