"""A reader sees one consistent generation, whatever a writer does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rag.store import Index, open_index
from rag.types import Document
from tests.kinds import BOTH_KINDS, stored_chunks
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.processes import start

KINDS = BOTH_KINDS


def put(index: Index, *documents: Document) -> None:
    with index.writer() as writer:
        for item in documents:
            writer.put(item, vectors_of(item))


def rounds_seen(index: Index) -> list[set[str]]:
    """Which rounds of `replace_all` each way of looking sees."""
    dense = index.passages([hit.chunk_id for hit in index.search_dense(question("wharf"), 50)])
    keyword = index.passages([hit.chunk_id for hit in index.search_keywords(["wharf"], 50)])
    pages = [index.page(hit.file, hit.page) for hit in index.search_pages(["wharf"], 50)]
    stored = [page for source in index.documents() for page in index.pages(source.file)]
    assert [len(dense), len(keyword), len(pages), len(stored)] == [9, 9, 9, 9]
    return [{item.text.split()[0] for item in found if item} for found in (dense, keyword, pages, stored)]


def test_readers_during_a_writing_process_see_one_round_only(location: Path | str) -> None:
    rounds = 6
    worker = start("replace_all", location, rounds)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "round 0\n"
    seen = set()
    with open_index(location) as fixed:
        first = rounds_seen(fixed)
        while worker.poll() is None:
            with open_index(location) as fresh:
                ways = rounds_seen(fresh)
                assert all(way == ways[0] and len(way) == 1 for way in ways)
                seen |= ways[0]
        assert worker.returncode == 0
        assert rounds_seen(fixed) == first, "an open reader stays at its generation"
        assert fixed.refresh()
        assert rounds_seen(fixed) == [{f"round{rounds - 1}"}] * 4
        assert not fixed.refresh()
        assert fixed.verify() == []
    assert len(seen) > 1
    worker.communicate()


def test_what_is_written_is_not_seen_before_it_is_published(index: Index) -> None:
    put(index, document("a.pdf", ["first wharf"]))
    with index.writer() as writer:
        new = document("a.pdf", ["second wharf"])
        writer.put(new, vectors_of(new))
        writer.put_record(document("b.pdf", []).record)
        assert [page.text for page in index.pages("a.pdf")] == ["first wharf"]
        assert [s.file for s in index.documents()] == ["a.pdf"]
        assert [s.file for s in writer.documents()] == ["a.pdf", "b.pdf"]
        assert index.search_keywords(["second"], 5) == []
        writer.publish()
        assert [page.text for page in index.pages("a.pdf")] == ["second wharf"]
        assert index.search_keywords(["first"], 5) == []


def test_old_rows_are_deleted_once_nobody_reads_them(index: Index, location: Path | str) -> None:
    def stored() -> int:
        return stored_chunks(location)

    put(index, document("a.pdf", ["one wharf", "two wharf"]))
    with open_index(location) as reader:
        for number in range(4):
            put(index, document("a.pdf", [f"{number} wharf", "more wharf"]))
        assert [page.text for page in reader.pages("a.pdf")] == ["one wharf", "two wharf"]
        assert len(reader.search_dense(question("wharf"), 9)) == 2
        assert stored() == 10
    put(index)
    assert stored() == 2
    assert index.verify() == []


def test_the_order_of_writing_does_not_change_the_scores(new_location: Callable) -> None:
    documents = corpus.generated(3)
    scores = []
    for batches in ([[d] for d in reversed(documents)], [documents]):
        with open_index(new_location(), create=corpus.spec()) as index:
            for batch in batches:
                put(index, *batch)
            dense = [hit.score for hit in index.search_dense(question("storm 서울"), 12)]
            keyword = [hit.score for hit in index.search_keywords(["storm", "서울", "winter"], 12)]
            scores.append((dense, keyword))
    assert scores[0] == scores[1]
