"""What travels down the chain: a question, and what each step found out about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from rag.errors import UsageError
from rag.store.filters import Filter, Where, conditions_of
from rag.tracing import span
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from rag.answering.context import Packed
    from rag.answering.evidence import Assessment
    from rag.answering.reply import Draft
    from rag.answering.verification import CheckedDraft
    from rag.messages import Language
    from rag.retrieval.hybrid import Retrieval
    from rag.store import Snapshot
    from rag.types import Passage

History = Sequence[tuple[str, str]]
"""Earlier questions of a chat with their answers, oldest first."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it comes in; what is None takes the settings' value.

        query = Query("What is the sample volume of the Tarn 340?", where=("file=tarn-*.pdf",), k=4)
        answer = pipeline.ask(query)

    `Pipeline.ask` makes one of a text and keyword arguments.
    """

    question: str
    history: tuple[tuple[str, str], ...] = ()
    where: tuple[str, ...] | Filter | None = None
    """Conditions as `--where` writes them, or a filter."""
    prompt: str | None = None
    k: int | None = None
    strict: bool | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values for the template's own variables."""


class QueryFields(TypedDict, total=False):
    """The fields of a `Query` beside the question, as keyword arguments of `Pipeline.ask` and the like."""

    history: History
    where: Where
    prompt: str | None
    k: int | None
    strict: bool | None
    variables: Mapping[str, str]


def as_query(given: str | Mapping[str, Any] | Query, **fields: Unpack[QueryFields]) -> Query:
    """A query from a question with `fields`, from a map of them all, or a ready `Query` with `fields` changed.

    Raises UsageError for an empty question or an unknown field.
    """
    if isinstance(given, Query):
        query = replace(given, **_checked(fields))
    elif isinstance(given, str):
        query = Query(given, **_checked(fields))
    else:
        unknown = set(given) - set(Query.__dataclass_fields__)
        if unknown or "question" not in given:
            raise UsageError(
                f"A question is a text or a map with `question`; {', '.join(sorted(unknown)) or 'it'} is not known."
            )
        query = Query(**_checked({**given, **fields}))
    if not any(letter.isalnum() for letter in query.question):
        raise UsageError("The question is empty: write what you want to know.")
    return query


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as a `Query` holds them: sequences as tuples, None for no condition."""
    checked = dict(fields)
    if "history" in checked:
        history = checked["history"] or ()
        checked["history"] = tuple((str(asked), str(answered)) for asked, answered in history)
    if "where" in checked:
        checked["where"] = conditions_of(checked["where"])
    if checked.get("variables", 0) is None:
        del checked["variables"]
    return checked


@dataclass(slots=True)
class Part:
    """One of the questions that a question holds, with what was found for it; mostly there is one."""

    question: str
    retrieval: Retrieval
    assessment: Assessment | None = None
    evidence: float = 0.0
    """The evidence score (0 to 1), of sentences or of table cells."""
    answered: bool = True
    """Whether the evidence is enough to answer it."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What was found for it, best first."""
        return self.retrieval.passages


@dataclass(slots=True)
class QueryState:
    """The state of one question on its way. Each step fills in its part; nothing is shared between questions."""

    query: Query
    snapshot: Snapshot
    """The state of the index that the whole question reads."""
    language: Language
    """In which the reader is told about the answer."""
    standalone: str = ""
    """What is searched for: the question, made understandable without the chat."""
    retrieval: Retrieval | None = None
    """What was found for the question, of several parts in turn."""
    parts: list[Part] = field(default_factory=list)
    overview: Draft | None = None
    """What the documents are, when the question asks about them as a whole."""
    evidence: float = 0.0
    confidence: float | None = None
    """How sure the built-in answerer is of the sentences it chose, of several parts the least."""
    declined: str = ""
    """Why there is no answer, once that is decided."""
    packed: Packed | None = None
    reply: str = ""
    finish_reason: str = ""
    """Why the model ended its reply, as its server says."""
    empty_replies: int = 0
    image_count: int = 0
    """Pictures of pages that the model is shown (`--vision`)."""
    draft: Draft | None = None
    checked: CheckedDraft | None = None
    notes: list[str] = field(default_factory=list)
    usage: UsageTotal = field(default_factory=UsageTotal)
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
            with span(f"pagequote.{name}"), counting_usage(self.usage):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
