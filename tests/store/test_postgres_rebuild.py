"""`--rebuild` in a database that others use too: what is not ours is left alone, and what is ours is never lost."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from rag.errors import IndexError_, IndexReadOnly, UsageError
from rag.store import open_index
from rag.store.postgres.connection import take_writer_lock
from rag.store.postgres.database import WritingDatabase
from rag.store.postgres.location import parse
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.postgres_support import put, schema_of

pytestmark = pytest.mark.slow
NUMBERS = itertools.count()

Query = Callable[[str], list[tuple]]


@pytest.fixture
def location(postgres_server: PostgresServer) -> str:
    return postgres_server.url(f"rebuild_{next(NUMBERS)}")


@pytest.fixture
def ask(postgres_server: PostgresServer) -> Query:
    """Runs statements as the administrator."""
    return lambda statement: postgres_server.admin(statement, database="index")


@pytest.fixture
def stranger(postgres_server: PostgresServer) -> Iterator[str]:
    """A user with a password and no rights but to connect."""
    postgres_server.admin(f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")
    yield "stranger"
    postgres_server.admin("DROP OWNED BY stranger CASCADE", database="index")
    postgres_server.admin("DROP ROLE stranger")


def schemas(ask: Query, location: str) -> list[str]:
    """The schemas whose names begin with that of the index."""
    begins = f"starts_with(nspname, '{schema_of(location)}')"
    return [name for (name,) in ask(f"SELECT nspname FROM pg_namespace WHERE {begins} ORDER BY nspname")]


def rebuild(location: str, **changes: object) -> list[str]:
    """Rebuild the index and close it; the notices."""
    said: list[str] = []
    open_index(location, create=corpus.spec(**changes), rebuild=True, notify=said.append).close()
    return said


def filled(location: str) -> list[str]:
    """Make an index with four embeddings; their texts."""
    (item,) = corpus.generated(1)
    with open_index(location, create=corpus.spec()) as index:
        put(index, item)
    return [chunk.indexed_text for chunk in item.chunks]


def damage(ask: Query, location: str) -> None:
    ask(f"UPDATE {schema_of(location)}.state SET spec = '{{}}'")


def cached(location: str, texts: list[str]) -> int:
    with open_index(location) as index, index.writer() as writer:
        return len(writer.cached_vectors(texts))


# -- what is not ours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    "others",
    [
        "CREATE TABLE {0}.state (name text, capital text); INSERT INTO {0}.state VALUES ('Ohio', 'Columbus')",
        "CREATE TABLE {0}.orders (id integer); INSERT INTO {0}.orders VALUES (1)",
        "CREATE VIEW {0}.state AS SELECT 1 AS only_row, 1 AS format",
    ],
)
def test_a_schema_of_something_else_is_refused_and_stays(
    location: str, ask: Query, others: str, again: bool
) -> None:
    name = schema_of(location)
    ask(f"CREATE SCHEMA {name}; {others.format(name)}")
    kept = "SELECT c.oid, c.relname FROM pg_class c WHERE relnamespace = CAST('{}' AS regnamespace)"
    before = ask(kept.format(name))
    with pytest.raises(UsageError, match=r"holds other tables.*name another schema with \?schema=NAME"):
        open_index(location, create=corpus.spec(), rebuild=again)
    assert ask(kept.format(name)) == before
    assert schemas(ask, location) == [name]


def test_a_schema_made_ahead_of_time_is_used(location: str, ask: Query) -> None:
    ask(f"CREATE SCHEMA {schema_of(location)}")
    assert rebuild(location) == []
    assert cached(location, []) == 0


def test_tables_of_others_beside_a_damaged_index_stay_where_they_are(location: str, ask: Query) -> None:
    filled(location)
    name = schema_of(location)
    ask(f"CREATE TABLE {name}.notes (text text); INSERT INTO {name}.notes VALUES ('mine')")
    damage(ask, location)
    rebuild(location)
    assert ask(f"SELECT text FROM {name}.notes") == [("mine",)]
    assert ask(f"SELECT count(*) FROM {name}_damaged.chunks") == [(4,)]
    ask(f"DROP TABLE {name}.pages CASCADE; CREATE VIEW {name}.pages AS SELECT 1 AS one")
    with pytest.raises(UsageError, match="other tables"):
        rebuild(location)
    assert ask(f"SELECT one FROM {name}.pages") == [(1,)]
    assert schemas(ask, location) == [name, f"{name}_damaged"]


# -- setting aside ------------------------------------------------------------------------------------------


def test_what_was_set_aside_before_stays(location: str, ask: Query) -> None:
    texts = filled(location)
    name = schema_of(location)
    for aside in ("_damaged", "_damaged_2", "_damaged_3"):
        damage(ask, location)
        (said,) = rebuild(location)
        assert f"the schema {name}{aside};" in said
        assert "4 embeddings were taken over" in said
    assert schemas(ask, location) == [f"{name}{end}" for end in ("", "_damaged", "_damaged_2", "_damaged_3")]
    assert ask(f"SELECT count(*) FROM {name}_damaged.chunks") == [(4,)]
    assert cached(location, texts) == 4


@pytest.mark.parametrize("letters", ["a" * 55 + "_damaged", "가" * 21, "b" * 63])
def test_names_of_as_many_bytes_as_postgresql_keeps(
    postgres_server: PostgresServer, ask: Query, letters: str
) -> None:
    location = postgres_server.url(letters)
    texts = filled(location)
    for _ in range(2):
        damage(ask, location)
        assert "4 embeddings" in rebuild(location)[0]
    found = [name for (name,) in ask("SELECT nspname FROM pg_namespace") if name.startswith(letters[:9])]
    assert letters in found
    assert len(found) == 3
    assert all(len(name.encode()) <= 63 for name in found)
    assert cached(location, texts) == 4


def test_a_name_that_postgresql_would_cut_short_is_refused(postgres_server: PostgresServer) -> None:
    for create in (None, corpus.spec()):
        with pytest.raises(UsageError, match=r"66 bytes.*\?schema=NAME"):
            open_index(postgres_server.url("색" * 22), create=create)


def test_two_that_rebuild_at_once_quarantine_once(location: str, ask: Query) -> None:
    texts = filled(location)
    damage(ask, location)
    said: list[str] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            said.extend(rebuild(location))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    holder = WritingDatabase(parse(location), partial(take_writer_lock, location=parse(location)))
    try:
        for thread in threads:
            thread.start()
        threads[0].join(2)  # long enough for both to have seen the damage and to wait
        assert all(thread.is_alive() for thread in threads)
    finally:
        holder.close()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert len(said) == 1
    name = schema_of(location)
    assert schemas(ask, location) == [name, f"{name}_damaged"]
    assert cached(location, texts) == 4


def test_embeddings_that_cannot_be_taken_over_are_told(location: str, ask: Query) -> None:
    filled(location)
    name = schema_of(location)
    ask(f"ALTER TABLE {name}.embeddings RENAME COLUMN digest TO other")
    damage(ask, location)
    (said,) = rebuild(location)
    assert "could not be taken over (column e.digest does not exist)" in said
    assert ask(f"SELECT count(*) FROM {name}_damaged.embeddings") == [(4,)]
    assert cached(location, []) == 0


def test_embeddings_of_another_length_are_left_behind(location: str, ask: Query) -> None:
    texts = filled(location)
    ask(f"UPDATE {schema_of(location)}.embeddings SET vector = '' WHERE id = 2")
    damage(ask, location)
    (said,) = rebuild(location)
    assert "3 embeddings were taken over, 1 could not be" in said
    assert cached(location, texts) == 3


def test_all_of_it_happens_or_nothing(location: str, ask: Query, monkeypatch) -> None:
    filled(location)
    damage(ask, location)
    name = schema_of(location)
    monkeypatch.setattr("rag.store.postgres.schema.FORMAT", 2**40)  # no integer of PostgreSQL
    with pytest.raises(Exception, match="out of range"):
        rebuild(location)
    assert schemas(ask, location) == [name]
    assert ask(f"SELECT count(*) FROM {name}.chunks") == [(4,)]


def test_who_may_not_quarantine_is_told(
    postgres_server: PostgresServer, location: str, ask: Query, stranger: str
) -> None:
    filled(location)
    damage(ask, location)
    name = schema_of(location)
    ask(f"GRANT ALL ON SCHEMA {name} TO stranger; GRANT ALL ON ALL TABLES IN SCHEMA {name} TO stranger")
    ask("GRANT CREATE ON DATABASE index TO stranger")
    with pytest.raises(IndexReadOnly, match=r"cannot be quarantined by this user: use the owner"):
        rebuild(postgres_server.url(name, user=stranger, password=PASSWORD))
    assert schemas(ask, location) == [name]


def test_policies_that_were_quarantined_leave_nothing_open(
    postgres_server: PostgresServer, location: str, ask: Query, stranger: str
) -> None:
    filled(location)
    name = schema_of(location)
    ask(f"ALTER TABLE {name}.pages ENABLE ROW LEVEL SECURITY")
    ask(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO stranger")
    ask(f"GRANT USAGE ON SCHEMA {name} TO stranger")
    damage(ask, location)
    rebuild(location)
    filled(location)
    with open_index(postgres_server.url(name, user=stranger, password=PASSWORD)) as index:
        file = index.documents()[0].file
        assert index.pages(file) == []


# -- other embeddings ---------------------------------------------------------------------------------------


def test_what_was_granted_stays_with_embeddings_of_another_length(
    postgres_server: PostgresServer, location: str, ask: Query, stranger: str, monkeypatch
) -> None:
    monkeypatch.setattr("rag.store.postgres.backend.INDEXED_ROWS", 2)
    filled(location)
    name = schema_of(location)
    ask(
        f"GRANT USAGE ON SCHEMA {name} TO stranger; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO stranger;"
        f"ALTER TABLE {name}.vectors ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY readable ON {name}.vectors FOR SELECT TO stranger USING (EXISTS ("
        f"SELECT FROM {name}.sources s WHERE s.content = vectors.content AND starts_with(s.file, 'open/')))"
    )
    for number, dimension in enumerate((32, 2500, 64)):
        changes = {"dimension": dimension, "embedding_id": f"other-{number}"}
        assert rebuild(location, **changes) == []
        with open_index(location, create=corpus.spec(**changes)) as index:
            asked = [*question("harbour pier quay"), *[0.0] * dimension][:dimension]
            assert index.search_dense(asked, 9) == []
            with index.writer() as writer:
                for file in ("open/a.pdf", "closed/b.pdf"):
                    item = document(file, ["harbour", "pier", "quay"])
                    writer.put(item, [[*v, *[0.0] * dimension][:dimension] for v in vectors_of(item)])
            assert len(index.search_dense(asked, 9)) == 6
            assert index.verify() == []
        with open_index(postgres_server.url(name, user=stranger, password=PASSWORD)) as index:
            found = index.passages([hit.chunk_id for hit in index.search_dense(asked, 9)])
            assert {passage.file for passage in found} == {"open/a.pdf"}


def test_a_reader_of_the_old_embeddings_is_told_to_ask_again(location: str) -> None:
    filled(location)
    with open_index(location) as reader:
        rebuild(location, dimension=32, embedding_id="short")
        newest = reader.snapshot()
        assert newest.spec.dimension == 32
        with pytest.raises(IndexError_, match="32 numbers"):
            newest.search_dense(question("harbour"), 3)


@pytest.mark.parametrize("dimension", [64, 8])
def test_what_a_killed_writer_left_goes_with_its_words(location: str, dimension: int) -> None:
    first, second = corpus.generated(2)

    def interrupted() -> None:
        with open_index(location, create=corpus.spec()) as index:
            put(index, first)
            with index.writer() as writer:
                writer.put(second, vectors_of(second))
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    other = {"embedding_model": "other", "embedding_id": "other", "dimension": dimension}
    with open_index(location, create=corpus.spec(**other), rebuild=True) as index:
        with index.writer() as writer:
            writer.put(first, vectors_of(first)[:, :dimension])
        assert len(index.search_keywords(["entry"], 99)) == len(first.chunks)
        assert index.verify() == []
