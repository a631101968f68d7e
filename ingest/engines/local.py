"""The engine of one machine: reader processes beside it, embedding in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from ingest.embedding import GROUP, Embedder
from ingest.engines.work import Work
from ingest.options import ReadOptions
from ingest.workers import ReaderPool, ReadOutcome
from rag.settings import Settings

_MOST_WORKERS = 8


class LocalEngine:
    """Reads in processes and embeds here, with whole files in memory only while they wait for vectors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self, work: Work) -> None:
        """Take every job to its end. Raises TooManyFailures, BudgetReached."""
        embedder = Embedder(work.writer, work.recorder, work.target, work.reporter, work.report)
        jobs = (replace(job, passwords=work.passwords.for_file(job.file)) for job in work.jobs)
        with reader_pool(self._settings, work.read, work.reporter.pages_read) as pool:
            for outcome in pool.read(jobs):
                _take(outcome, work, embedder)
                while embedder.backlog >= GROUP or (embedder.backlog and not pool.waiting):
                    embedder.embed_group()
            while embedder.backlog:
                embedder.embed_group()


def _take(outcome: ReadOutcome, work: Work, embedder: Embedder) -> None:
    """A file was read: embed it, unless it cannot be searched."""
    file = outcome.job.file
    work.reporter.file_read(work.recorder.size_of(file), len(outcome.reading.chunks))
    document = work.recorder.take(file, outcome.reading, outcome.seconds)
    if document is not None:
        embedder.add(document)


def reader_pool(settings: Settings, read: ReadOptions, watch: Callable[[str, int], None]) -> ReaderPool:
    """As many reader processes as the settings ask for, else one for each core."""
    return ReaderPool(settings.workers or min(_MOST_WORKERS, _processors()), read, watch)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
