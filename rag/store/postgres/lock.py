"""One writer at a time, and which generations are being read: advisory locks, which the server takes back from a
client that dies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import psycopg

from rag.errors import IndexError_, IndexLocked, IndexReadOnly
from rag.store.postgres import failures
from rag.store.postgres.location import Location
from rag.store.sql import Database

POLL_SECONDS = 0.1
_HOLDER = re.compile(r"pagequote (\d+) (\S+) ([\dT:+-]+)\Z")

Connection = psycopg.Connection[Any]


def _key(location: Location) -> int:
    """A number for the schema, from 0 to 2^31 - 1: advisory locks belong to the database already."""
    return int.from_bytes(hashlib.sha256(location.schema.encode()).digest()[:4], "big") >> 1


class PostgresWriterLock:
    """The lock of the one writer, held by its connection."""

    def __init__(
        self, location: Location, *, wait: bool | float = True, on_wait: Callable[[str], None] | None = None
    ) -> None:
        self._location = location
        self._wait = wait
        self._on_wait = on_wait

    def acquire(self, connection: Connection) -> None:
        """Take the lock for this connection; `wait` is True (for ever), False (not at all) or seconds.

        Raises IndexLocked, IndexReadOnly.
        """
        with failures.readable_errors(self._location):
            self._require_primary(connection)
            if self._taken(connection):
                return
            if self._wait is not False:
                self._poll(connection)
                return
        raise self._locked(connection)

    def _poll(self, connection: Connection) -> None:
        if self._on_wait is not None:
            self._on_wait(
                f"Waiting for {self._holder(connection)}, which is writing the index {self._location.shown}."
            )
        until = None if self._wait is True else monotonic() + self._wait
        while not self._taken(connection):
            if until is not None and monotonic() > until:
                raise self._locked(connection)
            sleep(POLL_SECONDS)

    def _locked(self, connection: Connection) -> IndexLocked:
        return IndexLocked(
            f"the index {self._location.shown} is being written by {self._holder(connection)}: "
            "try again when it has finished."
        )

    def _taken(self, connection: Connection) -> bool:
        found = connection.execute("SELECT pg_try_advisory_lock(%s)", (_key(self._location),)).fetchone()
        return bool(found and found[0])

    def _holder(self, connection: Connection) -> str:
        found = connection.execute(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid = 0 AND l.objid = %s AND l.granted "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (_key(self._location),),
        ).fetchone()
        match = _HOLDER.match(found[0] or "") if found else None
        return f"process {match[1]} on {match[2]} since {match[3]}" if match else "another process"

    def _require_primary(self, connection: Connection) -> None:
        found = connection.execute(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"
        ).fetchone()
        if found and found[0]:
            raise IndexReadOnly(
                f"the index {self._location.shown} may be read but not written (a standby, or a read-only "
                "session): use the primary server."
            )


class PinnedConnection:
    """A reader's connection with a shared lock on the generation that it reads."""

    def __init__(self, connection: Connection, location: Location) -> None:
        self.connection = connection
        self._location = location
        self._pinned: int | None = None

    def pin(self, generation: int | None) -> None:
        """Hold `generation` in place of the one held before.

        Raises IndexError_ when its rows may be gone, after the server was away.
        """
        if generation == self._pinned:
            return
        try:
            with failures.readable_errors(self._location):
                self._move(generation)
        except BaseException:
            self.connection.close()  # so that nothing is read through it with a lock that came too late, or none
            raise

    def _move(self, generation: int | None) -> None:
        key, old, self._pinned = _key(self._location), self._pinned, None
        if generation is not None:
            self.connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (key, generation))
        if old is not None:
            self.connection.execute("SELECT pg_advisory_unlock_shared(%s, %s)", (key, old))
        # A writer says what it will delete before it looks at these locks: one of the two sees the other.
        found = self.connection.execute("SELECT purged FROM state").fetchone()
        if generation is not None and found and found[0] > generation:
            raise GenerationGone(
                f"the index {self._location.shown} moved on while it could not be reached: ask again."
            )
        self._pinned = generation


class GenerationGone(IndexError_):
    """What a reader read is deleted."""


def oldest_read(database: Database, location: Location) -> int | None:
    """The oldest generation that any reader holds; None when nobody reads."""
    found = database.rows(
        "SELECT min(CAST(CAST(objid AS bigint) AS integer)) FROM pg_locks "
        "WHERE locktype = 'advisory' AND objsubid = 2 AND classid = CAST(? AS oid) "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (_key(location),),
    )
    return found[0][0] if found else None
