"""The facade: what is put can be found, replaced, renamed and removed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rag.errors import IndexMismatch, IndexMissing, UsageError
from rag.store import Index, open_index
from rag.text.keywords import query_terms
from rag.types import Chunk, Document, DocumentRecord, Page, Span, Status
from tests.kinds import BOTH_KINDS
from tests.store import corpus
from tests.store.corpus import document, embed, question, vectors_of

KINDS = BOTH_KINDS

PORT = document(
    "항구/부산.pdf", (corpus.KOREAN[1], corpus.KOREAN[4]), title="부산항 안내", format="pdf", year="2023"
)
SEA = document(
    "sea/harbour.pdf", (corpus.ENGLISH[0], corpus.ENGLISH[1], corpus.ENGLISH[4]), title="Harbour report"
)


def put(index: Index, *documents: Document) -> None:
    with index.writer() as writer:
        for item in documents:
            writer.put(item, vectors_of(item))


def files_of(index: Index, hits: list) -> list[tuple[str, int]]:
    return [(p.file, p.page) for p in index.passages([hit.chunk_id for hit in hits])]


@pytest.mark.parametrize(
    ("asked", "file", "page"),
    [
        ("How much did the harbour authority collect in mooring fees?", "sea/harbour.pdf", 1),
        ("copper prices and aluminium cables", "sea/harbour.pdf", 3),
        ("부산항에서는 무엇을 처리하는가?", "항구/부산.pdf", 1),
        ("경주 첨성대", "항구/부산.pdf", 2),
    ],
)
def test_finds_the_chunk_and_the_page_by_every_way(index: Index, asked: str, file: str, page: int) -> None:
    put(index, PORT, SEA)
    assert files_of(index, index.search_dense(question(asked), 1)) == [(file, page)]
    assert files_of(index, index.search_keywords(query_terms(asked), 1)) == [(file, page)]
    best = index.search_pages(query_terms(asked), 5)[0]
    assert (best.file, best.page) == (file, page)


def test_a_passage_knows_where_it_stands(index: Index) -> None:
    put(index, PORT)
    hit = index.search_keywords(query_terms("첨성대"), 1)[0]
    (passage,) = index.passages([hit.chunk_id])
    assert passage.text == corpus.KOREAN[4]
    assert passage.spans == (Span(2, 0, len(corpus.KOREAN[4])),)
    assert (passage.page_label, passage.heading, passage.title) == ("p2", "Section 2", "부산항 안내")
    page = index.page("항구/부산.pdf", 2)
    assert page is not None
    assert page.text[passage.spans[0].start : passage.spans[0].end] == passage.text


def test_a_chunk_over_two_pages_is_found_from_both(index: Index) -> None:
    pages = (
        Page(1, "The tide rose"),
        Page(2, "over the quay.", headers_footers=((0, 4),), status=Status.OCR),
    )
    chunk = Chunk(0, (Span(1, 0, 13), Span(2, 0, 14)), "The tide rose over the quay.")
    source = DocumentRecord("tide.pdf", "/x", "h", 1, 1, Status.OK)
    item = Document(source, pages, (chunk,))
    put(index, item)
    assert index.chunks_of_page("tide.pdf", 1) == index.chunks_of_page("tide.pdf", 2) != []
    assert index.pages("tide.pdf") == list(pages)
    assert index.page("tide.pdf", 3) is None
    assert index.document("tide.pdf") == source


def test_dense_scores_are_cosines_in_order(index: Index) -> None:
    documents = corpus.generated(30)
    put(index, *documents)
    texts = [chunk.indexed_text for item in documents for chunk in item.chunks]
    unit = embed(texts) / np.linalg.norm(embed(texts), axis=1, keepdims=True)
    asked = question("wind and tide 서울 한강")
    expected = np.sort(unit @ asked / np.linalg.norm(asked))[::-1][:10]
    found = [hit.score for hit in index.search_dense(asked * 3.5, 10)]
    assert np.allclose(found, expected, atol=1e-5)


def test_equal_scores_come_in_the_order_of_chunk_ids(index: Index) -> None:
    same = [document(f"copy-{n:02}.pdf", [corpus.ENGLISH[2]]) for n in range(40)]
    put(index, *same)
    for k in (1, 5, 17):
        dense = [hit.chunk_id for hit in index.search_dense(question("turbine blades"), k)]
        keyword = [hit.chunk_id for hit in index.search_keywords(["turbine", "blade"], k)]
        assert dense == keyword == list(range(1, k + 1))


def test_asking_for_more_than_there_is(index: Index) -> None:
    put(index, PORT)
    assert len(index.search_dense(question("부산"), 50)) == 2
    assert index.search_dense(question("부산"), 0) == []
    assert index.search_keywords([], 5) == []
    assert index.search_keywords(["nowhere"], 5) == []
    assert index.passages([999, 1, -4]) == index.passages([1])


def test_a_pasted_page_as_query_keeps_the_rarest_terms(index: Index) -> None:
    common = " ".join(f"word{n}" for n in range(100))
    put(index, document("all.pdf", [common] * 20 + [f"{common} 육분의 sextant"]))
    hits = index.search_keywords([*common.split(), "sextant"], 3)
    assert files_of(index, hits)[0] == ("all.pdf", 21)


def test_repeated_terms_weigh_more(index: Index) -> None:
    put(index, document("a.pdf", ["alpha gamma"]), document("b.pdf", ["beta gamma"]))
    assert files_of(index, index.search_keywords(["alpha", "beta", "beta"], 2))[0] == ("b.pdf", 1)
    assert files_of(index, index.search_keywords({"alpha": 1.0, "beta": 0.3}, 2))[0] == ("a.pdf", 1)


def test_replacing_a_file_leaves_nothing_of_the_old_one(index: Index) -> None:
    put(index, SEA, PORT)
    old = {hit.chunk_id for hit in index.search_dense(question("harbour"), 10)}
    put(index, document("sea/harbour.pdf", [corpus.ENGLISH[5]]))
    assert index.search_keywords(["lighthouse"], 5) == []
    assert index.search_pages(["lighthouse"], 5) == []
    assert [p.text for p in index.pages("sea/harbour.pdf")] == [corpus.ENGLISH[5]]
    new = {hit.chunk_id for hit in index.search_dense(question("vaccine"), 10)}
    assert len(new) == 3
    assert max(new) > max(old), "an id is never given to another chunk"
    assert index.verify() == []


def test_ids_are_not_reused_after_everything_was_removed(index: Index) -> None:
    put(index, SEA)
    with index.writer() as writer:
        writer.prune(["sea/harbour.pdf"])
    assert index.search_dense(question("harbour"), 5) == []
    assert index.documents() == []
    put(index, PORT)
    assert {hit.chunk_id for hit in index.search_keywords(["부산"], 5)} == {4, 5}
    assert index.verify() == []


def test_renaming_keeps_chunks_and_ids(index: Index) -> None:
    put(index, SEA)
    before = index.search_dense(question("mooring fees"), 3)
    moved = DocumentRecord(
        "archive/2023/harbour.pdf", "/y", SEA.record.content_hash, 100, 2, Status.OK, title="Harbour report"
    )
    with index.writer() as writer:
        writer.rename("sea/harbour.pdf", moved)
        with pytest.raises(KeyError):
            writer.rename("nothing.pdf", moved)
    assert index.search_dense(question("mooring fees"), 3) == before
    assert index.document("sea/harbour.pdf") is None
    assert index.documents() == [moved]
    assert {p.file for p in index.passages([1, 2, 3])} == {"archive/2023/harbour.pdf"}
    assert index.verify() == []


def test_a_vanished_file_stays_searchable_until_pruned(index: Index) -> None:
    put(index, SEA, PORT)
    with index.writer() as writer:
        writer.mark_removed(["sea/harbour.pdf", "unknown.pdf"])
    source = index.document("sea/harbour.pdf")
    assert source is not None
    assert source.status is Status.REMOVED
    assert len(index.search_keywords(["mooring"], 5)) == 1
    with index.writer() as writer:
        writer.prune(["sea/harbour.pdf", "unknown.pdf"])
    assert index.search_keywords(["mooring"], 5) == []
    assert [s.file for s in index.documents()] == ["항구/부산.pdf"]


def test_a_transient_failure_keeps_the_earlier_version_and_a_permanent_one_drops_it(index: Index) -> None:
    put(index, SEA, PORT)
    failed = DocumentRecord(
        "sea/harbour.pdf", "/x", "new", 5, 5, Status.FAILED, reason="the server did not answer"
    )
    damaged = DocumentRecord("항구/부산.pdf", "/x", "new", 5, 5, Status.DAMAGED, reason="cut short")
    scanned = DocumentRecord("scan.pdf", "/x", "s", 5, 5, Status.SCANNED)
    with index.writer() as writer:
        writer.put_record(failed)
        writer.put_record(damaged)
        writer.put_record(scanned, [Page(1, "", Status.SCANNED, "one picture"), Page(2, "", Status.EMPTY)])
    assert len(index.search_keywords(["mooring"], 5)) == 1
    assert index.search_keywords(["부산"], 5) == []
    assert index.document("sea/harbour.pdf") == failed
    assert [page.reason for page in index.pages("scan.pdf")] == ["one picture", ""]
    totals = index.counts()
    assert totals.files == {Status.FAILED: 1, Status.DAMAGED: 1, Status.SCANNED: 1}
    assert (totals.pages, totals.searchable_pages, totals.chunks) == (5, 3, 3)
    entries = {
        entry.record.file: (entry.pages, entry.searchable_pages, entry.chunks)
        for entry in index.document_statuses()
    }
    assert entries == {"sea/harbour.pdf": (3, 3, 3), "scan.pdf": (2, 0, 0), "항구/부산.pdf": (0, 0, 0)}


def test_vectors_are_the_unit_embeddings_in_order(index: Index) -> None:
    put(index, SEA)
    wanted = vectors_of(SEA)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.allclose(index.vectors([3, 1]), wanted[[2, 0]], atol=1e-6)
    with pytest.raises(LookupError):
        index.vectors([99])


def test_embeddings_are_kept_when_chunks_go_and_when_the_index_is_rebuilt(index: Index, location) -> None:
    put(index, SEA)
    texts = [chunk.indexed_text for chunk in SEA.chunks]
    with index.writer() as writer:
        writer.prune(["sea/harbour.pdf"])
        writer.cache_vectors(["paid but not yet in a file"], embed(["paid but not yet in a file"]))
    put(index, PORT)
    index.close()
    with (
        open_index(location, create=corpus.spec(chunk_tokens=100), rebuild=True) as again,
        again.writer() as writer,
    ):
        assert writer.documents() == []
        cached = writer.cached_vectors([*texts, "new", texts[0], "paid but not yet in a file"])
        assert sorted(cached) == [0, 1, 2, 4, 5]
        unit = embed(texts)[1] / np.linalg.norm(embed(texts)[1])
        assert np.allclose(cached[1], unit, atol=1e-6)


def test_another_model_does_not_find_these_embeddings(index: Index, location) -> None:
    put(index, SEA)
    index.close()
    other = corpus.spec(embedding_model="other", embedding_id="other-8", dimension=8)
    with open_index(location, create=other, rebuild=True) as again:
        with again.writer() as writer:
            assert writer.cached_vectors([SEA.chunks[0].indexed_text]) == {}
            writer.put(PORT, np.eye(8)[:2])
        assert [hit.score for hit in again.search_dense(np.eye(8)[1], 2)] == [1.0, 0.0]
        assert again.verify() == []


@pytest.mark.parametrize("bad", [np.ones((3, 5)), np.ones((2, 64)), np.full((3, 64), np.nan)])
def test_wrong_vectors_are_refused_and_change_nothing(index: Index, bad: np.ndarray) -> None:
    with index.writer() as writer:
        with pytest.raises(ValueError, match=r"shape|finite"):
            writer.put(SEA, bad)
        assert writer.documents() == []


def test_a_question_of_another_dimension_is_one_sentence(index: Index) -> None:
    put(index, SEA)
    with pytest.raises(IndexMismatch, match=r"64 numbers.*came as 7.*rag ingest --rebuild"):
        index.search_dense(np.ones(7), 3)


def test_another_spec_is_refused_with_the_fix(index: Index, location) -> None:
    for changed, words in (
        (
            {"embedding_model": "openai:x", "embedding_id": "x", "dimension": 1536},
            r"hashing \(64.*openai:x \(1536",
        ),
        ({"embedding_id": "hashing-65"}, "hashing-64.*hashing-65"),
        ({"chunk_tokens": 300}, "220 tokens.*300"),
    ):
        with pytest.raises(IndexMismatch, match=words + r".*--rebuild"):
            open_index(location, create=corpus.spec(**changed))
    open_index(location, create=corpus.spec(tokeniser="older")).close()


def test_what_is_missing_is_named_with_the_command(location) -> None:
    for _ in range(2):  # looking makes nothing
        with pytest.raises(IndexMissing, match="rag ingest FOLDER"):
            open_index(location)


def test_another_kind_of_address_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"kept in mysql://host/db: use a folder.*postgresql://"):
        open_index("mysql://host/db")


def test_empty_index_answers_nothing(index: Index, notices: list[str]) -> None:
    assert index.search_dense(question("x"), 3) == []
    assert index.search_keywords(["x"], 3) == []
    assert index.search_pages(["x"], 3) == []
    assert index.counts().chunks == 0
    assert index.verify() == []
    assert notices == []


def test_reading_from_many_threads(index: Index) -> None:
    from concurrent.futures import ThreadPoolExecutor

    put(index, *corpus.generated(20))
    asked = [question(text) for text in (*corpus.ENGLISH, *corpus.KOREAN)] * 4
    alone = [(index.search_dense(v, 5), index.search_keywords(["storm"], 5), index.pages("x")) for v in asked]

    def ask(vector: np.ndarray):
        return index.search_dense(vector, 5), index.search_keywords(["storm"], 5), index.pages("x")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, asked)) == alone


def test_text_that_utf8_cannot_hold(index: Index) -> None:
    file, text = "na\udce9ve.pdf", "before \ud83d after \x00 mooring"
    put(index, document(file, [text]))
    (page,) = index.pages(file)
    assert page.text == "before \ufffd after \x00 mooring"
    assert len(index.chunks_of_page(file, 1)) == 1
    assert index.document(file) is not None
    put(index, document(file, [text, text]))
    assert [source.file for source in index.documents()] == ["na\ufffdve.pdf"]
    assert len(index.search_keywords(["mooring"], 5)) == 2


def test_a_document_that_contradicts_itself_changes_nothing(index: Index) -> None:
    put(index, SEA)
    twice = Document(SEA.record, (Page(1, "a"), Page(1, "b")), ())
    with index.writer() as writer:
        with pytest.raises(Exception, match=r"(?i)unique"):
            writer.put(twice, np.empty((0, corpus.DIMENSION)))
        assert writer.document("sea/harbour.pdf") == SEA.record
    assert len(index.pages("sea/harbour.pdf")) == 3


def test_pages_that_are_not_plainly_ok_are_listed_with_what_became_of_them(index: Index) -> None:
    odd = replace(
        PORT,
        pages=(
            replace(PORT.pages[0], status=Status.OCR, reason="read by OCR", characters=7),
            *(replace(page, characters=10) for page in PORT.pages[1:]),
            Page(len(PORT.pages) + 1, "", Status.SCANNED, "스캔한 쪽", characters=0),
        ),
    )
    put(index, odd, SEA)
    found = [(p.file, p.page, p.status, p.reason) for p in index.page_problems()]
    assert found == [
        ("항구/부산.pdf", 1, Status.OCR, "read by OCR"),
        ("항구/부산.pdf", len(PORT.pages) + 1, Status.SCANNED, "스캔한 쪽"),
    ]
    assert index.characters()["항구/부산.pdf"] == 7 + 10 * (len(PORT.pages) - 1)
    put(index, PORT)
    assert index.page_problems() == []
