"""A PostgreSQL server that is restarted between any two statements, that has limits of its own, or that was never
there."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import sleep

import psycopg
import pytest

from rag.errors import IndexDamaged, IndexError_, IndexLocked
from rag.store import open_index
from rag.store.postgres import failures
from rag.store.postgres.connection import GenerationGone, connect, take_writer_lock
from rag.store.postgres.database import ReadingDatabase, WritingDatabase
from rag.store.postgres.location import parse
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.store import corpus
from tests.store.corpus import document, vectors_of
from tests.store.postgres_support import put
from tests.store.processes import start

pytestmark = pytest.mark.slow
NUMBERS = itertools.count()


@pytest.fixture
def location(server: PostgresServer) -> str:
    return server.url(f"away_{next(NUMBERS)}")


# -- restarts -----------------------------------------------------------------------------------------------


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


def test_a_writer_outlives_a_restart_between_any_two_statements(
    server: PostgresServer, location: str
) -> None:
    first, second = corpus.generated(2)
    texts = [chunk.indexed_text for chunk in second.chunks]
    with open_index(location, create=corpus.spec()) as index:
        with index.writer() as writer:
            writer.put(first, vectors_of(first))
            server.restart()
            assert writer.document(first.record.file) == first.record
            server.restart()
            assert writer.cached_vectors(texts) == {}
            server.restart()
            writer.cache_vectors(texts, vectors_of(second))
            server.restart()
            assert len(writer.cached_vectors(texts)) == 4
            writer.put(second, vectors_of(second))
            server.restart()
            writer.publish()
            server.restart()
        assert index.snapshot().counts().chunks == 8
        assert index.verify() == []


def test_a_statement_of_its_own_is_done_once_whatever_the_restart_cuts_off(
    server: PostgresServer, location: str
) -> None:
    open_index(location, create=corpus.spec()).close()
    database = WritingDatabase(parse(location), partial(take_writer_lock, location=parse(location)))
    before = database.rows("SELECT published, working FROM state")[0]
    server.restart()
    database.execute("UPDATE state SET published = working, working = working + 1")
    server.restart()
    assert database.rows("SELECT published, working FROM state") == [(before[1], before[1] + 1)]
    database.close()


def test_a_commit_whose_answer_was_lost_is_not_done_again(
    server: PostgresServer, location: str, monkeypatch
) -> None:
    open_index(location, create=corpus.spec()).close()
    database = WritingDatabase(parse(location), partial(take_writer_lock, location=parse(location)))
    (_, working) = database.rows("SELECT published, working FROM state")[0]
    transaction = WritingDatabase._transaction
    lost: list[object] = []

    def losing(self: WritingDatabase, *given: object) -> object:
        result = transaction(self, *given)  # type: ignore[arg-type]
        if not lost:
            lost.append(result)
            raise failures.ConnectionLost("the answer to COMMIT")
        return result

    monkeypatch.setattr(WritingDatabase, "_transaction", losing)
    database.execute("UPDATE state SET published = working, working = working + 1")
    assert database.rows("SELECT working FROM state") == [(working + 1,)]
    database.close()


def test_another_writer_in_between_is_noticed_by_a_read(server: PostgresServer, location: str) -> None:
    item = document("a.pdf", ["anchor"])
    with open_index(location, create=corpus.spec()) as index:
        database = WritingDatabase(parse(location), partial(take_writer_lock, location=parse(location)))
        server.restart()
        with index.writer() as writer:
            writer.put(item, vectors_of(item))
        with pytest.raises(IndexLocked, match="another process wrote the index"):
            database.rows("SELECT count(*) FROM contents")
        database.close()


def test_a_reader_whose_rows_are_gone_never_reads_as_if_they_were_there(
    server: PostgresServer, location: str
) -> None:
    with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
        first = document("a.pdf", ["first wharf"])
        writer.put(first, vectors_of(first))
    with open_index(location) as reader:
        server.restart()  # which takes the reader's lock
        with open_index(location) as index:
            for text in ("second wharf", "third wharf", "fourth wharf"):
                with index.writer() as writer:
                    item = document("a.pdf", [text])
                    writer.put(item, vectors_of(item))
        for _ in range(3):
            with pytest.raises(GenerationGone, match="ask again"):
                reader.pages("a.pdf")
        assert reader.snapshot().pages("a.pdf")[0].text == "fourth wharf"


def test_losing_all_connections_at_any_statement_ends_nothing(location: str, monkeypatch) -> None:
    execute = psycopg.Cursor.execute
    asked = at = 0
    connections: set[psycopg.Connection] = set()

    def cut_off(self: psycopg.Cursor, *given, **more):
        nonlocal asked
        asked += 1
        connections.add(self.connection)
        if asked == at:
            for connection in connections:
                if not connection.closed:
                    with socket.socket(fileno=os.dup(connection.fileno())) as line:
                        line.shutdown(socket.SHUT_RDWR)
        return execute(self, *given, **more)

    open_index(location, create=corpus.spec()).close()
    monkeypatch.setattr(psycopg.Cursor, "execute", cut_off)
    while asked >= at:
        asked, at = 0, at + 1
        connections.clear()
        item = document("a.pdf", [f"anchor {at}", f"wharf {at}"])
        with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
            writer.put(item, vectors_of(item))
            writer.publish()
            assert index.snapshot().pages("a.pdf")[0].text == f"anchor {at}"
    assert at > 50
    with open_index(location) as index:
        assert index.counts().chunks == 2
        assert index.verify() == []


def test_a_new_generation_is_read_although_the_server_goes_away(location: str, monkeypatch) -> None:
    item = document("a.pdf", ["anchor"])
    answers: list[Exception] = [failures.ServerAway("connection refused")]

    def refusing(where):
        if answers:
            raise answers.pop()
        return connect(where)

    with open_index(location, create=corpus.spec()) as reader:
        with open_index(location) as index:
            put(index, item)
        monkeypatch.setattr("rag.store.postgres.database.connect", refusing)
        assert reader.snapshot().pages("a.pdf")[0].text == "anchor"
    assert not answers


@pytest.mark.parametrize("host", ["nowhere.invalid:5432", "127.0.0.1:1"])
def test_a_server_that_was_never_reached_is_not_waited_for(host: str, monkeypatch) -> None:
    attempts: list[object] = []

    def counted(where):
        attempts.append(where)
        return connect(where)

    monkeypatch.setattr("rag.store.postgres.database.connect", counted)
    with pytest.raises(IndexError_, match="check that the server runs"):
        open_index(f"postgresql://user@{host}/library")
    assert len(attempts) == 1


def test_a_server_that_is_starting_is_waited_for_the_first_time_too(location: str, monkeypatch) -> None:
    answers: list[Exception] = [failures.ServerStarting("starting"), failures.ServerStarting("starting")]

    def starting(where):
        if answers:
            raise answers.pop()
        return connect(where)

    monkeypatch.setattr("rag.store.postgres.database.connect", starting)
    database = ReadingDatabase(parse(location))
    assert database.rows("SELECT 1") == [(1,)]
    database.close()


# -- limits and parameters ----------------------------------------------------------------------------------


@pytest.fixture
def limited(server: PostgresServer) -> Iterator[str]:
    """A user whose statements are cut off after a moment."""
    server.admin(f"CREATE ROLE limited LOGIN PASSWORD '{PASSWORD}'")
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        server.admin(f"ALTER ROLE limited SET {name} = '500ms'")
    yield "limited"
    server.admin("DROP ROLE limited")


def test_limits_of_a_role_end_nothing(server: PostgresServer, limited: str) -> None:
    with connect(parse(server.url("x", user=limited, password=PASSWORD))) as connection:
        with connection.transaction():
            sleep(0.8)
            connection.execute("SELECT pg_sleep(0.8)")
        for name in ("statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout"):
            assert connection.execute(f"SHOW {name}").fetchall() == [("0",)]


def test_a_cancelled_statement_says_so(server: PostgresServer, location: str) -> None:
    database = ReadingDatabase(parse(location))

    def cancel() -> None:
        for _ in range(100):
            sleep(0.1)
            if server.admin(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
            ):
                return

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(IndexError_, match=r"administrator cancelled \(canceling statement") as caught:
        database.rows("SELECT pg_sleep(30)")
    thread.join()
    assert not isinstance(caught.value, IndexLocked)
    database.close()


def test_the_parameters_of_the_address_count_more_than_ours(location: str) -> None:
    with connect(parse(f"{location}&application_name=a+b&keepalives_idle=7&connect_timeout=3")) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("a+b",)
        given = connection.info.get_parameters()
        assert (given["keepalives_idle"], given["keepalives_count"], given["connect_timeout"]) == (
            "7",
            "3",
            "3",
        )


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            'could not open extension control file "/usr/share/extension/vector.control": No such file or directory',
            IndexError_,
            "has no pgvector",
        ),
        ('could not access file "$libdir/vector": No such file or directory', IndexError_, "has no pgvector"),
        ('could not open file "base/5/16400": No such file or directory', IndexDamaged, "is damaged"),
    ],
)
def test_a_file_that_the_server_lacks(said: str, kind: type[IndexError_], words: str) -> None:
    error = failures.translated(parse("postgresql://h/d"), psycopg.errors.UndefinedFile(said))
    assert type(error) is kind
    assert words in str(error)
    assert "stopped answering" not in str(error)
