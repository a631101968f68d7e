"""OpenTelemetry spans of ingest, the steps of a question and the calls of models.

A program that traces has imported OpenTelemetry and set it up (`opentelemetry-instrument rag ask ...` does): then
spans go where it says. In any other nothing is imported and nothing recorded. Names and attributes of model calls
follow the semantic conventions for generative AI; texts are left out unless `CONTENT` asks for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The variable of the conventions that puts texts into spans, when it is `true`."""


class TracedSpan:
    """A span that is open; does nothing where nobody traces."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def set(self, **attributes: Any) -> None:
        """Set attributes; `__` in a name stands for a point, and None sets nothing."""
        if self._span is not None:
            given = {
                name.replace("__", "."): value for name, value in attributes.items() if value is not None
            }
            self._span.set_attributes(given)

    def set_text(self, **attributes: str) -> None:
        """Set attributes that hold text of people, models or documents, when that is asked for."""
        if os.environ.get(CONTENT, "").lower() == "true":
            self.set(**attributes)

    def end(self, error: BaseException | None = None) -> None:
        """Close it, with the class of the error that ended it: its message may hold text."""
        if self._span is not None:
            if error is not None:
                self._span.set_attribute("error.type", type(error).__name__)
                self._span.set_status(sys.modules["opentelemetry.trace"].StatusCode.ERROR)
            self._span.end()


def started(name: str, **attributes: Any) -> TracedSpan:
    """A span that the caller ends; it does not become the parent of others."""
    api = sys.modules.get("opentelemetry.trace")
    span = TracedSpan(None if api is None else api.get_tracer("pagequote").start_span(name))
    span.set(**attributes)
    return span


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[TracedSpan]:
    """A span around the block, the parent of those that begin in it."""
    opened = started(name, **attributes)
    api = sys.modules.get("opentelemetry.trace")
    try:
        if api is None or opened._span is None:
            yield opened
        else:
            with api.use_span(opened._span, record_exception=False, set_status_on_exception=False):
                yield opened
    except BaseException as error:
        opened.end(error)
        raise
    opened.end()
