"""What runs on the machines of a Ray cluster: an actor that reads files and embeds texts, one of each at a time."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.options import ReadOptions
from ingest.pdf.ocr import require_tesseract
from ingest.reading import Reading, ReadJob
from ingest.workers import ReaderProcess
from rag import __version__
from rag.errors import EngineError, RagError, UsageError
from rag.providers.offline import apply_offline
from rag.providers.pacing import RateLimiter
from rag.providers.registry import embedding_model
from rag.settings import Settings
from rag.types import Status
from rag.usage.meter import Meter, UsageTotal, counting_usage
from rag.usage.prices import Prices

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider


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
    dimension: int
    embedder: Any
    """A model given by the program, in place of the named one."""


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

    def set_up(self, setup: WorkerSetup, rested: bool) -> None:
        """Get ready. `rested`: nothing was sent within this share of the rate limits in the last minute.

        Raises EngineError when this machine has another version.
        """
        self._setup, self._rested, self._host = setup, rested, socket.gethostname()
        if setup.version != __version__:
            raise EngineError(
                f"{self._host} has pagequote {__version__} and the machine of the ingest {setup.version}: install"
                " the same version everywhere."
            )
        apply_offline(setup.settings)
        self._reader = ReaderProcess(setup.read, lambda _file, _pages: None, threading.Event())
        self._meter = Meter(setup.prices, max_cost=math.inf)

    def read(self, job: ReadJob, size: int) -> tuple[Reading, float]:
        """Read a file of so many bytes in a process of its own; the seconds that it took."""
        began = time.monotonic()
        if problem := unseen(job.path, size):
            return Reading(Status.FAILED, f"{self._host} {problem}"), 0.0
        try:
            if self._setup.read.ocr:
                require_tesseract(self._setup.read.ocr_languages)
            reading = self._reader.read(job)
        except UsageError as error:
            reading = Reading(Status.UNREADABLE, str(error))
        # Permissions and packages: another machine may well read it, so that an earlier version stays in the index.
        of_the_machine = reading.status in (Status.UNREADABLE, Status.UNSUPPORTED)
        if of_the_machine and self._host != self._setup.host:
            reading = Reading(Status.FAILED, f"{self._host} cannot read it: {reading.reason}")
        return reading, time.monotonic() - began

    def embed(self, texts: Sequence[str], budget: float) -> EmbeddedTexts:
        """Vectors of texts as far as they can be had for so many US dollars."""
        done = EmbeddedTexts()

        def keep(places: Sequence[int], vectors: Any) -> None:
            done.places += places
            done.vectors.append(vectors)

        self._meter.cap = self._meter.spent + budget
        with counting_usage(done.usage):
            try:
                self._provider.embed(texts, keep)
            except RagError as error:
                done.error = error
        return done

    @cached_property
    def _provider(self) -> EmbeddingProvider:
        setup, settings = self._setup, self._setup.settings
        return setup.embedder or embedding_model(
            setup.embeddings,
            settings,
            meter=self._meter,
            limiter=RateLimiter(settings.rpm, settings.tpm, full=self._rested),
            dimension=setup.dimension,
        )


def unseen(path: Path, size: int) -> str:
    """What is wrong when this machine does not see the file that the ingest found."""
    try:
        if os.stat(path).st_size != size:
            return "sees another file there, or it was changed while it was being read"
    except FileNotFoundError:
        return "does not see it: every machine of the cluster needs the folder under the same path"
    except OSError:
        pass  # the reader says what is wrong
    return ""
