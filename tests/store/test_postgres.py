"""What only an index in PostgreSQL has: a server that may be away, users with passwords and rights, and rankings that
must agree with those of a folder."""

from __future__ import annotations

import itertools
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.errors import (
    IndexError_,
    IndexMismatch,
    IndexMissing,
    IndexReadOnly,
    NetworkRefused,
    RagError,
    UsageError,
)
from rag.providers.offline import disable_offline, enable_offline
from rag.store import Filter, open_index
from rag.store.postgres.database import ReadingDatabase, WritingDatabase
from rag.store.postgres.location import parse
from rag.store.postgres.schema import TABLES
from rag.text.keywords import query_terms
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.postgres_support import put, schema_of
from tests.store.processes import start

pytestmark = pytest.mark.slow
NUMBERS = itertools.count()


@pytest.fixture
def server(postgres_server: PostgresServer) -> PostgresServer:
    return postgres_server


@pytest.fixture
def location(server: PostgresServer) -> str:
    return server.url(f"postgres_{next(NUMBERS)}")


@pytest.fixture
def reader(server: PostgresServer) -> Iterator[str]:
    """A user with a password and no rights but to connect."""
    server.admin(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    yield "reader"
    server.admin("DROP OWNED BY reader", database="index")
    server.admin("DROP ROLE reader")


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
    monkeypatch.setattr("rag.store.postgres.search.EXACT_ROWS", 0)
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
    database = WritingDatabase(parse(location))
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


# -- a server that goes away --------------------------------------------------------------------------------


def test_reading_goes_on_after_a_restart(server: PostgresServer, location: str) -> None:
    with open_index(location, create=corpus.spec()) as index:
        put(index, *corpus.generated(3))
        before = index.search_keywords(["harbour", "한강"], 5)
        server.restart()
        assert index.search_keywords(["harbour", "한강"], 5) == before
        threads = [threading.Thread(target=index.documents) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def test_writing_goes_on_after_a_restart(server: PostgresServer, location: str) -> None:
    documents = corpus.generated(6)
    with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
        for number, item in enumerate(documents):
            if number in (2, 4):
                server.restart()
            writer.put(item, vectors_of(item))
    with open_index(location) as index:
        assert index.counts().chunks == 24
        assert index.verify() == []


def test_a_restart_in_the_middle_of_a_run_loses_nothing_and_pays_nothing_twice(
    server: PostgresServer, location: str, tmp_path: Path
) -> None:
    paid = tmp_path / "paid.jsonl"
    worker = start("ingest", location, 60, paid)
    assert worker.stdout is not None
    worker.stdout.readline()
    server.restart()
    out, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    assert "done" in out
    lines = paid.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)) == 240
    with open_index(location) as index:
        assert index.counts().chunks == 240
        assert index.verify() == []


def test_a_server_that_stays_away_is_one_sentence(server: PostgresServer, location: str, monkeypatch) -> None:
    monkeypatch.setattr("rag.store.postgres.database.RESTART_SECONDS", 0.5)
    with open_index(location, create=corpus.spec()) as index:
        put(index, *corpus.generated(1))
        server.stop()
        try:
            with pytest.raises(IndexError_, match=r"cannot be reached .*check that the server runs"):
                index.documents()
        finally:
            server.start()
        assert len(index.documents()) == 1


# -- users --------------------------------------------------------------------------------------------------


def grant(server: PostgresServer, location: str, user: str) -> None:
    schema = f'"{schema_of(location)}"'
    server.admin(
        f"GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}",
        database="index",
    )


def test_a_reader_reads_and_cannot_write(server: PostgresServer, location: str, reader: str) -> None:
    with open_index(location, create=corpus.spec()) as index:
        put(index, *corpus.generated(2))
    grant(server, location, reader)
    url = server.url(schema_of(location), user=reader, password=PASSWORD)
    with open_index(url) as index:
        assert len(index.search_dense(question("harbour"), 5)) == 5
        assert len(index.search_keywords(["entry"], 9)) == 8
        assert index.verify() == []
        with pytest.raises(IndexReadOnly, match="by this user"), index.writer():
            pass
        assert PASSWORD not in index.location
    with pytest.raises(IndexReadOnly, match="cannot be made by this user"):
        open_index(server.url("other", user=reader, password=PASSWORD), create=corpus.spec())


def failures(server: PostgresServer) -> dict[str, tuple[str, type[RagError], str]]:
    url = server.url("x", user="reader", password=PASSWORD)
    return {
        "password": (server.url("x", user="reader", password=PASSWORD + "!"), IndexError_, "PGPASSWORD"),
        "user": (server.url("x", user="nobody", password=PASSWORD), IndexError_, "user"),
        "database": (server.url("x", database="nowhere", user="postgres"), IndexMissing, "createdb"),
        "port": (url.replace(str(server.port), "1"), IndexError_, "check that the server runs"),
        "host": (url.replace("127.0.0.1", "nowhere.invalid"), IndexError_, "check that the server runs"),
        "option": (f"{url}&colour=red", IndexError_, "cannot be read"),
        "schema": (url.replace("=x", "=pg_x"), UsageError, "schema"),
        "nothing": (url, IndexMissing, "rag ingest FOLDER"),
    }


@pytest.mark.parametrize(
    "what", ["password", "user", "database", "port", "host", "option", "schema", "nothing"]
)
def test_what_is_wrong_is_named_and_the_password_never(
    server: PostgresServer, reader: str, what: str
) -> None:
    url, kind, words = failures(server)[what]
    with pytest.raises(kind, match=words) as caught:
        open_index(url)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for secret in ("w0rd", "ss/w", "ss%2Fw"):
        assert secret not in shown


def test_a_database_without_pgvector_says_who_must_do_what(server: PostgresServer, reader: str) -> None:
    server.admin("CREATE DATABASE bare")
    server.admin("GRANT CREATE ON DATABASE bare TO reader")
    try:
        with pytest.raises(IndexError_, match="CREATE EXTENSION vector"):
            open_index(server.url("x", user=reader, password=PASSWORD, database="bare"), create=corpus.spec())
        # An administrator gets it made.
        open_index(server.url("x", database="bare"), create=corpus.spec()).close()
    finally:
        server.admin("DROP DATABASE bare WITH (FORCE)")


def test_embeddings_that_no_vector_can_hold(location: str) -> None:
    with pytest.raises(UsageError, match="16,000"):
        open_index(location, create=corpus.spec(dimension=20_000))


def test_an_index_of_a_newer_version_is_refused(location: str) -> None:
    with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
        writer._database.execute("UPDATE state SET format = 99")
    with pytest.raises(IndexMismatch, match="newer pagequote"):
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


# -- offline ------------------------------------------------------------------------------------------------


@pytest.fixture
def offline() -> Iterator[None]:
    enable_offline()
    yield
    disable_offline()


def test_offline_reaches_this_machine_only(location: str, offline: None, monkeypatch) -> None:
    open_index(location, create=corpus.spec()).close()
    for url in (
        "postgresql://db.example.com/x",
        "postgresql:///x?host=192.0.2.1",
        "postgresql://127.0.0.1,db.example.com/x",
        "postgresql:///x?service=far",
    ):
        with pytest.raises(NetworkRefused, match="--offline"):
            open_index(url)
    monkeypatch.setenv("PGHOST", "db.example.com")
    with pytest.raises(NetworkRefused, match=r"db\.example\.com"):
        open_index("postgresql:///x")
    monkeypatch.setenv("PGHOST", "/nowhere")
    with pytest.raises(IndexError_, match="cannot be reached"):
        open_index("postgresql:///x")


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


# -- the guide's own statements -----------------------------------------------------------------------------

GUIDE = Path(__file__).parents[2] / "docs" / "postgres.md"


def statements(role: str) -> str:
    """The SQL of the guide that makes a role."""
    blocks = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if f"CREATE ROLE {role} " in block)
    return block


@pytest.fixture
def roles(server: PostgresServer, location: str) -> Iterator[Callable[[str], str]]:
    """Runs the guide's statements for this index; gives the address for the role."""
    made: list[str] = []

    def make(role: str) -> str:
        schema = schema_of(location)
        sql = statements(role).replace("pagequote", schema).replace("'choose one'", f"'{PASSWORD}'")
        server.admin(sql, database="index")
        made.append(role)
        return server.url(schema, user=role, password=PASSWORD)

    yield make
    for role in made:
        server.admin(f"DROP OWNED BY {role}", database="index")
        server.admin(f"DROP ROLE {role}")


def test_the_reader_of_the_guide_asks_and_cannot_write(location: str, roles: Callable[[str], str]) -> None:
    with open_index(location, create=corpus.spec()) as index:
        put(index, *corpus.generated(3))
        before = index.search_dense(question("harbour"), 5), index.search_keywords(["entry"], 9)
    with open_index(roles("asker")) as index:
        assert (index.search_dense(question("harbour"), 5), index.search_keywords(["entry"], 9)) == before
        assert index.verify() == []
        with pytest.raises(IndexReadOnly), index.writer():
            pass


def test_a_reader_of_one_folder_gets_nothing_of_another(location: str, roles: Callable[[str], str]) -> None:
    mine = document("handbook/mine.pdf", ["the anchor is heavy", "the rope is long"], author="Kim")
    theirs = document("secret/theirs.pdf", ["the anchor is stolen zanzibar", "the quay burned"], author="Lee")
    with open_index(location, create=corpus.spec()) as index:
        put(index, theirs, mine)
        hidden = [hit.chunk_id for hit in index.search_keywords(["zanzibar", "burned"], 9)]
        with index.writer() as writer:
            writer.cache_vectors(["only in the cache"], corpus.embed(["only in the cache"]))
    url = roles("handbook_reader")
    with open_index(url) as index:
        found = index.passages(
            [hit.chunk_id for hit in index.search_dense(question("anchor stolen quay"), 99)]
        )
        assert {passage.file for passage in found} == {"handbook/mine.pdf"}
        assert len(found) == 2
        words = ["anchor", "stolen", "zanzibar", "quay", "the"]
        assert {p.file for p in index.passages([h.chunk_id for h in index.search_keywords(words, 99)])} == {
            "handbook/mine.pdf"
        }
        for head in (False, True):
            assert {hit.file for hit in index.search_pages(words, 99, head=head)} == {"handbook/mine.pdf"}
        assert index.search_keywords(["zanzibar"], 9) == []
        assert index.search_dense(question("quay"), 9, Filter.parse(["author=Lee"])) == []
        assert [source.file for source in index.documents()] == ["handbook/mine.pdf"]
        assert (index.counts().pages, index.counts().chunks) == (2, 2)
        assert index.page("secret/theirs.pdf", 1) is None
        assert index.pages("secret/theirs.pdf") == index.chunks_of_page("secret/theirs.pdf", 1) == []
        assert index.passages(hidden) == index.neighbours(hidden[0]) == []
        assert index.locate(hidden) == index.chunks_of_pages([("secret/theirs.pdf", 1)]) == {}
        assert list(index.characters()) == ["handbook/mine.pdf"]
        with pytest.raises(LookupError):
            index.vectors(hidden)
    # Nor by asking the tables themselves.
    readable = ReadingDatabase(parse(url))
    for table in set(TABLES) - {"keyword_terms"}:
        assert "secret" not in str(readable.rows(f"SELECT t.* FROM {table} t"))
    assert readable.rows("SELECT count(*) FROM embeddings") == [(2,)]
    with pytest.raises(IndexReadOnly):
        readable.rows("SELECT term FROM keyword_terms")
    readable.close()
