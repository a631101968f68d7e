"""The first stage: reads files, each in an isolated reader process of the worker that takes it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.engines.ray.desk import Permit
from ingest.engines.ray.frames import frame_tables, jobs_in
from ingest.engines.ray.proxies import Line
from ingest.limits import ReadOptions
from ingest.reading import Job, Reading
from ingest.workers import Reader
from rag.types import Status

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DEATHS = 5
"""Workers that may die over one piece of work before it is given up."""


class ReadFiles:
    """A worker of the first stage."""

    def __init__(self, desk: Any, options: ReadOptions) -> None:
        self._line = Line(desk)
        self._line.keep_alive()
        self._reader = Reader(options, lambda _file, _pages: None, threading.Event())

    def __call__(self, jobs: pa.Table) -> Iterator[pa.Table]:
        """Frames of the files that the jobs name."""
        for number, job, size in jobs_in(jobs):
            work = f"read {number}"
            permit: Permit | None = self._line.ask("begin", self._line.worker, work, job.file)
            if permit is None:
                continue
            began = time.monotonic()
            reading = self._read(replace(job, passwords=permit.passwords), size, permit.deaths)
            yield from frame_tables(number, reading, time.monotonic() - began)
            self._line.tell(
                "read", work, size=size, pages=len(reading.pages), chunks=len(reading.chunks), file=job.file
            )
            self._line.ask("finish", work)

    def _read(self, job: Job, size: int, deaths: int) -> Reading:
        if deaths >= MOST_DEATHS:
            return Reading(Status.FAILED, f"the worker that reads it died {deaths} times")
        problem = unseen(job.path, size)
        return Reading(Status.FAILED, problem) if problem else self._reader.read(job)


def unseen(path: Path, size: int) -> str:
    """What is wrong when this machine does not see the file that the ingest found."""
    try:
        found = os.stat(path).st_size
    except FileNotFoundError:
        return (
            f"{socket.gethostname()} does not see it: every machine of the cluster needs the folder under the"
            " same path"
        )
    except OSError:
        return ""  # the reader says what is wrong
    if found != size:
        return f"{socket.gethostname()} sees another file there, or it was changed while it was being read"
    return ""
