"""Chats: saved on disk, exported with their saved answers, and verified again whenever they are opened.

A session that comes back, from the disk or from a visitor's file, is not believed: every quote is looked up in the
index as it is now, and what is shown as verified is what is there today.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
import threading
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from rag.answering.originals import CurrentPages
from rag.answering.saved import SavedAnswer, saved_answer_of, verify_saved_answer
from rag.errors import UsageError
from rag.messages import texts
from rag.types import Answer, Passage, Span, Usage
from rag.ui.questions import Choices, History, RunningQuestion
from rag.ui.uploads import write_whole

FORMAT: Final = "pagequote-session/1"
LARGEST = 8 * 1024 * 1024
"""Bytes of a session file that is read."""
FILE = "session.json"
_ID = re.compile(r"[\w-]{16,40}")
_NEAREST = 3

Start = Callable[[str, Choices, History], RunningQuestion]


@dataclass(frozen=True, slots=True)
class NearPassage:
    """Where a passage is, for showing what was nearest."""

    file: str
    page: int
    page_end: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class SavedExchange:
    """One question with its saved answer, as a file holds it."""

    receipt: SavedAnswer
    at: float
    usage: Usage = field(default_factory=Usage)
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    standalone_question: str = ""
    nearest: tuple[NearPassage, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A session as a file holds it."""

    turns: tuple[SavedExchange, ...]
    choices: Choices = field(default_factory=Choices)
    owner: str = ""
    """Digest of the visitor who writes in it; empty in files of earlier versions."""
    format: Literal["pagequote-session/1"] = FORMAT


@dataclass(slots=True)
class Exchange:
    """A question with its answer."""

    answer: Answer
    at: float
    stale: bool = False
    """Reopened, and not every quote is where it was."""

    def saved(self) -> SavedExchange:
        answer = self.answer
        fingerprints = {k: str(v) for k, v in answer.extra.items() if k.endswith("fingerprint")}
        return SavedExchange(
            saved_answer_of(answer, fingerprints=fingerprints),
            self.at,
            answer.usage,
            dict(answer.seconds),
            answer.notes,
            answer.standalone_question,
            tuple(NearPassage(p.file, p.page, p.page_end, p.spans) for p in answer.passages[:_NEAREST]),
        )


@dataclass(slots=True)
class Session:
    """One visitor's chat. Its methods may be called from several threads."""

    id: str
    choices: Choices
    exchanges: list[Exchange] = field(default_factory=list)
    running: RunningQuestion | None = None
    problem: str = ""
    """Why the last question has no answer."""
    owner: str = ""
    """Digest of the visitor who writes in it."""
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def history(self) -> History:
        """Questions and answers so far, oldest first; the declined ones answered nothing."""
        return tuple((e.answer.question, e.answer.text) for e in self.exchanges if e.answer.answered)

    @property
    def usage(self) -> Usage:
        """What the questions of this session took."""
        return sum((exchange.answer.usage for exchange in self.exchanges), Usage())

    def begin(self, question: str, start: Start) -> bool:
        """Ask, unless a question is still on its way. True when it was asked."""
        with self._changing:
            if self.running is not None or not question.strip():
                return False
            self.problem = ""
            self.running = start(question.strip(), self.choices, self.history)
            return True

    def settle(self) -> bool:
        """Take the answer in once it is there. True when there is a new one."""
        with self._changing:
            running = self.running
            if running is None or not running.done:
                return False
            self.running = None
            self.problem = running.error
            if running.answer is None:
                return False
            self.exchanges.append(Exchange(running.answer, running.started))
            return True

    def to_json(self) -> bytes:
        """The session as a file holds it."""
        saved = SessionFile(tuple(one.saved() for one in self.exchanges), self.choices, self.owner)
        return json.dumps(asdict(saved), ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace")

    def export(self) -> bytes:
        """A ZIP with the session, and each answer as a file that `rag verify` reads."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(FILE, self.to_json())
            for number, exchange in enumerate(self.exchanges, start=1):
                saved_answer = json.dumps(asdict(exchange.saved().receipt), ensure_ascii=False, indent=2)
                archive.writestr(f"answer-{number:03d}.json", saved_answer.encode("utf-8", "replace"))
        return packed.getvalue()


def new_id() -> str:
    """A name that nobody guesses: who knows it sees the session."""
    return secrets.token_urlsafe(16)


def read_session(content: bytes, pages: CurrentPages | None, identity: str | None = None) -> Session:
    """A session from a file (the JSON, or the exported ZIP), every quote looked up again in `pages`.

    Raises UsageError when it is no session.
    """
    try:
        saved = TypeAdapter(SessionFile).validate_json(_unpacked(content))
    except ValidationError as error:
        field_name = ".".join(map(str, error.errors()[0]["loc"])) or "its beginning"
        raise UsageError(f"This is not a session exported from this page: {field_name} is wrong.") from None
    exchanges = [_reopened(one, pages) for one in saved.turns] if pages is not None else []
    return Session(identity or new_id(), saved.choices, exchanges, owner=saved.owner if identity else "")


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
    saved_answer = saved.receipt
    again = verify_saved_answer(saved_answer, pages, pages)
    proof = again.proof
    answered = saved_answer.answered and any(citation.verified for citation in proof.citations)
    extra: dict[str, Any] = dict(saved_answer.fingerprints)
    if not saved_answer.answered and saved_answer.reason in texts("answer.small_talk").values():
        extra["small_talk"] = True  # our own words only: a file may claim any others
    answer = Answer(
        question=saved_answer.question,
        answered=answered,
        text=proof.text if answered else "",
        sentences=proof.sentences if answered else (),
        citations=proof.citations if answered else (),
        passages=tuple(p for near in saved.nearest if (p := _passage_at(near, pages)) is not None),
        model=saved_answer.model,
        prompt=saved_answer.prompt,
        usage=saved.usage,
        seconds=saved.seconds,
        evidence_score=saved_answer.evidence_score,
        reason=saved_answer.reason,
        standalone_question=saved.standalone_question,
        notes=saved.notes,
        extra=extra,
    )
    return Exchange(answer, saved.at, stale=saved_answer.answered and not again.holds)


def _passage_at(near: NearPassage, pages: CurrentPages) -> Passage | None:
    """The passage with the words that stand there today."""
    words = []
    for span in near.spans:
        page = pages.page(near.file, span.page)
        if page is None or not 0 <= span.start < span.end <= len(page.text):
            return None
        words.append(page.text[span.start : span.end])
    return Passage(0, near.file, near.page, near.page_end, "\n".join(words), near.spans) if words else None


class SessionStore:
    """Sessions by id: in memory while they are in use, on the disk for later."""

    def __init__(self, folder: Path, most: int = 200) -> None:
        self._folder = folder
        self._most = most
        self._open: dict[str, Session] = {}
        self._changing = threading.Lock()

    def get(
        self, identity: str | None, choices: Choices, pages: CurrentPages | None, visitor: str = ""
    ) -> Session:
        """The session with that id, from memory or disk; a new one when there is none.

        visitor: a secret that only this visitor's browser knows. Of another visitor's session it gives a copy of its
        own, so that neither who follows a link nor who sent it sees or changes what the other asks from then on.
        """
        owner = hashlib.sha256(visitor.encode()).hexdigest() if visitor else ""
        with self._changing:
            session = self._open.get(identity or "") or self._from_disk(identity, pages)
            if session is None:
                session = Session(new_id(), choices, owner=owner)
            elif session.owner and session.owner != owner:
                session = Session(new_id(), session.choices, list(session.exchanges), owner=owner)
            session.owner = session.owner or owner
            self._open.pop(session.id, None)
            self._open[session.id] = session  # the newest is the last
            idle = [key for key, one in self._open.items() if one.running is None]
            for key in idle[: max(len(self._open) - self._most, 0)]:
                del self._open[key]
            return session

    def adopt(self, session: Session) -> None:
        """Keep a session that was reopened from a visitor's file."""
        with self._changing:
            self._open[session.id] = session
        self.save(session)

    def save(self, session: Session) -> None:
        """Write it to the disk; where nothing can be written it lives in memory alone."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / f"{session.id}.json", session.to_json())

    def recent(self, count: int = 10) -> list[tuple[str, str, float]]:
        """Id, first question and time of the newest sessions on the disk."""
        found = []
        paths = sorted(self._folder.glob("*.json"), key=lambda p: -p.stat().st_mtime)[:count]
        for path in paths:
            try:
                first = json.loads(path.read_bytes())["turns"][0]["receipt"]["question"]
                found.append((path.stem, str(first), path.stat().st_mtime))
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                continue
        return found

    def _from_disk(self, identity: str | None, pages: CurrentPages | None) -> Session | None:
        if identity is None or not _ID.fullmatch(identity) or pages is None:
            return None
        path = self._folder / f"{identity}.json"
        try:
            if path.is_symlink() or path.stat().st_size > LARGEST:
                return None
            return read_session(path.read_bytes(), pages, identity)
        except (OSError, UsageError):
            return None
