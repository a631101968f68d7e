from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rag.store import Index, open_index
from rag.types import Document
from tests.store import corpus


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "색인"


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def index(location: Path, notices: list[str]) -> Iterator[Index]:
    """An open, empty index."""
    embeddings = corpus.HashingEmbeddings()
    with open_index(location, create=corpus.spec(), embeddings=embeddings, notify=notices.append) as opened:
        yield opened


@pytest.fixture
def fill(location: Path) -> Callable[[Sequence[Document]], None]:
    """Put documents into the index at `location` and close it."""

    def put(documents: Sequence[Document]) -> None:
        with open_index(location, create=corpus.spec()) as opened, opened.writer() as writer:
            for item in documents:
                writer.put(item, corpus.vectors_of(item))

    return put
