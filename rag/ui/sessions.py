"""Chats: kept on disk, exported with their receipts, and proven again whenever they are opened.

A session that comes back, from the disk or from a visitor's file, is not believed: every quote is looked up in the
index as it is now, and what is shown as verified is what stands there today.
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
from typing import Final, Literal

from rag.answering.citations import PageSource
from rag.answering.saved import SavedAnswer, saved_answer_of, verify_saved_answer
from rag.errors import UsageError
from rag.types import Answer, Passage, Span, Usage
from rag.ui.asking import Asking, Query
from rag.ui.choices import Choices

FORMAT: Final = "pagequote-session/1"
LARGEST = 8 * 1024 * 1024
"""Bytes of a session file that is read."""
FILE = "session.json"
_ID = re.compile(r"[\w-]{16,40}")
_NEAREST = 3

Asker = Callable[[Query], Asking]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands, for showing what was nearest."""

    file: str
    page: int
    page_end: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class SavedTurn:
    """One question with its receipt, as a file keeps it."""

    receipt: SavedAnswer
    at: float
    usage: Usage = field(default_factory=Usage)
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    standalone_question: str = ""
    nearest: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session as a file keeps it."""

    turns: tuple[SavedTurn, ...]
    choices: Choices = field(default_factory=Choices)
    owner: str = ""
    """Digest of the visitor who writes in it; empty in files of earlier versions."""
    format: Literal["pagequote-session/1"] = FORMAT


@dataclass(slots=True)
class Turn:
    """A question and what came back."""

    answer: Answer
    at: float
    stale: bool = False
    """Reopened, and not every quote stands as it stood then."""

    def saved(self) -> SavedTurn:
        answer = self.answer
        fingerprints = {k: str(v) for k, v in answer.extra.items() if k.endswith("fingerprint")}
        return SavedTurn(
            saved_answer_of(answer, fingerprints=fingerprints),
            self.at,
            answer.usage,
            dict(answer.seconds),
            answer.notes,
            answer.standalone_question,
            tuple(Place(p.file, p.page, p.page_end, p.spans) for p in answer.passages[:_NEAREST]),
        )


@dataclass(slots=True)
class Session:
    """One visitor's chat. Its methods may be called from several threads."""

    id: str
    choices: Choices
    turns: list[Turn] = field(default_factory=list)
    asking: Asking | None = None
    problem: str = ""
    """Why the last question has no answer."""
    owner: str = ""
    """Digest of the visitor who writes in it."""
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def history(self) -> tuple[tuple[str, str], ...]:
        """Questions and answers so far, oldest first; the declined ones answered nothing."""
        return tuple((turn.answer.question, turn.answer.text) for turn in self.turns if turn.answer.answered)

    @property
    def usage(self) -> Usage:
        """What the questions of this session took."""
        return sum((turn.answer.usage for turn in self.turns), Usage())

    def begin(self, question: str, start: Asker) -> bool:
        """Query, unless a question is still on its way. True when it was asked."""
        with self._changing:
            if self.asking is not None or not question.strip():
                return False
            self.problem = ""
            self.asking = start(Query(question.strip(), self.choices, self.history))
            return True

    def settle(self) -> bool:
        """Take the answer in once it is there. True when a turn was added."""
        with self._changing:
            asking = self.asking
            if asking is None or not asking.done:
                return False
            self.asking = None
            self.problem = asking.error
            if asking.answer is None:
                return False
            self.turns.append(Turn(asking.answer, asking.started))
            return True

    def to_json(self) -> bytes:
        """The session as a file keeps it."""
        saved = SavedSession(tuple(turn.saved() for turn in self.turns), self.choices, self.owner)
        return json.dumps(asdict(saved), ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace")

    def export(self) -> bytes:
        """A ZIP with the session, and each answer as a receipt that `rag verify` reads."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(FILE, self.to_json())
            for number, turn in enumerate(self.turns, start=1):
                receipt = json.dumps(asdict(turn.saved().receipt), ensure_ascii=False, indent=2)
                archive.writestr(f"answer-{number:03d}.json", receipt.encode("utf-8", "replace"))
        return packed.getvalue()


def new_id() -> str:
    """A name that nobody guesses: who knows it sees the session."""
    return secrets.token_urlsafe(16)


def read_session(content: bytes, pages: PageSource | None, identity: str | None = None) -> Session:
    """A session from a file (the JSON, or the exported ZIP), every quote proven anew against `pages`.

    Raises UsageError when it is no session.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        saved = TypeAdapter(SavedSession).validate_json(_unpacked(content))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "its beginning"
        raise UsageError(f"This is not a session exported from this page: {place} is wrong.") from None
    turns = [_reopened(turn, pages) for turn in saved.turns] if pages is not None else []
    return Session(identity or new_id(), saved.choices, turns, owner=saved.owner if identity else "")


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


def _reopened(saved: SavedTurn, pages: PageSource) -> Turn:
    receipt = saved.receipt
    again = verify_saved_answer(receipt, pages)
    proof = again.proof
    answered = receipt.answered and any(citation.verified for citation in proof.citations)
    answer = Answer(
        question=receipt.question,
        answered=answered,
        text=proof.text if answered else "",
        sentences=proof.sentences if answered else (),
        citations=proof.citations if answered else (),
        passages=tuple(p for place in saved.nearest if (p := _passage_at(place, pages)) is not None),
        model=receipt.model,
        prompt=receipt.prompt,
        usage=saved.usage,
        seconds=saved.seconds,
        evidence_score=receipt.evidence_score,
        reason=receipt.reason,
        standalone_question=saved.standalone_question,
        notes=saved.notes,
        extra=dict(receipt.fingerprints),
    )
    return Turn(answer, saved.at, stale=receipt.answered and not again.holds)


def _passage_at(place: Place, pages: PageSource) -> Passage | None:
    """The passage with the words that stand there today."""
    words = []
    for span in place.spans:
        page = pages.page(place.file, span.page)
        if page is None or not 0 <= span.start < span.end <= len(page.text):
            return None
        words.append(page.text[span.start : span.end])
    return (
        Passage(0, place.file, place.page, place.page_end, "\n".join(words), place.spans) if words else None
    )


class SessionStore:
    """Sessions by id: in memory while they are in use, on the disk for later."""

    def __init__(self, folder: Path, most: int = 200) -> None:
        self._folder = folder
        self._most = most
        self._open: dict[str, Session] = {}
        self._changing = threading.Lock()

    def get(
        self, identity: str | None, choices: Choices, pages: PageSource | None, visitor: str = ""
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
                session = Session(new_id(), session.choices, list(session.turns), owner=owner)
            session.owner = session.owner or owner
            self._open.pop(session.id, None)
            self._open[session.id] = session  # the newest is the last
            self._forget_oldest()
            return session

    def adopt(self, session: Session) -> None:
        """Keep a session that was reopened from a visitor's file."""
        with self._changing:
            self._open[session.id] = session
        self.save(session)

    def save(self, session: Session) -> None:
        """Write it to the disk; where nothing can be written it lives in memory alone."""
        path = self._folder / f"{session.id}.json"
        # a name for each writing: two tabs that write the same one would tear it
        beside = path.with_name(f"{session.id}.{secrets.token_hex(8)}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(session.to_json())
            beside.replace(path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

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

    def _from_disk(self, identity: str | None, pages: PageSource | None) -> Session | None:
        if identity is None or not _ID.fullmatch(identity) or pages is None:
            return None
        path = self._folder / f"{identity}.json"
        try:
            if path.is_symlink() or path.stat().st_size > LARGEST:
                return None
            return read_session(path.read_bytes(), pages, identity)
        except (OSError, UsageError):
            return None

    def _forget_oldest(self) -> None:
        idle = [key for key, session in self._open.items() if session.asking is None]
        for key in idle[: max(len(self._open) - self._most, 0)]:
            del self._open[key]
