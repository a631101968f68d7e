"""What an index records about itself: the settings it was made with, and its generations."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rag.errors import IndexDamaged, IndexMismatch
from rag.store.rows import Database, WritableDatabase

FORMAT_VERSION = 1
"""Version of the database schema; raised with every migration in `rag.store.schema`."""

MAX_DIMENSION = 65_536
"""No embedding model comes near; a larger number in an index is damage or malice."""


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What an index is made with. Two indexes with the same spec give comparable scores."""

    embedding_model: str
    """As written in settings: `e5-small`, `openai:text-embedding-3-small`."""
    embedding_id: str
    """Identity of the weights, so that a changed model under an old name is noticed."""
    dimension: int
    chunk_tokens: int
    chunk_overlap: int
    tokeniser: str
    """`rag.text.keywords.TOKENISER_ID` when the keyword index was made."""
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The form that is stored in the index."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> IndexSpec:
        """Read the stored form. Raises IndexDamaged when it is not one."""
        try:
            fields = json.loads(text)
            spec = cls(**fields)
        except (ValueError, TypeError, RecursionError) as error:
            raise IndexDamaged(
                f"the record of what the index was made with cannot be read ({error})"
            ) from error
        numbers = (spec.dimension, spec.chunk_tokens, spec.chunk_overlap, spec.format_version)
        names = (spec.embedding_model, spec.embedding_id, spec.tokeniser)
        if not all(type(n) is int for n in numbers) or not all(type(s) is str for s in names):
            raise IndexDamaged("the record of what the index was made with holds values of the wrong kind")
        if not 0 < spec.dimension <= MAX_DIMENSION:
            raise IndexDamaged(f"the index claims embeddings of {spec.dimension} numbers")
        return spec

    def require_same_content(self, wanted: IndexSpec, location: str, fix: str) -> None:
        """Raise IndexMismatch when chunks made for `wanted` cannot join this index.

        The tokeniser is left out: the keyword index is rebuilt from the database without reading a file again.
        """
        if (self.embedding_id, self.dimension) != (wanted.embedding_id, wanted.dimension):
            had = f"{self.embedding_model} ({self.dimension} numbers)"
            want = f"{wanted.embedding_model} ({wanted.dimension} numbers)"
            if had == want:
                had, want = f"{had[:-1]}, {self.embedding_id})", f"{want[:-1]}, {wanted.embedding_id})"
            raise IndexMismatch(f"{location} was made with the embeddings {had}, not {want}: {fix}.")
        mine, theirs = (self.chunk_tokens, self.chunk_overlap), (wanted.chunk_tokens, wanted.chunk_overlap)
        if mine != theirs:
            raise IndexMismatch(
                f"{location} was cut into chunks of {mine[0]} tokens with {mine[1]} overlapping, "
                f"not {theirs[0]} with {theirs[1]}: {fix}."
            )


@dataclass(frozen=True, slots=True)
class IndexState:
    """The one row of table `state`: what an index was made with, and which generation readers see."""

    instance: str
    """Random name given at creation, so that a derived file copied from another index is not mistaken for ours."""
    spec: IndexSpec
    published: int
    """The generation that readers see."""
    working: int
    """The generation that writes belong to; always above `published`."""
    purged: int
    """Rows removed up to this generation are deleted for good."""


def read_state(database: Database) -> IndexState:
    """The state now. Raises IndexDamaged."""
    found = database.rows("SELECT instance, spec, published, working, purged FROM state")
    with database.readable_errors():
        if len(found) != 1:
            raise IndexDamaged("it does not record what it was made with")
        instance, spec, published, working, purged = found[0]
        if not 0 <= purged <= published < working or len(bytes.fromhex(instance)) != 16:
            raise IndexDamaged(f"its generations are impossible ({published}, {working})")
        return IndexState(instance, IndexSpec.from_json(spec), published, working, purged)


# -- generations ------------------------------------------------------------------------------------------------


def has_unpublished(database: Database, state: IndexState) -> bool:
    """True when something was written that readers do not see."""
    sql = " UNION ALL ".join(
        f"SELECT 1 FROM {table} WHERE {column} > :p"
        for table in ("sources", "contents")
        for column in ("added", "removed")
    )
    return bool(database.rows(f"SELECT EXISTS ({sql})", {"p": state.published})[0][0])


def has_removed(database: Database, bound: int) -> bool:
    """True when rows were removed up to generation `bound` and are not deleted yet."""
    sql = "SELECT EXISTS (SELECT 1 FROM sources WHERE removed <= ?)"
    return bool(database.rows(sql, (bound,))[0][0])


def delete_removed(database: WritableDatabase, bound: int) -> None:
    """Delete for good what was removed up to generation `bound`, inside the caller's transaction."""
    database.execute("DELETE FROM sources WHERE removed <= ?", (bound,))
    old = "(SELECT id FROM contents WHERE removed <= ?)"
    database.execute(f"DELETE FROM chunks WHERE content IN {old}", (bound,))
    database.execute(f"DELETE FROM pages WHERE content IN {old}", (bound,))
    database.execute(f"DELETE FROM page_tables WHERE content IN {old}", (bound,))
    database.execute("DELETE FROM contents WHERE removed <= ?", (bound,))
    database.execute("UPDATE state SET purged = ?", (bound,))


def remove_all(database: WritableDatabase, spec: IndexSpec) -> None:
    """Remove every row in the generation being written and record `spec`, inside the caller's transaction.

    With the same embeddings readers keep the published generation until the next publication. Vectors of two
    dimensions cannot be searched together, so with other embeddings the published generation ends at once.
    """
    state = read_state(database)
    for table in ("sources", "contents"):
        database.execute(f"UPDATE {table} SET removed = ? WHERE removed IS NULL", (state.working,))
    database.execute("UPDATE state SET spec = ?", (spec.to_json(),))
    if (state.spec.embedding_id, state.spec.dimension) != (spec.embedding_id, spec.dimension):
        database.execute("UPDATE state SET published = working, working = working + 1")
