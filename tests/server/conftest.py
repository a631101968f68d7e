"""The servers over the sample documents, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from rag.pipeline import Pipeline
from rag.server.service import DocumentService
from rag.settings import load_settings
from tests.cli.conftest import rag, workdir  # noqa: F401 - fixtures


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application from a thread; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def service(sample_index: Path) -> Iterator[DocumentService]:
    settings = load_settings({"index": str(sample_index), "model": "extractive"}, env={}, dotenv_path=None)
    with Pipeline.open(settings=settings) as pipeline:
        yield DocumentService(pipeline)


@pytest.fixture(scope="session")
def serve() -> Callable[[Any], Any]:
    return served
