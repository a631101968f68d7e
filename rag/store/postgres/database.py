"""The rows of an index in PostgreSQL: `rag.store.rows.Database` over psycopg."""

from __future__ import annotations

import re
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from time import monotonic, sleep
from typing import Any, Literal

import psycopg

from rag.errors import IndexLocked
from rag.store.postgres import failures
from rag.store.postgres.connection import connect, hold_generation
from rag.store.postgres.location import Location
from rag.store.rows import Database, Parameters, Selection, T, WritableDatabase

_GLOB = re.compile(
    r"(?P<set>\[(?P<not>\^?+)(?P<among>\]?+[^]]*)\])|(?P<unclosed>\[)|(?P<letter>.)", re.DOTALL
)
_AMONG = re.compile(r"(?P<first>[^]])-(?P<last>.)|(?P<letter>.)", re.DOTALL)


def regular_expression(glob: str) -> str:
    """SQLite's GLOB as a regular expression of PostgreSQL."""

    def among(piece: re.Match[str]) -> str:
        if piece["letter"]:
            return _literal(piece["letter"])
        # PostgreSQL refuses a range that runs backwards or has one letter; in SQLite it is empty or that letter.
        first, last = piece["first"], piece["last"]
        return f"{_literal(first)}-{_literal(last)}" if first < last else _literal(first)

    def part(piece: re.Match[str]) -> str:
        if piece["unclosed"]:
            return "$."  # nothing matches, as in SQLite: a letter after the end
        if piece["set"]:
            return f"[{piece['not']}{_AMONG.sub(among, piece['among'])}]"
        return {"*": ".*", "?": "."}.get(piece["letter"]) or _literal(piece["letter"])

    return f"^(?:{_GLOB.sub(part, glob)})$"


def _literal(letter: str) -> str:
    """The letter, also where it would mean something else, between brackets or outside."""
    return letter if letter.isalnum() or ord(letter) > 127 else f"\\{letter}"


Connection = psycopg.Connection[Any]
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z]\w*)|\?|%")
_IDLE = 7
"""Idle connections that a reader keeps for its threads; with the one that looks for new generations, eight."""

RESTART_SECONDS = 60.0
"""How long a server that went away may take to come back."""


@lru_cache(maxsize=512)
def translated(statement: str) -> str:
    """The statement with psycopg's placeholders in place of `?` and `:name`."""
    return _PLACEHOLDER.sub(lambda m: f"%({m[1]})s" if m[1] else ("%s" if m[0] == "?" else "%%"), statement)


LAST_PAGE = 2**31 - 1
"""Beyond any page."""


def visible(
    row: str, pages: str, selection: Selection | None, generation: int
) -> tuple[str, dict[str, object]]:
    """SQL for the rows called `row` that may be found; `pages` is the SQL for those on the selected pages.

    Contents that other generations see are few, so that they are left out rather than the visible ones looked up; by
    the statement itself, because a writer may add one between two statements.
    """
    others = "SELECT id FROM contents WHERE added > :generation UNION ALL SELECT id FROM contents WHERE removed <= "
    terms = [f"{row}.content NOT IN ({others}:generation)"]
    parameters: dict[str, object] = {"generation": generation}
    if selection is not None:
        terms.append(f"{row}.content = ANY(CAST(:selection AS bigint[]))")
        parameters["selection"] = selection.contents.tolist()
        if selection.by_page:
            terms.append(pages)
            parameters["first_page"] = selection.first_page or 0
            parameters["last_page"] = LAST_PAGE if selection.last_page is None else selection.last_page
    return " AND ".join(terms), parameters


class PostgresDatabase(Database):
    """What reading and writing share."""

    def __init__(self, location: Location) -> None:
        self.location = location

    @abstractmethod
    def connection(self) -> AbstractContextManager[Connection]:
        """A connection for the statements of one thread."""

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        with self.readable_errors(), self.connection() as connection:
            cursor = connection.execute(translated(sql).encode(), parameters or None)
            return cursor.fetchall() if cursor.description is not None else []

    def readable_errors(self) -> AbstractContextManager[None]:
        return failures.readable_errors(self.location)

    def has_table(self, table: str) -> bool:  # noqa: ARG002 - no index in a database lacks one
        return True

    # -- what is spelt differently --------------------------------------------------------------------------

    def one_of(self, column: str, name: str, kind: Literal["bigint", "text"] = "bigint") -> str:
        return f"{column} = ANY(CAST(:{name} AS {kind}[]))"

    def array(self, values: Sequence[int] | Sequence[str]) -> object:
        return list(values)

    def matches_glob(self, column: str, name: str) -> str:
        return f"{column} ~ ANY(CAST(:{name} AS text[]))"

    def globs(self, patterns: Sequence[str]) -> object:
        return [regular_expression(pattern) for pattern in patterns]

    def has_field(self, key: str, values: str | None = None) -> str:
        one = "" if values is None else f" AND {self.one_of('m.folded', values, 'text')}"
        return f"EXISTS (SELECT 1 FROM source_fields m WHERE m.source = s.id AND m.key = :{key}{one})"

    def page_list(self, name: str) -> str:
        columns = "value ->> 0 AS file, CAST(value ->> 1 AS integer) AS page"
        return f"(SELECT {columns} FROM json_array_elements(CAST(:{name} AS json)))"


class ReadingDatabase(PostgresDatabase):
    """A reader's connections, one for each thread that is at work.

    Every connection holds a lock in the reader's name on the generation that it reads, so that a writer knows which
    rows are still needed (`rag.store.postgres.connection`). When the server went away, a query is tried again.

    Not a `psycopg_pool.ConnectionPool`: that connects in threads of its own, and its callers wait for a timeout where
    what is wrong (a password, a generation that is gone) has to be told at once.
    """

    def __init__(self, location: Location, generation: int | None = None) -> None:
        """generation: what is read; None for the state alone."""
        super().__init__(location)
        self._generation = generation
        self._idle: list[Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._reached = generation is not None  # it was read from the server

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        try:
            return super().rows(sql, parameters)
        except failures.ConnectionLost:
            self._drop_idle()  # the server was restarted: they are all broken
        return super().rows(sql, parameters)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._guard:
            idle = self._idle.pop() if self._idle else None
        connection = idle or self._connected()
        try:
            yield connection
        finally:
            with self._guard:
                keep = len(self._idle) < _IDLE and not self._closed and not connection.closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _connected(self) -> Connection:
        def hold(connection: Connection) -> None:
            if self._generation is not None:
                hold_generation(connection, self.location, self._generation)

        connection = patiently_connected(self.location, hold, reached=self._reached)
        self._reached = True
        return connection

    def close(self) -> None:
        self._closed = True
        self._drop_idle()

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class WritingDatabase(PostgresDatabase, WritableDatabase):
    """The connection of the one writer, which holds the writer's lock."""

    def __init__(self, location: Location, take_lock: Callable[[Connection], None]) -> None:
        super().__init__(location)
        self._take_lock = take_lock
        self._lock = threading.RLock()
        self._within = False
        self._working: tuple[Any, ...] = ()
        """Which generation is written as of the last transaction, to notice another writer that came in between."""
        self._connection = patiently_connected(location, take_lock)
        try:
            self.atomically(lambda: None)
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._lock:
            yield self._connection

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        # in a transaction, which tells after a lost connection whether it was done
        return self.atomically(partial(super().rows, sql, parameters))

    def execute(self, sql: str, parameters: Parameters = ()) -> None:
        self.rows(sql, parameters)

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        listed = list(rows)
        if listed:
            self.atomically(lambda: self._copy(table, columns, listed))

    def _copy(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        with self.readable_errors(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {table} LIMIT 0".encode())
            types = [
                # bytes are sent as they are: the binary form of what the column holds
                "bytea" if isinstance(value, bytes) else column.type_code
                for column, value in zip(cursor.description or (), rows[0], strict=True)
            ]
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)

    def new_chunk_ids(self, count: int) -> int:
        found = self.rows("UPDATE state SET last_chunk = last_chunk + ? RETURNING last_chunk", (count,))
        return int(found[0][0]) - count + 1

    def atomically(self, work: Callable[[], T]) -> T:
        """See `Database`. When the server goes away in the middle, the lock is taken again and the work is done
        again, unless the server says that it had been committed already."""
        with self._lock:
            if self._within:
                return work()
            done: list[tuple[str, tuple[Any, ...], T]] = []
            try:
                return self._transaction(work, done)
            except failures.ConnectionLost:
                self._connection.close()
            self._connection = patiently_connected(self.location, self._take_lock)
            for number, state, result in done:
                if self._committed(number):
                    self._working = state
                    self._require_same_state()
                    return result
            self._require_same_state()
            return self._transaction(work, [])

    def _transaction(self, work: Callable[[], T], done: list[tuple[str, tuple[Any, ...], T]]) -> T:
        """Before COMMIT, whose answer may be lost, `done` gets the number, the state that is left and the result."""
        self._within = True
        try:
            with self._connection.transaction():
                result = work()
                number, *state = self.rows(
                    "SELECT CAST(pg_current_xact_id_if_assigned() AS text), instance, working FROM state"
                )[0]
                if number is not None:
                    done.append((number, tuple(state), result))
            self._working = tuple(state)
            return result
        except psycopg.Error as error:  # one of BEGIN or COMMIT; those of the work are translated already
            raise failures.translated(self.location, error) from None
        finally:
            self._within = False

    def _committed(self, number: str) -> bool:
        # After a crash the server gives a number again that was never written down.
        known = "CAST(:number AS xid8) < pg_snapshot_xmax(pg_current_snapshot())"
        status = f"SELECT CASE WHEN {known} THEN pg_xact_status(CAST(:number AS xid8)) END"
        return super().rows(status, {"number": number}) == [("committed",)]

    def _require_same_state(self) -> None:
        """Raise IndexLocked when another process wrote since the last transaction, if there was one."""
        if self._working and super().rows("SELECT instance, working FROM state") != [self._working]:
            raise IndexLocked(
                f"another process wrote the index {self.location.shown} while the server was away: "
                "run the same command again; everything finished so far is kept."
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def patiently_connected(
    location: Location, prepare: Callable[[Connection], None], *, reached: bool = True
) -> Connection:
    """A connection that was prepared, also while the server is being restarted. Raises what either raises.

    reached: whether the server was reached before; one that never was is more likely misspelt than being restarted.
    """
    until: float | None = None  # from the first failure: to wait for another writer may take hours
    while True:
        connection = None
        try:
            connection = connect(location)
            prepare(connection)
            return connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            reached = reached or isinstance(error, failures.ServerStarting | failures.ConnectionLost)
            until = until or monotonic() + RESTART_SECONDS
            if not reached or not isinstance(error, failures.ServerAway) or monotonic() > until:
                raise
            sleep(0.2)
