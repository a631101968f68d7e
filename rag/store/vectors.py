"""vectors.faiss: which kind of FAISS index, searching it, and reading and writing its file.

Up to FLAT_BYTES of vectors every one of them is compared: exact, nothing to train, and fast enough. Beyond that an
inverted file: the vectors are put into lists around trained centres, and a search visits the lists whose centres
are nearest. How many it visits is measured at training, so that it finds what the exact search finds.

The file is what `faiss.write_index` makes, followed by a footer that FAISS never reads: which index it belongs to
and which generation it holds. Its structure is checked before FAISS reads it, because FAISS trusts the sizes in a
file.
"""

from __future__ import annotations

import math
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.store.rows import Vectors

FILE = "vectors.faiss"
FLAT_BYTES = 320 * 2**20
"""About 25 ms of comparing at 12 GB/s from memory; 218 thousand vectors of 384 numbers."""

TARGET_RECALL = 0.99
"""Share of the ten nearest that calibration asks for; above the promised 0.98, because questions differ from it."""

SAMPLE_PER_LIST = 48
"""Vectors for each centre in training; FAISS advises at least 39 (Clustering: min_points_per_centroid)."""

CALIBRATION_QUERIES = 128
QUESTION_COSINE = 0.4
"""How near the questions of the calibration are to a stored vector. Real ones lie nearer (0.87), but all to one
side, away from the passages as a group, and that is what makes their neighbours hard to find. Turned away at random,
0.4 is as hard: over 10,010 real passages in 200 lists, 926 real questions need 64 lists for a recall of 0.984, and
these find 0.989 there; at 0.8 they are content with 33 lists, where the real ones find 0.96.
"""

COMPARED_DIRECTLY = 1000
"""Vectors left by a filter up to which an inverted file is not asked: its lists would all be walked through to find
them, where comparing them one by one is quicker, and exact."""

DIGITS = 6
"""To which scores are equal: the same vector may differ in the last bit by where it stands in FAISS's blocks."""

RETRAIN_GROWTH = 4
"""Trained again when there are this many times as many vectors as it was trained for."""

_FOOTER = struct.Struct("<8s16s8xQQQI")
"""Magic, instance, eight bytes that the earlier format used, generation, number of vectors, bytes before, CRC-32."""
_MAGIC, _EARLIER_MAGIC = b"PQVECT02", b"PQVECT01"

# fourcc; d, ntotal, two dummies, is_trained, metric_type (0 is the inner product)
_HEADER = struct.Struct("<4siqqqBi")
_NUMBER = struct.Struct("<Q")
_LISTS = struct.Struct("<4sQQ4sQ")
_NO_DIRECT_MAP = b"\0" * 9
_ID_BYTES = 8
Key = TypeVar("Key", bound=tuple[int, ...])


def _faiss() -> Any:
    """FAISS, imported when first needed; its annotations do not know what its Python layer adds."""
    import faiss

    return faiss


def lists_for(count: int, dimension: int) -> int:
    """How many lists an index of `count` vectors should have; 0 means a flat index."""
    if 4 * count * dimension <= FLAT_BYTES:
        return 0
    return 2 * math.isqrt(count)


def suits(index: Any, count: int, dimension: int) -> bool:
    """True when the index may go on as it is with `count` vectors in it."""
    wanted, lists = lists_for(count, dimension), lists_of(index)
    if not wanted or not lists:
        return wanted == lists
    return wanted <= lists * math.isqrt(RETRAIN_GROWTH)


def lists_of(index: Any) -> int:
    """The number of lists of an inverted file; 0 of a flat index."""
    return int(getattr(index, "nlist", 0))


def new_flat(dimension: int) -> Any:
    """An empty index that compares everything."""
    faiss = _faiss()
    # IndexIDMap2 would add a hash table from id to row, built as a whole at every opening; what it is for
    # (reconstructing a vector by id) the database does.
    return faiss.IndexIDMap(faiss.IndexFlatIP(dimension))


def new_inverted(sample: Vectors, lists: int) -> Any:
    """An empty inverted file with `lists` lists around centres trained on `sample`, shape [n, dimension]."""
    faiss = _faiss()
    index = faiss.index_factory(sample.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 1  # the same vectors give the same lists
    # Unit centres: otherwise the inner product favours the lists with long ones.
    index.cp.spherical = True
    index.train(sample)
    return index


def calibrate(index: Any, sample: Vectors) -> None:
    """Set how many lists a search visits: the fewest that reach TARGET_RECALL at 10.

    sample: stored vectors, shape [n, dimension]. Each is turned away to QUESTION_COSINE at random, and the ten
    nearest by visiting every list are the truth.
    """
    faiss = _faiss()
    chance = np.random.default_rng(1)
    near = sample[chance.permutation(len(sample))[:CALIBRATION_QUERIES]]
    noise = chance.standard_normal(near.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    queries = QUESTION_COSINE * near + math.sqrt(1 - QUESTION_COSINE**2) * noise
    k = min(10, index.ntotal)
    _, truth = index.search(queries, k, params=faiss.SearchParametersIVF(nprobe=index.nlist))
    probes = 1
    while probes < index.nlist:
        _, found = index.search(queries, k, params=faiss.SearchParametersIVF(nprobe=probes))
        same = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True))
        if same >= TARGET_RECALL * k * len(queries):
            break
        probes = max(probes + 1, probes * 5 // 4)
    index.nprobe = min(probes, index.nlist)


def search(
    index: Any, vector: Vectors, k: int, selector: NDArray[np.bool_] | None = None
) -> list[tuple[int, float]]:
    """The `k` nearest by inner product as (id, score), best first, equal scores by id.

    vector: unit length, shape [dimension]. selector: by id, which ids may be returned; ids beyond it may not.
    """
    kept = index.ntotal if selector is None else int(selector.sum())
    k = min(k, kept)
    if k <= 0:
        return []
    # `bits` and `chosen` are only borrowed by the parameters, so they must live until the search is over.
    bits = None if selector is None else np.packbits(selector, bitorder="little")
    chosen = None if bits is None else _faiss().IDSelectorBitmap(bits)
    parameters = _parameters(index, chosen, kept)

    def fetch(limit: int) -> list[tuple[float, tuple[int]]]:
        with _one_thread():
            scores, ids = index.search(vector.reshape(1, -1), limit, params=parameters)
        found = zip(scores[0], ids[0], strict=True)
        return [(float(score), (int(chunk),)) for score, chunk in found if chunk >= 0]

    return [(chunk, score) for (chunk,), score in top_scores(fetch, k, DIGITS, most=kept)]


@contextmanager
def _one_thread() -> Iterator[None]:
    """FAISS on the calling thread alone, in here.

    It shares work out by question; with a single one the other threads of OpenMP only spin at a barrier, and the
    search waits there for them: on two busy processors 30 times its own time. The setting is that of one thread.
    """
    faiss = _faiss()
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def compare(ids: NDArray[np.int64], table: Vectors, vector: Vectors, k: int) -> list[tuple[int, float]]:
    """As `search`, by comparing every one of `table`, shape [n, dimension], whose chunks are `ids`."""
    scores = np.round(table @ vector, 6)
    order = np.lexsort((ids, -scores))[: max(k, 0)]
    return [(int(ids[place]), float(scores[place])) for place in order]


def _parameters(index: Any, chosen: Any, kept: int) -> Any:
    faiss = _faiss()
    if not lists_of(index):
        return None if chosen is None else faiss.SearchParameters(sel=chosen)
    # The fewer a filter lets through, the further away they are: visit lists until as many as usual were compared.
    probes = min(index.nlist, math.ceil(index.nprobe * index.ntotal / max(kept, 1)))
    if chosen is None:
        return faiss.SearchParametersIVF(nprobe=probes)
    return faiss.SearchParametersIVF(nprobe=probes, sel=chosen)


def entries(index: Any) -> tuple[NDArray[np.int64], Vectors]:
    """Ids and vectors of an index, in order of id. For the integrity check: it reads all."""
    faiss = _faiss()
    if not lists_of(index):
        return faiss.vector_to_array(index.id_map), index.index.reconstruct_n(0, index.ntotal)
    ids, parts = [], []
    inverted = index.invlists
    for number in range(index.nlist):
        size = inverted.list_size(number)
        if size:
            ids.append(faiss.rev_swig_ptr(inverted.get_ids(number), size).copy())
            codes = faiss.rev_swig_ptr(inverted.get_codes(number), size * 4 * index.d)
            parts.append(codes.copy().view(np.float32).reshape(size, index.d))
    order = np.argsort(np.concatenate(ids), kind="stable") if ids else np.empty(0, np.int64)
    if not ids:
        return order, np.empty((0, index.d), np.float32)
    return np.concatenate(ids)[order], np.concatenate(parts)[order]


_SPARE = 8
_FETCH_GROWTH = 4
"""Results fetched beyond `k` at first, and by how much more when a tie goes on at the cut."""


def top_scores(
    fetch: Callable[[int], list[tuple[float, Key]]], k: int, digits: int, most: int | None = None
) -> list[tuple[Key, float]]:
    """The `k` best as (key, score), equal scores in the order of the keys.

    fetch: gives up to so many of the best in any order. digits: scores that agree to so many are equal. most: how
    many there are at all, when that is known. Which of many equal scores an engine keeps is its own choice, so it
    is asked on until the tie at the cut ends.
    """
    if k <= 0:
        return []
    limit = k + _SPARE if most is None else min(k + _SPARE, most)
    while True:
        hits = sorted((-round(score, digits), key) for score, key in fetch(limit))
        complete = len(hits) < limit or limit == most
        if complete or hits[k - 1][0] != hits[-1][0]:
            return [(key, -score) for score, key in hits[:k]]
        limit = limit * _FETCH_GROWTH if most is None else min(limit * _FETCH_GROWTH, most)


# -- the file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a derived index holds: exactly the contents of one generation of one index."""

    instance: str
    generation: int


def write(index: Any, path: Path, stamp: Stamp) -> None:
    """Write and put in place atomically. Raises OSError, or FAISS's RuntimeError, when the disk is full."""
    import faiss

    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        beside.unlink(missing_ok=True)
        faiss.write_index(index, str(beside))
        with beside.open("r+b") as file:
            payload = file.seek(0, os.SEEK_END)
            instance = bytes.fromhex(stamp.instance)
            body = _FOOTER.pack(_MAGIC, instance, stamp.generation, index.ntotal, payload, 0)[:-4]
            file.write(body + struct.pack("<I", zlib.crc32(body)))
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
        magic, instance, generation, count, payload, checksum = _FOOTER.unpack(footer)
        if magic == _EARLIER_MAGIC:
            raise IndexDamaged("was made by an earlier version")
        if magic != _MAGIC or checksum != zlib.crc32(footer[:-4]):
            raise IndexDamaged("it does not end with the footer of this version")
        if payload != size - _FOOTER.size:
            raise IndexDamaged("it was cut short or lengthened")
        _check_payload(file, payload, dimension, count)
    return Stamp(instance.hex(), generation)


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


# -- checking its structure -----------------------------------------------------------------------------------


def _check_payload(file: BinaryIO, payload: int, dimension: int, count: int) -> None:
    """Raise IndexDamaged unless the first `payload` bytes are an index of `count` vectors and nothing else.

    The two kinds made here are laid out as FAISS's impl/index_write.cpp writes them: little endian, a fourcc, then
    numbers and arrays that begin with their length. Every length is compared with the number of vectors and the
    size of the file, so that nothing is read or allocated beyond the file.
    """
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
