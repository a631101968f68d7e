"""Ingest on a Ray cluster that is started on this machine for the run, and ends with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.engines.ray.read_files import unseen
from tests.conftest import SAMPLE
from tests.ingest.ray_support import (
    Ingest,
    content_of,
    descendants,
    finish,
    gone,
    listening,
    wait_for,
)
from tests.servers.openai_server import Fault, OpenAIServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def test_the_sample_documents(server: OpenAIServer, tmp_path: Path) -> None:
    ingest = Ingest(server, SAMPLE)
    ingest.run(tmp_path / "local", engine="local")
    server.clear()
    process = ingest.start(tmp_path / "ray", "--offline")
    addresses: set[str] = set()
    while process.poll() is None:
        addresses |= listening([process.pid, *descendants(process.pid)])
        time.sleep(0.2)
    report = finish(process)
    assert addresses == {"127.0.0.1"}
    assert content_of(tmp_path / "ray") == content_of(tmp_path / "local")
    assert (report["stopped"], report["notes"], report["chunks"]["cached"]) == ("", [], 0)
    assert "ray" not in report["error"].lower()
    assert set(server.bill.texts.values()) == {1}
    assert not (Path.home() / ".ray" / "auth_token").exists() or os.environ.get("RAY_AUTH_MODE")


def test_a_killed_run_leaves_nothing_behind(server: OpenAIServer, tmp_path: Path) -> None:
    server._faults = lambda _request: Fault("slow", seconds=0.5)
    process = Ingest(server, SAMPLE).start(tmp_path / "index", "--workers", "1")
    wait_for(lambda: len(server.requests) > 2, 90)
    children = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    Ingest(server, SAMPLE).run(tmp_path / "index", engine="local")
    assert max(server.bill.texts.values()) <= 2
    wait_for(lambda: gone(children), 120)  # two helpers of Ray look for its other parts for a minute


def test_a_machine_that_does_not_see_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "here.txt"
    assert "does not see it: every machine of the cluster needs" in unseen(path, 4)
    path.write_text("text", encoding="utf-8")
    assert unseen(path, 4) == ""
    assert "sees another file there" in unseen(path, 5)
