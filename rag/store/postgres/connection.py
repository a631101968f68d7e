"""Connections to the server: types, checks, and advisory locks, which the server takes back from a client that dies.

The locks say who is the one writer, and which generations are being read.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic, sleep
from typing import Any, LiteralString

import psycopg
from pgvector.psycopg import register_vector
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg.types.numeric import IntLoader
from psycopg.types.string import StrBinaryDumper

from rag.errors import IndexError_, IndexLocked, UsageError
from rag.store.postgres import failures
from rag.store.postgres.location import Location
from rag.store.rows import Database

NUL, STAND_IN = "\0", "\U0010ffff"
"""PostgreSQL's texts cannot hold U+0000. U+10FFFF, a noncharacter that no document should hold, is kept in its
place: one for one, so that spans stay right, and turned back when it is read."""


class _TextDumper(StrBinaryDumper):
    """For parameters and COPY alike: the binary form of a text is the text."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace(NUL, STAND_IN) if NUL in obj else obj)


class _TextLoader(Loader):
    def load(self, data: Any) -> str:
        text = bytes(data).decode()
        return text.replace(STAND_IN, NUL) if STAND_IN in text else text


MIN_PGVECTOR = (0, 8)
"""Iterative index scans, which find enough rows under a filter, came with 0.8.0; it needs PostgreSQL 13."""

SESSION = {
    # compiling a query of milliseconds takes longer than running it
    "jit": "off",
    # every search has its index; the planner takes reading all rows for cheap, whose arrays are stored out of line
    "enable_seqscan": "off",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    # until as many as wanted passed the filter
    "hnsw.iterative_scan": "strict_order",
    "hnsw.max_scan_tuples": "200000",
    # A server or a role may set limits for others: a publication takes minutes, and a writer that waits for
    # embeddings must not lose its lock.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
"""Settings of every connection, whatever the server's own are. Older servers know only some of them; those of
pgvector are unknown until it is loaded."""

CONNECT_SECONDS = 10
HOST_CHARACTERS = 24


def connect(location: Location) -> psycopg.Connection[Any]:
    """A connection in autocommit mode. Raises IndexError_, IndexMissing, IndexLocked, NetworkRefused."""
    ours = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": _who(),
        # A machine that lost its power must not hold the writer's lock for the two hours of the default.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    try:
        given = conninfo_to_dict(location.url)
        _announce(given)
        parameters: dict[str, Any] = ours | given | {"client_encoding": "utf8"}
        # A plan made for any list of ids is a bad plan for most; planning costs a fraction of a search.
        connection = psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)
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


def _announce(given: dict[str, Any]) -> None:
    """Tell Python's audit hooks which hosts libpq is about to reach: from the address, the environment or defaults.

    libpq opens its sockets in C, where the guard of offline mode cannot see them; this is the same event that
    Python raises for its own look-ups (PEP 578). Raises what a hook raises: NetworkRefused when offline.
    """
    defaults = {
        o.keyword.decode(): o.val.decode("utf-8", "replace") for o in Conninfo.get_defaults() if o.val
    }
    values = defaults | given
    hosts = f"{values.get('hostaddr', '')},{values.get('host', '')}".split(",")
    if service := values.get("service"):
        hosts = [f"service={service}"]  # its hosts stand in a file that only libpq reads
    for host in filter(None, hosts):
        if not host.startswith(("/", "@")):  # a socket in the file system
            sys.audit("socket.getaddrinfo", host, None, 0, 0, 0)


def _who() -> str:
    """Says, to others who wait for a lock, which process holds it; PostgreSQL keeps 63 bytes of it."""
    host = socket.gethostname().encode("ascii", "replace").decode()[:HOST_CHARACTERS]
    return f"pagequote {os.getpid()} {host} {datetime.now().astimezone().isoformat()[:19]}"


def _configure(connection: psycopg.Connection[Any], location: Location) -> None:
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise IndexError_(
            f"the database of {location.shown} does not keep UTF-8: create one with `createdb -E UTF8 NAME`."
        )
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)
    connection.adapters.register_loader("numeric", IntLoader)  # sums of whole numbers, which are all it holds
    connection.execute(
        "SELECT set_config(name, value, false) "
        "FROM unnest(CAST(%s AS text[]), CAST(%s AS text[])) AS settings (name, value) "
        "WHERE name LIKE 'hnsw.%%' OR current_setting(name, true) IS NOT NULL",
        (list(SESSION), list(SESSION.values())),
    )
    use_schema(connection, location)


def use_schema(connection: psycopg.Connection[Any], location: Location) -> None:
    """Look up tables in the index's schema, and pgvector's types where the extension was put; learn these types."""
    connection.execute(
        "SELECT set_config('search_path', concat_ws(', ', quote_ident(%s), (SELECT quote_ident(n.nspname) "
        "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector')), false)",
        (location.schema,),
    )
    connection.execute(
        # how far the HNSW index looks: of more vectors further, to find as many of the nearest (at most 1000)
        "SELECT set_config('hnsw.ef_search', CAST(CAST(greatest(400, least(1000, reltuples / 1000)) AS integer) "
        "AS text), false) FROM pg_class WHERE oid = to_regclass('vectors')"
    )
    with suppress(psycopg.ProgrammingError):  # a missing extension is told where it matters
        register_vector(connection)


def require_pgvector(database: Database, location: Location) -> None:
    """Raise IndexError_ when pgvector is missing in this database or too old."""
    found = database.rows("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    if not found:
        raise IndexError_(
            f"the database of {location.shown} lacks pgvector: have an administrator run "
            "`CREATE EXTENSION vector` in it."
        )
    if tuple(int(part) for part in found[0][0].split(".")[:2]) < MIN_PGVECTOR:
        raise IndexError_(
            f"the database of {location.shown} has pgvector {found[0][0]}, and pagequote needs "
            f"{'.'.join(map(str, MIN_PGVECTOR))}: install it, then run `ALTER EXTENSION vector UPDATE`."
        )


POLL_SECONDS = 0.1
_HOLDER = re.compile(r"pagequote (\d+) (\S+) ([\dT:+-]+)\Z")

Connection = psycopg.Connection[Any]


def _key(location: Location) -> int:
    """A number for the schema, from 0 to 2^31 - 1: advisory locks belong to the database already."""
    return int.from_bytes(hashlib.sha256(location.schema.encode()).digest()[:4], "big") >> 1


def take_writer_lock(
    connection: Connection,
    location: Location,
    *,
    wait: bool | float = True,
    on_wait: Callable[[str], None] | None = None,
) -> None:
    """Make this connection that of the one writer; `wait` is True (for ever), False (not at all) or seconds.

    Raises IndexLocked.
    """
    until = monotonic() + wait
    with failures.readable_errors(location):
        told = False
        while not _one(connection, "SELECT pg_try_advisory_lock(%s)", _key(location)):
            if wait is False or (wait is not True and monotonic() > until):
                raise IndexLocked(
                    f"the index {location.shown} is being written by {_holder(connection, location)}: try again when "
                    "it has finished."
                )
            if on_wait is not None and not told:
                on_wait(
                    f"Waiting for {_holder(connection, location)}, which is writing the index {location.shown}."
                )
                told = True
            sleep(POLL_SECONDS)


def _holder(connection: Connection, location: Location) -> str:
    name = _one(
        connection,
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid = 0 AND l.objid = %s AND l.granted "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        _key(location),
    )
    match = _HOLDER.match(name or "")
    return f"process {match[1]} on {match[2]} since {match[3]}" if match else "another process"


def _one(connection: Connection, statement: LiteralString, *values: object) -> Any:
    """The first value of the first row, or None."""
    found = connection.execute(statement, values).fetchone()
    return found[0] if found else None


def hold_generation(connection: Connection, location: Location, generation: int) -> None:
    """Keep the rows of a generation for as long as this connection lives. Raises GenerationGone."""
    with failures.readable_errors(location):
        connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_key(location), generation))
        # A writer says what it will delete before it looks at these locks: one of the two sees the other.
        if (_one(connection, "SELECT purged FROM state") or 0) > generation:
            raise GenerationGone(
                f"the index {location.shown} moved on while it could not be reached: ask again."
            )


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
