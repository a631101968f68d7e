"""Ingest on a Ray cluster: the same index as on one machine, whatever dies, within the budget."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.engines.ray_worker import unseen
from rag.usage.log import FILE_NAME, UsageLog
from tests.conftest import SAMPLE
from tests.ingest import pdfs
from tests.ingest.ray_support import (
    SECRET,
    Ingest,
    Nodes,
    descendants,
    finish,
    gone,
    kill,
    listening,
    paid_twice,
    title,
    two_nodes,
    wait_for,
)
from tests.ingest.support import Content, content_of
from tests.servers.openai_server import Fault, OpenAIServer

FILES = 40
KILLS = 20
BLOCK = 128
"""Texts that a worker has in one call, of which two are with it (docs/ingestion.md)."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(faults=lambda _request: Fault("slow", seconds=0.3)) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of several chunks each, one that needs a password, one that is damaged."""
    folder = tmp_path_factory.mktemp("documents")
    for number in range(FILES):
        text = [
            pdfs.lines(*(f"Ship {number} carried {line} crates on day {page}." for line in range(30)))
            for page in range(4)
        ]
        pdfs.write_pdf(folder / f"ship-{number}.pdf", text, invariant=1)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing follows")
    _encrypt(folder / "ship-0.pdf", folder / "locked.pdf")
    (folder.parent / "passwords").write_text(f"locked.pdf: {SECRET}\n", encoding="utf-8")
    return folder


def _encrypt(plain: Path, locked: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(plain))
    writer.encrypt(SECRET, algorithm="RC4-128")
    writer.write(locked)


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, int]:
    """The index that the local engine makes without interruption, and the number of its texts."""
    index = tmp_path_factory.mktemp("whole") / "index"
    with OpenAIServer() as server:
        Ingest(server, folder, passwords=folder.parent / "passwords").run(index, engine="local", code=3)
        return content_of(index), len(server.bill.texts)


@pytest.fixture
def ingest(server: OpenAIServer, folder: Path, nodes: Nodes) -> Ingest:
    return Ingest(server, folder, nodes.address, dict(nodes.environment), folder.parent / "passwords")


@pytest.mark.slow
def test_two_nodes_make_the_index_of_one_machine(
    ingest: Ingest, whole: tuple[Content, int], tmp_path: Path
) -> None:
    report = ingest.run(tmp_path / "index", code=3)
    content, texts = whole
    assert content_of(tmp_path / "index") == content
    assert set(ingest.server.bill.texts.values()) == {1}
    assert report["chunks"]["embedded"] == texts - 1  # the server was also asked for its dimension
    again = ingest.run(tmp_path / "index", code=3)  # broken.pdf is not searchable still
    assert (again["unchanged"], again["files"]) == (len(content), [])


@pytest.mark.slow
def test_workers_killed_at_random_moments(
    ingest: Ingest, whole: tuple[Content, int], nodes: Nodes, tmp_path: Path
) -> None:
    chance = random.Random(4)
    ingest.server._faults = lambda _request: Fault("slow", seconds=1.5)
    killed = 0
    for attempt in range(10):  # a text over which five workers died would fail its file
        index = tmp_path / f"index-{attempt}"
        ingest.server.clear()
        before = killed
        process = ingest.start(index)
        seen = 0
        while process.poll() is None and killed < min(before + 4, KILLS):
            time.sleep(chance.uniform(0, 1.5))
            if len(ingest.server.requests) == seen:  # nothing was done since the last one
                continue
            seen = len(ingest.server.requests)
            workers = nodes.workers
            if workers:
                kill(chance.choice(workers))
                killed += 1
        finish(process, 3)
        assert content_of(index) == whole[0]
        assert paid_twice(ingest.server) <= (killed - before) * 2 * BLOCK
        if killed == KILLS:
            break
    assert killed == KILLS


@pytest.mark.slow
def test_the_budget_holds_for_all_workers_together(
    ingest: Ingest, folder: Path, whole: tuple[Content, int], tmp_path: Path
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."compatible:counted"]\ninput = 100\n', encoding="utf-8")
    ingest.environment["RAG_PRICES"] = str(prices)
    report = ingest.run(tmp_path / "index", "--max-cost", "2", code=5)
    spent = ingest.server.bill.cost(100, 0)
    assert 1 < spent <= 2
    assert "of the cap of $2 is spent; what is finished is kept." in report["error"]
    stored = [
        file for file, (source, _, _) in content_of(tmp_path / "index").items() if source.status == "ok"
    ]
    assert 0 < len(stored) < FILES
    paid = set(ingest.server.bill.texts)
    (line,) = UsageLog(tmp_path / "index" / FILE_NAME).summary("command")
    assert line.cost_usd == pytest.approx(spent)
    ingest.run(tmp_path / "index", "--max-cost", "50", engine="local", code=3)
    assert set(ingest.server.bill.texts.values()) == {1}
    assert paid < set(ingest.server.bill.texts)
    assert content_of(tmp_path / "index") == whole[0]


@pytest.mark.slow
def test_the_run_itself_is_killed_and_run_again(
    ingest: Ingest, whole: tuple[Content, int], tmp_path: Path
) -> None:
    chance = random.Random(3)
    kills = 2
    for _ in range(kills):
        before = len(ingest.server.requests)
        process = ingest.start(tmp_path / "index")
        wait_for(lambda seen=before: len(ingest.server.requests) > seen + 1, 300)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 1.5))
        kill(process.pid)
        process.wait(10)
    ingest.run(tmp_path / "index", engine="local", code=None)
    assert content_of(tmp_path / "index") == whole[0]
    workers = 2
    assert paid_twice(ingest.server) <= kills * workers * 2 * BLOCK


@pytest.mark.slow
def test_ctrl_c_ends_the_run(ingest: Ingest, nodes: Nodes, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."compatible:counted"]\ninput = 100\n', encoding="utf-8")
    ingest.environment["RAG_PRICES"] = str(prices)
    ingest.server._faults = lambda _request: Fault("slow", seconds=1.5)
    process = ingest.start(tmp_path / "index", "--max-cost", "50")
    wait_for(lambda: len(ingest.server.requests) > 2, 300)
    os.killpg(process.pid, signal.SIGINT)
    report = finish(process, 130)
    assert "Stopped. What was finished is kept" in report["error"]
    wait_for(lambda: gone(nodes.workers), 30)
    wait_for(lambda: not ingest.server._active, 30)
    (line,) = UsageLog(tmp_path / "index" / FILE_NAME).summary("command")
    assert line.cost_usd >= ingest.server.bill.cost(100, 0)  # what was being embedded is in it


@pytest.mark.slow
def test_a_file_that_kills_its_workers_is_given_up(
    server: OpenAIServer, nodes: Nodes, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "well.md").write_text("# Pier\n\nThe pier was built in 1904.\n", encoding="utf-8")
    (folder / "slow.pdf").write_bytes(pdfs.endless_pdf())
    process = Ingest(server, folder, nodes.address, nodes.environment).start(tmp_path / "index")
    killed = 0
    since: dict[int, float] = {}
    while process.poll() is None:
        for child in nodes.workers:
            if server.requests and any("ingest.workers" in title(p) for p in descendants(child)):
                busy_since = since.setdefault(child, time.monotonic())
                if time.monotonic() - busy_since > 2:
                    kill(child)
                    killed += 1
        time.sleep(0.1)
    report = finish(process, 3)
    by_file = {row["file"]: (row["status"], row["reason"]) for row in report["files"]}
    assert by_file["well.md"] == ("ok", "")
    assert by_file["slow.pdf"] == ("failed", "the worker that reads it died 5 times")
    assert killed >= 5


@pytest.mark.slow
def test_a_wrong_key_ends_the_run_as_on_one_machine(
    server: OpenAIServer, nodes: Nodes, tmp_path: Path
) -> None:
    few = ("--glob", "*.csv")
    Ingest(server, SAMPLE).run(tmp_path / "index", *few, engine="local")
    wrong = Ingest(server, SAMPLE, nodes.address, {**nodes.environment, "RAG_API_KEY": "sk-wrong"})
    here = wrong.run(tmp_path / "index", engine="local", code=1)
    there = wrong.run(tmp_path / "index", code=1)
    assert _sentence(there["error"]) == _sentence(here["error"])
    assert "sk-wrong" not in there["error"]


def _sentence(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("Error: ")]
    return line


@pytest.mark.slow
def test_a_node_is_lost(ingest: Ingest, whole: tuple[Content, int], nodes: Nodes, tmp_path: Path) -> None:
    process = ingest.start(tmp_path / "index")
    wait_for(lambda: len(ingest.server.requests) > 3, 300)
    nodes.kill(nodes.nodes[1])
    finish(process, 3)
    assert content_of(tmp_path / "index") == whole[0]
    assert paid_twice(ingest.server) <= 2 * BLOCK


@pytest.mark.slow
def test_no_secret_is_left_in_the_files_of_ray(ingest: Ingest, nodes: Nodes, tmp_path: Path) -> None:
    ingest.run(tmp_path / "index", "--glob", "locked.pdf")
    files = [path for path in nodes.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any("worker" in path.name for path in files)
    secrets = [ingest.server.key.encode(), SECRET.encode()]
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []
    # Ray shows the command line of whoever joins a cluster
    ingest.run(tmp_path / "index", "--password", SECRET, code=2)


@pytest.mark.slow
def test_an_address_where_nothing_listens(server: OpenAIServer, tmp_path: Path) -> None:
    report = Ingest(server, SAMPLE, "127.0.0.1:9").run(tmp_path / "index", code=1)
    assert "No Ray cluster can be reached at 127.0.0.1:9" in report["error"]
    report = Ingest(server, SAMPLE, "ray://here:10001").run(tmp_path / "index", code=2)
    assert "is not the address of a Ray cluster" in report["error"]


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_behind(server: OpenAIServer, tmp_path: Path) -> None:
    server._faults = lambda _request: Fault("slow", seconds=0.5)
    process = Ingest(server, SAMPLE).start(tmp_path / "index", "--workers", "1")
    wait_for(lambda: len(server.requests) > 2, 300)
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
