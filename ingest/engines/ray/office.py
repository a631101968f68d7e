"""The side of the process that runs the ingest: it opens the desk, hands over the errand, and passes news on."""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rag.errors
from ingest.embedding import TooManyFailures
from ingest.engines.ray.cluster import Cluster, said
from ingest.engines.ray.desk import Desk, Errand, Terms
from ingest.engines.ray.journal import Event
from ingest.engines.work import Work
from rag import __version__
from rag.errors import EngineError, ProviderError, RagError, UsageError
from rag.index_location import is_url
from rag.settings import Settings
from rag.types import Usage

_NEWS_EVERY = 0.25
_ANSWER_SECONDS = 60.0


class Office:
    """The desk and the thread that listens to it. A context manager."""

    def __init__(self, settings: Settings, work: Work, cluster: Cluster) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._work = work
        at_desk = not is_url(settings.index)
        self._errand = _errand(settings, work, cluster, at_desk)
        spent = {} if work.target.embedder else dict(work.target.meter.tally.by_model)
        terms = Terms(
            prices=self._errand.prices,
            cap=work.target.meter.cap,
            rpm=settings.rpm,
            tpm=settings.tpm,
            journal=cluster.folder / "journal",
            spent=spent,
            folder=str(Path(settings.index).resolve()) if at_desk else None,
        )
        make: Any = ray.remote(Desk).options(
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy=NodeAffinitySchedulingStrategy(cluster.node, soft=False),
        )
        self.desk: Any = make.remote(terms)
        self._passwords = work.passwords
        self._heard = 0
        self._stop: Event | None = None
        self._broken: BaseException | None = None
        self._listening = threading.Lock()
        self._leaving = threading.Event()
        context = contextvars.copy_context()  # so that what is booked reaches the receipt of the command
        self._thread = threading.Thread(target=context.run, args=(self._listen,), daemon=True)

    def __enter__(self) -> Self:
        from ray.exceptions import GetTimeoutError, RayError

        try:
            self._hand_over()
        except (RayError, GetTimeoutError) as error:
            raise EngineError(
                f"The Ray cluster cannot run pagequote ({said(error)}): install the same version on all its machines."
            ) from error
        self._thread.start()
        return self

    def _hand_over(self) -> None:
        import ray

        ray.get(self.desk.hand_over.remote(self._errand, self._passwords), timeout=_ANSWER_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join(_ANSWER_SECONDS)
        with suppress(Exception):  # the run's own end is what matters
            self.hear()

    def raise_if_stopped(self) -> None:
        """Raise what ended the run, as if it had happened here."""
        if self._broken is not None:
            raise self._broken
        self.hear()
        if self._stop is None:
            return
        error = _error_of(self._stop)
        raise TooManyFailures(error) if isinstance(error, ProviderError) else error

    def hear(self) -> None:
        """Take in what happened since the last time. Raises EngineError when the desk is gone."""
        import ray
        from ray.exceptions import GetTimeoutError, RayError

        with self._listening:
            try:
                events, ignorant = ray.get(self.desk.news.remote(self._heard), timeout=_ANSWER_SECONDS)
                if ignorant:  # it was killed and has begun anew
                    self._hand_over()
            except (RayError, GetTimeoutError) as error:
                raise EngineError("The Ray cluster was lost; run the same command again to go on.") from error
            for event in events:
                self._heard += 1
                self._take(event)

    def _listen(self) -> None:
        while not self._leaving.wait(_NEWS_EVERY):
            try:
                self.hear()
            except EngineError:  # the desk may be starting again
                continue
            except Exception as error:  # noqa: BLE001  of whoever shows the progress; raised where the run can end
                self._broken = self._broken or error

    def _take(self, event: Event) -> None:
        work = self._work
        match event["kind"]:
            case "booked":
                usage = Usage(**event["usage"])
                work.target.meter.book(None, event["spec"], usage, event["estimated"])
            case "read":
                work.teller.pages_read(event["file"], event["pages"])
                work.teller.file_read(event["size"], event["chunks"])
            case "embedded":
                work.report.chunks_embedded += event["texts"]
                work.report.tokens_embedded += event["tokens"]
            case "note":
                work.teller.note(event["text"])
            case "stop":
                self._stop = event


def _errand(settings: Settings, work: Work, cluster: Cluster, at_desk: bool) -> Errand:
    from rag.usage.prices import load_prices

    target = work.target
    changes: dict[str, object] = {"threads": cluster.threads, "prices": None}
    if at_desk:
        changes["index"] = str(Path(settings.index).resolve())
    return Errand(
        settings=settings.model_copy(update=changes),
        prices=load_prices(settings.prices),
        embeddings="" if target.embedder else target.embedding_spec,
        dimension=None if target.made_with is None else target.made_with.dimension,
        embedder=None if target.embedder is None else _pickled(target.embedder),
        version=__version__,
        cache_at_desk=at_desk,
    )


def _pickled(embedder: Any) -> bytes:
    from ray import cloudpickle

    try:
        return bytes(cloudpickle.dumps(embedder))
    except Exception as error:  # whatever an object's own pickling raises
        raise UsageError(
            f"The embedding model {type(embedder).__name__} cannot be sent to other processes ({error}):"
            " name one with `embeddings`, or use the local engine."
        ) from error


def _error_of(event: Event) -> RagError:
    kind = getattr(rag.errors, event["error"], RagError)
    error: RagError = kind.__new__(kind) if issubclass(kind, RagError) else RagError()
    Exception.__init__(error, event["text"])
    if isinstance(error, ProviderError):
        error.transient, error.retry_after = event["transient"], None
    return error
