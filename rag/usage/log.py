"""The usage of every command, kept in SQLite so that they can be added up by day, model and command."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rag.errors import RagError
from rag.usage.meter import UsageTotal

FILE_NAME = "usage.db"
Group = Literal["day", "model", "command"]
_COLUMNS: dict[Group, str] = {"day": "substr(at, 1, 10)", "model": "model", "command": "command"}
_SCHEMA = """
create table if not exists receipts (
    at text not null,
    command text not null,
    model text not null,
    calls integer not null,
    cached_calls integer not null,
    input_tokens integer not null,
    output_tokens integer not null,
    estimated integer not null,
    cost_usd real
)
"""


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """One line of a summary. An unknown price is counted apart, never as zero."""

    key: str
    calls: int
    cached_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced_calls: int
    """Calls whose price is not known; they are not in `cost_usd`."""
    estimated: bool


class UsageLog:
    """The usage log in one file; each call opens and closes it, so that any number of commands can share it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def record(self, command: str, total: UsageTotal, *, at: datetime | None = None) -> None:
        """Append the usage of a command, a row for each model. Writes nothing when no model was called."""
        rows = [
            (
                (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
                command,
                model,
                usage.calls,
                usage.cached_calls,
                usage.input_tokens,
                usage.output_tokens,
                int(model in total.estimated),
                usage.cost_usd,
            )
            for model, usage in total.by_model.items()
        ]
        if rows:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as db, db:
                db.execute(_SCHEMA)
                db.executemany("insert into receipts values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def summary(self, group: Group = "day") -> list[UsageEntry]:
        """Sums by day (UTC), model or command; the order is that of the key."""
        if not self.path.exists():
            return []
        query = f"""
            select {_COLUMNS[group]} as key, sum(calls), sum(cached_calls), sum(input_tokens),
                sum(output_tokens), total(cost_usd), sum(case when cost_usd is null then calls else 0 end),
                max(estimated)
            from receipts group by key order by key
        """
        with self._open() as db:
            return [UsageEntry(*(*row[:7], bool(row[7]))) for row in db.execute(query)]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=10)) as db:
                db.execute("pragma trusted_schema = off")  # the file may come with an index from elsewhere
                yield db
        except sqlite3.Error as error:
            raise RagError(
                f"The usage log {self.path} cannot be used ({error}): move the file away."
            ) from None
