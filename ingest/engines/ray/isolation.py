"""What is set around Ray while it starts and runs: what it must not show, reach, print or leave behind."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from rag.settings import Settings

_PREFIX = "pq-"


@contextmanager
def loopback() -> Iterator[None]:
    """A cluster of one machine listens to that machine alone. Ray does so where it does not support clusters."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def nameless() -> Iterator[None]:
    """Ray notes the command line of whoever joins, for all on the cluster to see; it may hold passwords."""
    from ray._private import utils

    before = utils.get_entrypoint_name
    utils.get_entrypoint_name = lambda: "rag ingest --engine ray"
    try:
        yield
    finally:
        utils.get_entrypoint_name = before


@contextmanager
def own_token(folder: Path) -> Iterator[None]:
    """What others on this machine need to know to use the cluster, where only this user can read it.

    Left alone, Ray makes one that everybody may read, in the home folder, for good.
    """
    names = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH")
    if any(name in os.environ for name in names):
        yield
        return
    path = folder / "token"
    path.write_text(secrets.token_hex(32), encoding="ascii")
    path.chmod(0o600)
    os.environ.update(zip(names, ("token", str(path)), strict=True))
    _forget_token()
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        _forget_token()


def _forget_token() -> None:
    core: Any = import_module("ray._raylet")  # its stubs leave out what is needed here
    core.AuthenticationTokenLoader.instance().reset_cache()
    core.Config.initialize("")


@contextmanager
def silenced(settings: Settings) -> Iterator[None]:
    """Ray's core begins with a line on standard error that no setting of its own prevents."""
    if settings.debug:
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder with a short name, since Ray puts sockets into it; those of runs that were killed are removed."""
    top = Path("/tmp") if os.path.isdir("/tmp") else Path(tempfile.gettempdir())  # noqa: S108
    _sweep(top)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=top))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(top: Path) -> None:
    for folder in top.glob(f"{_PREFIX}[0-9]*-*"):
        with suppress(OSError, ValueError):
            if folder.stat().st_uid == os.getuid() and not _alive(int(folder.name.split("-")[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
