"""A folder that may not be written, a full disk, large batches, permissions."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.errors import IndexReadOnly
from rag.store import open_index
from tests.store import corpus
from tests.store.processes import run

HARBOUR = corpus.document("a.pdf", list(corpus.ENGLISH), title="Fees")
EXPECTED = {"dense": [1], "keywords": [1], "pages": [["a.pdf", 1]], "chunks": 6}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "색인"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A second index, writable."""
    with open_index(tmp_path / "other", create=corpus.spec()) as index, index.writer() as writer:
        writer.put(HARBOUR, corpus.vectors_of(HARBOUR))
    return tmp_path / "other"


def forbid_writing(location: Path) -> None:
    """Nobody but root may write there, and everybody may read."""
    for path in (location, *location.rglob("*")):
        path.chmod((path.stat().st_mode | 0o444 | (0o111 if path.is_dir() else 0)) & ~0o222)


@pytest.fixture
def unwritable(location: Path, fill: Callable) -> Iterator[Path]:
    """A filled index that its reader may not write."""
    fill([HARBOUR])
    forbid_writing(location)
    yield location
    for path in (location, *location.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def check(outcome: dict, notices: int) -> None:
    answers = outcome["answers"]
    answers["dense"] = answers["dense"][:1]
    assert answers["keywords"][:1] == EXPECTED["keywords"]
    assert answers["pages"][:1] == EXPECTED["pages"]
    assert (answers["dense"], answers["chunks"]) == (EXPECTED["dense"], EXPECTED["chunks"])
    assert len(outcome["notices"]) == notices


def test_a_read_only_folder_is_read(unwritable: Path, other: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in unwritable.rglob("*")}
    check(run("ask_as_nobody", unwritable, other), notices=0)
    assert {path: path.stat().st_mtime_ns for path in unwritable.rglob("*")} == before


@pytest.mark.parametrize("name", ["vectors.faiss", "keywords/chunks/meta.json"])
def test_damage_in_a_read_only_folder_is_mended_in_memory(unwritable: Path, other: Path, name: str) -> None:
    folder = (unwritable / name).parent
    folder.chmod(0o755)
    (unwritable / name).unlink()
    folder.chmod(0o555)
    check(run("ask_as_nobody", unwritable, other), notices=1)


def test_commits_left_in_the_wal_are_read_in_a_read_only_folder(
    tmp_path: Path, location: Path, fill: Callable, other: Path
) -> None:
    fill([])
    copy = tmp_path / "copy"
    with open_index(location) as index, index.writer() as writer:
        writer.put(HARBOUR, corpus.vectors_of(HARBOUR))
        writer.publish()
        assert (location / "index.db-wal").stat().st_size > 0
        shutil.copytree(location, copy)
    (copy / "index.db-shm").unlink()
    forbid_writing(copy)
    check(run("ask_as_nobody", copy, other), notices=0)


def test_writing_where_one_may_not_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexReadOnly, match="--index"):
        open_index(tmp_path / "file" / "index", create=corpus.spec())


@pytest.mark.parametrize("limit", [30_000, 120_000, 200_000, 300_000])
def test_a_full_disk_is_one_sentence_and_the_index_stays_sound(tmp_path: Path, limit: int) -> None:
    location = tmp_path / "index"
    outcome = run("write_limited", location, limit)
    assert outcome["error"] == "IndexError_"
    assert "free some disk space" in outcome["text"]
    assert "\n" not in outcome["text"]
    with open_index(location, create=corpus.spec()) as index:
        assert index.verify() == []
        assert {entry.chunks for entry in index.document_statuses()} <= {8}
        with index.writer() as writer:
            for item in corpus.generated(60, pages=8):
                writer.put(item, corpus.vectors_of(item))
        assert index.counts().chunks == 480
        assert index.verify() == []
    assert not [path for path in location.rglob("*") if ".tmp" in path.name]


def test_all_files_have_the_permissions_that_new_files_get(location: Path, fill: Callable) -> None:
    mask = os.umask(0o027)
    try:
        fill([HARBOUR])
    finally:
        os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in location.rglob("*") if path.is_file()}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o137} == {}
    assert all(mode & 0o440 == 0o440 for name, mode in modes.items() if name != "writer.lock")


def test_a_document_of_many_chunks(location: Path, fill: Callable) -> None:
    pages = [f"{corpus.ENGLISH[n % 6]} 번호 {n}" for n in range(3000)]
    fill([corpus.document("large.pdf", pages)])
    with open_index(location) as index:
        assert index.counts().chunks == 3000
        (hit,) = index.search_keywords(["2718"], 5)
        assert index.passages([hit.chunk_id])[0].page == 2719
        assert len(index.passages(range(1, 3001))) == 3000
        assert index.vectors(range(1, 3001)).shape == (3000, corpus.DIMENSION)


def test_an_index_that_may_not_be_read_is_one_sentence(
    tmp_path: Path, location: Path, fill: Callable, other: Path
) -> None:
    fill([HARBOUR])
    location.chmod(0o700)
    if os.geteuid() != 0:
        location.chmod(0)
    outcome = run("ask_as_nobody", location, other)
    location.chmod(0o700)
    assert outcome["error"] == "IndexError_"
    assert "permissions" in outcome["text"]
