"""What has happened, in order; read again from the disk when its keeper was killed and started again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class EventJournal:
    """Events, each with a name by which a repetition is known: Ray repeats a call whose answer was lost."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = []
        self._path = path
        self._names: set[str] = set()
        with suppress(FileNotFoundError):
            self._read(path.read_text(encoding="utf-8"))

    def _read(self, text: str) -> None:
        for line in text.splitlines():
            with suppress(ValueError):  # the write that its keeper was killed in
                self._remember(json.loads(line))
        if text and not text.endswith("\n"):
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def add(self, name: str, kind: str, values: Mapping[str, Any]) -> bool:
        """Write an event down, unless one of that name is there. True when it is new."""
        if name in self._names:
            return False
        event = {"name": name, "kind": kind, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        self._remember(event)
        return True

    def knows(self, name: str) -> bool:
        """Whether there is an event of that name."""
        return name in self._names

    def _remember(self, event: Event) -> None:
        self.events.append(event)
        self._names.add(event["name"])
