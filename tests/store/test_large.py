"""The inverted file that takes over from the flat index: chosen by size, kept up, as good as the exact search."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.store import Filter, Index, open_index, vectors
from tests.store import corpus
from tests.store.corpus import DIMENSION, document

FLAT = 1000
"""Vectors up to which these tests' indexes are flat."""


@pytest.fixture(autouse=True, scope="module")
def small_flat() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "FLAT_BYTES", FLAT * DIMENSION * 4)
        yield


def clustered(count: int, seed: int) -> np.ndarray:
    """Unit vectors around a hundred centres, as embeddings are."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((100, DIMENSION))
    table = centres[chance.integers(100, size=count)] + 0.8 * chance.standard_normal((count, DIMENSION))
    return (table / np.linalg.norm(table, axis=1, keepdims=True)).astype(np.float32)


TABLE = clustered(4000, seed=5)


def add(index: Index, file: str, vectors: np.ndarray) -> None:
    pages = [f"{file} {number}" for number in range(len(vectors))]
    with index.writer() as writer:
        writer.put(document(file, pages), vectors)


def kind(location: Path) -> bytes:
    return (location / "vectors.faiss").read_bytes()[:4]


def recall(
    index: Index, table: np.ndarray, where: Filter | None = None, allowed: slice = slice(None)
) -> float:
    """Against brute force; the chunk ids of `table` count from 1."""
    found = 0
    for query in clustered(50, seed=77):
        exact = np.argsort(-(table[allowed] @ query), kind="stable")[:10] + (allowed.start or 0) + 1
        found += len(set(exact.tolist()) & {hit.chunk_id for hit in index.search_dense(query, 10, where)})
    return found / 500


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the 4000 vectors of `TABLE` in four files."""
    location = tmp_path_factory.mktemp("large") / "made"
    with open_index(location, create=corpus.spec()) as index:
        for number in range(4):
            add(index, f"{number}.pdf", TABLE[number * 1000 : number * 1000 + 1000])
    return location


@pytest.fixture
def large(made: Path, location: Path) -> Path:
    """A copy of it."""
    shutil.copytree(made, location)
    return location


def test_flat_while_small_then_lists(index: Index, location: Path) -> None:
    table = clustered(2400, seed=4)
    add(index, "a.pdf", table[:800])
    assert kind(location) == b"IxMp"
    assert recall(index, table[:800]) == 1.0
    add(index, "b.pdf", table[800:])
    assert kind(location) == b"IwFl"
    assert recall(index, table) >= 0.98
    with index.writer() as writer:
        writer.prune(["b.pdf"])
    assert kind(location) == b"IxMp"
    assert index.verify() == []


def test_recall_after_growing_and_removing(large: Path) -> None:
    assert kind(large) == b"IwFl"
    with open_index(large) as index:
        assert recall(index, TABLE) >= 0.98
        with index.writer() as writer:
            writer.prune(["3.pdf"])
        assert recall(index, TABLE[:3000]) >= 0.98
        assert index.verify() == []


def test_small_additions_keep_the_lists_and_great_ones_train_again(index: Index, location: Path) -> None:
    table = clustered(7000, seed=6)
    add(index, "a.pdf", table[:1100])

    def lists() -> int:
        return struct.unpack("<Q", (location / "vectors.faiss").read_bytes()[37:45])[0]

    before = lists()
    add(index, "b.pdf", table[1100:1500])
    assert lists() == before
    add(index, "c.pdf", table[1500:])
    assert lists() > before
    assert recall(index, table) >= 0.98


def test_narrow_filters_find_as_much(made: Path) -> None:
    with open_index(made) as index:
        assert recall(index, TABLE, Filter.parse(["file=2.pdf"]), slice(2000, 3000)) >= 0.98
        rows = [number * 1000 + page for number in range(4) for page in range(4)]
        for query in clustered(10, seed=3):
            exact = sorted(rows, key=lambda row: -float(TABLE[row] @ query))[:10]
            found = index.search_dense(query, 10, Filter.parse(["page=1-4"]))
            assert [hit.chunk_id - 1 for hit in found] == exact


def test_two_builds_are_the_same(tmp_path: Path) -> None:
    files = []
    for name in ("x", "y"):
        with open_index(tmp_path / name, create=corpus.spec()) as index:
            add(index, "a.pdf", clustered(2000, seed=8))
        files.append((tmp_path / name / "vectors.faiss").read_bytes()[: -vectors._FOOTER.size])
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (8, struct.pack("<q", 2**40)),
        (37, struct.pack("<Q", 2**40)),
        (45, struct.pack("<Q", 0)),
        (45, struct.pack("<Q", 2**33)),
        (53, b"IxHN"),
        (61, struct.pack("<q", 2**50)),
        (90, struct.pack("<Q", 2**60)),
    ],
)
def test_hostile_lengths_are_repaired(large: Path, offset: int, data: bytes) -> None:
    path = large / "vectors.faiss"
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    check_repaired(large)


@pytest.mark.parametrize("sizes", [[2**63, 2**63], [2**64 - 1], [0, 0, 0], [5_000]])
def test_hostile_list_sizes_are_repaired(large: Path, sizes: list[int]) -> None:
    path = large / "vectors.faiss"
    content = bytearray(path.read_bytes())
    at = content.index(b"full") + 12
    content[at : at + 8 * len(sizes)] = struct.pack(f"<{len(sizes)}Q", *sizes)
    path.write_bytes(content)
    check_repaired(large)


def check_repaired(location: Path) -> None:
    notices: list[str] = []
    with open_index(location, notify=notices.append) as index:
        assert recall(index, TABLE) >= 0.98
        assert index.verify() == []
    assert len(notices) == 1
    assert "vectors.faiss is damaged" in notices[0]


def test_reading_leaves_the_vectors_on_the_disk(made: Path) -> None:
    import faiss

    with open_index(made) as index:
        index.search_dense(TABLE[0], 5)
        engine = index._reader._vectors  # type: ignore[attr-defined]
        assert isinstance(faiss.downcast_InvertedLists(engine.invlists), faiss.OnDiskInvertedLists)
