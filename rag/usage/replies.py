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
    "create table if not exists replies (key text primary key, text text not null, finish text not null)"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply as it was."""

    text: str
    finish_reason: str = "stop"


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
                row = db.execute("select text, finish from replies where key = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return Reply(str(row[0]), str(row[1])) if row else None

    def put(self, key: str, reply: Reply) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=5)) as db, db:
                db.execute("pragma trusted_schema = off")
                db.execute(_SCHEMA)
                db.execute(
                    "insert or replace into replies values (?, ?, ?)", (key, reply.text, reply.finish_reason)
                )
        except (sqlite3.Error, OSError):
            return
