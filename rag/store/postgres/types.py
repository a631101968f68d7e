"""How values travel between Python and PostgreSQL: pgvector's types in binary, and texts with NUL in them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
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


INT4, INT4_ARRAY = 23, 1007
"""Numbers of PostgreSQL's own types, the same in every database."""


@dataclass(frozen=True, slots=True)
class DenseVector:
    """A parameter of type `vector`."""

    values: Vectors


@dataclass(frozen=True, slots=True)
class Integers:
    """A parameter of type `integer[]`."""

    values: Sequence[int] | NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A parameter of type `sparsevec`: the positions of what is not nought, from 0 and rising, and its values."""

    places: Sequence[int] | NDArray[np.int32]
    values: Sequence[float] | NDArray[np.float32]


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
        head = struct.pack(">iii", SPARSE_DIMENSION, len(obj.places), 0)
        return head + np.asarray(obj.places, ">i4").tobytes() + np.asarray(obj.values, ">f4").tobytes()


class _SparseListDumper(Dumper):
    format = Format.BINARY
    element_oid = 0

    def dump(self, obj: SparseVectors) -> bytes:
        one = _SparseDumper(SparseVector)
        parts = [_array_head(self.element_oid, len(obj.values))]
        for value in obj.values:
            data = one.dump(value)
            parts += (struct.pack(">i", len(data)), data)
        return b"".join(parts)


class _IntegersDumper(Dumper):
    format = Format.BINARY
    oid = INT4_ARRAY

    def dump(self, obj: Integers) -> bytes:
        table = np.empty((len(obj.values), 2), ">i4")
        table[:, 0] = 4  # bytes of each element
        table[:, 1] = obj.values
        return _array_head(INT4, len(obj.values)) + table.tobytes()


def _array_head(element: int, count: int) -> bytes:
    """The beginning of an array in binary: one dimension, no NULLs, type of the elements, length, lower bound."""
    return struct.pack(">iiIii", 1, 0, element, count, 1)


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
    adapters.register_dumper(Integers, _IntegersDumper)
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
