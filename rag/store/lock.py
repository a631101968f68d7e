"""One writer at a time, and who it is; readers hold a shared lease so that rows they need are not purged."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import IndexLocked, IndexReadOnly

if sys.platform != "win32":
    import fcntl

LOCK_FILE = "writer.lock"
HOLDER_FILE = "writer.json"
LEASE_FILE = "readers.lock"


class WriterLock:
    """The lock of the one writer, released by the system when its process dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / LOCK_FILE, thread_local=False)

    def acquire(self, *, wait: bool | float = True, on_wait: Callable[[str], None] | None = None) -> None:
        """Take the lock. `wait` is True (for ever), False (not at all) or seconds.

        `on_wait` gets one sentence naming the holder before waiting. Raises IndexLocked, IndexReadOnly.
        """
        try:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                if wait is False:
                    raise
                if on_wait is not None:
                    on_wait(f"Waiting for {self._holder()}, which is writing the index {self._folder}.")
                self._lock.acquire(timeout=-1 if wait is True else float(wait), poll_interval=0.1)
        except Timeout:
            raise IndexLocked(
                f"the index {self._folder} is being written by {self._holder()}: "
                "try again when it has finished."
            ) from None
        except OSError as error:
            raise IndexReadOnly(
                f"the index {self._folder} may be read but not written ({error.strerror}): "
                "choose another place with --index, or change the folder's permissions."
            ) from error
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now().astimezone().isoformat(),
        }
        beside = self._folder / f"{HOLDER_FILE}.{os.getpid()}.tmp"
        beside.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the names are a courtesy; on a full disk the lock still holds
            beside.write_text(json.dumps(holder), encoding="utf-8")
            os.replace(beside, self._folder / HOLDER_FILE)

    def release(self) -> None:
        """Give the lock back."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self._folder / HOLDER_FILE).unlink(missing_ok=True)
            self._lock.release()

    def _holder(self) -> str:
        try:
            with (self._folder / HOLDER_FILE).open(encoding="utf-8") as file:
                holder = json.loads(file.read(4096))
            host, since = str(holder["host"])[:80], str(holder["since"])[:19]
            return f"process {int(holder['pid'])} on {host} since {since}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


class ReaderLease:
    """A shared lock that every open reader holds; whoever gets it exclusively knows that nobody reads."""

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        if sys.platform == "win32":
            return
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        for attempt in (flags, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW):
            with contextlib.suppress(OSError):
                self._descriptor = os.open(folder / LEASE_FILE, attempt, 0o666)
                return

    def share(self) -> None:
        """Hold the lease with the other readers."""
        if sys.platform != "win32" and self._descriptor is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def alone(self) -> bool:
        """Try to hold the lease exclusively, without waiting. True where the system has no such locks."""
        if sys.platform == "win32":
            return True
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the lease back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
