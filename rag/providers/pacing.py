"""When to call: tries again with growing pauses, and keeps to limits of requests and tokens a minute."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rag.errors import ProviderError

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and after which pauses a transient failure is tried again.

    Pauses double from `first` seconds to `longest`, each drawn from its upper half (so that parallel calls
    do not come back together). A pause that the server asked for is kept to, unless it is longer than
    `patience`: then the failure is reported at once.
    """

    retries: int = 6
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0

    def run(self, call: Callable[[], Result]) -> Result:
        """The result of `call`; raises its last failure."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        return Retrying(
            stop=stop_after_attempt(self.retries + 1),
            wait=self._pause,
            retry=retry_if_exception(self._worth_it),
            reraise=True,
        )(call)

    async def arun(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """`run` for coroutines."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        return await AsyncRetrying(
            stop=stop_after_attempt(self.retries + 1),
            wait=self._pause,
            retry=retry_if_exception(self._worth_it),
            reraise=True,
        )(call)

    def _worth_it(self, error: BaseException) -> bool:
        return (
            isinstance(error, ProviderError)
            and error.transient
            and (error.retry_after or 0.0) <= self.patience
        )

    def _pause(self, state: RetryCallState) -> float:
        grown = min(self.first * 2.0 ** (state.attempt_number - 1), self.longest)
        jittered = grown * random.uniform(0.5, 1.0)  # noqa: S311  spreading load needs no secrecy
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, ProviderError) else None
        return jittered if asked is None else asked + jittered * 0.1


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
