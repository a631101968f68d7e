"""The embedding cache of an index: what a model was paid for is kept for good, under a digest of the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import IndexDamaged
from rag.store import rows
from rag.store.database import Database, readable_errors
from rag.store.snapshot import read_state
from rag.store.spec import IndexSpec

LOOKUP_BATCH = 500


class EmbeddingCache:
    """Unit vectors by text, of the model that an index is made with.

    Entries are only ever added, and the same text twice is one entry, so that several processes may use the
    cache at once, also while another one holds the writer's lock.
    """

    def __init__(self, database: Database, spec: IndexSpec) -> None:
        self._database = database
        self._dimension = spec.dimension
        self.model = self._model_id(spec)
        """Number of the model in the database."""

    def cached_vectors(self, texts: Sequence[str]) -> dict[int, rows.Vectors]:
        """The unit vectors of the texts that this model has embedded before, by position in `texts`."""
        places: dict[bytes, list[int]] = {}
        for place, text in enumerate(texts):
            places.setdefault(rows.digest_of(text), []).append(place)
        digests = list(places)
        found: dict[int, rows.Vectors] = {}
        for start in range(0, len(digests), LOOKUP_BATCH):
            part = digests[start : start + LOOKUP_BATCH]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT digest, vector FROM embeddings WHERE model = ? AND digest IN ({marks})"
            for digest, blob in self._database.rows(sql, (self.model, *part)):
                found |= dict.fromkeys(places[digest], self._vector_of(blob))
        return found

    def cache_vectors(self, texts: Sequence[str], vectors: Any) -> None:
        """Keep embeddings (shape [n, dimension]) for good; they are on the disk when this returns."""
        unit = rows.unit_vectors(vectors, len(texts), self._dimension)
        with self._database.transaction():
            self.insert([rows.digest_of(text) for text in texts], unit)

    def insert(self, digests: Sequence[bytes], unit: rows.Vectors) -> None:
        """As `cache_vectors`, for digests and unit vectors, inside the caller's transaction."""
        self._database.execute_many(
            "INSERT INTO embeddings (model, digest, vector) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            ((self.model, digest, vector.tobytes()) for digest, vector in zip(digests, unit, strict=True)),
        )

    def _vector_of(self, blob: bytes) -> rows.Vectors:
        vector = np.frombuffer(blob, dtype=np.float32)
        with readable_errors(self._database.path):
            if vector.size != self._dimension:
                raise IndexDamaged("a stored embedding has another dimension than the index")
        return vector

    def _model_id(self, spec: IndexSpec) -> int:
        self._database.execute(
            "INSERT INTO embedding_models (embedding_id, dimension) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (spec.embedding_id, spec.dimension),
        )
        sql = "SELECT id FROM embedding_models WHERE embedding_id = ?"
        return int(self._database.rows(sql, (spec.embedding_id,))[0][0])


@contextmanager
def open_cache(location: str | Path) -> Iterator[EmbeddingCache]:
    """The embedding cache of the index at `location`, without the writer's lock.

    Raises IndexMissing, IndexMismatch, IndexDamaged, IndexReadOnly.
    """
    database = Database.open(Path(location) / "index.db", writable=True)
    try:
        yield EmbeddingCache(database, read_state(database).spec)
    finally:
        database.close()
