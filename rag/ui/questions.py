"""How a question is answered as a visitor chose, the question while it is being answered, and what answers it."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from rag.errors import RagError
from rag.providers.pacing import telling_pauses
from rag.settings import Settings
from rag.types import Answer
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from rag.pipeline import Pipeline

History = tuple[tuple[str, str], ...]
"""Earlier questions of the session with their answers, oldest first."""
Lend = Callable[[Mapping[str, object]], "AbstractContextManager[Pipeline]"]
_MOST = 4
"""Pipelines of different settings that stay open; each holds an embedding model."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choices:
    """Kept with the session. What is None follows the settings in force, or the template."""

    prompt: str = "few-shot"
    k: int = 8
    strict: bool = False
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    abstain: float | None = None
    files: tuple[str, ...] = ()
    """Answer from these documents alone."""
    conditions: tuple[str, ...] = ()
    """Further conditions as `--where` writes them."""
    variables: tuple[tuple[str, str], ...] = ()
    """Values for the template's own variables, such as the persona."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those that the settings start with."""
        return cls(prompt=settings.prompt, k=settings.k, strict=settings.strict)

    def with_prompt(self, name: str) -> Self:
        """Another template; values for the variables of the old one mean nothing to it."""
        return self if name == self.prompt else replace(self, prompt=name, variables=())

    def flags(self) -> dict[str, object]:
        """The settings that need a pipeline of their own."""
        chosen = {
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "abstain": self.abstain,
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def where(self) -> tuple[str, ...] | None:
        """The filters as `--where` writes them; None for everything."""
        literal = (
            re.sub(r"([*?\[])", r"[\1]", file) for file in self.files
        )  # as globs that match these alone
        named = tuple(f"file=./{name}" for name in literal)
        return (*named, *(c for c in self.conditions if c.strip())) or None


class RunningQuestion:
    """A question being answered in a thread of its own, so that a reload or a click elsewhere does not lose it.

    `text` grows while the model writes; nothing in it is verified yet.
    """

    def __init__(
        self,
        question: str,
        choices: Choices,
        history: History,
        lend: Lend,
        log_usage: Callable[[UsageTotal], None],
        then: Callable[[], None],
    ) -> None:
        """`then` is called when it has ended, with or without an answer."""
        self.question = question
        self.choices = choices
        self.instead: int | None = None
        """The place in the session of the answer that it takes the place of; None for the end."""
        self._history = history
        self.text = ""
        self.answer: Answer | None = None
        self.error = ""
        """One sentence, when it ended without an answer."""
        self.error_kind = ""
        """Name of the error's class, such as `RateLimited`; `Stopped` when the visitor ended it."""
        self._paused = ("", 0.0)
        self.stopped = False
        self.started = time.time()
        self._lend = lend
        self._log_usage = log_usage
        self._then = then
        self._done = threading.Event()
        context = copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="rag-ui-ask", daemon=True).start()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long. True when it has come."""
        return self._done.wait(seconds)

    def stop(self) -> None:
        """End it at the next piece of text; a model that is waited for goes on unheard."""
        self.stopped = True
        self.error_kind = "Stopped"
        self._done.set()

    @property
    def pause(self) -> tuple[str, int]:
        """The class name of the error after which the provider is asked again, and the seconds until then."""
        kind, until = self._paused
        return kind, max(round(until - time.time()), 0)

    def _run(self) -> None:
        total = UsageTotal()

        def paused(error: BaseException, seconds: float) -> None:
            self._paused = (type(error).__name__, time.time() + seconds)

        try:
            with (
                self._lend(self.choices.flags()) as pipeline,
                counting_usage(total),
                telling_pauses(paused),
            ):
                self._read(pipeline)
        except RagError as error:
            self.error, self.error_kind = str(error), self.error_kind or type(error).__name__
        except Exception as error:  # noqa: BLE001 - the last boundary of this thread
            # the frames alone: what the exception says could hold a key
            _log.error("%s in\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            self.error = f"Unexpected {type(error).__name__}: the log of the server says more."
            self.error_kind = self.error_kind or "Unexpected"
        finally:
            self._log_usage(total)
            self._done.set()
            self._then()

    def _read(self, pipeline: Pipeline) -> None:
        choices = self.choices
        parts = pipeline.stream(
            self.question,
            history=self._history,
            where=choices.where(),
            prompt=choices.prompt,
            k=choices.k,
            strict=choices.strict,
            variables=dict(choices.variables),
        )
        for part in parts:
            if self.stopped:
                return
            self._paused = ("", 0.0)
            if isinstance(part, Answer):
                self.answer = part
            else:
                self.text += part


_Key = tuple[tuple[str, object], ...]


@dataclass(slots=True)
class _OpenPipeline:
    key: _Key
    pipeline: Pipeline
    users: int = 0
    retired: bool = False


@dataclass(slots=True)
class PipelinePool:
    """Lends pipelines by the settings that differ from those in force.

    Each question reads one snapshot of the index to its end. A pipeline stays open until the index is made again with
    other embeddings.
    """

    open: Callable[[Mapping[str, object]], Pipeline]
    embedding: Callable[[], str | None]
    """Identity of the embeddings that the index is made with now; None without an index."""
    _entries: dict[_Key, _OpenPipeline] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def lend(self, changes: Mapping[str, object]) -> Iterator[Pipeline]:
        """A pipeline for the settings in force with `changes`. Raises what opening it raises."""
        entry = self._take(tuple(sorted(changes.items())))
        try:
            yield entry.pipeline
        finally:
            with self._changing:
                entry.users -= 1
                self._close_if_idle(entry)

    def close(self) -> None:
        """Close all that nobody uses; those in use close when they are given back."""
        with self._changing:
            for key in list(self._entries):
                self._retire(key)

    def _take(self, key: _Key) -> _OpenPipeline:
        with self._opening:  # visitors who come together wait for one pipeline instead of opening ten
            embedding = self.embedding()
            with self._changing:
                entry = self._entries.get(key)
                if entry is not None and entry.pipeline.embeddings.id == embedding:
                    entry.users += 1
                    return entry
            fresh = _OpenPipeline(key, self.open(dict(key)), users=1)
            with self._changing:
                self._retire(key)
                self._entries[key] = fresh
                while len(self._entries) > _MOST:
                    self._retire(next(iter(self._entries)))
            return fresh

    def _retire(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.retired = True
            self._close_if_idle(entry)

    @staticmethod
    def _close_if_idle(entry: _OpenPipeline) -> None:
        # not `Pipeline.close`: that logs the whole usage of the meter, which here is shared and written by question
        if entry.retired and entry.users == 0:
            entry.pipeline.index.close()
