"""Ingest on a Ray cluster that is started on this machine for the run, and ends with it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.engines.ray.read_files import MOST_DEATHS, unseen
from tests.conftest import SAMPLE
from tests.ingest import pdfs
from tests.ingest.ray_support import (
    Ingest,
    content_of,
    descendants,
    finish,
    kill,
    listening,
    title,
    wait_for,
)
from tests.servers.openai_server import Fault, OpenAIServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def _gone(processes: list[int]) -> bool:
    """Whether they have ended; an ended process has no command line, even before its parent notices."""
    return not any(title(process) for process in processes)


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


def test_the_run_itself_is_killed_and_run_again(server: OpenAIServer, tmp_path: Path) -> None:
    chance = random.Random(3)
    server._faults = lambda _request: Fault("slow", seconds=0.5)
    ingest = Ingest(server, SAMPLE)
    ingest.run(tmp_path / "whole", engine="local")
    texts = set(server.bill.texts)
    server.clear()
    kills = 3
    for _ in range(kills):
        before = len(server.requests)
        process = ingest.start(tmp_path / "index")
        wait_for(lambda seen=before: len(server.requests) > seen + 1, 90)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 1.5))
        children = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    ingest.run(tmp_path / "index", engine="local")
    assert content_of(tmp_path / "index") == content_of(tmp_path / "whole")
    assert set(server.bill.texts) == texts
    largest = max(len(request.texts) for request in server.embedding_requests())
    probes = kills + 1  # each run asks for the dimension until there is an index
    assert sum(server.bill.texts.values()) - len(texts) <= kills * 2 * largest + probes
    wait_for(lambda: _gone(children), 120)  # two helpers of Ray look for its other parts for a minute


def test_ctrl_c_ends_everything(server: OpenAIServer, tmp_path: Path) -> None:
    server._faults = lambda _request: Fault("slow", seconds=1.0)
    process = Ingest(server, SAMPLE).start(tmp_path / "index")
    wait_for(lambda: len(server.requests) > 2, 90)
    children = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    report = finish(process, 130)
    assert "Stopped. What was finished is kept" in report["error"]
    wait_for(lambda: _gone(children), 30)
    Ingest(server, SAMPLE).run(tmp_path / "index", engine="local")


def test_a_file_that_kills_its_workers_is_given_up(server: OpenAIServer, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "well.md").write_text("# Pier\n\nThe pier was built in 1904.\n", encoding="utf-8")
    (folder / "slow.pdf").write_bytes(pdfs.endless_pdf())
    process = Ingest(server, folder).start(tmp_path / "index", "--workers", "1")
    killed = 0
    since: dict[int, float] = {}
    while process.poll() is None:
        for child in descendants(process.pid):
            if "ReadFiles" in title(child) and any("ingest.worker" in title(p) for p in descendants(child)):
                busy_since = since.setdefault(child, time.monotonic())
                if time.monotonic() - busy_since > 2:
                    kill(child)
                    killed += 1
        time.sleep(0.1)
    report = finish(process, 3)
    by_file = {row["file"]: (row["status"], row["reason"]) for row in report["files"]}
    assert by_file["well.md"] == ("ok", "")
    assert by_file["slow.pdf"] == ("failed", f"the worker that reads it died {MOST_DEATHS} times")
    assert killed >= MOST_DEATHS


def test_a_wrong_key_ends_the_run_as_on_one_machine(server: OpenAIServer, tmp_path: Path) -> None:
    Ingest(server, SAMPLE).run(tmp_path / "index", "--glob", "*.csv", engine="local")
    wrong = Ingest(server, SAMPLE, environment={"RAG_API_KEY": "sk-wrong"})
    here = wrong.run(tmp_path / "index", engine="local", code=1)
    there = wrong.run(tmp_path / "index", code=1)
    assert _sentence(there["error"]) == _sentence(here["error"])
    assert "sk-wrong" not in there["error"]


def _sentence(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("Error: ")]
    return line


def test_a_machine_that_does_not_see_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "here.txt"
    assert "does not see it: every machine of the cluster needs" in unseen(path, 4)
    path.write_text("text", encoding="utf-8")
    assert unseen(path, 4) == ""
    assert "sees another file there" in unseen(path, 5)
