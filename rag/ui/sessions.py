"""Chats: the form they are saved and exported in with their saved answers, and verified again when they are opened.

A session that comes back, from the disk or from a visitor's file, is not believed: every quote is looked up in the
index as it is now, and what is shown as verified is what is there today.
"""

from __future__ import annotations

import io
import json
import secrets
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from rag.answering.citations import page_hash
from rag.answering.originals import CurrentPages
from rag.answering.saved import SavedAnswer, saved_answer_of, verify_saved_answer
from rag.errors import UsageError
from rag.messages import texts
from rag.store import Snapshot
from rag.types import Answer, NearSentence, Passage, Span, Usage
from rag.ui.questions import Choices, History, RunningQuestion

FORMAT: Final = "pagequote-session/1"
LARGEST = 8 * 1024 * 1024
"""Bytes of a session file that is read."""
FILE = "session.json"
INTERRUPTED = "Interrupted"
"""`Exchange.failed` of a question that was on its way when the server ended."""

Start = Callable[[str, Choices, History, Callable[[], None]], RunningQuestion]
"""Starts answering a question; the last argument is called at the end."""


@dataclass(frozen=True, slots=True)
class NearPassage:
    """Where a passage is and its sentence that came nearest."""

    file: str
    page: int
    page_end: int
    spans: tuple[Span, ...]
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class SavedExchange:
    """One question with its saved answer, as a file holds it."""

    answer: Annotated[SavedAnswer, Field(alias="receipt")]
    at: float
    usage: Usage = field(default_factory=Usage)
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    standalone_question: str = ""
    nearest: tuple[NearPassage, ...] = ()
    failed: str = ""
    where: tuple[str, ...] = ()
    rating: Literal["", "up", "down"] = ""
    others: tuple[SavedExchange, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A session as a file holds it."""

    turns: tuple[SavedExchange, ...]
    choices: Choices = field(default_factory=Choices)
    owner: str = ""
    """Digest of the visitor who writes in it; empty in files of earlier versions."""
    name: str = ""
    format: Literal["pagequote-session/1"] = FORMAT


@dataclass(slots=True)
class Exchange:
    """A question with its answer."""

    answer: Answer
    at: float
    stale: bool = False
    """Not every quote is where it was when the question was answered."""
    failed: str = ""
    """Name of the error's class when the question has no answer: `answer.reason` is then the error."""
    where: tuple[str, ...] = ()
    """The documents and conditions that were searched within; none is everything."""
    rating: Literal["", "up", "down"] = ""
    original: SavedAnswer | None = None
    """The answer as it was given, when `answer` is what was found of it later."""
    others: tuple[Exchange, ...] = ()
    """Further answers to the same question, from another template or model."""

    @property
    def versions(self) -> list[Exchange]:
        """All answers to the question, this one among them, the oldest first."""
        return sorted((self, *self.others), key=lambda one: one.at)

    def saved(self) -> SavedExchange:
        answer = self.answer
        fingerprints = {k: str(v) for k, v in answer.extra.items() if k.endswith("fingerprint")}
        return SavedExchange(
            self.original or saved_answer_of(answer, fingerprints=fingerprints),
            self.at,
            answer.usage,
            dict(answer.seconds),
            answer.notes,
            answer.standalone_question,
            tuple(
                NearPassage(p.file, p.page, p.page_end, p.spans, near.text)
                for near in answer.nearest
                for p in [near.passage]
            ),
            self.failed,
            self.where,
            self.rating,
            tuple(one.saved() for one in self.others),
        )

    def outdated(self, index: Snapshot) -> bool:
        """Whether a page that it, or another version, cites is gone from the index or has other words now."""
        if any(one.outdated(index) for one in self.others):
            return True
        cited = [c for c in self.answer.citations if c.page_hash]
        pages = {(c.file, c.page): index.page(c.file, c.page) for c in cited}
        return any((page := pages[c.file, c.page]) is None or page_hash(page) != c.page_hash for c in cited)


@dataclass(slots=True)
class Session:
    """One visitor's chat. Its methods may be called from several threads."""

    id: str
    choices: Choices
    exchanges: list[Exchange] = field(default_factory=list)
    running: RunningQuestion | None = None
    name: str = ""
    """As its owner calls it; otherwise its first question names it."""
    generation: int = -1
    """The published state of the index that its answers were last compared with."""
    owner: str = ""
    """Digest of the visitor who writes in it."""
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def usage(self) -> Usage:
        """What the questions of this session took."""
        return sum((one.answer.usage for e in self.exchanges for one in e.versions), Usage())

    def history(self, before: int | None = None) -> History:
        """Questions and answers, oldest first, up to the exchange `before`; the declined ones answered nothing."""
        return tuple((e.answer.question, e.answer.text) for e in self.exchanges[:before] if e.answer.answered)

    def begin(
        self,
        question: str,
        start: Start,
        *,
        choices: Choices | None = None,
        instead: int | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> bool:
        """Ask, unless a question is still on its way. True when it was asked.

        choices: for this question alone. instead: the exchange whose place the answer takes. then: called when there
        is an answer to `settle`, from another thread.
        """
        with self._changing:
            if self.running is not None or not question.strip():
                return False
            history = self.history(instead)
            self.running = start(question.strip(), choices or self.choices, history, then)
            self.running.instead = instead
            return True

    def settle(self) -> bool:
        """Take the answer in once it is there. True when there is a new one.

        The answer whose place it takes stays as another version; what only failed is forgotten.
        """
        with self._changing:
            running = self.running
            if running is None or not running.done:
                return False
            self.running = None
            where = running.choices.where() or ()
            answer = running.answer or _unanswered(running.question, running.started, running.error)
            failed = "" if running.answer is not None else running.error_kind
            exchange = Exchange(answer, running.started, failed=failed, where=where)
            if running.instead is None:
                self.exchanges.append(exchange)
            else:
                before = self.exchanges[running.instead]
                kept = [replace(one, others=()) for one in before.versions if not one.failed]
                self.exchanges[running.instead] = replace(exchange, others=tuple(kept))
            return True

    def show_version(self, number: int, version: int) -> None:
        """Show another answer of an exchange: `version` counts its `versions` from 0."""
        with self._changing:
            versions = [replace(one, others=()) for one in self.exchanges[number].versions]
            shown = versions.pop(version)
            self.exchanges[number] = replace(shown, others=tuple(versions))

    def refresh(self, index: Snapshot) -> bool:
        """Verify again what cites a page that is gone or has changed since. True when an answer was touched."""
        if self.generation == index.generation:
            return False
        with self._changing:
            self.generation = index.generation
            # a stale one again: its documents may be back, or another of them gone
            touched = [
                i
                for i, exchange in enumerate(self.exchanges)
                if any(one.stale for one in exchange.versions) or exchange.outdated(index)
            ]
            for i in touched:
                self.exchanges[i] = _reopened(self.exchanges[i].saved(), CurrentPages(index))
            return bool(touched)

    def to_json(self) -> bytes:
        """The session as a file holds it; a question on its way as one that was interrupted."""
        exchanges, running = list(self.exchanges), self.running
        if running is not None and running.instead is None:
            lost = _unanswered(running.question, running.started, "")
            exchanges.append(Exchange(lost, running.started, failed=INTERRUPTED))
        saved = SessionFile(tuple(one.saved() for one in exchanges), self.choices, self.owner, self.name)
        form = _FILE_FORM.dump_python(saved, by_alias=True)
        return json.dumps(form, ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace")

    def export(self) -> bytes:
        """A ZIP with the session, and each answer as a file that `rag verify` reads."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(FILE, self.to_json())
            for number, exchange in enumerate(self.exchanges, start=1):
                saved_answer = json.dumps(asdict(exchange.saved().answer), ensure_ascii=False, indent=2)
                archive.writestr(f"answer-{number:03d}.json", saved_answer.encode("utf-8", "replace"))
        return packed.getvalue()


_FILE_FORM = TypeAdapter(SessionFile)


def _unanswered(question: str, started: float, reason: str) -> Answer:
    """A question that failed, was stopped or interrupted, with the reason."""
    seconds = {"total": time.time() - started}
    return Answer(question, False, "", (), (), (), "", "", Usage(), seconds, 0.0, reason=reason)


def new_id() -> str:
    """A name that nobody guesses: who knows it sees the session."""
    return secrets.token_urlsafe(16)


def read_session(content: bytes, pages: CurrentPages | None, identity: str | None = None) -> Session:
    """A session from a file (the JSON, or the exported ZIP), every quote looked up again in `pages`.

    Raises UsageError when it is no session.
    """
    try:
        saved = _FILE_FORM.validate_json(_unpacked(content))
    except ValidationError as error:
        field_name = ".".join(map(str, error.errors()[0]["loc"])) or "its beginning"
        raise UsageError(f"This is not a session exported from this page: {field_name} is wrong.") from None
    exchanges = [_reopened(one, pages) for one in saved.turns] if pages is not None else []
    owner = saved.owner if identity else ""
    return Session(identity or new_id(), saved.choices, exchanges, name=saved.name, owner=owner)


def _unpacked(content: bytes) -> bytes:
    if content.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(FILE) as file:
                content = file.read(LARGEST + 1)  # the size that the archive states is not believed
        except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError):
            raise UsageError(f"This ZIP file holds no {FILE}: choose one exported from this page.") from None
    if len(content) > LARGEST:
        raise UsageError("This file is too large to be a session.")
    return content


def _reopened(saved: SavedExchange, pages: CurrentPages) -> Exchange:
    saved_answer = saved.answer
    again = verify_saved_answer(saved_answer, pages, pages)
    checked = again.checked
    answered = saved_answer.answered
    extra: dict[str, Any] = dict(saved_answer.fingerprints)
    if not saved_answer.answered and saved_answer.reason in texts("answer.small_talk").values():
        extra["small_talk"] = True  # our own words only: a file may claim any others
    nearest = tuple(there for near in saved.nearest if (there := _there(near, pages)) is not None)
    answer = Answer(
        question=saved_answer.question,
        answered=answered,
        text=checked.text if answered else "",
        sentences=checked.sentences if answered else (),
        citations=checked.citations if answered else (),
        passages=tuple(near.passage for near in nearest),
        nearest=nearest,
        model=saved_answer.model,
        prompt=saved_answer.prompt,
        usage=saved.usage,
        seconds=saved.seconds,
        evidence_score=saved_answer.evidence_score,
        confidence=saved_answer.confidence,
        reason=saved_answer.reason,
        standalone_question=saved.standalone_question,
        notes=saved.notes,
        extra=extra,
    )
    stale = answered and not again.holds
    others = tuple(_reopened(one, pages) for one in saved.others)
    return Exchange(
        answer, saved.at, stale, saved.failed[:40], saved.where, saved.rating, saved_answer, others
    )


def _there(near: NearPassage, pages: CurrentPages) -> NearSentence | None:
    """The passage with the words that stand there today, and the sentence if it is one of them."""
    words = []
    for span in near.spans:
        page = pages.page(near.file, span.page)
        if page is None or not 0 <= span.start < span.end <= len(page.text):
            return None
        words.append(page.text[span.start : span.end])
    if not words:
        return None
    passage = Passage(0, near.file, near.page, near.page_end, "\n".join(words), near.spans)
    holds = near.sentence and "".join(near.sentence.split()) in "".join(passage.text.split())
    return NearSentence(passage, near.sentence if holds else passage.text)
