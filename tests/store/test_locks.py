"""One writer at a time; the other waits or says who holds the lock."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import IndexLocked
from rag.store import open_index
from tests.store import corpus
from tests.store.processes import run, start


@pytest.fixture
def holder(location: Path, fill: Callable):
    fill([corpus.document("a.pdf", [corpus.ENGLISH[0]])])
    worker = start("hold", location)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    with worker:
        yield worker
        worker.kill()


def test_the_holder_is_named(location: Path, holder) -> None:
    with open_index(location) as index:
        for wait in (False, 0.2):
            with (
                pytest.raises(IndexLocked, match=rf"process {holder.pid} on .+ since 20\d\d-"),
                index.writer(wait=wait),
            ):
                pass
        assert len(index.search_keywords(["mooring"], 3)) == 1, "reading goes on"


def test_waiting_says_so_and_ends_when_the_lock_is_free(location: Path, holder) -> None:
    said: list[str] = []
    with open_index(location) as index:
        timer = threading.Timer(0.3, holder.stdin.close)
        timer.start()
        with index.writer(on_wait=said.append) as writer:
            writer.prune(["a.pdf"])
        assert index.sources() == []
    assert len(said) == 1
    assert re.match(rf"Waiting for process {holder.pid} ", said[0])


def test_a_killed_holder_leaves_no_lock(location: Path, holder) -> None:
    holder.kill()
    holder.wait()
    with open_index(location) as index, index.writer(wait=False) as writer:
        writer.prune(["a.pdf"])
    assert not (location / "writer.json").exists()


def test_damage_while_another_writes_is_mended_in_memory(location: Path, holder) -> None:
    (location / "vectors.faiss").unlink()
    answer = run("ask", location)
    assert answer["answers"] == {"dense": [1], "keywords": [1], "pages": [["a.pdf", 1]], "chunks": 1}
    assert len(answer["notices"]) == 1
    assert "in memory" in answer["notices"][0]
    assert not (location / "vectors.faiss").exists()


def test_a_nonsense_holder_file_is_only_a_courtesy(location: Path, holder) -> None:
    for nonsense in ("{", "[]", '{"pid": "x"}', "\0" * 10_000):
        (location / "writer.json").write_text(nonsense)
        with (
            open_index(location) as index,
            pytest.raises(IndexLocked, match="another process"),
            index.writer(wait=False),
        ):
            pass


def test_two_processes_making_one_index(tmp_path: Path) -> None:
    workers = [start("ingest", tmp_path / "index", 6, os.devnull) for _ in range(3)]
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        assert "done" in out
    with open_index(tmp_path / "index") as index:
        assert index.counts().chunks == 24
        assert index.verify() == []
