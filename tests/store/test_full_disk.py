"""A real disk that is full: what was written before can be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.store import open_index
from tests.disks import SmallDisk
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of


def _fill(disk: Path) -> None:
    for size in (1 << 16, 1 << 9, 1):
        with (disk / f"filling-{size}").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


@pytest.mark.slow
def test_an_interrupted_index_is_read_on_a_full_disk(
    small_disk: SmallDisk, fill: Callable, location: Path
) -> None:
    disk = small_disk.resized(4 << 20)
    fill([document("a.pdf", [corpus.ENGLISH[0], corpus.KOREAN[0]])])
    writing = open_index(location)
    with writing.writer() as writer:
        item = document("b.pdf", [corpus.ENGLISH[3]])
        writer.put(item, vectors_of(item))
        # as a kill leaves it: commits in the WAL, and no shared memory after the machine was started again
        index = Path(shutil.copytree(location, disk / "index"))
    writing.close()
    (index / "index.db-shm").unlink(missing_ok=True)
    assert (index / "index.db-wal").stat().st_size > 0
    _fill(disk)
    with open_index(index) as opened:
        assert [source.file for source in opened.documents()] == ["a.pdf"]
        assert opened.search_dense(question(corpus.ENGLISH[0]), 1)
        assert opened.search_keywords(["mooring"], 3) is not None
