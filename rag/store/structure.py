"""Checking a FAISS file before FAISS reads it, because FAISS trusts the sizes that it finds in there.

Known are the two kinds that `rag.store.dense` makes, laid out as FAISS's impl/index_write.cpp writes them: little
endian, a fourcc, then numbers and arrays that begin with their length. Every length is compared with the number of
vectors and the size of the file, so that nothing is read or allocated beyond the file.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

import numpy as np

from rag.errors import IndexDamaged

# fourcc; d, ntotal, two dummies, is_trained, metric_type (0 is the inner product)
_HEADER = struct.Struct("<4siqqqBi")
_NUMBER = struct.Struct("<Q")
_LISTS = struct.Struct("<4sQQ4sQ")
_NO_DIRECT_MAP = b"\0" * 9
_ID_BYTES = 8


def check_payload(file: BinaryIO, payload: int, dimension: int, count: int) -> None:
    """Raise IndexDamaged unless the first `payload` bytes are an index of `count` vectors and nothing else."""
    file.seek(0)
    fourcc = file.read(4)
    file.seek(0)
    if fourcc == b"IxMp":
        _check_flat(file, payload, dimension, count)
    elif fourcc == b"IwFl":
        _check_lists(file, payload, dimension, count)
    else:
        raise IndexDamaged(f"it begins with {fourcc!r}, which is not an index that pagequote makes")


def _check_flat(file: BinaryIO, payload: int, dimension: int, count: int) -> None:
    """IndexIDMap over IndexFlatIP."""
    expected = 2 * _HEADER.size + 2 * _NUMBER.size + count * (4 * dimension + _ID_BYTES)
    _require(
        payload == expected, f"{count} vectors of {dimension} numbers take {expected} bytes, not {payload}"
    )
    _check_header(file, b"IxMp", dimension, count)
    _check_header(file, b"IxFI", dimension, count)
    _check_number(file, count * dimension)
    file.seek(4 * dimension * count, os.SEEK_CUR)
    _check_number(file, count)


def _check_lists(file: BinaryIO, payload: int, dimension: int, count: int) -> None:
    """IndexIVFFlat over IndexFlatIP, with its lists in memory order."""
    _check_header(file, b"IwFl", dimension, count)
    lists, probes = _number(file), _number(file)
    _require(0 < probes <= lists, f"it visits {probes} of {lists} lists")
    centroids = 4 * dimension * lists
    fixed = 2 * _HEADER.size + 3 * _NUMBER.size + centroids + len(_NO_DIRECT_MAP) + _LISTS.size
    expected = fixed + _NUMBER.size * lists + count * (4 * dimension + _ID_BYTES)
    _require(payload == expected, f"{count} vectors in {lists} lists take {expected} bytes, not {payload}")
    _check_header(file, b"IxFI", dimension, lists)
    _check_number(file, dimension * lists)
    file.seek(centroids, os.SEEK_CUR)
    _require(file.read(len(_NO_DIRECT_MAP)) == _NO_DIRECT_MAP, "it has a map that pagequote does not make")
    found = _LISTS.unpack(_exactly(file, _LISTS.size))
    _require(found == (b"ilar", lists, 4 * dimension, b"full", lists), "its lists are of another kind")
    sizes = np.frombuffer(_exactly(file, _NUMBER.size * lists), dtype="<u8")
    # Compared one by one first: a sum of huge sizes could wrap around to the right number.
    fits = bool((sizes <= count).all()) and int(sizes.sum()) == count
    _require(fits, f"its lists do not hold {count} vectors")


def _check_header(file: BinaryIO, kind: bytes, dimension: int, count: int) -> None:
    fourcc, d, total, _, _, trained, metric = _HEADER.unpack(_exactly(file, _HEADER.size))
    right = (fourcc, d, total, trained, metric) == (kind, dimension, count, 1, 0)
    _require(right, f"it is not an index of {count} vectors of {dimension} numbers")


def _check_number(file: BinaryIO, wanted: int) -> None:
    _require(_number(file) == wanted, "the lengths inside it contradict each other")


def _number(file: BinaryIO) -> int:
    return int(_NUMBER.unpack(_exactly(file, _NUMBER.size))[0])


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    _require(len(data) == size, "it was cut short")
    return data


def _require(right: bool, what: str) -> None:
    if not right:
        raise IndexDamaged(what)
