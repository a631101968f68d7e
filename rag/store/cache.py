"""The embedding cache of an index: what a model was paid for is kept for good, under a digest of the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import IndexDamaged
from rag.store import rows
from rag.store.database import SqliteDatabase
from rag.store.postgres.location import driver, is_postgres, parse
from rag.store.sql import Database
from rag.store.state import read_state

LOOKUP_BATCH = 500


class EmbeddingCache:
    """Unit vectors by text, of one model: that which an index is made with, unless a copy is being made.

    Entries are only ever added, and the same text twice is one entry, so that several processes may use the
    cache at once, also while another one holds the writer's lock.
    """

    def __init__(self, database: Database, embedding_id: str, dimension: int) -> None:
        self._database = database
        self._dimension = dimension
        self.model = self._model_id(embedding_id)
        """Number of the model in the database."""

    def cached_vectors(self, texts: Sequence[str]) -> dict[int, rows.Vectors]:
        """The unit vectors of the texts that this model has embedded before, by position in `texts`."""
        places: dict[bytes, list[int]] = {}
        for place, text in enumerate(texts):
            places.setdefault(rows.digest_of(text), []).append(place)
        found: dict[int, rows.Vectors] = {}
        for digest, blob in self._stored("digest, vector", list(places)):
            found |= dict.fromkeys(places[digest], self._vector_of(blob))
        return found

    def _stored(self, columns: str, digests: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(digests), LOOKUP_BATCH):
            part = digests[start : start + LOOKUP_BATCH]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT {columns} FROM embeddings WHERE model = ? AND digest IN ({marks})"
            yield from self._database.rows(sql, (self.model, *part))

    def cache_vectors(self, texts: Sequence[str], vectors: Any) -> None:
        """Keep embeddings (shape [n, dimension]) for good; they are on the disk when this returns."""
        unit = rows.unit_vectors(vectors, len(texts), self._dimension)
        digests = [rows.digest_of(text) for text in texts]
        self._database.atomically(lambda: self.insert(digests, unit))

    def insert(self, digests: Sequence[bytes], unit: Iterable[rows.Vectors]) -> None:
        """As `cache_vectors`, for digests and unit vectors, inside the caller's transaction."""
        entries = ((digest, vector.tobytes()) for digest, vector in zip(digests, unit, strict=True))
        self._database.execute_many(
            "INSERT INTO embeddings (model, digest, vector) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            # In one order for all: two processes with the same new texts wait for each other's rows, and in opposite
            # orders each would wait for the other. Of the same text twice the first vector counts, as it is given.
            ((self.model, *entry) for entry in sorted(entries, key=itemgetter(0))),
        )

    def insert_missing(self, entries: Sequence[tuple[bytes, bytes]]) -> int:
        """Keep digests and vectors of another cache as they are; returns how many were not there."""
        known = {digest for (digest,) in self._stored("digest", [digest for digest, _ in entries])}
        missing = [(digest, self._vector_of(blob)) for digest, blob in entries if digest not in known]
        self._database.atomically(lambda: self.insert([d for d, _ in missing], [v for _, v in missing]))
        return len(missing)

    def _vector_of(self, blob: bytes) -> rows.Vectors:
        vector = np.frombuffer(blob, dtype=np.float32)
        with self._database.readable_errors():
            if vector.size != self._dimension:
                raise IndexDamaged("a stored embedding has another dimension than the index")
        return vector

    def _model_id(self, embedding_id: str) -> int:
        self._database.execute(
            "INSERT INTO embedding_models (embedding_id, dimension) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (embedding_id, self._dimension),
        )
        sql = "SELECT id FROM embedding_models WHERE embedding_id = ?"
        return int(self._database.rows(sql, (embedding_id,))[0][0])


@contextmanager
def open_cache(location: str | Path) -> Iterator[EmbeddingCache]:
    """The embedding cache of the index at `location`, without the writer's lock.

    Raises IndexMissing, IndexMismatch, IndexDamaged, IndexReadOnly.
    """
    database = _open(location)
    try:
        spec = read_state(database).spec
        yield EmbeddingCache(database, spec.embedding_id, spec.dimension)
    finally:
        database.close()


def _open(location: str | Path) -> Database:
    if is_postgres(location):
        driver()
        from rag.store.postgres.database import WritingDatabase

        return WritingDatabase(parse(str(location)))
    return SqliteDatabase.open(Path(location) / "index.db", writable=True)
