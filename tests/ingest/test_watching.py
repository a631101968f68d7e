"""`rag watch`: after any changes, restarts and kills the index equals a fresh one."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest.progress import IngestReport
from rag.store import open_index
from tests.conftest import ROOT, clean_environment
from tests.ingest.support import HashEmbedder, run
from tests.ingest.watched_run import watched

WORDS = ("harbour", "ferry", "granite", "lantern", "항구", "등대", "meadow", "copper", "과수원", "timber")


def contents(index: Path) -> dict[str, Any]:
    """Every document of an index with its bytes' hash, its pages and its chunks."""
    with open_index(index) as opened:
        snapshot = opened.snapshot()
        found = {}
        for record, content in snapshot.contents():
            document = snapshot.load_document(record, content)[0] if content is not None else None
            parts = ([p.text for p in document.pages], [c.text for c in document.chunks]) if document else ()
            found[record.file] = (record.content_hash, record.status, parts)
        return found


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for a condition; fails when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the index did not follow"
        time.sleep(0.05)


@contextmanager
def watching(folder: Path, index: Path, embedder: HashEmbedder) -> Iterator[list[IngestReport]]:
    """Watch in a thread; yields the reports so far."""
    stop, reports = threading.Event(), list[IngestReport]()
    thread = threading.Thread(target=watched, args=(folder, index, stop, embedder, reports.append))
    thread.start()
    try:
        yield reports
    finally:
        stop.set()
        thread.join()


def test_changes_renames_and_deletions_are_followed(tmp_path: Path) -> None:
    folder, index, embedder = tmp_path / "문서", tmp_path / "문서" / ".rag", HashEmbedder()
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(f"The {name} harbour has a granite lantern.", encoding="utf-8")
    with watching(folder, index, embedder) as reports:
        until(lambda: len(reports) == 1)
        assert {result.file for result in reports[0].files} == {"a.txt", "b.txt", "c.txt"}
        paid = len(embedder.texts)
        (folder / "a.txt").rename(folder / "가.txt")
        until(lambda: len(reports) == 2)
        assert reports[1].renamed == [("a.txt", "가.txt")]
        assert len(embedder.texts) == paid
        (folder / "b.txt").unlink()
        until(lambda: len(reports) == 3)
        assert reports[2].pruned == ["b.txt"]
        (folder / "c.txt").write_text("The c harbour has a copper lantern.", encoding="utf-8")
        until(lambda: len(reports) == 4)
        assert [result.file for result in reports[3].files] == ["c.txt"]
        for path in list(folder.glob("*.txt")):  # a drive that is gone, rather than every file of it
            path.unlink()
        (folder / "note.tmp~").touch()
        time.sleep(1)
    assert set(contents(index)) >= {"가.txt", "c.txt"}


def _change(folder: Path, chance: random.Random, number: int) -> None:
    """One edit, renaming, deletion or new file, anywhere in the folder."""
    files = sorted(folder.rglob("*.txt"))
    kind = chance.choice(["new", "new", "edit", "edit", "rename", "move", "delete"]) if files else "new"
    path = chance.choice(files) if files else folder
    if kind in ("new", "edit"):
        target = path if kind == "edit" else folder / chance.choice(["", "하위", "deep/er"]) / f"{number}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(" ".join(chance.choices(WORDS, k=40)) + f" {number}.", encoding="utf-8")
    elif kind == "delete" and len(files) > 1:
        path.unlink()
    elif kind in ("rename", "move"):
        place = path.parent if kind == "rename" else folder
        path.rename(place / f"{number}-이름.txt")


@pytest.mark.slow
def test_after_two_hundred_changes_and_twenty_kills_the_index_equals_a_fresh_one(tmp_path: Path) -> None:
    folder, index, chance = tmp_path / "documents", tmp_path / "index", random.Random(11)
    folder.mkdir()
    (folder / "first.txt").write_text("The first harbour.", encoding="utf-8")
    command = [sys.executable, "-m", "tests.ingest.watched_run", str(folder), str(index)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=ROOT, env=clean_environment())

    process = start()
    try:
        for number in range(200):
            _change(folder, chance, number)
            if chance.random() < 0.3:  # otherwise it belongs to a burst
                time.sleep(chance.uniform(0, 1.5))
            if number % 10 == 9:
                time.sleep(chance.uniform(0.5, 3))
                process.kill()
                process.wait()
                process = start()
        run(folder, tmp_path / "fresh")
        expected = contents(tmp_path / "fresh")
        until(lambda: (index / "index.db").exists() and contents(index) == expected, 180)
    finally:
        process.kill()
        process.wait()
    with open_index(index) as opened:
        assert opened.verify() == []
