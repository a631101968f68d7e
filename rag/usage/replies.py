"""Replies of models kept in SQLite files, so that no call is paid for twice.

`ReplyCache` answers identical calls at temperature 0, whenever they are made. `PaidWork` belongs to one piece of
work, such as a question of a run, which may take several calls: each reply is written down the moment it comes, and
when the work is done again because it was never finished, its calls are answered from there in their order. Only what
an earlier attempt paid for is taken: two equal calls of one attempt are two calls.

A file that cannot be used keeps nothing and holds nothing: the calls are simply made.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from rag.types import Usage

FILE_NAME = "replies.db"
_CACHE_SCHEMA = (
    "create table if not exists kept (key text primary key, text text not null, finish text not null,"
    " logprobs text not null)"
)
_PAID_SCHEMA = (
    "create table if not exists paid (work text not null, call text not null, content text not null,"
    " finish text not null, input integer not null, output integer not null, cost real,"
    " estimated integer not null, receipted integer not null default 0)"
)


def call_key(call: Mapping[str, Any]) -> str:
    """SHA-256 of a call: model, server, messages and parameters, as plain data."""
    canonical = json.dumps(call, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply as it was."""

    text: str
    finish_reason: str = "stop"
    logprobs: Any = None
    """What the server said of the probabilities of its words; None when it was not asked."""


class ReplyCache:
    """The replies of earlier calls in one file."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def get(self, key: str) -> Reply | None:
        """The reply to the call with this `call_key`, if there is one."""
        try:
            for text, finish, logprobs in _rows(
                self.path, "select text, finish, logprobs from kept where key = ?", (key,)
            ):
                return Reply(str(text), str(finish), json.loads(logprobs) if logprobs else None)
        except (ValueError, TypeError, RecursionError):  # the file may come from elsewhere
            pass
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep the reply to a call."""
        logprobs = json.dumps(reply.logprobs) if reply.logprobs is not None else ""
        row = (key, reply.text, reply.finish_reason, logprobs)
        _rows(self.path, "insert or replace into kept values (?, ?, ?, ?)", row, schema=_CACHE_SCHEMA)


@dataclass(frozen=True, slots=True)
class PaidReply:
    """A reply with what it cost."""

    content: str
    usage: Usage
    finish_reason: str = "stop"
    estimated: bool = False
    """Whether the tokens were estimated, because the server did not report them."""
    logged: bool = False
    """Whether the attempt that paid for it came to an end, and so is in the usage log."""


class PaidWork:
    """The replies of one piece of work."""

    def __init__(self, path: Path, work: str) -> None:
        """Take up what earlier attempts at `work` left in the file `path`."""
        self._path, self._work = path, work
        self._earlier: dict[str, deque[PaidReply]] = defaultdict(deque)
        self._lock = Lock()
        for call, content, finish, tokens, output, cost, estimated, logged in _rows(
            path,
            "select call, content, finish, input, output, cost, estimated, receipted from paid"
            " where work = ? order by rowid",
            (work,),
        ):
            usage = Usage(tokens, output, cost, calls=1)
            self._earlier[call].append(PaidReply(content, usage, finish, bool(estimated), bool(logged)))

    def take(self, call: str) -> PaidReply | None:
        """The reply that an earlier attempt paid for; each is given out once."""
        with self._lock:
            return self._earlier[call].popleft() if self._earlier[call] else None

    def put(self, call: str, reply: PaidReply) -> None:
        """Keep a reply so that it survives a kill the moment this returns."""
        usage = reply.usage
        row = (self._work, call, reply.content, reply.finish_reason, usage.input_tokens, usage.output_tokens,
               usage.cost_usd, reply.estimated)  # fmt: skip
        _rows(
            self._path,
            "insert into paid (work, call, content, finish, input, output, cost, estimated)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
            schema=_PAID_SCHEMA,
        )


_current: ContextVar[PaidWork | None] = ContextVar("paid work", default=None)


def current_paid_work() -> PaidWork | None:
    """The replies of the work that this thread does, if it keeps them."""
    return _current.get()


@contextmanager
def recording_paid_work(path: Path, work: str) -> Iterator[None]:
    """Keep in the file `path` what the block pays for, in this thread and those that copy its context."""
    token = _current.set(PaidWork(path, work))
    try:
        yield
    finally:
        _current.reset(token)
        _rows(path, "update paid set receipted = 1 where work = ?", (work,))


def forget_paid_work(path: Path, work: str) -> None:
    """Drop the replies of work that is recorded now."""
    _rows(path, "delete from paid where work = ?", (work,))


def _rows(path: Path, statement: str, values: tuple[object, ...], *, schema: str = "") -> list[Any]:
    """What a statement gives, in a transaction of its own; with `schema` the file is made when it is missing."""
    if not schema and not path.exists():
        return []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=30)) as db, db:
            db.execute("pragma trusted_schema = off")  # the file may come with an index from elsewhere
            if schema:
                db.execute(schema)
            return db.execute(statement, values).fetchall()
    except (sqlite3.Error, OSError):
        return []
