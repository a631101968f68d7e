"""What is written and not yet read, and what is no longer read: the rows' generations as a writer moves them."""

from __future__ import annotations

from rag.store.sql import Database
from rag.store.state import State


def pending(database: Database, state: State) -> bool:
    """True when something was written that readers do not see."""
    sql = " UNION ALL ".join(
        f"SELECT 1 FROM {table} WHERE {column} > :p"
        for table in ("sources", "contents")
        for column in ("added", "removed")
    )
    return bool(database.rows(f"SELECT EXISTS ({sql})", {"p": state.published})[0][0])


def removed_up_to(database: Database, bound: int) -> bool:
    """True when rows were removed by generation `bound` and are still there."""
    sql = "SELECT EXISTS (SELECT 1 FROM sources WHERE removed <= ?)"
    return bool(database.rows(sql, (bound,))[0][0])


def delete_removed(database: Database, bound: int) -> None:
    """Delete for good what was removed by generation `bound`, inside the caller's transaction."""
    database.execute("DELETE FROM sources WHERE removed <= ?", (bound,))
    old = "(SELECT id FROM contents WHERE removed <= ?)"
    database.execute(f"DELETE FROM chunks WHERE content IN {old}", (bound,))
    database.execute(f"DELETE FROM pages WHERE content IN {old}", (bound,))
    if database.holds("page_tables"):
        database.execute(f"DELETE FROM page_tables WHERE content IN {old}", (bound,))
    database.execute("DELETE FROM contents WHERE removed <= ?", (bound,))
    database.execute("UPDATE state SET purged = ?", (bound,))


def end_everything(database: Database, working: int) -> None:
    """Remove every row as of the generation that is being written, inside the caller's transaction."""
    for table in ("sources", "contents"):
        database.execute(f"UPDATE {table} SET removed = ? WHERE removed IS NULL", (working,))


def anything(database: Database) -> bool:
    """False for an index without a single file."""
    return bool(database.rows("SELECT EXISTS (SELECT 1 FROM contents)")[0][0])
