"""vectors.faiss: the dense index, derived from the database.

The file is what `faiss.write_index` makes, followed by a footer of ours that FAISS never reads: which index
it belongs to and which generations it holds. Its structure is checked before FAISS sees it, because FAISS
trusts the sizes in a file. It is written beside its place, synced and renamed.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.store.rows import Vectors

FILE = "vectors.faiss"

_FOOTER = struct.Struct("<8s16sQQQQI")
_MAGIC = b"PQVECT01"
# FAISS, impl/index_write.cpp: fourcc, then d, ntotal, two dummies, is_trained, metric_type.
_HEADER = struct.Struct("<4siqqqBi")
_LENGTH = struct.Struct("<Q")
_INNER_PRODUCT = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a derived index holds: contents added up to `generation` and not removed up to `base`."""

    instance: str
    base: int
    generation: int

    def serves(self, instance: str, generation: int) -> bool:
        """True when a reader at `generation` finds all it may see in there."""
        return self.instance == instance and self.base <= generation <= self.generation


def _faiss() -> Any:
    """FAISS, imported when first needed; its annotations do not know what its Python layer adds."""
    import faiss

    return faiss


def new_index(dimension: int) -> Any:
    """An empty FAISS index over unit vectors: exact inner product, ids of our own."""
    faiss = _faiss()

    # IndexIDMap2 would add a hash table from id to row, built as a whole at every opening; what it is for
    # (reconstructing a vector by id) the database does.
    return faiss.IndexIDMap(faiss.IndexFlatIP(dimension))


def write(index: Any, path: Path, stamp: Stamp) -> None:
    """Write and put in place atomically. Raises OSError, or FAISS's RuntimeError, when the disk is full."""
    faiss = _faiss()

    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        beside.unlink(missing_ok=True)
        faiss.write_index(index, str(beside))
        with beside.open("r+b") as file:
            payload = file.seek(0, os.SEEK_END)
            file.write(_footer(stamp, index.ntotal, payload))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _footer(stamp: Stamp, count: int, payload: int) -> bytes:
    body = _FOOTER.pack(
        _MAGIC, bytes.fromhex(stamp.instance), stamp.base, stamp.generation, count, payload, 0
    )
    return body[:-4] + struct.pack("<I", zlib.crc32(body[:-4]))


def read_stamp(path: Path, dimension: int) -> Stamp:
    """Check the whole structure of the file and return its stamp, without loading it.

    Raises FileNotFoundError, and IndexDamaged naming what is wrong.
    """
    size = os.stat(path, follow_symlinks=False).st_size
    if path.is_symlink() or not path.is_file():
        raise IndexDamaged("it is not a plain file")
    with path.open("rb") as file:
        if size < _FOOTER.size:
            raise IndexDamaged("it is too short")
        file.seek(size - _FOOTER.size)
        footer = file.read(_FOOTER.size)
        magic, instance, base, generation, count, payload, checksum = _FOOTER.unpack(footer)
        if magic != _MAGIC or checksum != zlib.crc32(footer[:-4]):
            raise IndexDamaged("its last bytes are not the stamp that pagequote writes")
        if payload != size - _FOOTER.size:
            raise IndexDamaged("it was cut short or lengthened")
        _check_payload(file, payload, dimension, count)
    return Stamp(instance.hex(), base, generation)


def _check_payload(file: Any, payload: int, dimension: int, count: int) -> None:
    """An IndexIDMap over an IndexFlatIP with exactly `count` vectors and nothing else."""
    expected = 2 * _HEADER.size + 2 * _LENGTH.size + count * (4 * dimension + 8)
    if payload != expected:
        raise IndexDamaged(
            f"it has {payload} bytes where {count} vectors of {dimension} numbers take {expected}"
        )
    file.seek(0)
    for kind in (b"IxMp", b"IxFI"):
        fourcc, d, total, _, _, trained, metric = _HEADER.unpack(file.read(_HEADER.size))
        if (fourcc, d, total, trained, metric) != (kind, dimension, count, 1, _INNER_PRODUCT):
            raise IndexDamaged(f"it is not a flat index of {count} vectors of {dimension} numbers")
    (numbers,) = _LENGTH.unpack(file.read(_LENGTH.size))
    file.seek(4 * numbers if numbers == count * dimension else payload, os.SEEK_CUR)
    length = file.read(_LENGTH.size)
    if len(length) != _LENGTH.size or _LENGTH.unpack(length)[0] != count:
        raise IndexDamaged("the lengths inside it contradict each other")


def load(path: Path, *, mapped: bool) -> Any:
    """Read a file that `read_stamp` has checked; `mapped` leaves vectors on disk until they are needed."""
    faiss = _faiss()

    flags = getattr(faiss, "IO_FLAG_MMAP_IFC", 0) if mapped else 0
    return faiss.read_index(str(path), flags)


def search(
    index: Any, vector: Vectors, k: int, selector: NDArray[np.bool_] | None = None
) -> list[tuple[int, float]]:
    """The `k` nearest by inner product as (id, score), best first, equal scores by id.

    vector: unit length, shape [dimension]. selector: by id, which ids may be returned; ids beyond it may not.
    """
    faiss = _faiss()

    parameters, kept = None, index.ntotal
    if selector is not None:
        kept = int(selector.sum())
        bits = np.packbits(selector, bitorder="little")
        parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
    k = min(k, kept)
    if k <= 0:
        return []
    fetch = min(k + 8, kept)
    while True:
        scores, ids = index.search(vector.reshape(1, -1), fetch, params=parameters)
        # Six digits: the same vector may differ in the last bit by where it stands in FAISS's blocks.
        hits = sorted(
            (-round(float(score), 6), int(chunk))
            for score, chunk in zip(scores[0], ids[0], strict=True)
            if chunk >= 0
        )
        # Which of many equal scores FAISS keeps is its own choice: look on until the tie at the cut ends.
        if fetch >= kept or len(hits) < fetch or hits[k - 1][0] != hits[-1][0]:
            return [(chunk, -score) for score, chunk in hits[:k]]
        fetch = min(fetch * 4, kept)
