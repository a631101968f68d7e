"""Users of a PostgreSQL server: passwords, rights, the roles of the guide, and what is told when one is missing."""

from __future__ import annotations

import itertools
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.errors import (
    IndexError_,
    IndexMissing,
    IndexReadOnly,
    NetworkRefused,
    RagError,
    UsageError,
)
from rag.providers.offline import disable_offline, enable_offline
from rag.store import Filter, open_index
from rag.store.postgres.database import ReadingDatabase
from rag.store.postgres.location import parse
from rag.store.postgres.schema import TABLES
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.store import corpus
from tests.store.corpus import document, question
from tests.store.postgres_support import put, schema_of

pytestmark = pytest.mark.slow
NUMBERS = itertools.count()


@pytest.fixture
def location(server: PostgresServer) -> str:
    return server.url(f"users_{next(NUMBERS)}")


@pytest.fixture
def reader(server: PostgresServer) -> Iterator[str]:
    """A user with a password and no rights but to connect."""
    server.admin(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    yield "reader"
    server.admin("DROP OWNED BY reader", database="index")
    server.admin("DROP ROLE reader")


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
        assert index.passages(hidden) == []
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
