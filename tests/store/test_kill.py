"""kill -9 at any moment: nothing half, nothing lost, nothing paid for twice."""

from __future__ import annotations

import collections
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import IndexMissing
from rag.store import Index, open_index
from tests.kinds import BOTH_KINDS
from tests.store import corpus
from tests.store.processes import start

KINDS = BOTH_KINDS

FILES = 24
PAGES = 4


def kill_after(seconds: float, location: Path | str, paid: Path) -> bool:
    """Run the ingestion and kill it so long after it began; True when it was done before."""
    worker = start("ingest", location, FILES, paid)
    assert worker.stdout is not None
    worker.stdout.readline()
    timer = threading.Timer(seconds, worker.kill)
    timer.start()
    out, err = worker.communicate(timeout=120)
    timer.cancel()
    assert worker.returncode in (0, -9), err
    return "done" in out


def contents(index: Index) -> list[object]:
    """Everything a reader can see of an index, without ids."""
    seen: list[object] = []
    for entry in index.document_statuses():
        file = entry.record.file
        chunks = [chunk for page in index.pages(file) for chunk in index.chunks_of_page(file, page.number)]
        seen.append((entry, index.pages(file), [(p.text, p.spans) for p in index.passages(chunks)]))
    for text in (*corpus.ENGLISH, *corpus.KOREAN):
        hits = index.search_dense(corpus.question(text), 5)
        seen.append([hit.score for hit in hits])
        seen.append([(hit.file, hit.page) for hit in index.search_pages(text.split()[:3], 200)][:1])
    return seen


def check_killed_index(location: Path | str) -> int:
    """Every file there is whole and the three parts agree. Returns how many files there are."""
    try:
        opened = open_index(location)
    except IndexMissing:
        return 0
    with opened as index:
        assert index.verify() == []
        ledger = index.document_statuses()
        assert {(entry.pages, entry.chunks) for entry in ledger} <= {(PAGES, PAGES)}
        found = index.search_dense(corpus.question("a"), FILES * PAGES)
        assert len(found) == len(ledger) * PAGES
        assert len(index.passages([hit.chunk_id for hit in found])) == len(found)
        return len(ledger)


def kills(new_location: Callable, tmp_path: Path, count: int, seed: int) -> None:
    location, other, paid = new_location(), new_location(), tmp_path / "paid.jsonl"
    chance = random.Random(seed)
    files = 0
    for _ in range(count):
        kill_after(chance.uniform(0.0, 0.25), location, paid)
        now = check_killed_index(location)
        assert now >= files, "a finished file was lost"
        files = now
    assert kill_after(600, location, paid)
    assert kill_after(600, other, tmp_path / "other.jsonl")
    with open_index(location) as killed, open_index(other) as whole:
        assert killed.verify() == []
        assert contents(killed) == contents(whole)
    times = collections.Counter(json.loads(line) for line in paid.read_text(encoding="utf-8").splitlines())
    # The batch in flight at a kill is the pages of one file.
    assert sum(times.values()) - len(times) <= PAGES * count
    assert len(times) == FILES * PAGES
    assert list(Path(location).glob("*.tmp*")) == []


def test_killed_again_and_again(new_location: Callable, tmp_path: Path) -> None:
    kills(new_location, tmp_path, 3, seed=1)


@pytest.mark.slow
def test_fifty_kills(new_location: Callable, tmp_path: Path) -> None:
    kills(new_location, tmp_path, 50, seed=2)


def test_what_was_finished_before_a_kill_is_published_by_the_next_reader(location: Path | str) -> None:
    item = corpus.generated(1)[0]

    def interrupted() -> None:
        with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
            writer.put(item, corpus.vectors_of(item))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    notices: list[str] = []
    with open_index(location, notify=notices.append) as index:
        assert [source.file for source in index.documents()] == [item.record.file]
        assert len(index.search_dense(corpus.question("x"), 9)) == PAGES
        assert index.verify() == []
    assert len(notices) == 1
    assert "interrupted" in notices[0]
