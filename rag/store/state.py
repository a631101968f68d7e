"""The one row of table `state`: what an index was made with, and which generation readers see."""

from __future__ import annotations

from dataclasses import dataclass

from rag.errors import IndexDamaged
from rag.store.spec import IndexSpec
from rag.store.sql import Database


@dataclass(frozen=True, slots=True)
class State:
    """The one row of table `state`."""

    instance: str
    """Random name given at creation: a derived file copied from another index is not mistaken for ours."""
    spec: IndexSpec
    published: int
    """The generation that readers see."""
    working: int
    """The generation that writes belong to; always above `published`."""
    purged: int
    """What was removed up to this generation is deleted for good."""


def read_state(database: Database) -> State:
    """The state now. Raises IndexDamaged."""
    found = database.rows("SELECT instance, spec, published, working, purged FROM state")
    with database.readable_errors():
        if len(found) != 1:
            raise IndexDamaged("it does not say what it was made with")
        instance, spec, published, working, purged = found[0]
        if not 0 <= purged <= published < working or len(bytes.fromhex(instance)) != 16:
            raise IndexDamaged(f"its generations are impossible ({published}, {working})")
        return State(instance, IndexSpec.from_json(spec), published, working, purged)
