"""Ray clusters in processes of their own, `rag ingest` on them, and what an index then says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, clean_environment
from tests.servers.openai_server import OpenAIServer

MODEL = "compatible:counted"
SECRET = "pw-of-a-locked-file-81c2"

BUSY = {"RAY_worker_niceness": "0"}
"""Ray's workers are very nice to everything else that runs; beside other tests they would get nothing done."""


@dataclass
class Ingest:
    """`rag ingest` with embeddings of a loopback server."""

    server: OpenAIServer
    folder: Path
    address: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    passwords: Path | None = None

    def start(self, index: Path, *flags: str, engine: str = "ray") -> subprocess.Popen[str]:
        """Start it in a session of its own."""
        command = [
            sys.executable,
            "-m",
            "rag.cli",
            "ingest",
            str(self.folder),
            "--index",
            str(index),
            "--json",
        ]
        command += ["--embeddings", MODEL, "--engine", engine]
        if engine == "ray" and self.address is not None:
            command += ["--ray-address", self.address]
        if self.passwords is not None:
            command += ["--passwords", str(self.passwords)]
        settings = {
            "RAG_BASE_URL": self.server.base_url,
            "RAG_API_KEY": self.server.key,
            **BUSY,
            **self.environment,
        }
        return subprocess.Popen(
            [*command, *flags],
            cwd=ROOT,
            env=clean_environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # a test run that a shell started in the background hands down an ignored SIGINT
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, index: Path, *flags: str, engine: str = "ray", code: int | None = 0) -> dict[str, Any]:
        """Run it to its end; its report. With another `code`, its sentence under `error`."""
        process = self.start(index, *flags, engine=engine)
        return finish(process, code)


def finish(process: subprocess.Popen[str], code: int | None = 0) -> dict[str, Any]:
    """The report of an ingest that was started; with `code` None also when some files failed."""
    out, err = process.communicate(timeout=300)
    assert process.returncode in ((0, 3) if code is None else (code,)), err
    report: dict[str, Any] = json.loads(out) if out else {}
    return report | {"error": err}


class Nodes:
    """A Ray cluster of nodes that are processes of their own on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        token = folder.parent / "token"
        token.write_text("5b" * 32, encoding="ascii")
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), **BUSY}
        self.port = _free_port()
        self.address = f"{_own_address()}:{self.port}"
        self.nodes: list[subprocess.Popen[bytes]] = []

    def add(self, cpus: int) -> subprocess.Popen[bytes]:
        """Start one more node; the first one is the head."""
        place = [f"--port={self.port}", "--include-dashboard=false"]
        place += [f"--temp-dir={self.folder}"]
        if self.nodes:
            place = [f"--address={self.address}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *place]
        command += [] if self.nodes else ["--head"]
        command += [f"--num-cpus={cpus}", "--object-store-memory=100000000", "--block"]
        command += ["--disable-usage-stats"] if not self.nodes else []
        path = self.folder.parent / f"node-{len(self.nodes)}.log"
        with path.open("wb") as log:
            environment = clean_environment(**self.environment)
            node = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self.nodes.append(node)
        wait_for(lambda: b"Ray runtime started" in path.read_bytes(), 120)
        return node

    @property
    def workers(self) -> list[int]:
        """The processes of pagequote's workers."""
        alive = [node.pid for node in self.nodes if node.poll() is None]
        found = [process for node in alive for process in descendants(node)]
        return [process for process in found if title(process).startswith("ray::Worker")]

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """End a node and everything on it at once, as when a machine is switched off."""
        for process in (*descendants(node.pid), node.pid):
            kill(process)
        node.wait(10)

    def kill_raylet(self, node: subprocess.Popen[bytes]) -> None:
        """End the process that makes it a node; what runs on it has to notice."""
        (raylet,) = [p for p in descendants(node.pid) if title(p).split(" ")[0].endswith("/raylet")]
        kill(raylet)

    def close(self) -> None:
        for node in self.nodes:
            if node.poll() is None:
                self.kill(node)


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """A cluster with room for two workers."""
    folder = Path(tempfile.mkdtemp(prefix="pqt-", dir="/tmp"))  # short, since Ray puts sockets into it
    cluster = Nodes(folder / "r")
    try:
        cluster.add(1)
        cluster.add(1)
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder, ignore_errors=True)


def paid_twice(server: OpenAIServer) -> int:
    """How many texts the server was paid for although it had been paid for them."""
    return sum(server.bill.texts.values()) - len(server.bill.texts)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def descendants(process: int) -> list[int]:
    """The processes below a process."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        parents.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    open_ = [process]
    while open_:
        children = parents.get(open_.pop(), [])
        found += children
        open_ += children
    return found


def title(process: int) -> str:
    """What a process calls itself; empty when it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def gone(processes: list[int]) -> bool:
    """Whether they have ended; an ended process has no command line, even before its parent notices."""
    return not any(title(process) for process in processes)


def listening(processes: list[int]) -> set[str]:
    """The addresses on which the processes wait for TCP connections."""
    sockets = set()
    for process in processes:
        for entry in Path(f"/proc/{process}/fd").glob("*"):
            try:
                sockets.add(os.readlink(entry).removeprefix("socket:[").rstrip("]"))
            except OSError:
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                packed = bytes.fromhex(fields[1].partition(":")[0])[-4:][::-1]
                found.add(".".join(map(str, packed)))
    return found


def kill(process: int) -> None:
    """kill -9, also of a process that is gone already."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _own_address() -> str:
    from ray.util import get_node_ip_address

    return str(get_node_ip_address())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        return int(listener.getsockname()[1])
