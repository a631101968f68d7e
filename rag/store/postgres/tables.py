"""The schema and the tables of an index: their names, the rights that making them takes, and the statements."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors

from rag.errors import IndexError_, IndexReadOnly, UsageError
from rag.store.keywords import tokenizer
from rag.store.postgres import keywords, schema
from rag.store.postgres.connection import pgvector_version, require_pgvector, use_schema
from rag.store.postgres.location import Location
from rag.store.spec import IndexSpec

LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""

Connection = psycopg.Connection[Any]


def require_name(location: Location) -> None:
    """Raise UsageError when PostgreSQL would cut the name of the schema short, and so take it for another one."""
    size = len(location.schema.encode())
    if size > LONGEST_NAME:
        raise UsageError(
            f"the schema {location.schema} has a name of {size} bytes, and PostgreSQL keeps {LONGEST_NAME} (a Korean "
            "letter takes 3): name a shorter one with ?schema=NAME."
        )


def taken(location: Location, why: str) -> UsageError:
    return UsageError(
        f"the schema {location.schema} of {location.shown} holds other tables ({why}), which pagequote leaves alone: "
        "name another schema with ?schema=NAME."
    )


@contextmanager
def rights(location: Location, done: str, mend: str) -> Iterator[None]:
    """Say that rights are missing, and what to do."""
    try:
        yield
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        raise IndexReadOnly(f"the index {location.shown} cannot be {done} by this user: {mend}.") from None


def make_tables(connection: Connection, location: Location, spec: IndexSpec) -> None:
    """Make the tables of an empty index, inside the caller's transaction."""
    use_schema(connection, location)
    try:
        for statement in _statements(spec):
            connection.execute(statement.encode())
        connection.execute(schema.lookup(location.schema))
    except (errors.DuplicateTable, errors.DuplicateObject) as error:
        raise taken(location, str(error).partition("\n")[0]) from None
    connection.execute(
        "INSERT INTO state (only_row, format, instance, spec, published, working, purged, last_chunk) "
        "VALUES (1, %s, %s, %s, 0, 1, 0, 0)",
        (schema.FORMAT, uuid.uuid4().hex, replace(spec, tokeniser=tokenizer()[0]).to_json()),
    )


def _statements(spec: IndexSpec) -> list[str]:
    tables = [schema.KEYWORDS.format(table=field.table) for field in keywords.FIELDS]
    scripts = [schema.ROWS, schema.PAGE_TABLES, schema.VECTORS.format(dimension=spec.dimension), *tables]
    return [statement for script in scripts for statement in script.split(";\n") if statement.strip()]


def schema_exists(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (name,))
    return found.fetchone() is not None


def add_pgvector(connection: Connection, location: Location) -> None:
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
