"""The small index, made once for the tests of the pipeline, and pipelines opened on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rag.pipeline import Pipeline
from rag.providers.registry import embedding_model
from tests.pipeline.library import build
from tests.providers.support import EMBEDDINGS, settings_for
from tests.servers.openai_server import OpenAIServer

Open = Callable[..., Pipeline]


@pytest.fixture(scope="session")
def made_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "index"
    with OpenAIServer() as server:
        return build(folder, embedding_model(EMBEDDINGS, settings_for(server), dimension=64))


@pytest.fixture
def index(made_index: Path, tmp_path: Path) -> Path:
    """A copy of the index, free to be written."""
    return Path(shutil.copytree(made_index, tmp_path / "index"))


@pytest.fixture
def opened(index: Path) -> Iterator[Open]:
    """Opens pipelines on the index: `opened(server, model=..., ...)`, closed after the test."""
    with ExitStack() as stack:

        def open_(server: OpenAIServer, **flags: Any) -> Pipeline:
            given = {"model": "openai:gpt-4o-mini", "retries": 0, **flags}
            return stack.enter_context(Pipeline.open(index, settings_for(server, **given)))

        yield open_
