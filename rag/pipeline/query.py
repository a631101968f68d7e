"""What travels down the chain: a question, what each step found out about it, and the answer that it ends with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from rag.answering.addressed import addresses_model
from rag.answering.verification import CheckedDraft
from rag.errors import UsageError
from rag.messages import Language, message
from rag.pipeline.forms import retrieval_steps_form
from rag.pipeline.rewriting import is_small_talk
from rag.store.filters import Filter, Where, conditions_of
from rag.tracing import span
from rag.types import Answer, NearSentence, Passage
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from rag.answering.context import Packed
    from rag.answering.evidence import Assessment
    from rag.answering.reply import Draft
    from rag.retrieval.hybrid import Retrieval
    from rag.store import Snapshot


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
    of_cells: float = 0.0
    """That of table cells alone."""
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


# -- the answer -------------------------------------------------------------------------------------------


def final_answer(
    state: QueryState, shown: CheckedDraft | None, model: str, nearest: tuple[NearSentence, ...]
) -> Answer:
    """The answer of `model` in which `shown` is shown; declined when that is None, with what came nearest."""
    return Answer(
        question=state.query.question,
        answered=shown is not None,
        text=shown.text if shown is not None else "",
        sentences=shown.sentences if shown is not None else (),
        citations=shown.citations if shown is not None else (),
        passages=state.packed.passages if state.packed is not None else state.passages,
        model=model,
        prompt=state.template[0],
        usage=state.usage.total,
        seconds={**state.seconds, "total": time.perf_counter() - state.started},
        evidence_score=state.evidence,
        confidence=state.confidence if shown is not None else None,
        reason=state.declined,
        nearest=nearest,
        standalone_question=state.standalone if state.standalone != state.query.question else "",
        notes=tuple(dict.fromkeys((*_notes(state), *(shown.notes if shown is not None else ())))),
        extra=_extra(state, shown),
    )


def _extra(state: QueryState, shown: CheckedDraft | None) -> dict[str, Any]:
    kept = {sentence.text for sentence in shown.sentences} if shown is not None else set()
    checked = state.checked.sentences if state.checked is not None else ()
    extra = {
        "retrieval_steps": retrieval_steps_form(state.retrieval) if state.retrieval is not None else [],
        "small_talk": is_small_talk(state.query.question),
        "withheld": "\n".join(s.text for s in checked if s.text not in kept),  # for `rag eval`
        "prompt_fingerprint": state.template[1],
    }
    return {name: value for name, value in extra.items() if value}


def _notes(state: QueryState) -> list[str]:
    notes, language = list(state.notes), state.language
    cited = state.checked.citations if state.checked is not None else ()
    if any(addresses_model(citation.quote) for citation in cited if citation.verified):
        notes.append(message("answer.addressed_to_model", language))
    if state.packed is not None and state.packed.left_out:
        used = len(state.packed.passages)
        found = used + state.packed.left_out
        notes.append(message("answer.fewer_passages", language, used=used, found=found))
    if state.usage.estimated:
        notes.append(message("answer.estimated", language))
    counts = state.snapshot.counts()
    files = sum(count for status, count in counts.files.items() if not status.searchable)
    pages = counts.pages - counts.searchable_pages
    if files or pages:
        key = (
            "not_searchable"
            if files and pages
            else "files_not_searchable"
            if files
            else "pages_not_searchable"
        )
        every = {"all_files": sum(counts.files.values()), "all_pages": counts.pages}
        notes.append(message(f"answer.{key}", language, files=files, pages=pages, **every))
    return notes
