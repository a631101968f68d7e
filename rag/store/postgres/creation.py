"""Making an index in a database, requiring that one was made the same way, and making it again.

An index that cannot be read is quarantined in another schema, and its embeddings are saved: they may have been paid
for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import psycopg
from psycopg import errors, sql

from rag.errors import IndexDamaged, IndexError_, IndexMismatch, IndexReadOnly, UsageError
from rag.store.keywords import tokeniser_id
from rag.store.postgres import failures, schema
from rag.store.postgres.connection import require_pgvector, take_writer_lock, use_schema
from rag.store.postgres.database import ReadingDatabase, WritingDatabase, patiently_connected
from rag.store.postgres.keywords import KeywordWriter
from rag.store.postgres.location import LONGEST_NAME, Location
from rag.store.rows import Database
from rag.store.spec import IndexSpec, read_state, remove_all

Connection = psycopg.Connection[Any]


FIX = "run `rag ingest --rebuild PATH` to make it again, or use another --index"


def ensure(location: Location, spec: IndexSpec, *, rebuild: bool, notify: Callable[[str], None]) -> None:
    """Leave an index made with `spec` at the location.

    Raises IndexMismatch when there is another one, IndexReadOnly when it may not be made, UsageError when the schema
    belongs to something else.
    """
    if spec.dimension > schema.MAX_DIMENSION:
        raise UsageError(
            f"pgvector holds embeddings of up to {schema.MAX_DIMENSION:,} numbers, and {spec.embedding_model} has "
            f"{spec.dimension:,}: choose other embeddings, or keep the index in a folder."
        )
    with closing(ReadingDatabase(location)) as database:
        make = _wanted(database, location, rebuild)
        if make:
            lock = partial(take_writer_lock, location=location)
            with patiently_connected(location, lock) as connection, failures.readable_errors(location):
                # unless another process did while this one waited
                make = _wanted(database, location, rebuild)
                if make:
                    _make(connection, database, spec, notify)
    if rebuild and not make:
        _empty(location, spec)


def check(database: Database, location: Location) -> None:
    """Raise IndexMismatch or IndexDamaged unless these are tables that this version can read."""
    found = database.rows("SELECT format FROM state")
    if found and found[0][0] != schema.FORMAT:
        raise IndexMismatch(
            f"{location.shown} was made by another version of pagequote (format {found[0][0]}, this reads "
            f"{schema.FORMAT}): use that version, or run `rag ingest --rebuild PATH`, which keeps the embeddings."
        )


# -- what is there ------------------------------------------------------------------------------------------


def _wanted(database: Database, location: Location, rebuild: bool) -> bool:
    """Whether there is no index, or with `rebuild` one that this version cannot read."""
    if not _is_index(database, location):
        return True
    if not rebuild:
        return False
    found = database.rows("SELECT tablename FROM pg_tables WHERE schemaname = ?", (location.schema,))
    if not set(schema.TABLES) <= {name for (name,) in found}:
        return True
    try:
        check(database, location)
        read_state(database)
    except (IndexDamaged, IndexMismatch):
        return True
    return False


def _is_index(database: Database, location: Location) -> bool:
    """Whether there is an index, sound or damaged; any other program may have a table called `state`."""
    found = database.rows(
        "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = 'state' "
        "AND c.relkind IN ('r', 'p') AND a.attname = ANY(?)",
        (location.schema, list(schema.STATE_COLUMNS)),
    )
    return found == [(len(schema.STATE_COLUMNS),)]


def _require_empty(connection: Connection, location: Location) -> None:
    """Raise UsageError when the schema holds tables or views, other than those that an extension put there."""
    found = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS ("
        "SELECT 1 FROM pg_depend d WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid "
        "AND d.deptype = 'e') ORDER BY c.relname LIMIT 1",
        (location.schema,),
    ).fetchone()
    if found:
        raise _taken(location, f"such as {found[0]}")


def _taken(location: Location, why: str) -> UsageError:
    return UsageError(
        f"the schema {location.schema} of {location.shown} holds other tables ({why}), which pagequote leaves alone: "
        "name another schema with ?schema=NAME."
    )


def _schema_exists(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (name,))
    return found.fetchone() is not None


# -- making -------------------------------------------------------------------------------------------------


def _make(
    connection: Connection, database: ReadingDatabase, spec: IndexSpec, notify: Callable[[str], None]
) -> None:
    """Make an index where there is none or one that cannot be read, which is quarantined. All of it happens, or
    nothing."""
    location = database.location
    damaged = _is_index(database, location)
    done, fix = "made", f"grant it CREATE on the database, or have the schema {location.schema} made for it"
    if damaged:
        done = "quarantined"
        fix = (
            "use the owner of its tables, granted CREATE on the database, or another schema with ?schema=NAME"
        )
    else:
        _require_empty(connection, location)
    _add_pgvector(connection, location)
    require_pgvector(database, location)
    try:
        with connection.transaction():
            if damaged:
                notice = _quarantine(connection, location, spec)
            else:
                if not _schema_exists(connection, location.schema):
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(location.schema)))
                _make_tables(connection, location, spec)
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        raise IndexReadOnly(f"the index {location.shown} cannot be {done} by this user: {fix}.") from None
    if damaged:
        notify(notice)


def _add_pgvector(connection: Connection, location: Location) -> None:
    try:
        # Not into the schema of one index: others of the database need it too.
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
    except (errors.InsufficientPrivilege, errors.InvalidSchemaName):
        pass  # what follows says what an administrator must run
    except errors.FeatureNotSupported:
        raise IndexError_(
            f"the server of {location.shown} has no pgvector: install it (Debian: postgresql-17-pgvector), or "
            "use a server that brings it."
        ) from None


def _make_tables(connection: Connection, location: Location, spec: IndexSpec) -> None:
    use_schema(connection, location)
    script = schema.SCRIPT.replace("{dimension}", str(spec.dimension))
    try:
        for statement in filter(str.strip, script.split(";\n")):
            connection.execute(statement.encode())
        connection.execute(schema.lookup(location.schema))
    except (errors.DuplicateTable, errors.DuplicateObject) as error:
        raise _taken(location, str(error).partition("\n")[0]) from None
    connection.execute(
        "INSERT INTO state (only_row, format, instance, spec, published, working, purged, last_chunk) "
        "VALUES (1, %s, %s, %s, 0, 1, 0, 0)",
        (schema.FORMAT, uuid.uuid4().hex, replace(spec, tokeniser=tokeniser_id()).to_json()),
    )


def _quarantine(connection: Connection, location: Location, spec: IndexSpec) -> str:
    """Keep an index that cannot be read in another schema, make one in its place, and save its embeddings: they may
    have been paid for. Says what was done.

    Its tables are moved, and the schema stays: others may have put tables beside them.
    """
    quarantined = _free_name(connection, location.schema)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(quarantined)))
    tables = connection.execute(
        "SELECT c.relname, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s) ORDER BY c.relname",
        (location.schema, list(schema.TABLES)),
    ).fetchall()
    names = {table: sql.Identifier(location.schema, table) for table, _ in tables}
    for name in names.values():
        connection.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(name, sql.Identifier(quarantined)))
    connection.execute(
        sql.SQL("DROP FUNCTION IF EXISTS {}").format(sql.Identifier(location.schema, schema.LOOKUP))
    )
    _make_tables(connection, location, spec)
    for table, protected in tables:
        if protected:  # from whoever is granted the new tables: the policies were moved
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(names[table]))
    return (
        f"The old index could not be read and was kept as the schema {quarantined}; "
        f"{_save_embeddings(connection, location, quarantined)}. The tables are new: what users were granted on the "
        "old ones must be granted again."
    )


def _free_name(connection: Connection, name: str) -> str:
    """A name for what is quarantined: at most 63 bytes, and neither the index's own nor that of another schema."""
    for number in count(1):
        ending = "_damaged" if number == 1 else f"_damaged_{number}"
        kept = name.encode()[: LONGEST_NAME - len(ending)].decode(errors="ignore")
        if kept + ending != name and not _schema_exists(connection, kept + ending):
            return kept + ending
    raise AssertionError("the numbers have no end")


UNREADABLE = (
    *(psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError),
    *(psycopg.NotSupportedError, errors.IoError, errors.UndefinedFile),
)
"""Errors that say that rows cannot be read; after others, as when the disk is full, it helps to try again."""


def _save_embeddings(connection: Connection, location: Location, quarantined: str) -> str:
    """Copy the embeddings that a damaged index still gives up; says what became of them."""
    old = sql.Identifier(quarantined)
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL(
                    "INSERT INTO embedding_models (embedding_id, dimension) "
                    "SELECT embedding_id, dimension FROM {}.embedding_models ON CONFLICT DO NOTHING"
                ).format(old)
            )
            saved = connection.execute(
                sql.SQL(
                    "INSERT INTO embeddings (model, digest, vector) SELECT n.id, e.digest, e.vector "
                    "FROM {old}.embeddings e JOIN {old}.embedding_models o ON o.id = e.model "
                    "JOIN embedding_models n ON n.embedding_id = o.embedding_id "
                    "WHERE length(e.vector) = 4 * n.dimension AND length(e.digest) = 32 ON CONFLICT DO NOTHING"
                ).format(old=old)
            ).rowcount
            found = connection.execute(sql.SQL("SELECT count(*) FROM {}.embeddings").format(old)).fetchone()
    except UNREADABLE as error:
        why = location.scrub(str(error).partition("\n")[0])
        return f"its embeddings could not be taken over ({why}) and must be made again"
    lost = found[0] - saved if found else 0
    return f"{saved:,} embeddings were taken over" + (f", {lost:,} could not be" if lost else "")


# -- making again --------------------------------------------------------------------------------------------


def _empty(location: Location, spec: IndexSpec) -> None:
    """End every row. With the same embeddings readers keep the old state until the next publication."""

    def end_rows() -> None:
        state = read_state(database)
        remove_all(database, spec)
        if read_state(database).published != state.published:  # what is deleted later is counted out then
            KeywordWriter(database).count(after=state.published)
        if state.spec.dimension != spec.dimension:
            # The table stays, with what was granted on it and the policies that say who may read which rows.
            database.execute("TRUNCATE vectors")
            database.execute(f"DROP INDEX IF EXISTS {schema.VECTOR_INDEX}")
            database.execute(f"ALTER TABLE vectors ALTER COLUMN embedding TYPE vector({spec.dimension})")

    with closing(WritingDatabase(location, partial(take_writer_lock, location=location))) as database:
        database.atomically(end_rows)
