"""Asking a whole question set: in parallel, within the budget, resumable after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rag.errors import (
    AuthenticationFailed,
    BudgetReached,
    MissingCapability,
    ModelNotFound,
    ProviderError,
)
from rag.evaluation.folder import Run, RunFolder, load_run
from rag.evaluation.questions import Question
from rag.evaluation.records import Found, Record, results_of
from rag.types import Answer, Passage
from rag.usage.journal import forget, recording_paid_work

Query = Callable[[Question], Answer]
Search = Callable[[Question], Sequence[Passage]]

# the next question would meet the same: stop at once instead of failing a thousand times
_HOPELESS = (AuthenticationFailed, ModelNotFound, MissingCapability)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, reported after each question."""

    done: int
    """Questions with a record, those of earlier attempts included."""
    total: int
    record: Record
    cost_usd: float | None
    """Spent by this attempt; None when a price is not known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `budget` holds the message when the cost cap stopped it."""

    run: Run
    asked: int
    """Questions asked by this attempt."""
    budget: str = ""


def evaluate(
    questions: Sequence[Question],
    folder: str | Path,
    *,
    ask: Query | None,
    search: Search | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int = 4,
    progress: Callable[[Progress], None] | None = None,
    restart: bool = False,
) -> Outcome:
    """Ask and search for every question that `folder` has no finished record of, `workers` at a time.

    `ask` None measures retrieval alone; without `search` the passages of the answer are the result list.
    `settings` is whatever the answers depend on; a folder with other settings is refused. A question that a
    provider fails is recorded as failed and asked again next time. The cost cap (BudgetReached) ends the run
    with everything finished kept. `restart` throws an earlier run in the folder away.

    Raises UsageError for a folder of another run, and whatever would fail every further question.
    """
    with RunFolder(Path(folder)) as out:
        out.begin(questions, settings or {}, restart=restart)
        open_questions = [question for question in questions if question.id not in out.finished]
        state = _Attempt(out, len(questions), progress)
        started = time.monotonic()
        try:
            state.run(open_questions, lambda question: _paid_once(out, question, ask, search), workers)
        finally:
            out.note(seconds=round(time.monotonic() - started, 3), asked=state.asked)
            out.tidy()
    return Outcome(load_run(folder), state.asked, state.budget)


def _paid_once(out: RunFolder, question: Question, ask: Query | None, search: Search | None) -> Record:
    """The record of a question; what an attempt that was killed paid for it is not paid again."""
    with recording_paid_work(out.paid, question.id):
        return _record(question, ask, search)


def _record(question: Question, ask: Query | None, search: Search | None) -> Record:
    found: tuple[Found, ...] = ()
    try:
        found = results_of(search(question)) if search is not None else ()
        answer = ask(question) if ask is not None else None
    except _HOPELESS:
        raise
    except ProviderError as error:
        return Record(question, found, error=str(error) or type(error).__name__)
    if search is None and answer is not None:
        found = results_of(answer.passages)
    return Record(question, found, answer)


class _Attempt:
    """One pass over the open questions: keeps `workers` of them in flight and writes what they return."""

    def __init__(self, out: RunFolder, total: int, progress: Callable[[Progress], None] | None) -> None:
        self._out, self._total, self._progress = out, total, progress
        self._cost: float | None = 0.0
        self.asked = 0
        self.budget = ""

    def run(self, questions: Sequence[Question], work: Callable[[Question], Record], workers: int) -> None:
        waiting: Iterator[Question] = iter(questions)
        with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="rag-eval") as pool:
            flying = {pool.submit(work, question) for question in islice(waiting, max(1, workers))}
            try:
                while flying:
                    done, flying = wait(flying, return_when=FIRST_COMPLETED)
                    self._settle(done)
                    if not self.budget:
                        flying |= {pool.submit(work, question) for question in islice(waiting, len(done))}
            except BaseException:
                # what is in flight was paid for: keep it, whatever ended the run
                for future in wait(flying).done:
                    if future.exception() is None:
                        self._write(future.result())
                raise

    def _settle(self, done: set[Future[Record]]) -> None:
        """Write what came back, then raise the first error that ends the run, if any."""
        errors = [error for future in done if (error := future.exception()) is not None]
        for future in done:
            if future.exception() is None:
                self._write(future.result())
        for error in errors:
            if not isinstance(error, BudgetReached):
                raise error
            self.budget = str(error)

    def _write(self, record: Record) -> None:
        self._out.append(record)
        if not record.failed:
            forget(self._out.paid, record.id)
        self.asked += 1
        self._out.finished[record.id] = record
        if record.answer is not None:
            spent = record.answer.usage.cost_usd
            self._cost = None if spent is None or self._cost is None else self._cost + spent
        if self._progress is not None:
            self._progress(Progress(len(self._out.finished), self._total, record, self._cost))
