"""What travels down the chain: a question, and what each step found out about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from rag.answering.context import Packed
    from rag.answering.evidence import Assessment
    from rag.answering.reply import Draft
    from rag.answering.verification import CheckedDraft
    from rag.retrieval.hybrid import Retrieval
    from rag.store import Filter
    from rag.types import Passage


History = Sequence[tuple[str, str]]
"""Earlier questions of a chat with their answers, oldest first."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it comes in; what is None takes the settings' value."""

    question: str
    history: tuple[tuple[str, str], ...] = ()
    where: tuple[str, ...] | Filter | None = None
    """Conditions as `--where` writes them, or a filter."""
    prompt: str | None = None
    k: int | None = None
    strict: bool | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values for the template's own variables."""


def as_query(given: str | Mapping[str, Any] | Query) -> Query:
    """A question, or a map with `question` and any other field of `Query`.

    Raises UsageError for an empty question or an unknown field.
    """
    if isinstance(given, str):
        given = Query(given)
    elif not isinstance(given, Query):
        unknown = set(given) - set(Query.__dataclass_fields__)
        if unknown or "question" not in given:
            raise UsageError(
                f"A question is a text or a map with `question`; {', '.join(sorted(unknown)) or 'it'} is not known."
            )
        history = tuple((str(asked), str(answered)) for asked, answered in given.get("history") or ())
        where = given.get("where")
        conditions = tuple(where) if isinstance(where, list | tuple) else where
        given = Query(**{**given, "history": history, "where": conditions or None})
    if not any(letter.isalnum() for letter in given.question):
        raise UsageError("The question is empty: write what you want to know.")
    return given


@dataclass(slots=True)
class Part:
    """One of the questions that a question holds, with what was found for it; mostly there is one."""

    question: str
    retrieval: Retrieval
    assessment: Assessment | None = None
    answered: bool = True
    """Whether the evidence is enough to answer it."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What was found for it, best first."""
        return self.retrieval.passages


@dataclass(slots=True)
class QueryState:
    """The state of one question on its way. Each step fills in its part; nothing is shared between questions."""

    ask: Query
    standalone: str = ""
    """What is searched for: the question, made understandable without the chat."""
    retrieval: Retrieval | None = None
    """What was found for the question, of several parts in turn."""
    parts: list[Part] = field(default_factory=list)
    evidence: float = 0.0
    declined: str = ""
    """Why there is no answer, once that is decided."""
    packed: Packed | None = None
    reply: str = ""
    draft: Draft | None = None
    proof: CheckedDraft | None = None
    notes: list[str] = field(default_factory=list)
    tally: UsageTotal = field(default_factory=UsageTotal)
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    template: tuple[str, str] = ("", "")
    """Name and fingerprint of the template in use."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What was found, best first."""
        return self.retrieval.passages if self.retrieval is not None else ()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as part of the stage `name`, and count what it spends."""
        begun = time.perf_counter()
        try:
            with counting_usage(self.tally):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
