"""How a question is answered as a visitor chose, and the question while it is being answered."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from rag.errors import RagError
from rag.providers.pacing import telling_pauses
from rag.settings import Settings
from rag.types import Answer
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rag.pipeline import Pipeline

History = tuple[tuple[str, str], ...]
"""Earlier questions of the session with their answers, oldest first."""
Lend = Callable[[Mapping[str, object]], "AbstractContextManager[Pipeline]"]
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
    ) -> None:
        self.question = question
        self.choices = choices
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

    def _pause(self, error: BaseException, seconds: float) -> None:
        self._paused = (type(error).__name__, time.time() + seconds)

    def _run(self) -> None:
        tally = UsageTotal()
        try:
            with (
                self._lend(self.choices.flags()) as pipeline,
                counting_usage(tally),
                telling_pauses(self._pause),
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
            self._log_usage(tally)
            self._done.set()

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
