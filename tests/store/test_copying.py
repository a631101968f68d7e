"""An index is copied whole, to any kind of place, and a copy that was stopped goes on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rag.cli.index import command
from rag.errors import IndexMismatch, UsageError
from rag.store import Index, copy_index, open_index
from rag.types import DocumentRecord, Page, Status
from tests.kinds import BOTH_KINDS, stored_chunks
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.processes import start

KINDS = BOTH_KINDS


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A folder with files in every state, and embeddings of two models."""
    place = tmp_path / "origin"
    old = corpus.spec(embedding_model="old", embedding_id="old-8", dimension=8)
    with open_index(place, create=old) as index, index.writer() as writer:
        writer.cache_vectors(["paid long ago"], np.eye(8)[:1])
    with open_index(place, create=corpus.spec(), rebuild=True) as index, index.writer() as writer:
        for item in [
            *corpus.generated(12),
            document("odd\0.pdf", ["before \x00 after", "둘째 쪽"], year="2024"),
        ]:
            writer.put(item, vectors_of(item))
        gone, failed = (corpus.generated(12)[n].record for n in (3, 5))
        writer.mark_removed([gone.file])
        writer.put_record(replace(failed, status=Status.FAILED, reason="the server did not answer"))
        scanned = DocumentRecord("scan.pdf", "/x", "s", 5, 5, Status.SCANNED)
        writer.put_record(scanned, [Page(1, "", Status.SCANNED, "one picture"), Page(2, "", Status.EMPTY)])
        writer.put_record(
            DocumentRecord("locked.pdf", "/x", "l", 5, 5, Status.ENCRYPTED, reason="wants a password")
        )
        writer.put_record(DocumentRecord("late.pdf", "/x", "f", 5, 5, Status.FAILED, reason="timed out"))
        writer.cache_vectors(["paid but in no file"], corpus.embed(["paid but in no file"]))
    return place


def seen(index: Index) -> list[object]:
    """What a reader sees, with the order of hits."""
    found: list[object] = [
        index.document_statuses(),
        index.page_problems(),
        index.counts(),
        index.characters(),
    ]
    for text in (*corpus.ENGLISH, *corpus.KOREAN):
        hits = index.search_dense(question(text), 8)
        found.append(
            [(p.file, p.page, p.text, p.spans, p.header) for p in index.passages([h.chunk_id for h in hits])]
        )
    found.append([index.pages(source.file) for source in index.documents()])
    return found


def test_there_and_back_again(origin: Path, location: Path | str, tmp_path: Path) -> None:
    there = copy_index(origin, location)
    assert there.same
    assert (there.copied_files, there.origin.files, there.origin.embeddings) == (16, 16, 52)
    back = copy_index(location, tmp_path / "back")
    assert back.same
    assert back.origin == there.origin
    with open_index(origin) as a, open_index(location) as b, open_index(tmp_path / "back") as c:
        assert seen(a) == seen(b) == seen(c)
        assert b.verify() == c.verify() == []
        with b.writer() as writer:
            assert len(writer.cached_vectors(["paid but in no file", "paid long ago"])) == 1


def test_a_second_copy_brings_what_changed(origin: Path, location: Path | str) -> None:
    copy_index(origin, location)
    assert copy_index(origin, location).copied_files == 0
    with open_index(origin) as index, index.writer() as writer:
        changed = document("document-000.pdf", ["something else", "and more"])
        first = next(s for s in index.documents() if s.file.endswith("document-000.pdf"))
        changed = replace(changed, record=replace(changed.record, file=first.file))
        writer.put(changed, vectors_of(changed))
    again = copy_index(origin, location)
    assert (again.copied_files, again.copied_embeddings, again.same) == (1, 2, True)


def test_killed_again_and_again(origin: Path, location: Path | str) -> None:
    chance = random.Random(4)
    for _ in range(4):
        worker = start("copy", origin, location)
        assert worker.stdout is not None
        for _ in range(chance.randrange(1, 22)):
            worker.stdout.readline()
        worker.kill()
        worker.communicate()
    report = copy_index(origin, location)
    assert report.same
    with open_index(location) as index:
        assert index.verify() == []
        assert stored_chunks(location) == index.counts().chunks == 50


def test_another_content_under_the_same_row_of_the_ledger_is_copied_again(
    origin: Path, location: Path | str
) -> None:
    copy_index(origin, location)
    other = corpus.generated(12)[0]
    with open_index(location) as index, index.writer() as writer:
        # the same row of the ledger, the same counts, another text
        pages = tuple(replace(page, text=page.text[::-1]) for page in other.pages)
        writer.put(replace(other, pages=pages), vectors_of(other))
    again = copy_index(origin, location)
    assert (again.copied_files, again.copied_embeddings, again.same) == (1, 0, True)
    with open_index(origin) as a, open_index(location) as b:
        assert a.pages(other.record.file) == b.pages(other.record.file)
        assert b.verify() == []


def test_what_was_pruned_from_the_target_does_not_make_a_difference(
    origin: Path, location: Path | str, fill: Callable[..., None]
) -> None:
    fill([document("mine.pdf", ["mine", "and paid for"])])
    with open_index(location) as index, index.writer() as writer:
        writer.prune(["mine.pdf"])
    report = copy_index(origin, location)
    assert report.same
    assert report.target.embeddings == 52
    with open_index(location) as index, index.writer() as cache:
        assert len(cache.cached_vectors(["mine", "and paid for"])) == 2


def test_what_differs_is_told(origin: Path, location: Path | str) -> None:
    open_index(location, create=corpus.spec()).close()
    text = corpus.generated(12)[0].chunks[0].indexed_text
    with open_index(location) as index, index.writer() as cache:  # which is paid for, and kept
        cache.cache_vectors([text], -corpus.embed([text]))
    asked = CliRunner().invoke(command, ["copy", str(origin), str(location), "--json"], standalone_mode=False)
    report = json.loads(asked.stdout)
    assert (asked.return_value, report["same"]) == (1, False)
    assert report["origin"]["checksum"] != report["target"]["checksum"]
    assert report["origin"]["embeddings"] == report["target"]["embeddings"] == 52
    told = CliRunner().invoke(command, ["copy", str(origin), str(location)], standalone_mode=False)
    assert "Copy to an empty place." in told.stdout


def test_the_command_tells_what_it_did(origin: Path, location: Path | str) -> None:
    asked = CliRunner().invoke(command, ["copy", str(origin), str(location)], standalone_mode=False)
    assert asked.return_value == 0
    assert "Copied 16 files and 52 embeddings." in asked.stdout
    assert "Both hold the same." in asked.stdout


def test_a_place_with_something_else_is_refused(
    origin: Path, location: Path | str, fill: Callable[..., None], new_location: Callable[[], Path | str]
) -> None:
    fill([document("mine.pdf", ["mine"])])
    with pytest.raises(UsageError, match=r"other files already \(1, such as mine\.pdf\)"):
        copy_index(origin, location)
    otherwise = new_location()
    open_index(otherwise, create=corpus.spec(chunk_tokens=64)).close()
    with pytest.raises(IndexMismatch, match="64 tokens"):
        copy_index(origin, otherwise)
