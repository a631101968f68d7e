"""Connections to the server: types, checks, and advisory locks, which the server takes back from a client that dies.

The locks say who is the one writer, and which generations are being read.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic, sleep
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.adapt import Loader
from psycopg.types.string import StrDumper

from rag.errors import IndexError_, IndexLocked, IndexReadOnly, UsageError
from rag.store.postgres import failures
from rag.store.postgres.location import Location, announce
from rag.store.rows import Database

NUL, STAND_IN = "\0", "\U0010ffff"
"""PostgreSQL's texts cannot hold U+0000. U+10FFFF, a noncharacter that no document should hold, is kept in its
place: one for one, so that spans stay right, and turned back when it is read."""


class _TextDumper(StrDumper):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace(NUL, STAND_IN) if NUL in obj else obj)


class _TextLoader(Loader):
    def load(self, data: Any) -> str:
        text = bytes(data).decode()
        return text.replace(STAND_IN, NUL) if STAND_IN in text else text


def register(connection: psycopg.Connection[Any]) -> None:
    """Teach a connection these types."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)
    with suppress(psycopg.ProgrammingError):  # a missing extension is told where it matters
        register_vector(connection)


MIN_SERVER = 13_00_00
"""PostgreSQL 13, the oldest that the tests' kind of SQL is written for; older ones are no longer maintained."""

MIN_PGVECTOR = (0, 8)
"""Iterative index scans, which find enough rows under a filter, came with 0.8.0."""

SESSION = {
    # compiling a query of milliseconds takes longer than running it
    "jit": "off",
    # every search has its index; the planner takes reading all rows for cheap, whose arrays are stored out of line
    "enable_seqscan": "off",
    "tcp_keepalives_idle": 30,
    "tcp_keepalives_interval": 10,
    # how far the HNSW index looks before it goes on in steps, until as many as wanted passed the filter
    "hnsw.ef_search": 200,
    "hnsw.iterative_scan": "strict_order",
    "hnsw.max_scan_tuples": 200_000,
}
"""Settings of every connection, whatever the server's own are."""

LIMITS = (
    "statement_timeout",
    "lock_timeout",
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
)
"""A server or a role may set these for others: a publication takes minutes, and a writer that waits for embeddings
must not lose its lock. Older servers know only some of them."""

CONNECT_SECONDS = 10
HOST_CHARACTERS = 24


def connect(location: Location) -> psycopg.Connection[Any]:
    """A connection in autocommit mode. Raises IndexError_, IndexMissing, IndexLocked, NetworkRefused."""
    announce(location)
    ours: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": _who(),
        # A machine that lost its power must not hold the writer's lock for the two hours of the default.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    given = location.parameters()
    try:
        connection = psycopg.connect(
            location.url,
            autocommit=True,
            # A plan made for any list of ids is a bad plan for most; planning costs a fraction of a search.
            prepare_threshold=None,
            client_encoding="utf8",
            **{name: value for name, value in ours.items() if name not in given},
        )
    except psycopg.Error as error:
        raise failures.connecting(location, error) from None
    except UnicodeError:  # psycopg reads a parameter that is no UTF-8
        raise UsageError(
            f"the address of {location.shown} holds bytes that are not UTF-8: percent-encode the password in it as "
            "UTF-8, or leave it to PGPASSWORD or ~/.pgpass."
        ) from None
    try:
        with failures.readable_errors(location):
            _configure(connection, location)
    except BaseException:
        connection.close()
        raise
    return connection


def _who() -> str:
    """Says, to others who wait for a lock, which process holds it; PostgreSQL keeps 63 bytes of it."""
    host = socket.gethostname().encode("ascii", "replace").decode()[:HOST_CHARACTERS]
    return f"pagequote {os.getpid()} {host} {datetime.now().astimezone().isoformat()[:19]}"


def _configure(connection: psycopg.Connection[Any], location: Location) -> None:
    if connection.info.server_version < MIN_SERVER:
        raise IndexError_(
            f"the server of {location.shown} runs PostgreSQL {connection.info.parameter_status('server_version')}: "
            f"pagequote needs {MIN_SERVER // 10_000} or newer."
        )
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise IndexError_(
            f"the database of {location.shown} does not keep UTF-8: create one with `createdb -E UTF8 NAME`."
        )
    connection.execute(
        "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY(%s)", (list(LIMITS),)
    )
    use_schema(connection, location)
    for name, value in SESSION.items():
        connection.execute(
            sql.SQL("SET {} = {}").format(sql.Identifier(*name.split(".")), sql.Literal(value))
        )


def use_schema(connection: psycopg.Connection[Any], location: Location) -> None:
    """Look up tables in the index's schema, and pgvector's types where the extension was put."""
    found = connection.execute(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'vector'"
    ).fetchall()
    names = [location.schema, *(row[0] for row in found)]
    path = sql.SQL(", ").join(sql.Identifier(name) for name in dict.fromkeys(names))
    connection.execute(sql.SQL("SET search_path = {}").format(path))
    register(connection)


def pgvector_version(connection: psycopg.Connection[Any]) -> tuple[int, ...] | None:
    """The version of pgvector in this database; None when the extension is not there."""
    found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    return tuple(int(part) for part in found[0].split(".")[:2]) if found else None


def require_pgvector(connection: psycopg.Connection[Any], location: Location) -> None:
    """Raise IndexError_ when pgvector is missing or too old."""
    version = pgvector_version(connection)
    if version is None:
        raise IndexError_(
            f"the database of {location.shown} lacks pgvector: have an administrator run "
            "`CREATE EXTENSION vector` in it."
        )
    if version < MIN_PGVECTOR:
        raise IndexError_(
            f"the database of {location.shown} has pgvector {'.'.join(map(str, version))}, and pagequote needs "
            f"{'.'.join(map(str, MIN_PGVECTOR))}: install it, then run `ALTER EXTENSION vector UPDATE`."
        )


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
