"""What only an index in a folder has: derived files that follow the database, and a file that names the writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import IndexLocked
from rag.store import Index, open_index
from rag.types import Document
from tests.store import corpus
from tests.store.corpus import document, vectors_of
from tests.store.processes import run


def put(index: Index, *documents: Document) -> None:
    with index.writer() as writer:
        for item in documents:
            writer.put(item, vectors_of(item))


def test_publishing_adds_to_what_is_there(index: Index, location: Path) -> None:
    put(index, *corpus.generated(3))
    before = {path.stat().st_ino for path in location.glob("keywords/*/chunks/*.idx")}
    put(index, document("new.pdf", ["one wharf"]))
    after = {path.stat().st_ino for path in location.glob("keywords/*/chunks/*.idx")}
    assert after > before != set()


def test_publishing_nothing_writes_nothing(index: Index, location: Path) -> None:
    put(index, *corpus.generated(3))
    before = {
        path: path.stat().st_mtime_ns
        for path in location.rglob("*")
        if path.suffix in (".faiss", ".idx", ".json")
    }
    put(index)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_damage_while_another_writes_is_repaired_in_memory(location: Path, holder) -> None:
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
