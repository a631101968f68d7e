"""What runs on the machines of a Ray cluster: an actor that reads files and embeds texts, one of each at a time."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.options import ReadOptions
from ingest.pdf.ocr import require_tesseract
from ingest.reading import Reading, ReadJob
from ingest.workers import ReaderProcess
from rag import __version__
from rag.errors import EngineError, RagError
from rag.providers.offline import apply_offline
from rag.providers.pacing import RateLimiter
from rag.providers.registry import embedding_model
from rag.settings import Settings
from rag.types import Status
from rag.usage.meter import Meter, UsageTotal, counting_usage
from rag.usage.prices import Prices

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider

_OF_THE_MACHINE = (Status.UNREADABLE, Status.UNSUPPORTED)
"""Permissions, and packages that are not installed: other machines differ in them."""


@dataclass(frozen=True, slots=True, repr=False)
class WorkerSetup:
    """What a worker is to know. It holds keys: it goes from memory to memory, as the argument of a call."""

    version: str
    """Of pagequote on the machine that runs the ingest."""
    host: str
    read: ReadOptions
    settings: Settings
    """With this worker's share of the rate limits."""
    prices: Prices
    embeddings: str
    dimension: int | None
    embedder: Any
    """A model given by the program, in place of the named one."""
    rested: bool
    """Whether nothing was sent within this share of the rate limits in the last minute."""


@dataclass(slots=True)
class EmbeddedTexts:
    """What became of a block of texts."""

    places: list[int] = field(default_factory=list)
    vectors: list[Any] = field(default_factory=list)
    """A float32 array for each run of places, in their order."""
    usage: UsageTotal = field(default_factory=UsageTotal)
    error: RagError | None = None
    """Why not all texts have vectors."""


class Worker:
    """Ray keeps the arguments of constructors, so what must stay secret comes with `set_up`."""

    def set_up(self, setup: WorkerSetup) -> None:
        """Get ready. Raises EngineError when this machine has another version."""
        if setup.version != __version__:
            raise EngineError(
                f"{socket.gethostname()} has pagequote {__version__} and the machine of the ingest {setup.version}:"
                " install the same version everywhere."
            )
        apply_offline(setup.settings)
        self._setup = setup
        self._here = socket.gethostname() == setup.host
        self._reader = ReaderProcess(setup.read, lambda _file, _pages: None, threading.Event())
        self._meter = Meter(setup.prices, max_cost=math.inf)
        self._provider: EmbeddingProvider | None = setup.embedder

    def read(self, job: ReadJob, size: int) -> tuple[Reading, float]:
        """Read a file of so many bytes in a process of its own; the seconds that it took."""
        began = time.monotonic()
        problem = unseen(job.path, size) or self._lacking()
        reading = Reading(Status.FAILED, problem) if problem else self._reader.read(job)
        if reading.status in _OF_THE_MACHINE and not self._here:
            # another machine may well read it, so that an earlier version stays in the index
            reading = Reading(Status.FAILED, f"{socket.gethostname()} cannot read it: {reading.reason}")
        return reading, time.monotonic() - began

    def _lacking(self) -> str:
        """What this machine lacks to read any file as it was asked for; empty when nothing."""
        if self._here or not self._setup.read.ocr:
            return ""
        try:
            require_tesseract(self._setup.read.ocr_languages)
        except RagError as error:
            return f"{socket.gethostname()} cannot read it: {error}"
        return ""

    def embed(self, texts: Sequence[str], budget: float) -> EmbeddedTexts:
        """Vectors of texts as far as they can be had for so many US dollars."""
        done = EmbeddedTexts()

        def keep(places: Sequence[int], vectors: Any) -> None:
            done.places += places
            done.vectors.append(vectors)

        self._meter.cap = self._meter.spent + budget
        with counting_usage(done.usage):
            try:
                self._opened().embed(texts, keep)
            except RagError as error:
                done.error = error
        return done

    def _opened(self) -> EmbeddingProvider:
        if self._provider is None:
            setup = self._setup
            self._provider = embedding_model(
                setup.embeddings,
                setup.settings,
                meter=self._meter,
                limiter=RateLimiter(setup.settings.rpm, setup.settings.tpm, full=setup.rested),
                dimension=setup.dimension,
            )
        return self._provider


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
