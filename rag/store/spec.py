"""What an index is made with. It is recorded in the index, and a difference is a sentence, not a crash."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rag.errors import IndexDamaged, IndexMismatch

FORMAT_VERSION = 1
"""Version of the database schema; raised with every migration in `rag.store.schema`."""

MAX_DIMENSION = 65_536
"""No embedding model comes near; a larger number in an index is damage or malice."""


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """The recipe of an index. Two indexes with one recipe give comparable scores."""

    embedding_model: str
    """The spec a person writes: `e5-small`, `openai:text-embedding-3-small`."""
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

    def require_same_content(self, wanted: IndexSpec, location: str, mend: str) -> None:
        """Raise IndexMismatch when chunks made for `wanted` cannot join this index.

        The tokeniser is left out: the keyword index is repaired from the database without reading a file again.
        """
        if (self.embedding_id, self.dimension) != (wanted.embedding_id, wanted.dimension):
            had = f"{self.embedding_model} ({self.dimension} numbers)"
            want = f"{wanted.embedding_model} ({wanted.dimension} numbers)"
            if had == want:
                had, want = f"{had[:-1]}, {self.embedding_id})", f"{want[:-1]}, {wanted.embedding_id})"
            raise IndexMismatch(f"{location} was made with the embeddings {had}, not {want}: {mend}.")
        mine, theirs = (self.chunk_tokens, self.chunk_overlap), (wanted.chunk_tokens, wanted.chunk_overlap)
        if mine != theirs:
            raise IndexMismatch(
                f"{location} was cut into chunks of {mine[0]} tokens with {mine[1]} overlapping, "
                f"not {theirs[0]} with {theirs[1]}: {mend}."
            )
