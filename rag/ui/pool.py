"""Open pipelines that all visitors share, always at the newest state of the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.settings import Settings

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.store import Index
    from rag.usage.meter import Meter

_MOST = 4
"""Pipelines of different settings that stay open; each holds an embedding model."""
_RENEW_AFTER = 3.0
"""Seconds that a pipeline serves at least: an ingest publishes often, and each renewal loads the model."""

Key = tuple[tuple[str, object], ...]
Opener = Callable[[Mapping[str, object]], "Pipeline"]


@dataclass(slots=True)
class _Entry:
    key: Key
    pipeline: Pipeline
    opened: float
    users: int = 0
    retired: bool = False


@dataclass(slots=True)
class PipelinePool:
    """Lends pipelines by the settings that differ from those in force.

    A question keeps its pipeline, and so one state of the index, to its end; the next one gets a newer pipeline
    when something was published in between.
    """

    open: Opener
    generation: Callable[[], int]
    """The newest published state of the index."""
    _entries: dict[Key, _Entry] = field(default_factory=dict)
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

    def _take(self, key: Key) -> _Entry:
        with self._opening:  # visitors who come together wait for one pipeline instead of opening ten
            newest = self.generation()
            with self._changing:
                entry = self._entries.get(key)
                if entry is not None and not self._stale(entry, newest):
                    entry.users += 1
                    return entry
            fresh = _Entry(key, self.open(dict(key)), time.monotonic(), users=1)
            with self._changing:
                self._retire(key)
                self._entries[key] = fresh
                while len(self._entries) > _MOST:
                    self._retire(next(iter(self._entries)))
            return fresh

    @staticmethod
    def _stale(entry: _Entry, newest: int) -> bool:
        young = time.monotonic() - entry.opened < _RENEW_AFTER
        return entry.pipeline.index.generation != newest and not young

    def _retire(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.retired = True
            self._close_if_idle(entry)

    @staticmethod
    def _close_if_idle(entry: _Entry) -> None:
        # not `Pipeline.close`: that writes the meter's whole bill, which here is shared and written by question
        if entry.retired and entry.users == 0:
            entry.pipeline.index.close()


def open_pipeline(settings: Settings, meter: Meter, notify: Callable[[str], None]) -> Pipeline:
    """A pipeline that books on the page's one meter, so that its cap holds for all visitors together."""
    from rag.pipeline import AnswerChain, Pipeline
    from rag.pipeline.opening import open_steps

    return Pipeline(AnswerChain(open_steps(settings, meter, notify)), meter, "ui", notify)


class Library:
    """The index as the pages show it: ledger, pages and totals, at the newest published state."""

    def __init__(self, location: str, notify: Callable[[str], None]) -> None:
        self.location = location
        self._notify = notify
        self._index: Index | None = None
        self._opening = threading.Lock()

    def index(self) -> Index | None:
        """The open index, moved on to its newest state; None when there is none yet.

        Raises IndexDamaged, IndexMismatch.
        """
        from rag.errors import IndexMissing
        from rag.store import open_index

        with self._opening:
            if self._index is None:
                try:
                    self._index = open_index(self.location, notify=self._notify)
                except IndexMissing:
                    return None
            else:
                self._index.refresh()
            return self._index

    def generation(self) -> int:
        """The newest published state; -1 without an index."""
        index = self.index()
        return -1 if index is None else index.generation
