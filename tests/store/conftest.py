"""Empty and filled indexes, in a folder or in a database (`tests.kinds`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rag.store import Index, open_index
from rag.types import Document
from tests.servers.postgres import PostgresServer
from tests.store import corpus
from tests.store.processes import start


@pytest.fixture
def location(new_location: Callable[[], Path | str]) -> Path | str:
    return new_location()


@pytest.fixture
def server(postgres_server: PostgresServer) -> PostgresServer:
    return postgres_server


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
    return lambda documents: corpus.fill(location, documents)


@pytest.fixture
def holder(location: Path | str, fill: Callable):
    fill([corpus.document("a.pdf", [corpus.ENGLISH[0]])])
    worker = start("hold", location)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    with worker:
        yield worker
        worker.kill()
