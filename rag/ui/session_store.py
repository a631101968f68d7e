"""Sessions by id: in memory while they are in use, on the disk for later, each with the visitor it belongs to."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rag.answering.originals import CurrentPages
from rag.errors import UsageError
from rag.text.paths import write_whole
from rag.ui.questions import Choices
from rag.ui.sessions import LARGEST, Session, new_id, read_session

_ID = re.compile(r"[\w-]{16,40}")
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a file that is no session, or is deleted meanwhile, raises."""


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session on the disk."""

    id: str
    name: str
    at: float
    """When it was last written, as `time.time`."""
    owner: str = ""


def _digest(visitor: str) -> str:
    return hashlib.sha256(visitor.encode()).hexdigest() if visitor else ""


@lru_cache(maxsize=512)
def _entry(path: Path, _stamp: float) -> tuple[SessionEntry, str]:
    """What a list of sessions shows, and all the questions."""
    form = json.loads(path.read_bytes())
    questions = [str(turn["receipt"]["question"]) for turn in form["turns"]]
    name = str(form.get("name") or questions[0])
    return SessionEntry(path.stem, name, path.stat().st_mtime, str(form.get("owner", ""))), "\n".join(
        questions
    )


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
        owner = _digest(visitor)
        with self._changing:
            session = self._open.get(identity or "") or self._from_disk(identity, pages)
            if session is None:
                session = Session(new_id(), choices, owner=owner)
            elif session.owner and session.owner != owner:
                session = Session(
                    new_id(), session.choices, [replace(e) for e in session.exchanges], owner=owner
                )
            session.owner = session.owner or owner
            self._open.pop(session.id, None)
            self._open[session.id] = session  # the newest is the last
            idle = [key for key, one in self._open.items() if one.running is None]
            for key in idle[: max(len(self._open) - self._most, 0)]:
                del self._open[key]
            return session

    def adopt(self, session: Session, visitor: str = "") -> None:
        """Keep a session that was reopened from a visitor's file; it is this visitor's now."""
        session.owner = _digest(visitor)
        with self._changing:
            self._open[session.id] = session
        self.save(session)

    def save(self, session: Session) -> None:
        """Write it to the disk; where nothing can be written it lives in memory alone."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / f"{session.id}.json", session.to_json())

    def recent(self, visitor: str = "", words: str = "", count: int = 20) -> list[SessionEntry]:
        """The visitor's newest sessions on the disk whose name or questions hold `words`."""
        owner, found = _digest(visitor), list[SessionEntry]()
        written = dict[Path, float]()
        for path in self._folder.glob("*.json"):
            with suppress(OSError):  # another visitor deletes it
                written[path] = path.stat().st_mtime
        for path in sorted(written, key=lambda p: -written[p]):
            try:
                entry, questions = _entry(path, written[path])
            except _UNREADABLE:
                continue
            if entry.owner in ("", owner) and words.casefold() in f"{entry.name}\n{questions}".casefold():
                found.append(entry)
            if len(found) == count:
                break
        return found

    def delete(self, identity: str, visitor: str = "") -> bool:
        """Delete a session of this visitor's; of another's nothing. True when it was deleted."""
        with self._changing:
            path = self._folder / f"{identity}.json"
            try:
                if not _ID.fullmatch(identity) or _entry(path, path.stat().st_mtime)[0].owner not in (
                    "",
                    _digest(visitor),
                ):
                    return False
                path.unlink()
            except _UNREADABLE:
                return False
            self._open.pop(identity, None)
            return True

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
