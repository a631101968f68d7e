"""kill -9 of workers, nodes and the database of an ingest on a Ray cluster whose budget runs out meanwhile.

`RAY_KILLS=20 pytest -s tests/ingest/test_ray_kills.py` kills as many times, and tells what each round came to.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.index_location import state_folder
from rag.usage.log import FILE_NAME, UsageLog
from tests.ingest.ray_support import (
    Ingest,
    Nodes,
    descendants,
    finish,
    gone,
    kill,
    paid_twice,
    two_nodes,
    wait_for,
)
from tests.ingest.support import content_of
from tests.servers.openai_server import Fault, OpenAIServer
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("RAY_KILLS", "6"))
KINDS_OF_KILL = ("worker", "node", "database")
AT_MOST_TWICE = 2 * 128
"""Texts that are paid twice for a lost worker, at most (docs/ingestion.md)."""
PRICE = 100.0
"""US dollars for a million tokens."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than a thousand different chunks, which fill blocks."""
    folder = tmp_path_factory.mktemp("documents")
    for ship in range(20):
        days = [
            f"Day {day}. "
            + " ".join(f"Ship {ship} unloaded {day * 31 + n} crates at pier {n}." for n in range(12))
            for day in range(100)
        ]
        (folder / f"ship-{ship}.txt").write_text("\n\n".join(days), encoding="utf-8")
    return folder


class Killer:
    """Ends what an ingest needs, one kind of thing after the other."""

    def __init__(self, nodes: Nodes, database: PostgresServer, chance: random.Random) -> None:
        self.nodes, self.database, self.chance = nodes, database, chance
        self.done: list[str] = []

    def kill_next(self) -> None:
        kind = KINDS_OF_KILL[len(self.done) % len(KINDS_OF_KILL)]
        if kind == "worker":
            if not (workers := self.nodes.workers):
                return
            kill(self.chance.choice(workers))
        elif kind == "node":
            self.nodes.kill_raylet(self.nodes.nodes[-1])
        else:
            lock = self.database.folder / "data" / "postmaster.pid"
            server = int(lock.read_text().split()[0])
            processes = [server, *descendants(server)]
            for process in processes:
                kill(process)
            wait_for(lambda: gone(processes), 30)
            lock.unlink()  # where nobody waits for orphans, its number would seem to be in use
            self.database.start()
        self.done.append(kind)


def test_kills_while_the_budget_runs_out(
    folder: Path,
    nodes: Nodes,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # of the usage log
    prices = tmp_path / "prices.toml"
    prices.write_text(f'[models."compatible:counted"]\ninput = {PRICE}\n', encoding="utf-8")
    with OpenAIServer() as server:
        Ingest(server, folder, environment={"RAG_PRICES": str(prices)}).run(
            tmp_path / "whole", "--max-cost", "1000", engine="local"
        )
        whole, price_of_all = content_of(tmp_path / "whole"), server.bill.cost(PRICE, 0)
    budget = 0.6 * price_of_all
    chance = random.Random(7)
    killer = Killer(nodes, postgres_server, chance)
    attempt = 0
    while len(killer.done) < KILLS:
        index, before = postgres_server.url(f"kills_{attempt}"), len(killer.done)
        with OpenAIServer(faults=lambda _request: Fault("slow", seconds=0.5)) as server:
            environment = {**nodes.environment, "RAG_PRICES": str(prices)}
            ingest = Ingest(server, folder, nodes.address, environment)
            process = ingest.start(index, "--max-cost", str(budget))
            moments = sorted(chance.uniform(0, 0.9 * budget) for _ in KINDS_OF_KILL)
            for moment in moments[: KILLS - before]:
                _wait_until_paid(server, moment, process)
                time.sleep(chance.uniform(0, 1))
                if process.poll() is None:
                    killer.kill_next()
            error = finish(process, 5)["error"]
            assert f"of the cap of ${budget:g} is spent; what is finished is kept." in error
            wait_for(lambda: not server._active, 30)
            kills = killer.done[before:]
            lost = len(kills) - kills.count("database")
            billed, twice = server.bill.cost(PRICE, 0), paid_twice(server)
            (line,) = UsageLog(state_folder(index) / FILE_NAME).summary("command")
            assert 0 < billed <= line.cost_usd <= budget
            assert twice <= lost * AT_MOST_TWICE
            print(
                f"{kills}: billed {billed:.4f}, counted {line.cost_usd:.4f} of {budget:.4f}; {twice} paid twice"
            )
            if "node" in kills:
                nodes.kill(nodes.nodes[-1])
                nodes.add(1)
            ingest.run(index, "--max-cost", "1000", engine="local" if attempt % 2 else "ray")
            print(f"{paid_twice(server)} of {len(server.bill.texts)} paid twice in the end")
            assert paid_twice(server) <= lost * AT_MOST_TWICE
            assert content_of(index) == whole
        attempt += 1


def _wait_until_paid(server: OpenAIServer, amount: float, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and server.bill.cost(PRICE, 0) < amount:
        time.sleep(0.02)
