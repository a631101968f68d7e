"""What only an index in PostgreSQL has: a server that may be away, users with passwords and rights, and rankings that
must agree with those of a folder."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg import DataError

from rag.errors import (
    IndexMismatch,
    UsageError,
)
from rag.store import Filter, open_index
from rag.store.postgres import keywords
from rag.store.postgres.connection import take_writer_lock
from rag.store.postgres.database import ReadingDatabase, WritingDatabase
from rag.store.postgres.location import parse
from rag.text.keywords import query_terms
from tests.servers.postgres import PostgresServer
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.postgres_support import put

pytestmark = pytest.mark.slow
NUMBERS = itertools.count()


@pytest.fixture
def location(server: PostgresServer) -> str:
    return server.url(f"postgres_{next(NUMBERS)}")


# -- the same answers as a folder ---------------------------------------------------------------------------


def agree(found: list, wanted: list) -> bool:
    """The same hits, but for those whose scores only rounding tells apart."""
    scores = [[hit.score for hit in hits] for hits in (found, wanted)]
    if len(found) != len(wanted) or not np.allclose(*scores, rtol=1e-4, atol=1e-5):
        return False
    last = scores[0][-1] + 1e-3 if found else 0.0
    ours, theirs = ({replace(hit, score=0.0) for hit in hits if hit.score > last} for hits in (found, wanted))
    return ours <= {replace(hit, score=0.0) for hit in wanted} and theirs <= {
        replace(hit, score=0.0) for hit in found
    }


def test_scores_and_order_are_those_of_a_folder(location: str, tmp_path: Path) -> None:
    documents = corpus.generated(150, seed=3)
    texts = [" ".join(f"{corpus.ENGLISH[n % 6]} word{n}" for n in range(size)) for size in (9, 60, 400)]
    documents.append(document("long.pdf", texts))
    with (
        open_index(location, create=corpus.spec()) as ours,
        open_index(tmp_path, create=corpus.spec()) as theirs,
    ):
        both = (ours, theirs)
        for index in both:
            put(index, *documents)
        for text in (*corpus.ENGLISH, *corpus.KOREAN, "Entry 17-3 word5 word300", "the harbour"):
            terms = query_terms(text)
            for where in (None, Filter.parse(["folder=reports", "page=2-3"])):
                for k in (1, 10, 100):
                    assert agree(*(index.search_dense(question(text), k, where) for index in both))
                    assert agree(*(index.search_keywords(terms, k, where) for index in both))
                    for head in (False, True):
                        assert agree(*(index.search_pages(terms, k, where, head=head) for index in both))
        assert ours.verify() == []


@pytest.mark.parametrize("most", [10**6, 60])
def test_the_best_are_found_without_scoring_every_document(
    location: str, tmp_path: Path, monkeypatch, most: int
) -> None:
    monkeypatch.setattr("rag.store.postgres.keywords.FIRST_LOOK", 1)
    monkeypatch.setattr("rag.store.postgres.keywords.MOST_SCORED", most)
    chance = np.random.default_rng(4)
    words = [f"word{n}" for n in range(60)]
    common = 1 / np.arange(1, 61)  # the first in most of the texts, the last in few
    texts = [
        " ".join(chance.choice(words, size, p=common / common.sum())) for size in chance.integers(5, 60, 400)
    ]
    documents = [document(f"{n}.pdf", texts[n : n + 20]) for n in range(0, 400, 20)]
    scored: list[int] = []
    looked = keywords.may_reach

    def watched(*given: Any) -> keywords.Sets:
        sets = looked(*given)
        scored.append(sum(bool(also) for _, also in sets))
        return sets

    monkeypatch.setattr(keywords, "may_reach", watched)
    with (
        open_index(location, create=corpus.spec()) as ours,
        open_index(tmp_path, create=corpus.spec()) as theirs,
    ):
        for index in (ours, theirs):
            put(index, *documents)
        for number in range(20):
            terms = [words[n] for n in chance.choice(60, 2 + number % 9, replace=False)]
            found, wanted = (index.search_keywords(terms, 5) for index in (ours, theirs))
            if most > len(texts):
                assert agree(found, wanted)
            else:
                known = {hit.chunk_id: hit.score for hit in theirs.search_keywords(terms, len(texts))}
                assert len(found) == len(wanted)
                assert all(hit.score == pytest.approx(known[hit.chunk_id], rel=1e-4) for hit in found)
                assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert max(scored) > 1  # some words were wanted together with others


@pytest.mark.parametrize("dimension", [2500, 5000])
def test_embeddings_longer_than_the_index_of_pgvector_takes(
    location: str, dimension: int, monkeypatch
) -> None:
    monkeypatch.setattr("rag.store.postgres.backend.INDEXED_ROWS", 50)
    spec = corpus.spec(embedding_id=f"long-{dimension}", dimension=dimension)
    vectors = np.random.default_rng(5).standard_normal((120, dimension)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    with open_index(location, create=spec) as index:
        with index.writer() as writer:
            writer.put(document("a.pdf", [f"page {n}" for n in range(120)]), vectors)
        hits = index.search_dense(vectors[7] + vectors[9], 5)
        wanted = np.argsort(-(unit @ (vectors[7] + vectors[9])))[:2]
        assert [hit.chunk_id - 1 for hit in hits[:2]] == wanted.tolist()
        assert index.verify() == []


def test_an_index_over_many_vectors_finds_enough_under_a_filter(location: str, monkeypatch) -> None:
    monkeypatch.setattr("rag.store.postgres.backend.INDEXED_ROWS", 500)
    monkeypatch.setattr("rag.store.postgres.vectors.EXACT_ROWS", 0)
    documents = corpus.generated(400, seed=8)
    with open_index(location, create=corpus.spec()) as index:
        put(index, *documents)
        asked = question("harbour mooring 부산항")
        unit = {c.indexed_text: v for d in documents for c, v in zip(d.chunks, vectors_of(d), strict=True)}
        exact = sorted(-float(v @ asked / np.linalg.norm(v) / np.linalg.norm(asked)) for v in unit.values())
        found = index.search_dense(asked, 50)
        assert np.allclose([hit.score for hit in found], [-score for score in exact[:50]], atol=1e-4)
        where = Filter.parse(["file=document-13*", "page=2"])
        hits = index.search_dense(asked, 50, where)
        assert {p.page for p in index.passages([hit.chunk_id for hit in hits])} == {2}
        assert len(hits) == 10
        put(index, *documents[:100])
        assert len(index.search_dense(asked, 1000)) >= 900
        assert index.verify() == []


def test_words_of_any_length_and_pages_of_many_words(location: str) -> None:
    many = " ".join(f"w{n}q" for n in range(20_000))
    with open_index(location, create=corpus.spec()) as index:
        put(index, document("odd.pdf", ["x" * 5000, many]))
        assert len(index.search_keywords(["x" * 5000], 5)) == 1
        assert index.search_keywords(["x" * 4999], 5) == []
        assert index.search_pages(["w5q"], 5)[0].page == 2
        assert index.verify() == []


def test_another_tokeniser_is_noticed_and_fixed_without_reading_a_file(location: str) -> None:
    said: list[str] = []
    with open_index(location, create=corpus.spec(tokeniser="older")) as index:
        put(index, *corpus.generated(2))
    with open_index(location, notify=said.append) as index:
        assert index.spec.tokeniser == corpus.spec().tokeniser
    assert said == []
    database = WritingDatabase(parse(location), partial(take_writer_lock, location=parse(location)))
    database.execute("UPDATE state SET spec = ?", (corpus.spec(tokeniser="older").to_json(),))
    database.execute("DELETE FROM chunk_keywords")
    database.close()
    with open_index(location, notify=said.append) as index:
        assert "another tokeniser" in said[-1]
        assert "rag ingest" in said[-1]
        put(index, document("new.pdf", ["wharf"]))
        assert "made them again" in said[-1]
        assert len(index.search_keywords(["wharf", "entry"], 99)) == 9
        assert index.verify() == []


def test_how_common_a_word_is_counts_with_its_publication(location: str) -> None:
    first, *others = corpus.generated(3)
    with open_index(location, create=corpus.spec()) as index:
        put(index, first)
        before = index.search_keywords(["entry"], 5)
        with index.writer() as writer:
            for item in others:
                writer.put(item, vectors_of(item))
            assert index.search_keywords(["entry"], 5) == before
        assert index.search_keywords(["entry"], 5) != before
        assert index.verify() == []


def test_words_of_a_file_that_could_not_be_written_are_made_again(location: str) -> None:
    item = document("new.pdf", ["wharf breakwater"])
    impossible = replace(item, record=replace(item.record, mtime_ns=2**70))
    with open_index(location, create=corpus.spec()) as index:
        with index.writer() as writer:
            with pytest.raises(DataError):
                writer.put(impossible, vectors_of(item))
            writer.put(item, vectors_of(item))
        assert len(index.search_keywords(["breakwater"], 5)) == 1
        assert index.verify() == []


# -- generations with readers elsewhere ---------------------------------------------------------------------


def test_a_reader_keeps_its_rows_and_a_writer_deletes_the_rest(location: str) -> None:
    with open_index(location, create=corpus.spec()) as index:
        put(index, document("a.pdf", ["first wharf"]))
        with open_index(location) as reader:
            for text in ("second wharf", "third wharf", "fourth wharf"):
                put(index, document("a.pdf", [text]))
            assert reader.pages("a.pdf")[0].text == "first wharf"
            assert len(reader.search_keywords(["first"], 5)) == 1
            reader.snapshot()
            put(index, document("b.pdf", ["quay"]))
            with index.writer() as writer:
                assert writer._database.rows("SELECT count(*) FROM contents") == [(2,)]
            assert reader.pages("a.pdf")[0].text == "fourth wharf"
        assert index.verify() == []


def test_a_file_that_is_written_while_a_search_runs_is_not_found(location: str, monkeypatch) -> None:
    late = document("late.pdf", ["second wharf"])
    waiting = [late]
    rows = ReadingDatabase.rows
    with open_index(location, create=corpus.spec()) as index:
        put(index, document("a.pdf", ["first wharf"]))
        with open_index(location) as reader, index.writer() as writer:

            def rows_and_a_file(
                self: ReadingDatabase, sql: str, parameters: Any = ()
            ) -> list[tuple[Any, ...]]:
                found = rows(self, sql, parameters)
                if "FROM keyword_lengths" in sql and waiting:  # the first statement of a search
                    writer.put(waiting.pop(), vectors_of(late))
                return found

            monkeypatch.setattr(ReadingDatabase, "rows", rows_and_a_file)
            found = reader.search_keywords(["wharf"], 5)
            assert waiting == []
            assert [passage.file for passage in reader.passages([hit.chunk_id for hit in found])] == ["a.pdf"]
            assert len(found) == len(reader.search_dense(question("wharf"), 5)) == 1


def test_many_threads_share_a_handful_of_connections(
    server: PostgresServer, location: str, fill: Callable
) -> None:
    fill(corpus.generated(4))
    with open_index(location) as index:
        threads = [threading.Thread(target=index.search_keywords, args=(["entry"], 3)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        held = server.admin("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pagequote%'")
        assert held[0][0] <= 8


# -- what an index is made with ------------------------------------------------------------------------------


def test_embeddings_that_no_vector_can_hold(location: str) -> None:
    with pytest.raises(UsageError, match="16,000"):
        open_index(location, create=corpus.spec(dimension=20_000))


def test_an_index_of_another_format_is_refused(location: str) -> None:
    with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
        writer._database.execute("UPDATE state SET format = 99")
    with pytest.raises(IndexMismatch, match="99"):
        open_index(location)


def test_an_index_that_cannot_be_read_is_kept_aside_and_its_embeddings_saved(location: str) -> None:
    item = corpus.generated(1)[0]
    with open_index(location, create=corpus.spec()) as index:
        put(index, item)
        with index.writer() as writer:
            writer._database.execute("UPDATE state SET spec = '{}'")
            # what follows cannot publish any more
            writer.publish = lambda: None  # type: ignore[method-assign]
    said: list[str] = []
    with (
        open_index(location, create=corpus.spec(), rebuild=True, notify=said.append) as index,
        index.writer() as writer,
    ):
        assert writer.documents() == []
        assert len(writer.cached_vectors([chunk.indexed_text for chunk in item.chunks])) == 4
    assert "_damaged" in said[0]
