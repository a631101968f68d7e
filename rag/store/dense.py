"""FAISS: which kind of index, how it is trained, and searching it.

Up to FLAT_BYTES of vectors every one of them is compared: exact, nothing to train, and quick enough. Beyond that an
inverted file: the vectors are put into lists around trained centres, and a search visits the lists whose centres
are nearest. How many it visits is measured when it is trained, so that it finds what the exact search finds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.store.best import best
from rag.store.rows import Vectors

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

FEW = 1000
"""Vectors left by a filter up to which an inverted file is not asked: its lists would all be walked through to find
them, where comparing them one by one is quicker, and exact."""

DIGITS = 6
"""To which scores are equal: the same vector may differ in the last bit by where it stands in FAISS's blocks."""

GROWTH = 4
"""Trained anew when there are this many times as many vectors as it was trained for."""


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
    return wanted <= lists * math.isqrt(GROWTH)


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

    return [(chunk, score) for (chunk,), score in best(fetch, k, DIGITS, most=kept)]


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
