"""Readers that the owner does not trust, and readers that come while much is being loaded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from rag.errors import IndexLocked
from rag.store import Filter, open_index
from rag.store.postgres import vectors as postgres_vectors
from rag.store.postgres.location import parse
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.postgres_support import put, schema_of

pytestmark = pytest.mark.slow
NUMBERS = itertools.count()

TRAP = """
CREATE FUNCTION pg_temp.all_words() RETURNS text LANGUAGE sql
  AS 'SELECT string_agg(term, '' '') FROM {0}.keyword_terms';
CREATE VIEW pg_temp.keyword_terms AS
  SELECT CAST(0 AS smallint) AS field, CAST('harbour' AS text) AS term, length(pg_temp.all_words()) AS id,
  1 AS times, CAST(length(pg_temp.all_words()) AS bigint) AS documents
"""
"""Plants a view in the place of the table, which reads all words with the rights of the owner."""


@pytest.fixture
def location(postgres_server: PostgresServer) -> str:
    return postgres_server.url(f"readers_{next(NUMBERS)}_색인")


@pytest.fixture
def reader(postgres_server: PostgresServer, location: str) -> Iterator[str]:
    """The address for a user who may look words up, and not read the table of all words."""
    name = schema_of(location)
    with open_index(location, create=corpus.spec()) as index:
        put(index, document("a.pdf", ["the harbour", "a secret zanzibar"]))
    postgres_server.admin(
        f"CREATE ROLE restricted LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA {name} TO restricted;"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO restricted;"
        f"REVOKE ALL ON {name}.keyword_terms FROM restricted",
        database="index",
    )
    yield postgres_server.url(name, user="restricted", password=PASSWORD)
    postgres_server.admin("DROP OWNED BY restricted CASCADE", database="index")
    postgres_server.admin("DROP ROLE restricted")


# -- looking words up ---------------------------------------------------------------------------------------


def caught(reader: str) -> bool:
    """Whether the trap gives a restricted reader what it may not read."""
    name = schema_of(reader)
    ask = f"SELECT documents FROM {name}.keyword_entries(CAST(0 AS smallint), ARRAY['harbour'])"
    with psycopg.connect(parse(reader).url) as connection:
        assert connection.execute(ask).fetchall() == [(1,)]
        connection.execute(TRAP.format(name).encode())
        return connection.execute(ask).fetchall() != [(1,)]


def test_nobody_can_put_a_table_in_the_place_of_the_words(reader: str) -> None:
    assert not caught(reader)


# -- the HNSW index -----------------------------------------------------------------------------------------


@pytest.fixture
def searched(monkeypatch) -> list[bool]:
    """Whether each search that follows went through the HNSW index."""
    seen: list[bool] = []
    search: Callable = postgres_vectors.search_vectors

    def watched(*arguments, indexed: bool):
        seen.append(indexed)
        return search(*arguments, indexed=indexed)

    monkeypatch.setattr(postgres_vectors, "search_vectors", watched)
    return seen


def test_a_reader_that_came_before_the_hnsw_index_uses_it_later(
    location: str, monkeypatch, searched: list[bool]
) -> None:
    monkeypatch.setattr("rag.store.postgres.backend.INDEXED_ROWS", 50)
    with open_index(location, create=corpus.spec()) as index:
        with index.writer() as writer:
            for item in corpus.generated(20):
                writer.put(item, vectors_of(item))
            writer.publish()
            early = open_index(location)
            first = early.search_dense(question("harbour"), 5)
        with early:
            assert early.search_dense(question("harbour"), 5) == first
        assert index.search_dense(question("harbour"), 5) == first
    assert searched == [False, True, True]


@pytest.mark.parametrize("code", ["53200", "53100", "53000"])
def test_without_room_for_parallel_workers_the_hnsw_index_is_made_alone(
    location: str, monkeypatch, searched: list[bool], code: str
) -> None:
    monkeypatch.setattr("rag.store.postgres.backend.INDEXED_ROWS", 50)
    failing(monkeypatch, code)
    with open_index(location, create=corpus.spec()) as index:
        put(index, *corpus.generated(20))
        assert len(index.search_dense(question("harbour"), 5)) == 5
    assert searched == [True]


def test_other_errors_of_the_hnsw_index_are_not_tried_again(location: str, monkeypatch) -> None:
    monkeypatch.setattr("rag.store.postgres.backend.INDEXED_ROWS", 50)
    failing(monkeypatch, "55P03")
    with (
        open_index(location, create=corpus.spec()) as index,
        pytest.raises(IndexLocked, match="no room for 2"),
    ):
        put(index, *corpus.generated(20))
    with open_index(location) as index:
        assert index.counts().chunks == 80


def failing(monkeypatch, code: str) -> None:
    """Let the index be made by one process alone; more than one fail with this code of PostgreSQL."""
    definition = postgres_vectors.definition

    def only_alone(dimension: int) -> str:
        workers = "current_setting('max_parallel_maintenance_workers')"
        return (
            f"DO $$ BEGIN IF {workers} <> '0' THEN RAISE EXCEPTION USING MESSAGE = 'no room for ' || {workers}, "
            f"ERRCODE = '{code}'; END IF; {definition(dimension)}; END $$"
        )

    monkeypatch.setattr(postgres_vectors, "definition", only_alone)


# -- metadata -----------------------------------------------------------------------------------------------


def test_metadata_that_utf_8_cannot_hold(location: str) -> None:
    first, second = (f"author{chr(number)}" for number in (0xD800, 0xD801))
    odd = {first: f"KIM{chr(0xDC80)}", second: "LEE", "plain": "Yes"}
    with open_index(location, create=corpus.spec()) as index:
        put(index, document("a.pdf", ["one"], **odd))
        assert index.documents()[0].metadata == {"author\ufffd": "LEE", "plain": "Yes"}
        for condition, wanted in (("author\ufffd=lee", 1), ("author\ufffd=kim\ufffd", 0), ("plain=yes", 1)):
            assert len(index.search_keywords(["one"], 5, Filter.parse([condition]))) == wanted
