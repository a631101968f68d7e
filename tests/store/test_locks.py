"""One writer at a time; the other waits or says who holds the lock."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from rag.errors import IndexLocked
from rag.store import open_index
from tests.kinds import BOTH_KINDS
from tests.store.processes import start

KINDS = BOTH_KINDS


def test_the_holder_is_named(location: Path | str, holder) -> None:
    with open_index(location) as index:
        for wait in (False, 0.2):
            with (
                pytest.raises(IndexLocked, match=rf"process {holder.pid} on .+ since 20\d\d-"),
                index.writer(wait=wait),
            ):
                pass
        assert len(index.search_keywords(["mooring"], 3)) == 1, "reading goes on"


def test_waiting_says_so_and_ends_when_the_lock_is_free(location: Path | str, holder) -> None:
    said: list[str] = []
    with open_index(location) as index:
        timer = threading.Timer(0.3, holder.stdin.close)
        timer.start()
        with index.writer(on_wait=said.append) as writer:
            writer.prune(["a.pdf"])
        assert index.documents() == []
    assert len(said) == 1
    assert re.match(rf"Waiting for process {holder.pid} ", said[0])


def test_a_killed_holder_leaves_no_lock(location: Path | str, holder) -> None:
    holder.kill()
    holder.wait()
    with open_index(location) as index, index.writer(wait=False) as writer:
        writer.prune(["a.pdf"])
    assert not Path(location, "writer.json").exists()


def test_two_processes_making_one_index(location: Path | str) -> None:
    workers = [start("ingest", location, 6, os.devnull) for _ in range(3)]
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        assert "done" in out
    with open_index(location) as index:
        assert index.counts().chunks == 24
        assert index.verify() == []
