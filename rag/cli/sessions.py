"""A chat as it is kept: who was asked what, and the answers with their proof."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rag.cli.forms import answer_form, citations_of
from rag.errors import UsageError
from rag.pipeline.state import LAST_ANSWER, read_state_file, state_file_names, write_state
from rag.places import shown
from rag.types import Answer, Citation

FOLDER = "sessions"
_FORMAT = 1
_NAME = re.compile(r"[\w.-]{1,80}")


@dataclass(slots=True)
class Session:
    """One chat with its turns, in the JSON form of `rag ask --json`."""

    index: str
    name: str = field(default_factory=lambda: datetime.now().strftime("%Y-%m-%d-%H%M%S"))
    turns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def history(self) -> list[tuple[str, str]]:
        """Questions and answers so far, oldest first."""
        return [(turn["question"], turn["answer"]) for turn in self.turns]

    @property
    def citations(self) -> list[Citation]:
        """Those of the last answer."""
        return citations_of(self.turns[-1]) if self.turns else []

    def add(self, answer: Answer) -> Path | None:
        """Append a turn and keep the whole at once: a session outlives whatever ends the program."""
        self.turns.append(answer_form(answer) | {"at": time.time()})
        write_state(self.index, LAST_ANSWER, self.turns[-1])
        form = {"format": _FORMAT, "name": self.name, "turns": self.turns}
        return write_state(self.index, f"{FOLDER}/{self.name}.json", form)


def resume(index: str, name: str | None = None) -> Session:
    """The session `name`, or the newest one. Raises UsageError when there is none, or it cannot be read."""
    names = [Path(found).stem for found in state_file_names(index, FOLDER)]
    if not names:
        raise UsageError(
            f"There is no session of the index {shown(index)} to resume: begin one with `rag chat`."
        )
    chosen = names[0] if name is None else name
    if chosen not in names or not _NAME.fullmatch(chosen):
        raise UsageError(f"There is no session {chosen!r}: the newest are {', '.join(names[:5])}.")
    form = read_state_file(index, f"{FOLDER}/{chosen}.json")
    turns = form.get("turns") if isinstance(form, Mapping) and form.get("format") == _FORMAT else None
    if not isinstance(turns, list) or not all(_is_turn(turn) for turn in turns):
        raise UsageError(f"The session {chosen!r} cannot be read: begin another one with `rag chat`.")
    return Session(index, chosen, turns)


def _is_turn(turn: object) -> bool:
    return isinstance(turn, dict) and all(isinstance(turn.get(key), str) for key in ("question", "answer"))
