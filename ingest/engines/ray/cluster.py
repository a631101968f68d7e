"""The Ray cluster of a run: one that is there, or one on this machine that ends with the run."""

from __future__ import annotations

import logging
import math
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.engines.ray.isolation import loopback, nameless, own_token, private_folder, signals_kept, silenced
from rag.errors import EngineError, MissingExtra, NetworkRefused, UsageError
from rag.settings import Settings

READER_CPUS = 0.2
"""A reader needs a fraction of a core for the time that its neighbour embeds what it read."""
EMBEDDER_CPUS = 0.7
"""Of each thread of an embedding model; together with a reader somewhat less than a core, so that pairs fit."""
_MOST_LOCAL = 8
_REACH_SECONDS = 10.0
_STORE_BYTES = 512 << 20
"""The object store of a cluster on this machine: blocks are small, and Ray Data slows down before it is full."""
_CAUSE = re.compile(r"(?!ray\.)[\w.]+(?:Error|Exception|Exit): ")
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # lines like this are not printed: all, for they go to standard output
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that can be used, and how much of it this run uses."""

    workers: int
    """Readers, and as many embedding workers."""
    threads: int
    """Of an embedding model in one of them."""
    node: str
    """Ray's name of this machine."""
    folder: Path
    """For files of the run that nobody else may read."""

    @property
    def embedder_cpus(self) -> float:
        """What an embedding worker takes of a machine."""
        return EMBEDDER_CPUS * self.threads


@contextmanager
def connected(settings: Settings) -> Iterator[Cluster]:
    """Connect to the cluster of the settings, or start one; leave or end it afterwards.

    Raises MissingExtra, UsageError for an address that cannot be one, EngineError when the cluster cannot be
    reached or is too small, NetworkRefused when offline mode forbids it.
    """
    _require_ray(settings)
    import ray

    if ray.is_initialized():  # by the program that called us; it is not ours to end
        with private_folder() as folder:
            yield _measured(settings, folder)
        return
    with ExitStack() as stack:
        folder = stack.enter_context(private_folder())
        stack.enter_context(signals_kept())
        stack.callback(ray.shutdown)
        if settings.ray_address is None:
            stack.enter_context(own_token(folder))
            _start_here(settings, folder)
        else:
            _join(settings.ray_address, settings)
        yield _measured(settings, folder)


def _require_ray(settings: Settings) -> None:
    """Import Ray with its messages and its statistics switched off."""
    os.environ.update(_QUIET)
    if settings.debug:
        os.environ.pop("RAY_BACKEND_LOG_LEVEL", None)
    try:
        import ray.data
    except ImportError as error:
        raise MissingExtra("ray[data]", "ray", "The engine ray") from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _start_here(settings: Settings, folder: Path) -> None:
    import ray

    pair = READER_CPUS + EMBEDDER_CPUS * _threads(settings)
    cpus = max(math.ceil((settings.workers or 1) * pair), min(_MOST_LOCAL, os.cpu_count() or 1))
    try:
        with loopback(), nameless(), silenced(settings):
            ray.init(
                "local",
                num_cpus=cpus,
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(folder / "r"),
            )
    except Exception as error:  # Ray raises whatever its parts raise
        raise EngineError(f"Ray could not be started on this machine ({said(error)}).") from error


def _join(address: str, settings: Settings) -> None:
    import ray

    _check_address(address, settings)
    try:
        with nameless(), silenced(settings):
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises whatever its parts raise
        text = f"{error} {error.__cause__}"
        if "AuthToken" in text or "AuthenticationError" in text:
            raise EngineError(
                f"The Ray cluster at {address} wants a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH when"
                " it is not in ~/.ray/auth_token."
            ) from error
        if "node" in text.lower() and ("ip address" in text.lower() or "raylet" in text.lower()):
            raise EngineError(
                f"This machine is not part of the Ray cluster at {address}: add it with"
                f" `ray start --address={address}` and try again."
            ) from error
        raise EngineError(f"The Ray cluster at {address} cannot be used ({said(error)}).") from error


def _check_address(address: str, settings: Settings) -> None:
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not host or not port.isdigit():
        raise UsageError(
            f"{address} is not the address of a Ray cluster: give HOST:PORT as `ray start --head` prints it,"
            " and run this on a machine of the cluster."
        )
    if settings.offline:
        from rag.providers.offline import is_local

        if not is_local(host.strip("[]")):
            raise NetworkRefused(
                f"Offline mode (--offline, RAG_OFFLINE) refused the Ray cluster at {address}: drop one of the two."
            )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error) or "no answer"
        raise EngineError(
            f"No Ray cluster can be reached at {address} ({reason}): check --ray-address and whether"
            " `ray start --head` is running there."
        ) from error


def _measured(settings: Settings, folder: Path) -> Cluster:
    """How many workers the cluster has room for."""
    import ray

    threads = _threads(settings)
    pair = READER_CPUS + EMBEDDER_CPUS * threads
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if settings.offline:
        _refuse_others(nodes)
    room = sum(int(node["Resources"].get("CPU", 0) / pair) for node in nodes)
    free = ray.available_resources().get("CPU", 0.0)
    workers = min(settings.workers or room, room, int(free / pair + 1e-9))
    if workers < 1:
        total = sum(node["Resources"].get("CPU", 0) for node in nodes)
        raise EngineError(
            f"The Ray cluster has {free:g} of {total:g} CPUs free on {len(nodes)} machines, and one worker needs"
            f" {pair:g} on one machine: add one with `ray start --num-cpus=N`, or wait for other jobs."
        )
    return Cluster(workers, threads, ray.get_runtime_context().get_node_id(), folder)


def _refuse_others(nodes: list[dict[str, Any]]) -> None:
    """Offline, the documents stay on this machine, wherever the cluster's address leads."""
    here = socket.gethostname()
    others = sorted({node["NodeManagerHostname"] for node in nodes} - {here})
    if others:
        raise NetworkRefused(
            "Offline mode (--offline, RAG_OFFLINE) refused the Ray cluster: documents would go to other machines"
            f" ({', '.join(others)}). Drop one of the two."
        )


def _threads(settings: Settings) -> int:
    """One thread for each embedding model: as many models share the cores better than one with many."""
    return settings.threads or 1


def said(error: BaseException) -> str:
    """The cause of an error of Ray, without its traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.match(line)] or lines
    return causes[0][:300].rstrip(".") if causes else type(error).__name__
