"""Making an index in a database, requiring that one was made the same way, and making it anew."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors, sql

from rag.errors import IndexDamaged, IndexError_, IndexMismatch, IndexReadOnly, UsageError
from rag.store.generations import end_everything
from rag.store.keywords import tokenizer
from rag.store.postgres import failures, keywords, schema
from rag.store.postgres.connection import connect, pgvector_version, require_pgvector, use_schema
from rag.store.postgres.database import WritingDatabase
from rag.store.postgres.location import Location
from rag.store.postgres.lock import WriterLock
from rag.store.spec import IndexSpec
from rag.store.sql import Database
from rag.store.state import read_state

MEND = "run `rag ingest --rebuild PATH` to make it anew, or use another --index"

Connection = psycopg.Connection[Any]


def ensure(location: Location, spec: IndexSpec, *, rebuild: bool, notify: Callable[[str], None]) -> None:
    """Leave an index made with `spec` at the location.

    Raises IndexMismatch when there is another one, IndexReadOnly when it may not be made.
    """
    if spec.dimension > schema.MAX_DIMENSION:
        raise UsageError(
            f"pgvector holds embeddings of up to {schema.MAX_DIMENSION:,} numbers, and {spec.embedding_model} has "
            f"{spec.dimension:,}: choose other embeddings, or keep the index in a folder."
        )
    connection = connect(location)
    try:
        if rebuild and _exists(connection, location) and not _readable(connection, location):
            _set_aside(connection, location, spec, notify)
        elif not _exists(connection, location):
            _create(connection, location, spec)
        elif rebuild:
            _empty(location, spec)
    finally:
        connection.close()


def check(database: Database, location: Location) -> None:
    """Raise IndexMismatch or IndexDamaged unless these are tables that this version can read."""
    found = database.rows("SELECT format FROM state")
    version = found[0][0] if found else None
    if version is not None and version > schema.FORMAT:
        raise IndexMismatch(
            f"{location.shown} was made by a newer pagequote (format {version}, this reads {schema.FORMAT}): "
            "upgrade pagequote, or run `rag ingest --rebuild PATH`."
        )


def _exists(connection: Connection, location: Location) -> bool:
    with failures.readable_errors(location):
        found = connection.execute(
            "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'state'", (location.schema,)
        ).fetchone()
    return found is not None


def _create(connection: Connection, location: Location, spec: IndexSpec) -> None:
    WriterLock(location).acquire(connection)
    if _exists(connection, location):
        return  # another process made it while this one waited
    with failures.readable_errors(location):
        _add_pgvector(connection, location)
        try:
            with connection.transaction():
                name = sql.Identifier(location.schema)
                if not _schema_exists(connection, location):
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
                use_schema(connection, location)
                for statement in _statements(spec):
                    connection.execute(statement.encode())
                connection.execute(
                    "INSERT INTO state (only_row, format, instance, spec, published, working, purged, last_chunk) "
                    "VALUES (1, %s, %s, %s, 0, 1, 0, 0)",
                    (schema.FORMAT, uuid.uuid4().hex, replace(spec, tokeniser=tokenizer()[0]).to_json()),
                )
        except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
            raise IndexReadOnly(
                f"the index {location.shown} cannot be made by this user: grant it CREATE on the database, or have "
                f"the schema {location.schema} made for it."
            ) from None


def _statements(spec: IndexSpec) -> list[str]:
    tables = [schema.KEYWORDS.format(table=field.table) for field in keywords.FIELDS]
    scripts = [schema.ROWS, schema.VECTORS.format(dimension=spec.dimension), *tables, schema.LOOKUP]
    return [statement for script in scripts for statement in script.split(";\n") if statement.strip()]


def _schema_exists(connection: Connection, location: Location) -> bool:
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (location.schema,))
    return found.fetchone() is not None


def _add_pgvector(connection: Connection, location: Location) -> None:
    if pgvector_version(connection) is None:
        try:
            # Not into the schema of one index: others of the database need it too.
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
        except (errors.InsufficientPrivilege, errors.InvalidSchemaName):
            pass  # the sentence below says what an administrator must run
        except psycopg.errors.FeatureNotSupported:
            raise IndexError_(
                f"the server of {location.shown} has no pgvector: install it (Debian: postgresql-17-pgvector), or "
                "use a server that brings it."
            ) from None
    require_pgvector(connection, location)


def _readable(connection: Connection, location: Location) -> bool:
    """Whether the tables are all there, of a format and with a state that this version understands."""
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (location.schema,))
    if not set(schema.TABLES) <= {row[0] for row in found}:
        return False
    database = WritingDatabase(location)
    try:
        check(database, location)
        read_state(database)
    except (IndexDamaged, IndexMismatch):
        return False
    finally:
        database.close()
    return True


def _set_aside(
    connection: Connection, location: Location, spec: IndexSpec, notify: Callable[[str], None]
) -> None:
    """Keep an index that cannot be read under another name, and save its embeddings: they may have been paid for."""
    WriterLock(location).acquire(connection)
    aside = f"{location.schema[:50]}_damaged"
    old, new = sql.Identifier(aside), sql.Identifier(location.schema)
    with failures.readable_errors(location):
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(old))
        connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(new, old))
    _create(connection, location, spec)
    with suppress(psycopg.Error), connection.transaction():
        connection.execute(
            sql.SQL(
                "INSERT INTO embedding_models (embedding_id, dimension) SELECT embedding_id, dimension FROM {}"
            ).format(sql.Identifier(aside, "embedding_models"))
        )
        connection.execute(
            sql.SQL(
                "INSERT INTO embeddings (model, digest, vector) SELECT n.id, e.digest, e.vector FROM {} e "
                "JOIN {} o ON o.id = e.model JOIN embedding_models n ON n.embedding_id = o.embedding_id "
                "WHERE length(e.vector) = 4 * o.dimension AND length(e.digest) = 32"
            ).format(sql.Identifier(aside, "embeddings"), sql.Identifier(aside, "embedding_models"))
        )
    notify(f"The old index could not be read and was kept as the schema {aside}.")


def _empty(location: Location, spec: IndexSpec) -> None:
    database = WritingDatabase(location, WriterLock(location).acquire)
    try:
        _end_rows(database, spec)
    finally:
        database.close()


def _end_rows(database: WritingDatabase, spec: IndexSpec) -> None:
    """End every row. With the same embeddings readers keep the old state until the next publication."""
    state = read_state(database)
    same = (state.spec.embedding_id, state.spec.dimension) == (spec.embedding_id, spec.dimension)

    def work() -> None:
        end_everything(database, state.working)
        database.execute("UPDATE state SET spec = ?", (spec.to_json(),))
        if not same:
            # Vectors of two dimensions cannot be searched together: the old state ends at once.
            database.execute("UPDATE state SET published = working, working = working + 1")
        if state.spec.dimension != spec.dimension:
            database.execute("DROP TABLE vectors")
            for statement in schema.VECTORS.format(dimension=spec.dimension).split(";\n"):
                if statement.strip():
                    database.execute(statement)

    database.atomically(work)
