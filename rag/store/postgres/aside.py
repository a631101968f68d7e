"""Keeping an index that cannot be read, and saving its embeddings: they may have been paid for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import psycopg
from psycopg import errors, sql

from rag.store.postgres import failures, schema
from rag.store.postgres.location import Location
from rag.store.postgres.tables import (
    LONGEST_NAME,
    Connection,
    add_pgvector,
    make_tables,
    rights,
    schema_exists,
)
from rag.store.spec import IndexSpec


def set_aside(
    connection: Connection, location: Location, spec: IndexSpec, notify: Callable[[str], None]
) -> None:
    """Keep an index that cannot be read in another schema, and save its embeddings: they may have been paid for.

    All of it happens, or nothing. Its tables are moved, and the schema stays: others may have put tables beside them.
    """
    with failures.readable_errors(location):
        add_pgvector(connection, location)
        mend = (
            "use the owner of its tables, granted CREATE on the database, or another schema with ?schema=NAME"
        )
        with rights(location, "set aside", mend), connection.transaction():
            aside = _free_name(connection, location.schema)
            protected = _move(connection, location.schema, aside)
            make_tables(connection, location, spec)
            for table in protected:  # from whoever is granted the new tables: the policies were moved
                name = sql.Identifier(location.schema, table)
                connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
            saved = _save_embeddings(connection, location, aside)
    notify(
        f"The old index could not be read and was kept as the schema {aside}; {saved}. The tables are new: what "
        "users were granted on the old ones must be granted again."
    )


def _free_name(connection: Connection, name: str) -> str:
    """A name for what is set aside: at most 63 bytes, and neither the index's own nor that of another schema."""
    for number in count(1):
        ending = "_damaged" if number == 1 else f"_damaged_{number}"
        kept = name.encode()[: LONGEST_NAME - len(ending)].decode(errors="ignore")
        if kept + ending != name and not schema_exists(connection, kept + ending):
            return kept + ending
    raise AssertionError("the numbers have no end")


def _move(connection: Connection, origin: str, target: str) -> list[str]:
    """Move the tables and the function of an index to a new schema; gives the tables with row-level security."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(target)))
    tables = connection.execute(
        "SELECT c.relname, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s) ORDER BY c.relname",
        (origin, list(schema.TABLES)),
    ).fetchall()
    functions = connection.execute(
        "SELECT CAST(CAST(p.oid AS regprocedure) AS text) FROM pg_proc p "
        "JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %s AND p.proname = %s",
        (origin, schema.LOOKUP),
    ).fetchall()
    to = sql.Identifier(target)
    for table, _ in tables:
        name = sql.Identifier(origin, table)
        connection.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(name, to))
    for (signature,) in functions:  # quoted by the server
        connection.execute(
            b"ALTER FUNCTION " + signature.encode() + b" SET SCHEMA " + to.as_bytes(connection)
        )
    return [table for table, protected in tables if protected]


UNREADABLE = (
    *(psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError),
    *(psycopg.NotSupportedError, errors.IoError, errors.UndefinedFile),
)
"""Errors that say that rows cannot be read; after others, as when the disk is full, it helps to try again."""


def _save_embeddings(connection: Connection, location: Location, aside: str) -> str:
    """Copy the embeddings that a damaged index still gives up; says what became of them."""
    tables = {
        "new_models": sql.Identifier(location.schema, "embedding_models"),
        "new": sql.Identifier(location.schema, "embeddings"),
        "old_models": sql.Identifier(aside, "embedding_models"),
        "old": sql.Identifier(aside, "embeddings"),
    }
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL(
                    "INSERT INTO {new_models} (embedding_id, dimension) "
                    "SELECT embedding_id, dimension FROM {old_models} ON CONFLICT DO NOTHING"
                ).format(**tables)
            )
            saved = connection.execute(
                sql.SQL(
                    "INSERT INTO {new} (model, digest, vector) SELECT n.id, e.digest, e.vector FROM {old} e "
                    "JOIN {old_models} o ON o.id = e.model JOIN {new_models} n ON n.embedding_id = o.embedding_id "
                    "WHERE length(e.vector) = 4 * n.dimension AND length(e.digest) = 32 ON CONFLICT DO NOTHING"
                ).format(**tables)
            ).rowcount
            found = connection.execute(sql.SQL("SELECT count(*) FROM {old}").format(**tables)).fetchone()
    except UNREADABLE as error:
        why = location.scrub(str(error).partition("\n")[0])
        return f"its embeddings could not be taken over ({why}) and must be made again"
    lost = found[0] - saved if found else 0
    return f"{saved:,} embeddings were taken over" + (f", {lost:,} could not be" if lost else "")
