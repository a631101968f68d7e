"""The engine of a Ray cluster: workers read and embed, and this process alone writes.

    files ──▶ Worker.read ──▶ chunks ──▶ Worker.embed ──▶ vectors ──▶ this process: cache, one transaction a file

A worker is a Ray actor that has one call of each kind at work and one waiting. Every block of texts goes out with the
money that it may cost, which is set aside here, and with a worker's share of the rate limits. When a worker is lost,
its money counts as spent, and its files and texts go to others. There is nothing to recover: a run that was killed is
started again and goes on from the index, as with the local engine.
"""

from __future__ import annotations

import math
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError, RayTaskError

from ingest.embedding import Embedder, TooManyFailures, Work
from ingest.engines.ray_cluster import Cluster, connected, said
from ingest.engines.ray_worker import EmbeddedTexts, Worker, WorkerSetup
from ingest.reading import Reading, ReadJob
from rag import __version__
from rag.errors import BudgetReached, EngineError, ProviderError, UsageError
from rag.settings import Settings
from rag.types import Status
from rag.usage.meter import Reservation

BLOCK = 128
"""Texts that a worker gets at a time. Losing it may pay for those that it has once more."""
_SMALLEST_BLOCK = 16
_IN_FLIGHT = 2
"""Calls of a kind given to a worker at a time: one at work and one waiting."""
_MARGIN = 1.05
"""What a call sets aside beyond its counted tokens (`rag.providers.remote_embeddings`)."""
_MOST_DEATHS = 5
"""Workers that may be lost over one file or text before it is given up."""
_ANSWER_SECONDS = 60.0
"""For fetching what a call brought from its machine."""
_IDLE_SECONDS = 180.0
"""How long to wait for a first worker when none is left."""


@dataclass(slots=True, eq=False)
class _Hired:
    """A worker, and how many calls of a kind it has."""

    actor: Any
    ready: bool = False
    reading: int = 0
    embedding: int = 0


@dataclass(slots=True, eq=False)
class _Call:
    """A call under way: to get ready, to read `job`, or to embed `texts`."""

    worker: _Hired
    job: ReadJob | None = None
    texts: Sequence[str] = ()
    money: Reservation | None = None


def run_on_ray(settings: Settings, work: Work) -> None:
    """Take every job to its end. Raises TooManyFailures, BudgetReached, EngineError, MissingExtra, UsageError."""
    with connected(settings) as cluster:
        wanted = settings.workers
        if wanted is not None and cluster.workers < wanted:
            work.reporter.note(f"The Ray cluster has room for {cluster.workers} workers, not for {wanted}.")
        run = _Run(settings, work, cluster)
        try:
            run.finish_all()
        except (TooManyFailures, BudgetReached):
            run.keep_what_is_paid()
            raise


class _Run:
    """Calls under way, and what waits to be called for."""

    def __init__(self, settings: Settings, work: Work, cluster: Cluster) -> None:
        self._work, self._cluster = work, cluster
        # fewer workers than requests a minute, so that every share of the limits lets something through
        self._count = min([cluster.workers, *(limit for limit in (settings.rpm, settings.tpm) if limit)])
        shares = {name: getattr(settings, name) for name in ("rpm", "tpm")}
        limits = {name: limit and limit // self._count for name, limit in shares.items()}
        self._settings = settings.model_copy(update={**limits, "threads": cluster.threads, "prices": None})
        self._embedder = Embedder(work)
        self._jobs = deque(work.jobs)
        self._workers: list[_Hired] = []
        self._calls: dict[Any, _Call] = {}
        self._deaths: Counter[str] = Counter()
        """Workers lost over a file or a text."""
        self._lost_in_a_row = 0
        self._idle_since = time.monotonic()

    def finish_all(self) -> None:
        """Read and embed everything."""
        for _ in range(self._count):
            self._hire(rested=True)
        while self._jobs or self._embedder.backlog or any(c.job or c.texts for c in self._calls.values()):
            self._hand_out()
            self._take_next()

    def keep_what_is_paid(self) -> None:
        """The run ends early: what is being embedded is taken in still, as far as it comes."""
        self._jobs.clear()
        for reference in [ref for ref, call in self._calls.items() if not call.texts]:
            del self._calls[reference]
        while any(call.texts for call in self._calls.values()):
            try:
                self._take_next()
            except (TooManyFailures, BudgetReached):
                continue
            except EngineError:
                return

    # -- giving work to workers -----------------------------------------------------------------------------

    def _hire(self, *, rested: bool) -> None:
        """Ask for a worker; it is given work when it says that it is ready."""
        target = self._work.target
        setup = WorkerSetup(
            version=__version__,
            host=socket.gethostname(),
            read=self._work.read,
            settings=self._settings,
            prices=target.meter.prices,
            embeddings="" if target.embedder else target.embedding_spec,
            dimension=None if target.made_with is None else target.made_with.dimension,
            embedder=target.embedder,
            rested=rested,
        )
        make: Any = ray.remote(num_cpus=self._cluster.worker_cpus, concurrency_groups={"read": 1, "embed": 1})
        worker = _Hired(make(Worker).remote())
        try:
            reference = worker.actor.set_up.remote(setup)
        except TypeError as error:
            raise UsageError(
                f"The embedding model {type(target.embedder).__name__} cannot be sent to other processes ({error}):"
                " name one with `embeddings`, or use the local engine."
            ) from error
        self._workers.append(worker)
        self._calls[reference] = _Call(worker)

    def _hand_out(self) -> None:
        """Give every worker as much as it may have; reading waits while many texts wait to be embedded."""
        for waiting in range(_IN_FLIGHT):
            for worker in self._workers:
                if not worker.ready:
                    continue
                if worker.embedding <= waiting and self._embedder.backlog:
                    self._send_block(worker)
                if (
                    worker.reading <= waiting
                    and self._jobs
                    and self._embedder.backlog < 4 * BLOCK * self._count
                ):
                    job = self._jobs.popleft()
                    read = worker.actor.read.options(concurrency_group="read")
                    reference = read.remote(job, self._work.recorder.size_of(job.file))
                    self._calls[reference] = _Call(worker, job=job)
                    worker.reading += 1

    def _send_block(self, worker: _Hired) -> None:
        """A block of the waiting texts and the money for it. Raises BudgetReached when there is none for a text."""
        even = self._embedder.backlog // (self._count * _IN_FLIGHT)
        texts = self._embedder.take_group(min(BLOCK, max(_SMALLEST_BLOCK, even)))
        while True:
            try:
                money = self._set_aside(texts)
                break
            except BudgetReached:
                if len(texts) == 1:
                    self._embedder.give_back(texts)
                    raise
            middle = len(texts) // 2
            self._embedder.give_back(texts[middle:])
            texts = texts[:middle]
        if money is None and self._priced:
            self._embedder.give_back(texts)  # it may fit once the calls of others are booked
            return
        budget = math.inf if money is None else money.amount
        embed = worker.actor.embed.options(concurrency_group="embed")
        self._calls[embed.remote(texts, budget)] = _Call(worker, texts=texts, money=money)
        worker.embedding += 1

    @property
    def _priced(self) -> bool:
        target = self._work.target
        return target.embedder is None and target.meter.prices.find(target.embedding_spec) is not None

    def _set_aside(self, texts: Sequence[str]) -> Reservation | None:
        if not self._priced:
            return None
        target = self._work.target
        tokens = sum(map(target.provider.count_tokens, texts))
        most = int(tokens * _MARGIN) + len(texts)
        return target.meter.try_reserve(target.embedding_spec, most, holder=object())

    # -- taking in what they did ----------------------------------------------------------------------------

    def _take_next(self) -> None:
        """Wait until a call has ended, and take in what it brought. Raises TooManyFailures, EngineError."""
        ended, _ = ray.wait(list(self._calls), num_returns=1, timeout=1.0)
        if any(worker.ready for worker in self._workers):
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > _IDLE_SECONDS:
            raise EngineError("The Ray cluster has no workers left; run the same command again to go on.")
        for reference in ended:
            worker = self._calls[reference].worker
            try:
                self._take(reference)
            except RayTaskError as error:  # the worker lives
                if isinstance(error.cause, EngineError):
                    raise error.cause from error
                raise EngineError(
                    f"The Ray cluster cannot run pagequote ({said(error)}): install the same version on all its"
                    " machines."
                ) from error
            except RayError as error:
                self._lost(worker, error)

    def _take(self, reference: Any) -> None:
        """Take in what a call that ended brought. Raises RayError when its worker is lost."""
        result = ray.get(reference, timeout=_ANSWER_SECONDS)
        call = self._calls.pop(reference)
        if call.job is not None:
            call.worker.reading -= 1
            self._take_reading(call.job, *result)
        elif call.texts:
            call.worker.embedding -= 1
            self._take_vectors(call, result)
        else:
            call.worker.ready = True

    def _take_reading(self, job: ReadJob, reading: Reading, seconds: float) -> None:
        self._lost_in_a_row = 0
        self._work.reporter.pages_read(job.file, len(reading.pages))
        self._embedder.take(job.file, reading, seconds)

    def _take_vectors(self, call: _Call, done: EmbeddedTexts) -> None:
        self._lost_in_a_row = 0
        meter = self._work.target.meter
        for spec, usage in done.usage.by_model.items():
            meter.book(call.money, spec, usage, spec in done.usage.estimated)
        if call.money is not None:
            meter.drop(call.money)
        if done.places:
            self._embedder.keep([call.texts[place] for place in done.places], np.concatenate(done.vectors))
        self._embedder.give_back(call.texts)
        if not isinstance(done.error, BudgetReached):
            if done.error is not None and not isinstance(done.error, ProviderError):
                raise done.error
            self._embedder.group_ended(call.texts, done.error)
        elif not done.places and not done.usage.by_model:
            raise done.error  # more money than was set aside would be needed for the first of its calls

    def _lost(self, worker: _Hired, error: RayError) -> None:
        """A worker is gone: its money counts as spent, and others get its work, what it was at last of all."""
        self._workers.remove(worker)
        self._lost_in_a_row += 1
        if self._lost_in_a_row > _MOST_DEATHS + self._count:
            raise EngineError(
                f"The Ray cluster loses one worker after another ({said(error)}): look at its logs, then run the same"
                " command again to go on."
            ) from error
        for reference in [ref for ref, call in self._calls.items() if call.worker is worker]:
            with suppress(RayError):  # what it had finished
                self._take(reference)
        calls = [call for call in self._calls.values() if call.worker is worker]
        self._calls = {ref: call for ref, call in self._calls.items() if call.worker is not worker}
        for call in calls:
            if call.money is not None:
                call.money.forfeit()
        for position, call in enumerate(call for call in calls if call.job):
            assert call.job is not None
            self._deaths[call.job.file] += position == 0  # the other one had not begun
            if self._deaths[call.job.file] == _MOST_DEATHS:
                reason = f"the worker that reads it died {_MOST_DEATHS} times"
                self._take_reading(call.job, Reading(Status.FAILED, reason), 0.0)
            else:
                self._jobs.append(call.job)
        for position, call in enumerate(call for call in calls if call.texts):
            self._deaths.update(call.texts if position == 0 else ())
            fatal = [text for text in call.texts if self._deaths[text] == _MOST_DEATHS]
            self._embedder.refuse(fatal, f"the worker that embeds it died {_MOST_DEATHS} times")
            self._embedder.give_back(call.texts)
        self._work.reporter.note(f"A Ray worker was lost, and others take over its work ({said(error)}).")
        self._hire(rested=False)
