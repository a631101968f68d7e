"""vectors.faiss: the dense index, derived from the database.

The file is what `faiss.write_index` makes, followed by a footer of ours that FAISS never reads: which index
it belongs to and which generations it holds. Its structure is checked before FAISS sees it, because FAISS
trusts the sizes in a file. It is written beside its place, synced and renamed.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import IndexDamaged
from rag.store.structure import check_payload

FILE = "vectors.faiss"

_FOOTER = struct.Struct("<8s16sQQQQI")
_MAGIC = b"PQVECT01"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a derived index holds: contents added up to `generation` and not removed up to `base`."""

    instance: str
    base: int
    generation: int

    def serves(self, instance: str, generation: int) -> bool:
        """True when a reader at `generation` finds all it may see in there."""
        return self.instance == instance and self.base <= generation <= self.generation


def write(index: Any, path: Path, stamp: Stamp) -> None:
    """Write and put in place atomically. Raises OSError, or FAISS's RuntimeError, when the disk is full."""
    import faiss

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
    if not stat.S_ISREG(path.lstat().st_mode):
        raise IndexDamaged("it is not a plain file")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size  # not by name: a writer may put another file in its place
        if size < _FOOTER.size:
            raise IndexDamaged("it is too short")
        file.seek(size - _FOOTER.size)
        footer = file.read(_FOOTER.size)
        magic, instance, base, generation, count, payload, checksum = _FOOTER.unpack(footer)
        if magic != _MAGIC or checksum != zlib.crc32(footer[:-4]):
            raise IndexDamaged("its last bytes are not the stamp that pagequote writes")
        if payload != size - _FOOTER.size:
            raise IndexDamaged("it was cut short or lengthened")
        check_payload(file, payload, dimension, count)
    return Stamp(instance.hex(), base, generation)


def load(path: Path, *, mapped: bool) -> Any:
    """Read a file that `read_stamp` has checked; `mapped` leaves vectors on disk until they are needed."""
    import faiss

    if not mapped:
        return faiss.read_index(str(path))
    with path.open("rb") as file:
        inverted = file.read(4) == b"IwFl"
    flags = (
        faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if inverted else getattr(faiss, "IO_FLAG_MMAP_IFC", 0)
    )
    return faiss.read_index(str(path), flags)
