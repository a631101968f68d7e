"""What a piece of work has paid for, kept until the work itself is: a kill in between pays for nothing twice.

A run asks many questions, and one question may take several calls. Each reply is written down the moment it comes,
under the question's name. When the question is asked again because it was never finished, its calls are answered from
there, in their order. Only what an earlier attempt paid for is taken: two equal calls of one attempt are two calls.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from rag.types import Usage

_SCHEMA = (
    "create table if not exists paid (work text not null, call text not null, content text not null,"
    " finish text not null, input integer not null, output integer not null, cost real,"
    " estimated integer not null, receipted integer not null default 0)"
)


@dataclass(frozen=True, slots=True)
class Paid:
    """A reply with what it cost."""

    content: str
    usage: Usage
    finish_reason: str = "stop"
    estimated: bool = False
    """Whether the tokens were estimated, because the server did not report them."""
    logged: bool = False
    """Whether the attempt that paid for it came to an end, and so is in the usage log."""


@dataclass(slots=True)
class PaidWork:
    """The replies of one piece of work. It may fail: then nothing is found or kept, and calls are simply made."""

    path: Path
    work: str
    _earlier: dict[str, deque[Paid]] = field(default_factory=lambda: defaultdict(deque))
    _lock: Lock = field(default_factory=Lock)

    def take(self, call: str) -> Paid | None:
        """The reply that an earlier attempt paid for; each is given out once."""
        with self._lock:
            return self._earlier[call].popleft() if self._earlier[call] else None

    def put(self, call: str, paid: Paid) -> None:
        """Keep a reply so that it survives a kill the moment this returns."""
        usage = paid.usage
        row = (self.work, call, paid.content, paid.finish_reason, usage.input_tokens, usage.output_tokens,
               usage.cost_usd, paid.estimated)  # fmt: skip
        self._execute(
            "insert into paid (work, call, content, finish, input, output, cost, estimated)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
            create=True,
        )

    def _load(self) -> None:
        for call, content, finish, tokens, output, cost, estimated, logged in self._execute(
            "select call, content, finish, input, output, cost, estimated, receipted from paid"
            " where work = ? order by rowid",
            (self.work,),
        ):
            usage = Usage(tokens, output, cost, calls=1)
            self._earlier[call].append(Paid(content, usage, finish, bool(estimated), bool(logged)))

    def _execute(self, statement: str, values: tuple[object, ...], *, create: bool = False) -> list[Any]:
        if not create and not self.path.exists():
            return []
        try:
            with closing(sqlite3.connect(self.path, timeout=30)) as db, db:
                db.execute("pragma trusted_schema = off")
                db.execute(_SCHEMA)
                return db.execute(statement, values).fetchall()
        except sqlite3.Error:
            return []


_current: ContextVar[PaidWork | None] = ContextVar("journal", default=None)


def current_paid_work() -> PaidWork | None:
    """That of the work this thread does, if it keeps one."""
    return _current.get()


@contextmanager
def recording_paid_work(path: Path, work: str) -> Iterator[PaidWork]:
    """Keep in the file `path` what the block pays for, in this thread and those that copy its context."""
    journal = PaidWork(path, work)
    journal._load()
    token = _current.set(journal)
    try:
        yield journal
    finally:
        _current.reset(token)
        journal._execute("update paid set receipted = 1 where work = ?", (work,))


def forget(path: Path, work: str) -> None:
    """Drop the replies of work that is recorded now."""
    PaidWork(path, work)._execute("delete from paid where work = ?", (work,))
