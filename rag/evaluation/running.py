"""A pipeline as the functions that a run asks and searches with, and the fingerprints of what it is made of."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rag
from rag.errors import AuthenticationFailed, BudgetReached, MissingCapability, ModelNotFound, ProviderError
from rag.evaluation.question_sets import Question
from rag.evaluation.runs import Found, Record, Run, RunFolder, load_run, results_of
from rag.prompting.catalogue import load_template
from rag.providers.pacing import InterruptiblePool
from rag.store import Filter, Index
from rag.store.filters import all_of
from rag.types import Answer, Page, Passage
from rag.usage.replies import forget_paid_work, recording_paid_work

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.settings import Settings


AskFunction = Callable[[Question], Answer]
Search = Callable[[Question], Sequence[Passage]]

# the next question would meet the same: stop at once instead of failing a thousand times
_HOPELESS = (AuthenticationFailed, ModelNotFound, MissingCapability)


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """How far a run is, reported after each question."""

    done: int
    """Questions with a record, those of earlier attempts included."""
    total: int
    record: Record
    cost_usd: float | None
    """Spent by this attempt; None when a price is not known."""


@dataclass(frozen=True, slots=True)
class EvaluationOutcome:
    """What a run came to. `budget` holds the message when the cost cap stopped it."""

    run: Run
    asked: int
    """Questions asked by this attempt."""
    budget: str = ""


def evaluate(
    questions: Sequence[Question],
    folder: str | Path,
    *,
    ask: AskFunction | None,
    search: Search | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int = 4,
    progress: Callable[[EvaluationProgress], None] | None = None,
    restart: bool = False,
) -> EvaluationOutcome:
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
    return EvaluationOutcome(load_run(folder), state.asked, state.budget)


def _paid_once(out: RunFolder, question: Question, ask: AskFunction | None, search: Search | None) -> Record:
    """The record of a question; what an attempt that was killed paid for it is not paid again."""
    with recording_paid_work(out.paid, question.id):
        return _record(question, ask, search)


def _record(question: Question, ask: AskFunction | None, search: Search | None) -> Record:
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

    def __init__(
        self, out: RunFolder, total: int, progress: Callable[[EvaluationProgress], None] | None
    ) -> None:
        self._out, self._total, self._progress = out, total, progress
        self._cost: float | None = 0.0
        self.asked = 0
        self.budget = ""

    def run(self, questions: Sequence[Question], work: Callable[[Question], Record], workers: int) -> None:
        waiting: Iterator[Question] = iter(questions)
        with InterruptiblePool(max_workers=max(1, workers), thread_name_prefix="rag-eval") as pool:
            flying = {pool.submit(work, question) for question in islice(waiting, max(1, workers))}
            try:
                while flying:
                    done, flying = wait(flying, return_when=FIRST_COMPLETED)
                    self._settle(done)
                    if not self.budget:
                        flying |= {pool.submit(work, question) for question in islice(waiting, len(done))}
            except KeyboardInterrupt:
                self._keep(future for future in flying if future.done())
                raise
            except BaseException:
                # what is in flight was paid for: keep it, whatever ended the run
                self._keep(wait(flying).done)
                raise

    def _keep(self, done: Iterable[Future[Record]]) -> None:
        for future in done:
            if future.exception() is None:
                self._write(future.result())

    def _settle(self, done: set[Future[Record]]) -> None:
        """Write what came back, then raise the first error that ends the run, if any."""
        errors = [error for future in done if (error := future.exception()) is not None]
        self._keep(done)
        for error in errors:
            if not isinstance(error, BudgetReached):
                raise error
            self.budget = str(error)

    def _write(self, record: Record) -> None:
        self._out.append(record)
        if not record.failed:
            forget_paid_work(self._out.paid, record.id)
        self.asked += 1
        self._out.finished[record.id] = record
        if record.answer is not None:
            spent = record.answer.usage.cost_usd
            self._cost = None if spent is None or self._cost is None else self._cost + spent
        if self._progress is not None:
            self._progress(EvaluationProgress(len(self._out.finished), self._total, record, self._cost))


_SAMPLED = 1 << 20  # bytes at either end of a model file: enough to tell two files apart


class EvaluatedPipeline:
    """`ask` and `search` over a pipeline, under conditions that `where` gives.

    A question that leaves files out is asked of the others only. `found` is shared between variants that
    search the same index, so that a sweep searches once for each question.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        where: Sequence[str] = (),
        depth: int = 20,
        found: dict[str, list[Passage]] | None = None,
    ) -> None:
        self._pipeline, self._where, self._depth = pipeline, tuple(where), depth
        self._found = {} if found is None else found
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Answer:
        """The answer of the pipeline. Raises what `Pipeline.ask` raises."""
        return self._pipeline.ask(question.question, where=self._conditions(question))

    def search(self, question: Question) -> Sequence[Passage]:
        """The first `depth` passages."""
        with self._lock:
            known = self._found.get(question.id)
        if known is None:
            where = self._conditions(question)
            known = self._pipeline.search(question.question, where=where, k=self._depth)
            with self._lock:
                self._found[question.id] = known
        return known

    def _conditions(self, question: Question) -> Filter | None:
        given = all_of(self._where, question.where)
        if not question.leave_out:
            return given
        return Filter(without=tuple(question.leave_out)).and_also(given)


def describe(pipeline: Pipeline, *, where: Sequence[str] = ()) -> dict[str, Any]:
    """Everything that the answers of a pipeline depend on, flat: what `run.json` keeps and a resume compares."""
    settings, index = pipeline.settings, pipeline.index
    template = None
    if pipeline.model != "extractive":
        template = load_template(settings.prompt, settings.prompts_dir)
    given = {
        "version": rag.__version__,
        "model": pipeline.model,
        "model_fingerprint": model_fingerprint(pipeline.model, settings),
        "prompt": None if template is None else settings.prompt,
        "prompt_fingerprint": None if template is None else template.fingerprint,
        "k": settings.k,
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "context_tokens": settings.context_tokens,
        "abstain": pipeline.threshold,
        "glossary": settings.glossary,
        "expand": list(settings.expand) or None,
        "rerank": settings.rerank,
        "rerank_depth": settings.rerank_depth if settings.rerank is not None else None,
        "strict": settings.strict or None,
        "check": None if settings.check == "model" or template is None else settings.check,
        "vision": settings.vision or None,
        "where": list(where) or None,
        "index": settings.shown_index,
        "index_generation": index.generation,
        "embeddings": index.spec.embedding_model,
        "embeddings_fingerprint": index.spec.embedding_id,
        "chunk_tokens": index.spec.chunk_tokens,
        "chunk_overlap": index.spec.chunk_overlap,
    }
    return {name: value for name, value in given.items() if value is not None}


def model_fingerprint(spec: str, settings: Settings) -> str:
    """SHA-256 of what is known of a model: its name, its server, and the file of a local one."""
    provider, _, name = spec.partition(":")
    parts = [spec]
    if provider == "gguf":
        parts.append(_sampled(Path(name).expanduser()))
    elif provider in ("compatible", "ollama"):
        parts.append(settings.base_url or "")
    elif provider == "openai":
        parts.append(settings.openai_base_url or "")
    elif provider == "azure":
        parts += [settings.azure_openai_endpoint or "", settings.openai_api_version or ""]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _sampled(path: Path) -> str:
    if not path.is_file():
        return ""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLED)
        file.seek(max(0, size - _SAMPLED))
        tail = file.read()
    return hashlib.sha256(head + tail + str(size).encode()).hexdigest()


def pages_of(index: Index) -> dict[str, list[Page]]:
    """The pages of the files that can be searched, by file."""
    files = [source.file for source in index.documents() if source.status.searchable]
    return {file: index.pages(file) for file in files}
