"""Making an index in a database, requiring that one was made the same way, and making it anew."""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql

from rag.errors import IndexDamaged, IndexMismatch, UsageError
from rag.store.generations import end_everything
from rag.store.postgres import dense, failures, schema
from rag.store.postgres.aside import set_aside
from rag.store.postgres.connection import connect
from rag.store.postgres.database import WritingDatabase
from rag.store.postgres.location import Location
from rag.store.postgres.lock import PostgresWriterLock
from rag.store.postgres.tables import Connection, add_pgvector, make_tables, rights, schema_exists, taken
from rag.store.spec import IndexSpec
from rag.store.sql import Database
from rag.store.state import read_state

MEND = "run `rag ingest --rebuild PATH` to make it anew, or use another --index"


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
    connection = connect(location)
    try:
        made = _make(connection, location, spec, rebuild, notify)
    finally:
        connection.close()
    if rebuild and not made:
        _empty(location, spec)


def check(database: Database, location: Location) -> None:
    """Raise IndexMismatch or IndexDamaged unless these are tables that this version can read."""
    found = database.rows("SELECT format FROM state")
    version = found[0][0] if found else None
    if version is not None and version > schema.FORMAT:
        raise IndexMismatch(
            f"{location.shown} was made by a newer pagequote (format {version}, this reads {schema.FORMAT}): "
            "upgrade pagequote, or run `rag ingest --rebuild PATH`."
        )


def renew(database: WritingDatabase) -> None:
    """Replace the function of an index that an earlier version made, if the user may: that one could be made to read
    for a stranger (`schema.lookup`)."""
    name = database.location.schema
    current = database.rows(
        "SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = :schema "
        "AND p.proname = :name AND p.prosecdef AND p.prosrc = :body "
        "AND p.proconfig = ARRAY['search_path=' || quote_ident(:schema) || ', pg_temp']",
        {"schema": name, "name": schema.LOOKUP, "body": schema.lookup_body(name)},
    )
    owned = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('state')"
    if not current and database.rows(owned) == [(True,)]:
        with database.readable_errors(), database.connection() as connection:
            connection.execute(schema.lookup(name))
    if not database.holds("page_tables") and database.rows(owned) == [(True,)]:
        for statement in filter(str.strip, schema.PAGE_TABLES.split(";\n")):
            database.execute(statement)
        database.execute("UPDATE state SET format = ?", (schema.FORMAT,))


# -- what is there ------------------------------------------------------------------------------------------


def _is_index(connection: Connection, location: Location) -> bool:
    """Whether there is an index, sound or damaged; any other program may have a table called `state`."""
    with failures.readable_errors(location):
        found = connection.execute(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = 'state' "
            "AND c.relkind IN ('r', 'p') AND a.attname = ANY(%s)",
            (location.schema, list(schema.STATE_COLUMNS)),
        ).fetchone()
    return found == (len(schema.STATE_COLUMNS),)


def _require_empty(connection: Connection, location: Location) -> None:
    """Raise UsageError when the schema holds tables or views, other than those that an extension put there."""
    with failures.readable_errors(location):
        found = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS ("
            "SELECT 1 FROM pg_depend d WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid "
            "AND d.deptype = 'e') ORDER BY c.relname LIMIT 1",
            (location.schema,),
        ).fetchone()
    if found:
        raise taken(location, f"such as {found[0]}")


def _readable(connection: Connection, location: Location) -> bool:
    """Whether the tables are all there, of a format and with a state that this version understands."""
    with failures.readable_errors(location):
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (location.schema,)
        ).fetchall()
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


# -- making -------------------------------------------------------------------------------------------------


def _make(
    connection: Connection,
    location: Location,
    spec: IndexSpec,
    rebuild: bool,
    notify: Callable[[str], None],
) -> bool:
    """Make an index where there is none, or with `rebuild` in place of one that cannot be read. True when it did."""

    def wanted() -> bool:
        there = _is_index(connection, location)
        return not there or (rebuild and not _readable(connection, location))

    if not wanted():
        return False
    PostgresWriterLock(location).acquire(connection)
    if not wanted():
        return False  # another process made it while this one waited
    if _is_index(connection, location):
        set_aside(connection, location, spec, notify)
        return True
    _require_empty(connection, location)
    with failures.readable_errors(location):
        add_pgvector(connection, location)
        mend = f"grant it CREATE on the database, or have the schema {location.schema} made for it"
        with rights(location, "made", mend), connection.transaction():
            if not schema_exists(connection, location.schema):
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(location.schema)))
            make_tables(connection, location, spec)
    return True


# -- making again --------------------------------------------------------------------------------------------


def _empty(location: Location, spec: IndexSpec) -> None:
    database = WritingDatabase(location, PostgresWriterLock(location).acquire)
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
            # The table stays, with what was granted on it and the policies that say who may read which rows.
            database.execute("TRUNCATE vectors")
            database.execute(f"DROP INDEX IF EXISTS {dense.INDEX}")
            database.execute(f"ALTER TABLE vectors ALTER COLUMN embedding TYPE vector({spec.dimension})")

    database.atomically(work)
