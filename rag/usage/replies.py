"""Replies kept for identical calls at temperature 0, in SQLite."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "replies.db"
_SCHEMA = (
    "create table if not exists kept (key text primary key, text text not null, finish text not null,"
    " logprobs text not null)"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply as it was."""

    text: str
    finish_reason: str = "stop"
    logprobs: Any = None
    """What the server said of the probabilities of its words; None when it was not asked."""


class ReplyCache:
    """A file of replies. A cache may fail: then nothing is found or kept, and the call is simply made."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @staticmethod
    def key(call: Mapping[str, Any]) -> str:
        """SHA-256 of a call: model, server, messages and parameters, as plain data."""
        canonical = json.dumps(call, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def get(self, key: str) -> Reply | None:
        if not self.path.exists():
            return None
        try:
            with closing(sqlite3.connect(self.path, timeout=5)) as db:
                db.execute("pragma trusted_schema = off")
                row = db.execute("select text, finish, logprobs from kept where key = ?", (key,)).fetchone()
            return Reply(str(row[0]), str(row[1]), json.loads(row[2]) if row[2] else None) if row else None
        except (sqlite3.Error, ValueError, TypeError, RecursionError):  # the file may come from elsewhere
            return None

    def put(self, key: str, reply: Reply) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=5)) as db, db:
                db.execute("pragma trusted_schema = off")
                db.execute(_SCHEMA)
                said = json.dumps(reply.logprobs) if reply.logprobs is not None else ""
                db.execute(
                    "insert or replace into kept values (?, ?, ?, ?)",
                    (key, reply.text, reply.finish_reason, said),
                )
        except (sqlite3.Error, OSError):
            return
