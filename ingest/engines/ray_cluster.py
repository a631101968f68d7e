"""The Ray cluster of a run: one that is there, or one on this machine that ends with the run."""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from rag.errors import EngineError, MissingExtra, NetworkRefused, UsageError
from rag.providers.offline import is_local
from rag.settings import Settings

_READING_CPUS, _EMBEDDING_CPUS = 0.2, 0.7
"""What a worker takes of a machine: reading waits most of the time for the embedding of what was read, and each
thread of an embedding model takes somewhat less than a core, so that a worker fits on each."""
_MOST_LOCAL = 8
_REACH_SECONDS = 10.0
_STORE_BYTES = 512 << 20
"""The object store of a cluster on this machine; what does not fit goes to the disk."""
_SECRET = re.compile(r"--password[= ]|://[^/\s@]*:[^/\s@]*@")
"""In a command line: a password of files, or one within the address of a database."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # lines like this are not printed: all, for they go to standard output
}


def import_ray(settings: Settings) -> None:
    """Import Ray with its messages and its statistics switched off, for loopback and with a token when it is our own.

    Ray reads most of its environment when it is imported. Left alone, it makes a token that everybody may read.
    Raises MissingExtra.
    """
    os.environ.update(_QUIET)
    if settings.ray_address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # one of a single machine listens to that alone
        if not any(name in os.environ for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        import_module("ray")
    except ImportError as error:
        raise MissingExtra("ray", "ray", "The engine ray") from error
    logging.getLogger("ray").setLevel(logging.ERROR)


@contextmanager
def connected(settings: Settings) -> Iterator[int]:
    """Connect to the cluster of the settings, or start one; leave or end it afterwards. Gives the number of workers.

    Raises UsageError for an address that cannot be one, EngineError when the cluster cannot be
    reached or is too small, NetworkRefused when offline mode forbids it.
    """
    import ray

    if ray.is_initialized():  # by the program that called us; it is not ours to end
        yield _room(settings)
        return
    before = signal.getsignal(signal.SIGTERM)  # Ray sets a handler of its own
    with tempfile.TemporaryDirectory(prefix="pq-", ignore_cleanup_errors=True) as folder:
        try:
            if settings.ray_address is None:
                os.environ["RAY_TMPDIR"] = folder
                _start_here(settings)
            else:
                _join(settings.ray_address, settings)
            yield _room(settings)
        finally:
            ray.shutdown()
            os.environ.pop("RAY_TMPDIR", None)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)


def _start_here(settings: Settings) -> None:
    import ray

    wanted = math.ceil((settings.workers or 1) * worker_cpus(settings))
    try:
        ray.init(
            "local",
            num_cpus=max(wanted, min(_MOST_LOCAL, os.cpu_count() or 1)),
            object_store_memory=_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises whatever its parts raise
        raise EngineError(f"Ray could not be started on this machine ({said(error)}).") from error


def _join(address: str, settings: Settings) -> None:
    import ray

    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise UsageError(
            f"{address} is not the address of a Ray cluster: give HOST:PORT as `ray start --head` prints it,"
            " and run this on a machine of the cluster."
        )
    if settings.offline and not is_local(host.strip("[]")):
        raise NetworkRefused(
            f"Offline mode (--offline, RAG_OFFLINE) refused the Ray cluster at {address}: drop one of the two."
        )
    if _SECRET.search(" ".join(sys.argv)):
        raise UsageError(
            "Ray shows this command line, which holds a password, to everybody on the cluster: give passwords of"
            " files with --passwords FILE, and that of a database with PGPASSWORD or ~/.pgpass."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except OSError as error:  # Ray itself would try for long
        reason = error.strerror or str(error) or "no answer"
        raise EngineError(
            f"No Ray cluster can be reached at {address} ({reason}): check --ray-address and whether"
            " `ray start --head` is running there."
        ) from error
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises whatever its parts raise
        raise EngineError(
            f"The Ray cluster at {address} cannot be used ({said(error)}): this machine must be part of it"
            f" (`ray start --address={address}`), with its token if it wants one (RAY_AUTH_MODE=token, and"
            " RAY_AUTH_TOKEN_PATH when it is not in ~/.ray/auth_token)."
        ) from error


def _room(settings: Settings) -> int:
    """How many workers the cluster has room for, at most as many as the settings want."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    others = sorted({node["NodeManagerHostname"] for node in nodes} - {socket.gethostname()})
    if settings.offline and others:  # wherever the cluster's address leads
        raise NetworkRefused(
            "Offline mode (--offline, RAG_OFFLINE) refused the Ray cluster: documents would go to other machines"
            f" ({', '.join(others)}). Drop one of the two."
        )
    cpus, free = worker_cpus(settings), ray.available_resources().get("CPU", 0.0)
    room = sum(int(node["Resources"].get("CPU", 0) / cpus) for node in nodes)
    workers = min(settings.workers or room, room, int(free / cpus + 1e-9))
    if workers < 1:
        raise EngineError(
            f"The Ray cluster has {free:g} CPUs free on {len(nodes)} machines, and one worker needs {cpus:g} on one"
            " machine: add one with `ray start --num-cpus=N`, or wait for other jobs."
        )
    return workers


def worker_cpus(settings: Settings) -> float:
    """What a worker takes of the CPUs of a machine."""
    return round(_READING_CPUS + _EMBEDDING_CPUS * (settings.threads or 1), 4)


def said(error: BaseException) -> str:
    """What an error of Ray says, or the one that it carries, without its traces."""
    lines = str(getattr(error, "cause", None) or error).split("\n")
    return lines[0][:300].rstrip(".") or type(error).__name__
