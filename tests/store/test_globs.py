"""A glob means in PostgreSQL what SQLite's GLOB means."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.store import Filter, open_index
from rag.store.postgres.database import ReadingDatabase
from rag.store.postgres.location import parse
from tests.servers.postgres import PostgresServer
from tests.store import corpus
from tests.store.corpus import document

LETTERS = "ab-c]^[*?.\\|$({+29:=_한—\n"
PAIRS = st.lists(
    st.tuples(
        st.one_of(
            st.text(LETTERS, max_size=12),
            st.lists(st.sampled_from(["[", "]", "-", "^", "*", "?", "a", "b", "c", "[a-c]", "[^"]), max_size=9).map(
                "".join
            ),
        ),
        st.one_of(st.text(LETTERS, max_size=5), st.text("abc-]^[", max_size=4)),
    ),
    min_size=50,
    max_size=200,
)  # fmt: skip


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[ReadingDatabase]:
    opened = ReadingDatabase(parse(postgres_server.url("globs")))
    yield opened
    opened.close()


def both(database: ReadingDatabase, pairs: list[tuple[str, str]]) -> tuple[list[bool], list[bool]]:
    """Which pairs of a glob and a name match, in PostgreSQL and in SQLite."""
    condition = database.matches_glob("names.name", "glob").replace(":glob", "ARRAY[names.glob]")
    found = database.rows(
        f"SELECT {condition} FROM unnest(CAST(:names AS text[]), CAST(:globs AS text[])) "
        "WITH ORDINALITY AS names (name, glob, number) ORDER BY number",
        {"names": [name for _, name in pairs], "globs": database.globs([glob for glob, _ in pairs])},
    )
    with sqlite3.connect(":memory:") as sqlite:
        wanted = [bool(sqlite.execute("SELECT ? GLOB ?", (name, glob)).fetchone()[0]) for glob, name in pairs]
    return [row[0] for row in found], wanted


@pytest.mark.slow
@settings(max_examples=60)
@given(pairs=PAIRS)
def test_globs_agree(database: ReadingDatabase, pairs: list[tuple[str, str]]) -> None:
    ours, theirs = both(database, pairs)
    assert [pair for pair, *found in zip(pairs, ours, theirs, strict=True) if found[0] != found[1]] == []


@pytest.mark.slow
def test_globs_that_were_once_taken_otherwise(database: ReadingDatabase) -> None:
    globs = [
        "[Report-2023].pdf",
        "[b-a]",
        "[a-]",
        "[]-a]",
        "[^]]",
        "[a",
        "[",
        "[]",
        "[[:alpha:]]",
        "[a-c-e]",
        "[^-]",
    ]
    globs += ["*[", "[.]", "[\\]", "[\\-a]", "[a^]", "[--a]", "***:", "[ㄱ-힣]"]
    names = [
        "a",
        "b",
        "c",
        "-",
        "]",
        "[",
        "^",
        "t.pdf",
        "2.pdf",
        "s.pdf",
        "",
        ".",
        "\\",
        "e",
        "***:",
        "한",
        "x:]",
        "_",
    ]
    pairs = [(glob, name) for glob in globs for name in names]
    ours, theirs = both(database, pairs)
    assert [pair for pair, *found in zip(pairs, ours, theirs, strict=True) if found[0] != found[1]] == []
    assert any(ours)


@pytest.mark.slow
def test_a_range_that_runs_backwards_is_a_filter(postgres_server: PostgresServer) -> None:
    with open_index(postgres_server.url("globs_filter"), create=corpus.spec()) as index:
        with index.writer() as writer:
            for name in ("R.pdf", "9.pdf", "2.pdf"):
                item = document(name, ["anchor"])
                writer.put(item, corpus.vectors_of(item))
        hits = index.search_keywords(["anchor"], 9, Filter.parse(["file=[Report-2023].pdf"]))
        assert {p.file for p in index.passages([hit.chunk_id for hit in hits])} == {"R.pdf", "2.pdf"}
