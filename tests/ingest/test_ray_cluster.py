"""Ingest on a Ray cluster of two nodes: the same index, whatever dies, and nothing paid twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.engines.ray.read_files import MOST_DEATHS
from rag.usage.log import FILE_NAME, UsageLog
from tests.conftest import SAMPLE, clean_environment
from tests.ingest import pdfs
from tests.ingest.ray_support import (
    SECRET,
    Content,
    Ingest,
    Nodes,
    content_of,
    descendants,
    finish,
    gone,
    kill,
    title,
    wait_for,
)
from tests.servers.openai_server import Fault, OpenAIServer

pytestmark = pytest.mark.slow

FILES = 40
KILLS = 20


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = Path("/tmp") / f"pqt-{time.time_ns() % 10**9}"  # short, since Ray puts sockets into it
    folder.mkdir(mode=0o700)
    cluster = Nodes(folder / "r")
    try:
        cluster.add(1)
        cluster.add(1)
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder, ignore_errors=True)


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
        Ingest(server, folder).run(index, "--password", SECRET, engine="local", code=3)
        return content_of(index), len(server.bill.texts)


@pytest.fixture
def ingest(server: OpenAIServer, folder: Path, nodes: Nodes) -> Ingest:
    return Ingest(server, folder, nodes.address, dict(nodes.environment))


def _workers(nodes: Nodes) -> list[int]:
    found = [process for node in nodes.nodes if node.poll() is None for process in descendants(node.pid)]
    return [process for process in found if "MapWorker" in title(process)]


def test_two_nodes_make_the_index_of_one_machine(
    ingest: Ingest, whole: tuple[Content, int], tmp_path: Path
) -> None:
    report = ingest.run(tmp_path / "index", "--password", SECRET, code=3)
    content, texts = whole
    assert content_of(tmp_path / "index") == content
    assert set(ingest.server.bill.texts.values()) == {1}
    assert report["chunks"]["embedded"] == texts - 1  # the server was also asked for its dimension
    again = ingest.run(tmp_path / "index", "--password", SECRET)
    assert (again["unchanged"], again["files"]) == (len(content), [])


def test_workers_killed_at_random_moments(
    ingest: Ingest, whole: tuple[Content, int], nodes: Nodes, tmp_path: Path
) -> None:
    chance = random.Random(4)
    ingest.server._faults = lambda _request: Fault("slow", seconds=1.5)
    killed, stages = 0, set()
    for attempt in range(3):  # a run that ends before all were killed is followed by one with an empty index
        index = tmp_path / f"index-{attempt}"
        ingest.server.clear()
        before = killed
        process = ingest.start(index, "--password", SECRET)
        while process.poll() is None and killed < KILLS:
            time.sleep(chance.uniform(0, 1.5))
            workers = _workers(nodes)
            if workers:
                worker = chance.choice(workers)
                stages.add("EmbedChunks" if "EmbedChunks" in title(worker) else "ReadFiles")
                kill(worker)
                killed += 1
        finish(process, 3)
        assert content_of(index) == whole[0]
        bill = ingest.server.bill
        largest = max(len(request.texts) for request in ingest.server.embedding_requests())
        assert sum(bill.texts.values()) - len(bill.texts) <= (killed - before) * largest
        if killed == KILLS:
            break
    assert (killed, stages) == (KILLS, {"ReadFiles", "EmbedChunks"})


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
    ingest.run(tmp_path / "index", "--max-cost", "50", "--password", SECRET, engine="local")
    assert set(ingest.server.bill.texts.values()) == {1}
    assert paid < set(ingest.server.bill.texts)
    assert content_of(tmp_path / "index") == whole[0]


def test_the_run_itself_is_killed_and_run_again(
    ingest: Ingest, whole: tuple[Content, int], tmp_path: Path
) -> None:
    chance = random.Random(3)
    kills = 2
    for _ in range(kills):
        before = len(ingest.server.requests)
        process = ingest.start(tmp_path / "index", "--password", SECRET)
        wait_for(lambda seen=before: len(ingest.server.requests) > seen + 1, 90)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 1.5))
        kill(process.pid)
        process.wait(10)
    ingest.run(tmp_path / "index", "--password", SECRET, engine="local", code=3)
    assert content_of(tmp_path / "index") == whole[0]
    bill = ingest.server.bill
    largest = max(len(request.texts) for request in ingest.server.embedding_requests())
    workers = 2
    assert sum(bill.texts.values()) - len(bill.texts) <= kills * workers * largest


def test_ctrl_c_ends_the_run(ingest: Ingest, nodes: Nodes, tmp_path: Path) -> None:
    process = ingest.start(tmp_path / "index")
    wait_for(lambda: len(ingest.server.requests) > 2, 90)
    os.killpg(process.pid, signal.SIGINT)
    report = finish(process, 130)
    assert "Stopped. What was finished is kept" in report["error"]
    wait_for(lambda: gone(_workers(nodes)), 30)


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
        for child in _workers(nodes):
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


def test_a_node_is_lost(ingest: Ingest, whole: tuple[Content, int], nodes: Nodes, tmp_path: Path) -> None:
    process = ingest.start(tmp_path / "index", "--password", SECRET)
    wait_for(lambda: len(ingest.server.requests) > 3, 90)
    nodes.kill(nodes.nodes[1])
    finish(process, 3)
    assert content_of(tmp_path / "index") == whole[0]
    bill = ingest.server.bill
    largest = max(len(request.texts) for request in ingest.server.embedding_requests())
    assert sum(bill.texts.values()) - len(bill.texts) <= 2 * largest


def test_no_secret_is_left_in_the_files_of_ray(nodes: Nodes) -> None:
    files = [path for path in nodes.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any("worker" in path.name for path in files)
    with OpenAIServer() as server:
        secrets = [server.key.encode(), SECRET.encode()]
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []
    assert set(_entrypoints(nodes)) == {"rag ingest --engine ray"}


def _entrypoints(nodes: Nodes) -> list[str]:
    """What `ray list jobs` shows to everybody on the cluster."""
    asking = (
        "from ray._raylet import GcsClient\n"
        f"jobs = GcsClient(address={nodes.address!r}).get_all_job_info().values()\n"
        "print(*(job.entrypoint for job in jobs), sep='\\n')"
    )
    environment = clean_environment(**nodes.environment)
    shown = subprocess.run(
        [sys.executable, "-c", asking], env=environment, capture_output=True, text=True, check=True
    )
    return shown.stdout.splitlines()


def test_an_address_where_nothing_listens(server: OpenAIServer, tmp_path: Path) -> None:
    report = Ingest(server, SAMPLE, "127.0.0.1:9").run(tmp_path / "index", code=1)
    assert "No Ray cluster can be reached at 127.0.0.1:9" in report["error"]
    report = Ingest(server, SAMPLE, "ray://here:10001").run(tmp_path / "index", code=2)
    assert "is not the address of a Ray cluster" in report["error"]
