"""How values travel between Python and PostgreSQL: pgvector's types in binary, and texts with NUL in them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from psycopg.types import TypeInfo
from psycopg.types.string import StrDumper

from rag.store.rows import Vectors

NUL, STAND_IN = "\0", "\U0010ffff"
"""PostgreSQL's texts cannot hold U+0000. U+10FFFF, a noncharacter that no document should hold, is kept in its
place: one for one, so that spans stay right, and turned back when it is read."""

SPARSE_DIMENSION = 1_000_000_000
"""The most that pgvector's sparsevec allows; positions are ids, so nothing is allocated for it."""


@dataclass(frozen=True, slots=True)
class DenseVector:
    """A parameter of type `vector`."""

    values: Vectors


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A parameter of type `sparsevec`: values by position, from 0."""

    values: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class SparseVectors:
    """A parameter of type `sparsevec[]`."""

    values: Sequence[SparseVector]


class _DenseDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: DenseVector) -> bytes:
        values = np.ascontiguousarray(obj.values, dtype=">f4").reshape(-1)
        return struct.pack(">HH", values.size, 0) + values.tobytes()


class _SparseDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: SparseVector) -> bytes:
        places = sorted(obj.values)
        values = [obj.values[place] for place in places]
        head = struct.pack(">iii", SPARSE_DIMENSION, len(places), 0)
        return head + np.array(places, ">i4").tobytes() + np.array(values, ">f4").tobytes()


class _SparseListDumper(Dumper):
    """The binary form of a PostgreSQL array: dimensions, no NULLs, type; length and lower bound; the elements."""

    format = Format.BINARY
    element_oid = 0

    def dump(self, obj: SparseVectors) -> bytes:
        one = _SparseDumper(SparseVector)
        parts = [struct.pack(">iiIii", 1, 0, self.element_oid, len(obj.values), 1)]
        for value in obj.values:
            data = one.dump(value)
            parts += (struct.pack(">i", len(data)), data)
        return b"".join(parts)


class _TextDumper(StrDumper):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace(NUL, STAND_IN) if NUL in obj else obj)


class _TextLoader(Loader):
    def load(self, data: Any) -> str:
        text = bytes(data).decode()
        return text.replace(STAND_IN, NUL) if STAND_IN in text else text


def register(connection: psycopg.Connection[Any]) -> None:
    """Teach a connection these types."""
    adapters = connection.adapters
    adapters.register_dumper(str, _TextDumper)
    adapters.register_loader("text", _TextLoader)
    dense, sparse = (TypeInfo.fetch(connection, name) for name in ("vector", "sparsevec"))
    if dense is None or sparse is None:
        return  # pgvector is missing or old, which is told where it matters
    for python, dumper, oid in (
        (DenseVector, _DenseDumper, dense.oid),
        (SparseVector, _SparseDumper, sparse.oid),
        (SparseVectors, _SparseListDumper, sparse.array_oid),
    ):
        known = type(dumper.__name__, (dumper,), {"oid": oid, "element_oid": sparse.oid})
        adapters.register_dumper(python, known)
