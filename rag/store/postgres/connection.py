"""Connections to the server: made with care, checked for what pagequote needs."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from rag.errors import IndexError_
from rag.store.postgres import failures, types
from rag.store.postgres.location import Location, announce

MIN_SERVER = 13_00_00
"""PostgreSQL 13, the oldest that the tests' kind of SQL is written for; older ones are no longer maintained."""

MIN_PGVECTOR = (0, 8)
"""Iterative index scans, which find enough rows under a filter, came with 0.8.0."""

SESSION = {
    # compiling a query of milliseconds takes longer than running it
    "jit": "off",
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
    types.register(connection)


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
