"""Indexes of both kinds. A module whose tests hold for both says `KINDS = BOTH_KINDS` (`tests.store.kinds`); the
tests of other modules get a folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rag.store import Index, open_index
from rag.types import Document
from tests.servers.postgres import PostgresServer
from tests.store import corpus
from tests.store.processes import start


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    kinds = getattr(metafunc.module, "KINDS", None)
    if kinds and "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "folder")


@pytest.fixture(scope="module")
def new_location(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path | str]:
    """Gives a place for an index whenever it is called."""
    if kind == "folder":
        return lambda: tmp_path_factory.mktemp("index") / "색인"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = request.module.__name__.rpartition(".")[2]
    numbers = itertools.count()
    return lambda: server.url(f"{name}_{next(numbers)}_색인")


@pytest.fixture
def location(new_location: Callable[[], Path | str]) -> Path | str:
    return new_location()


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def index(location: Path | str, notices: list[str]) -> Iterator[Index]:
    """An open, empty index."""
    embeddings = corpus.HashingEmbeddings()
    with open_index(location, create=corpus.spec(), embeddings=embeddings, notify=notices.append) as opened:
        yield opened


@pytest.fixture
def fill(location: Path | str) -> Callable[[Sequence[Document]], None]:
    """Put documents into the index at `location` and close it."""

    def put(documents: Sequence[Document]) -> None:
        with open_index(location, create=corpus.spec()) as opened, opened.writer() as writer:
            for item in documents:
                writer.put(item, corpus.vectors_of(item))

    return put


@pytest.fixture
def holder(location: Path | str, fill: Callable):
    fill([corpus.document("a.pdf", [corpus.ENGLISH[0]])])
    worker = start("hold", location)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    with worker:
        yield worker
        worker.kill()
