"""The first stage: reads files, each in an isolated reader process of the worker that takes it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.engines.ray.desk import Permit
from ingest.engines.ray.frames import frame_tables, jobs_in
from ingest.engines.ray.proxies import DeskConnection
from ingest.options import ReadOptions
from ingest.reading import Reading, ReadJob
from ingest.workers import ReaderProcess
from rag.errors import RagError
from rag.types import Status

if TYPE_CHECKING:
    import pyarrow as pa

_ASK_AGAIN = 0.2
_OF_THE_MACHINE = (Status.UNREADABLE, Status.UNSUPPORTED)
"""Permissions, and packages that are not installed: other machines differ in them."""
MOST_DEATHS = 5
"""Workers that may die over one piece of work before it is given up."""


class ReadFiles:
    """A worker of the first stage."""

    def __init__(self, desk: Any, number: int, options: ReadOptions, host: str) -> None:
        """`host` is the machine that runs the ingest."""
        self._line = DeskConnection(desk, number)
        self._line.keep_alive()
        self._options = options
        self._here = socket.gethostname() == host
        self._reader = ReaderProcess(options, lambda _file, _pages: None, self._line.stopped)

    def __call__(self, jobs: pa.Table) -> Iterator[pa.Table]:
        """Frames of the files that the jobs name."""
        for number, job, size in jobs_in(jobs):
            work = f"read {number}"
            permit = self._begin(work, job.file)
            if permit is None:
                continue
            began = time.monotonic()
            reading = self._read(replace(job, passwords=permit.passwords or ()), size, permit.deaths)
            if self._line.stopped.is_set():  # it may have been cut short
                continue
            yield from frame_tables(number, reading, time.monotonic() - began)
            self._line.tell(
                "read", work, size=size, pages=len(reading.pages), chunks=len(reading.chunks), file=job.file
            )
            self._line.ask("finish", work)

    def _begin(self, work: str, file: str) -> Permit | None:
        while True:
            permit: Permit | None = self._line.ask("begin", self._line.worker, work, file)
            if permit is None or permit.passwords is not None:
                return permit
            time.sleep(_ASK_AGAIN)

    def _read(self, job: ReadJob, size: int, deaths: int) -> Reading:
        if deaths >= MOST_DEATHS:
            return Reading(Status.FAILED, f"the worker that reads it died {deaths} times")
        problem = unseen(job.path, size) or self._lacking
        if problem:
            return Reading(Status.FAILED, problem)
        reading = self._reader.read(job)
        if reading.status in _OF_THE_MACHINE and not self._here:
            # another machine may well read it, so that an earlier version stays in the index
            return Reading(Status.FAILED, f"{socket.gethostname()} cannot read it: {reading.reason}")
        return reading

    @cached_property
    def _lacking(self) -> str:
        """What this machine lacks to read any file as it was asked for; empty when nothing."""
        if self._here or not self._options.ocr:
            return ""
        from ingest.pdf.ocr import require_tesseract

        try:
            require_tesseract(self._options.ocr_languages)
        except RagError as error:
            return f"{socket.gethostname()} cannot read it: {error}"
        return ""


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
