"""The engine of a Ray cluster: workers read and embed, and this process alone writes.

    files ──▶ Worker.read ──▶ chunks ──▶ Worker.embed ──▶ vectors ──▶ this process: cache, one transaction a file

A worker is a Ray actor that has one call of each kind at work and one waiting. Every block of texts goes out with the
money that it may cost, which is set aside here, and with a worker's share of the rate limits. When a worker is lost,
its money counts as spent, and its files and texts go to others. There is nothing to recover: a run that was killed is
started again and goes on from the index, as with the local engine.
"""

from __future__ import annotations

import socket
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError, RayTaskError

from ingest.embedding import Embedder, TooManyFailures, Work
from ingest.engines.ray_cluster import connected, said, worker_cpus
from ingest.engines.ray_worker import EmbeddedTexts, Worker, WorkerSetup
from ingest.reading import Reading, ReadJob
from rag import __version__
from rag.errors import BudgetReached, EngineError, ProviderError
from rag.providers.remote_embeddings import MARGIN
from rag.settings import Settings
from rag.types import Status
from rag.usage.meter import Reservation

BLOCK = 128
"""Texts that a worker gets at a time. Losing it may pay for those that it has once more."""
_SMALLEST_BLOCK = 16
_IN_FLIGHT = 2
"""Calls of a kind given to a worker at a time: one at work and one waiting."""
_MOST_DEATHS = 5
"""Workers that may be lost over one file or text before it is given up."""
_IDLE_SECONDS = 180.0
"""How long to wait for a first worker when none is left."""


@dataclass(slots=True, eq=False)
class _Hired:
    """A worker, and how many calls of a kind it has."""

    actor: Any
    ready: bool = False
    calls: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class _Call:
    """A call under way of a method of the worker: to get ready, to read `job`, or to embed `texts`."""

    worker: _Hired
    kind: str
    job: ReadJob | None = None
    texts: Sequence[str] = ()
    money: Reservation | None = None
    died: bool = False
    """Whether the worker was lost while it was at this."""


def run_on_ray(settings: Settings, work: Work) -> None:
    """Take every job to its end. Raises TooManyFailures, BudgetReached, EngineError, MissingExtra, UsageError."""
    with connected(settings) as workers:
        wanted = settings.workers
        if wanted is not None and workers < wanted:
            work.reporter.note(f"The Ray cluster has room for {workers} workers, not for {wanted}.")
        _Run(settings, work, workers).finish()


class _Run:
    """Calls under way, and what waits to be called for."""

    def __init__(self, settings: Settings, work: Work, workers: int) -> None:
        self._work, self._target = work, work.target
        # fewer workers than requests a minute, so that every share of the limits lets something through
        self._count = min([workers, *(limit for limit in (settings.rpm, settings.tpm) if limit)])
        limits = {name: getattr(settings, name) for name in ("rpm", "tpm")}
        shares = {name: limit and limit // self._count for name, limit in limits.items()}
        self._setup = WorkerSetup(
            version=__version__,
            host=socket.gethostname(),
            read=work.read,
            settings=settings.model_copy(update={**shares, "threads": settings.threads or 1, "prices": None}),
            prices=self._target.meter.prices,
            embeddings=self._target.embedding_spec,
            dimension=self._target.provider.dimension,
            embedder=self._target.embedder,
        )
        self._embedder = Embedder(work)
        self._jobs = deque(work.jobs)
        self._workers: list[_Hired] = []
        self._calls: dict[Any, _Call] = {}
        self._deaths: Counter[str] = Counter()
        """Workers lost over a file or a text."""
        self._lost_in_a_row = 0

    def finish(self) -> None:
        """Read and embed everything. When the run stops early, what is being embedded is taken in still."""
        for _ in range(self._count):
            self._hire(rested=True)
        stop: TooManyFailures | BudgetReached | None = None
        try:
            while True:
                under_way = {call.kind for call in self._calls.values()}
                to_do = self._jobs or self._embedder.backlog or "read" in under_way
                if "embed" not in under_way and (stop or not to_do):
                    break
                try:
                    if stop is None:
                        self._hand_out()
                    self._take_next()
                except (TooManyFailures, BudgetReached) as error:
                    stop = stop or error
        finally:  # whatever else ended the run: nobody waits for these any more, and they are billed
            for call in self._calls.values():
                if call.money is not None:
                    call.money.forfeit()
        if stop is not None:
            raise stop

    # -- giving work to workers -----------------------------------------------------------------------------

    def _hire(self, *, rested: bool) -> None:
        """Ask for a worker; it is given work when it says that it is ready."""
        cpus = worker_cpus(self._setup.settings)
        make: Any = ray.remote(num_cpus=cpus, concurrency_groups={"set_up": 1, "read": 1, "embed": 1})
        worker = _Hired(make(Worker).remote())
        self._workers.append(worker)
        self._send(_Call(worker, "set_up"), self._setup, rested)

    def _hand_out(self) -> None:
        """Give every worker as much as it may have; reading waits while many texts wait to be embedded."""
        for waiting in range(_IN_FLIGHT):
            for worker in (worker for worker in self._workers if worker.ready):
                if worker.calls["embed"] == waiting and self._embedder.backlog:
                    self._send_block(worker)
                enough = self._embedder.backlog >= 4 * BLOCK * self._count
                if worker.calls["read"] == waiting and self._jobs and not enough:
                    job = self._jobs.popleft()
                    self._send(_Call(worker, "read", job=job), job, self._work.recorder.size_of(job.file))

    def _send_block(self, worker: _Hired) -> None:
        """A block of the waiting texts and the money for it. Raises BudgetReached when there is none for a text."""
        even = self._embedder.backlog // (self._count * _IN_FLIGHT)
        texts = self._embedder.take_group(min(BLOCK, max(_SMALLEST_BLOCK, even)))
        provider = self._target.provider
        while True:
            most = int(sum(map(provider.count_tokens, texts)) * MARGIN) + len(texts)
            try:
                money = self._target.meter.try_reserve(provider.spec, most, holder=object())
                break
            except BudgetReached:
                middle = len(texts) // 2
                self._embedder.give_back(texts[middle:])
                if not middle:
                    raise
                texts = texts[:middle]
        if money is None:  # it may fit once the calls of others are booked
            self._embedder.give_back(texts)
        else:
            self._send(_Call(worker, "embed", texts=texts, money=money), texts, money.amount)

    def _send(self, call: _Call, *arguments: Any) -> None:
        method = getattr(call.worker.actor, call.kind).options(concurrency_group=call.kind)
        self._calls[method.remote(*arguments)] = call
        call.worker.calls[call.kind] += 1

    # -- taking in what they did ----------------------------------------------------------------------------

    def _take_next(self) -> None:
        """Wait until a call has ended, and take in what it brought. Raises TooManyFailures, EngineError."""
        ended, _ = ray.wait(list(self._calls), num_returns=1, timeout=_IDLE_SECONDS)
        if not ended:
            if any(worker.ready for worker in self._workers):
                return
            raise EngineError("The Ray cluster has no workers left; run the same command again to go on.")
        call = self._calls[ended[0]]
        try:
            result = ray.get(ended[0])
        except RayTaskError as error:  # the worker lives
            if isinstance(error.cause, EngineError):
                raise error.cause from error
            raise EngineError(
                f"The Ray cluster cannot run pagequote ({said(error)}): install the same version on all its machines."
            ) from error
        except RayError as error:
            if call.worker in self._workers:
                self._lost(call.worker, error)
            self._not_done(self._calls.pop(ended[0]))
            return
        del self._calls[ended[0]]
        call.worker.calls[call.kind] -= 1
        if call.job is not None:
            self._take_reading(call.job, *result)
        elif call.money is not None:
            self._take_vectors(call.texts, call.money, result)
        else:
            call.worker.ready = True

    def _take_reading(self, job: ReadJob, reading: Reading, seconds: float) -> None:
        self._lost_in_a_row = 0
        self._work.reporter.pages_read(job.file, len(reading.pages))
        self._embedder.take(job.file, reading, seconds)

    def _take_vectors(self, texts: Sequence[str], money: Reservation, done: EmbeddedTexts) -> None:
        self._lost_in_a_row = 0
        for spec, usage in done.usage.by_model.items():
            self._target.meter.book(money, spec, usage, spec in done.usage.estimated)
        money.release()
        if done.places:
            self._embedder.keep([texts[place] for place in done.places], np.concatenate(done.vectors))
        self._embedder.give_back(texts)
        if isinstance(done.error, BudgetReached) and (done.places or done.usage.by_model):
            return  # tries that failed took the money; the others go out again with new
        if done.error is not None and not isinstance(done.error, ProviderError):
            raise done.error
        self._embedder.group_ended(texts, done.error)

    def _lost(self, worker: _Hired, error: RayError) -> None:
        """A worker is gone: another one is hired, unless too many went."""
        self._workers.remove(worker)
        self._lost_in_a_row += 1
        if self._lost_in_a_row > _MOST_DEATHS + self._count:
            raise EngineError(
                f"The Ray cluster loses one worker after another ({said(error)}): look at its logs, then run the same"
                " command again to go on."
            ) from error
        # of each kind the oldest call was at work, and the next had not begun
        calls = [call for call in reversed(self._calls.values()) if call.worker is worker]
        for call in {call.kind: call for call in calls}.values():
            call.died = True
        self._work.reporter.note(f"A Ray worker was lost, and others take over its work ({said(error)}).")
        self._hire(rested=False)

    def _not_done(self, call: _Call) -> None:
        """The worker of a call is gone: its money counts as spent, and others get its work, this file last of all."""
        if call.money is not None:
            call.money.forfeit()
        if call.died:
            self._deaths.update([call.job.file] if call.job else call.texts)
        if call.job is not None and self._deaths[call.job.file] < _MOST_DEATHS:
            self._jobs.append(call.job)
        elif call.job is not None:
            reason = f"the worker that reads it died {_MOST_DEATHS} times"
            self._take_reading(call.job, Reading(Status.FAILED, reason), 0.0)
        fatal = [text for text in call.texts if self._deaths[text] == _MOST_DEATHS]
        self._embedder.refuse(fatal, f"the worker that embeds it died {_MOST_DEATHS} times")
        self._embedder.give_back(call.texts)
