"""What a run keeps of each question: everything that any metric needs, in one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rag.evaluation.questions import Question
from rag.types import Answer, Passage

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the result list, without its text."""

    file: str
    page: int
    page_end: int
    score: float = 0.0

    @classmethod
    def of(cls, passage: Passage) -> Found:
        return cls(passage.file, passage.page, max(passage.page, passage.page_end), passage.score)


@dataclass(frozen=True, slots=True)
class Record:
    """One question of a run with what came back."""

    question: Question
    found: tuple[Found, ...] = ()
    """The result list, best first, deeper than what the answer was given."""
    answer: Answer | None = None
    """None when the run only searched, and when the question failed."""
    error: str = ""
    """The sentence of the error that this question ended in."""

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def failed(self) -> bool:
        return bool(self.error)


def results_of(passages: Iterable[Passage]) -> tuple[Found, ...]:
    """The result list of some passages."""
    return tuple(Found.of(passage) for passage in passages)


def to_line(record: Record) -> str:
    """The record as one line of JSON with its line end."""
    return json.dumps(asdict(record), ensure_ascii=False, default=_plain) + "\n"


def from_line(line: str | bytes) -> Record:
    """The record of a line. Raises ValueError when it is torn or not a record."""
    return _adapter().validate_json(line)


def _plain(value: object) -> Any:
    """NumPy numbers and the like in `Answer.extra`."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)
