"""PostgreSQL's errors as one sentence each, which names the fix and never shows a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexMissing, IndexReadOnly
from rag.store.postgres.location import Location
from rag.store.rows import decodable

FIX = "`rag ingest --rebuild PATH` makes the index again and keeps the paid embeddings it can still read"


class ServerAway(IndexError_):
    """The server cannot be reached: after a restart it may be there in a moment."""


class ServerStarting(ServerAway):
    """The server answers that it is starting or stopping."""


class ConnectionLost(ServerAway):
    """The server went away in the middle."""


# fmt: off
_CONNECTING: tuple[tuple[str, type[IndexError_], str], ...] = (
    (r"password authentication failed|no password supplied|role .* does not exist|authentication failed", IndexError_,
     "refused the user or the password: check the user in --index, and PGPASSWORD or ~/.pgpass"),
    (r"database .* does not exist", IndexMissing,
     "has no such database: create it with `createdb NAME`, or correct --index"),
    (r"no pg_hba.conf entry|permission denied for database", IndexError_,
     "does not let this user into the database: ask its administrator for access"),
    (r"too many clients|too many connections|remaining connection slots", IndexError_,
     "has no connection free: try again later, or raise max_connections"),
    (r"starting up|shutting down|in recovery mode|not yet accepting connections", ServerStarting,
     "is starting or stopping: try again in a moment"),
    (r"invalid (URI|connection option|integer|port)|missing \"=\"|definition of service|percent-encoded", IndexError_,
     "has an address that cannot be read: write postgresql://USER@HOST:5432/DATABASE"),
)
# fmt: on
_ELSE = "cannot be reached ({why}): check that the server runs and that --index names its host and port"


def connecting(location: Location, error: psycopg.Error) -> IndexError_:
    """The error of a connection that could not be made."""
    text = str(error)
    for pattern, kind, words in _CONNECTING:
        if re.search(pattern, text, re.IGNORECASE):
            return kind(f"the server of {location.shown} {words}.")
    return ServerAway(f"the server of {location.shown} {_ELSE.format(why=_brief(location, error))}.")


@contextmanager
def readable_errors(location: Location) -> Iterator[None]:
    """Turn psycopg's errors, and rows that do not decode, into one sentence about the index.

    What psycopg said is not chained: a traceback must not show more than the sentence does.
    """
    try:
        with decodable(location.shown, FIX):
            yield
    except psycopg.Error as error:
        raise translated(location, error) from None


# fmt: off
_RESTORE = "is damaged ({why}): restore it from a backup, or run `rag ingest --rebuild PATH`"
_STATEMENT: tuple[tuple[tuple[type[psycopg.Error], ...], type[IndexError_], str], ...] = (
    ((errors.InsufficientPrivilege,), IndexReadOnly,
     "does not let this user do that ({why}): use another user, or have the owner grant it"),
    ((errors.UndefinedTable, errors.InvalidSchemaName), IndexMissing,
     "holds no index: run `rag ingest FOLDER` first"),
    ((errors.UndefinedColumn, errors.UndefinedFunction, errors.UndefinedObject), IndexDamaged,
     "is damaged ({why}); " + FIX),
    ((errors.ReadOnlySqlTransaction,), IndexReadOnly,
     "may be read but not written (a standby, or a read-only session): use the primary server"),
    ((errors.LockNotAvailable, errors.DeadlockDetected), IndexLocked,
     "is in use by another program ({why}): try again when it has finished"),
    ((errors.QueryCanceled,), IndexError_,
     "did not finish a statement, which the server or its administrator cancelled ({why}): run the same command "
     "again; everything finished so far is kept"),
    ((errors.DiskFull, errors.OutOfMemory, errors.ProgramLimitExceeded, errors.ConfigurationLimitExceeded),
     IndexError_,
     "could not be read or written ({why}): give the server more room, then run the same command again; "
     "everything finished so far is kept"),
    ((errors.DataCorrupted, errors.IndexCorrupted), IndexDamaged, _RESTORE),
)
_KEPT = "everything finished so far is kept"
_LOST = "stopped answering ({why}): run the same command again when the server is back; " + _KEPT
# fmt: on


def translated(location: Location, error: psycopg.Error) -> Exception:
    """What a statement's error means to a person; mistakes of the caller stay what they are."""
    why = _brief(location, error)
    for kinds, make, words in _STATEMENT:
        if isinstance(error, kinds):
            return make(f"{location.shown} {words.format(why=why)}.")
    if isinstance(
        error, errors.UndefinedFile
    ):  # pgvector's, which old servers tell so, or one of the database itself
        if re.search(r"extension control file|\bvector\b", why):
            return IndexError_(
                f"the server of {location.shown} has no pgvector ({why}): install it, or use a server that brings it."
            )
        return IndexDamaged(f"{location.shown} {_RESTORE.format(why=why)}.")
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return error
    return ConnectionLost(f"{location.shown} {_LOST.format(why=why)}.")


def _brief(location: Location, error: psycopg.Error) -> str:
    """The first line of what the server said, without the password."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # of several hosts that were tried, the last line tells about the last
    line = lines[0] if len(lines) == 1 or not lines[0].startswith("connection is bad") else lines[-1]
    return location.scrub(line.removeprefix("connection failed: "))[:300].rstrip(".")
