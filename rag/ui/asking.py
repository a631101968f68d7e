"""One question on its way, in a thread of its own: a reload or a click elsewhere on the page does not lose it."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import RagError
from rag.types import Answer
from rag.ui.choices import Choices
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rag.pipeline import Pipeline

Lend = Callable[[Mapping[str, object]], "AbstractContextManager[Pipeline]"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how."""

    question: str
    choices: Choices
    history: tuple[tuple[str, str], ...] = ()


class Asking:
    """Runs a query; `text` grows while the model writes, and nothing in it is proven yet."""

    def __init__(self, query: Query, lend: Lend, keep_receipt: Callable[[UsageTotal], None]) -> None:
        self.query = query
        self.text = ""
        self.answer: Answer | None = None
        self.error = ""
        """One sentence, when it ended without an answer."""
        self.stopped = False
        self.started = time.time()
        self._lend = lend
        self._keep_receipt = keep_receipt
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
        """End it at the next piece of text."""
        self.stopped = True

    def _run(self) -> None:
        tally = UsageTotal()
        try:
            with self._lend(self.query.choices.flags()) as pipeline, counting_usage(tally):
                self._follow(pipeline)
        except RagError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - the last boundary of this thread
            # the frames alone: what the exception says could hold a key
            _log.error("%s in\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            self.error = f"Unexpected {type(error).__name__}: the log of the server says more."
        finally:
            self._keep_receipt(tally)
            self._done.set()

    def _follow(self, pipeline: Pipeline) -> None:
        choices = self.query.choices
        parts = pipeline.stream(
            self.query.question,
            history=self.query.history,
            where=choices.where(),
            prompt=choices.prompt,
            k=choices.k,
            strict=choices.strict,
            variables=dict(choices.variables),
        )
        for part in parts:
            if isinstance(part, Answer):
                self.answer = part
            elif self.stopped:
                return
            else:
                self.text += part
