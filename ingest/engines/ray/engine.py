"""Runs the pipeline on the cluster, and writes what comes out of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ingest.engines.ray.cluster import READER_CPUS, Cluster, connected, said
from ingest.engines.ray.embed_chunks import EmbedChunks
from ingest.engines.ray.frames import Assembly, Parts, job_tables
from ingest.engines.ray.office import Office
from ingest.engines.ray.read_files import ReadFiles
from ingest.engines.work import Work
from rag.errors import EngineError
from rag.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 1 << 20
"""Largest block between the stages: some 500 chunks, so that a large file is embedded by many workers."""
_IN_FLIGHT = 2
"""Blocks given to a worker at a time: one at work and one waiting."""
_FRUITLESS = 3
"""Passes in a row over what is left that finish no file before the run ends."""
_IDLE_SECONDS = 600.0
"""The pipeline may stand still for as long as the slowest file may take, and this."""


class RayEngine:
    """Reads and embeds on a Ray cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self, work: Work) -> None:
        """Take every job to its end. Raises TooManyFailures, BudgetReached, EngineError, MissingExtra, UsageError."""
        with connected(self._settings) as cluster, Office(self._settings, work, cluster) as office:
            wanted = self._settings.workers
            if wanted is not None and cluster.workers < wanted:
                work.teller.note(f"The Ray cluster has room for {cluster.workers} workers, not for {wanted}.")
            _finish_all(work, cluster, office)


def _finish_all(work: Work, cluster: Cluster, office: Office) -> None:
    """Pass after pass over what is left: one ends early when Ray lost what it cannot bring back."""
    from ray.data.exceptions import ExecutionTimeoutError
    from ray.exceptions import RayError

    fruitless = passes = 0
    while left := [number for number, job in enumerate(work.jobs) if work.filing.open(job.file)]:
        problem: Exception | None = None
        assembly = Assembly()
        passes += 1
        try:
            for table in _embedded(work, left, cluster, office.desk, passes):
                for number, parts in assembly.add(table):
                    _file(work, work.jobs[number].file, parts)
        except (RayError, ExecutionTimeoutError) as error:
            problem = error
        office.raise_if_stopped()
        done = any(not work.filing.open(work.jobs[number].file) for number in left)
        fruitless = 0 if done else fruitless + 1
        if fruitless == _FRUITLESS:
            raise _hopeless(problem) from problem
        if problem is not None:
            work.teller.note(f"The Ray pipeline is started again with what is left ({said(problem)}).")


def _embedded(
    work: Work, numbers: Sequence[int], cluster: Cluster, desk: Any, passes: int
) -> Iterator[pa.Table]:
    """Frames with their vectors, as they come out of the pipeline. It works ahead only as far as memory allows."""
    import ray.data
    from ray.data import ActorPoolStrategy

    context = ray.data.DataContext.get_current()
    context.target_max_block_size = _BLOCK_BYTES
    context.execution_no_progress_timeout_s = work.read.deadline(work.read.max_pages) + _IDLE_SECONDS
    jobs = [(number, work.jobs[number], work.filing.size_of(work.jobs[number].file)) for number in numbers]
    tables = job_tables(jobs, cluster.workers)
    readers = min(cluster.workers, len(tables))
    common: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow"}
    pipeline = (
        ray.data.from_arrow(tables)
        .map_batches(
            ReadFiles,
            fn_constructor_args=(desk, passes, work.read, socket.gethostname()),
            compute=ActorPoolStrategy(size=readers, max_tasks_in_flight_per_actor=_IN_FLIGHT),
            num_cpus=READER_CPUS,
            **common,
        )
        .map_batches(
            EmbedChunks,
            fn_constructor_args=(desk, passes),
            compute=ActorPoolStrategy(size=cluster.workers, max_tasks_in_flight_per_actor=_IN_FLIGHT),
            num_cpus=cluster.embedder_cpus,
            **common,
        )
    )
    yield from pipeline.iter_batches(prefetch_batches=1, **common)


def _file(work: Work, file: str, parts: Parts) -> None:
    """A file is whole: store it, or write down why it cannot be."""
    reading = parts.reading()
    chunks = len(reading.chunks)
    document = work.filing.take(file, reading, parts.seconds)
    if document is not None:
        vectors = parts.vectors(chunks)
        if parts.refused:
            work.filing.fail(document, parts.refused)
        elif vectors is not None:  # else the run was stopped, and the file waits for its end
            cost = work.target.usage().cost_usd
            work.teller.chunks_done(chunks - parts.cached, cached=False, cost_usd=cost)
            work.teller.chunks_done(parts.cached, cached=True, cost_usd=cost)
            work.report.chunks_cached += parts.cached
            work.filing.store(document, vectors)
    work.filing.publish_if_due()


def _hopeless(problem: Exception | None) -> EngineError:
    reason = "parts of files were lost again and again" if problem is None else said(problem)
    if "No module named 'ingest'" in str(problem) or "No module named 'rag'" in str(problem):
        reason = "a machine of the cluster lacks pagequote, or has another version of it"
    return EngineError(f"The Ray pipeline failed ({reason}); what is finished is kept.")
