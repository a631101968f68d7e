"""The reader process: takes jobs from its standard input, and sends what it reads to its standard output."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from ingest.options import MIB, ReadOptions
from ingest.reading import Reading, read
from ingest.wire import job_of, reading_messages, receive, send
from rag.types import Status

_TELL_EVERY = 0.1  # seconds between signs of life
_HEADROOM_MIB = 2048
"""Address space beyond the memory limit: libraries, and what is mapped but never touched."""


def main() -> None:
    """Serve jobs until the input ends."""
    inbox, outbox = _claim_streams()
    _die_with_parent(os.getppid())
    limited = False
    gc.disable()  # a file leaves few cycles and many objects; looking for the one among the other takes a tenth
    while (message := receive(inbox)) is not None:
        job, options = job_of(message)
        if not limited:
            _limit_memory(options)
            limited = True
        try:
            reading = read(job, options, _sender(outbox))
        except MemoryError:
            reading = Reading(
                Status.TOO_LARGE, f"reading it takes more than {options.memory_mib} MiB of memory"
            )
        for part in reading_messages(reading):
            send(outbox, part)
        del reading
        gc.collect()


def _claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes, moved away from where a library might print."""
    inbox = os.fdopen(os.dup(0), "rb")
    outbox = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as we do
    return inbox, outbox


def _sender(outbox: BinaryIO) -> Callable[[str, int], None]:
    last = 0.0

    def tell(kind: str, value: int) -> None:
        nonlocal last
        now = time.monotonic()
        if kind == "page" and now - last < _TELL_EVERY:
            return
        last = now
        send(outbox, {"type": kind, "value": value})

    return tell


def _limit_memory(options: ReadOptions) -> None:
    """A backstop behind the main process, which watches the resident memory: an allocation fails at once."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        limit = (options.memory_mib + _HEADROOM_MIB) * MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent(parent: int) -> None:
    """A reader that hangs in a library notices no closed pipe."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
