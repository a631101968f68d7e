"""The reader process: takes jobs from its standard input, and sends what it reads to its standard output.

Messages between it and the main process are JSON frames on pipes. A reader parses files from anywhere, so what it
sends is data and nothing that could run: no pickle.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from ingest.discovery import Format
from ingest.options import MIB, ReadOptions
from ingest.reading import Reading, ReadJob, read
from rag.store.rows import table_form, table_of
from rag.types import Chunk, Page, Span, Status

_LENGTH = struct.Struct("<I")
_PART = 200
"""Pages in one frame, so that a large file is passed on in pieces."""


def send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Write one frame and flush."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """Read one frame; None at the end of the stream, also when that comes within a frame."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def reading_messages(reading: Reading) -> Iterator[dict[str, Any]]:
    """A reading as frames: its pages, chunks and tables in parts, then what the file as a whole is."""
    pages = [
        [p.number, p.text, p.status, p.reason, p.label, p.characters, p.headers_footers]
        for p in reading.pages
    ]
    chunks = [
        [c.ordinal, [[s.page, s.start, s.end] for s in c.spans], c.text, c.header, c.heading, c.tokens]
        for c in reading.chunks
    ]
    tables = [table_form(table) for table in reading.tables]
    for name, rows in (("pages", pages), ("chunks", chunks), ("tables", tables)):
        for start in range(0, len(rows), _PART):
            yield {"type": "part", name: rows[start : start + _PART]}
    whole = {"status": reading.status, "reason": reading.reason, "title": reading.title}
    yield {"type": "done", **whole, "metadata": dict(reading.metadata)}


def reading_of(parts: Sequence[Mapping[str, Any]], done: Mapping[str, Any]) -> Reading:
    """A reading from the frames before, and the one with which it was done."""
    pages, chunks, tables = (
        [row for part in parts for row in part.get(name, ())] for name in ("pages", "chunks", "tables")
    )
    return Reading(
        Status(done["status"]),
        done["reason"],
        done["title"],
        done["metadata"],
        tuple(
            Page(number, text, Status(status), reason, label, characters, tuple((a, b) for a, b in ranges))
            for number, text, status, reason, label, characters, ranges in pages
        ),
        tuple(
            Chunk(ordinal, tuple(Span(*span) for span in spans), text, header, heading, tokens)
            for ordinal, spans, text, header, heading, tokens in chunks
        ),
        tuple(map(table_of, tables)),
    )


_SIGN_EVERY = 0.1  # seconds between signs of life
_HEADROOM_MIB = 2048
"""Address space beyond the memory limit: libraries, and what is mapped but never touched."""


def main() -> None:
    """Serve jobs until the input ends."""
    inbox, outbox = _claim_streams()
    _die_with_parent(os.getppid())
    limited = False
    gc.disable()  # a file leaves few cycles and many objects; looking for the one among the other takes a tenth
    while (message := receive(inbox)) is not None:
        sent, options = message["job"], ReadOptions(**message["options"])
        typed = {
            "path": Path(sent["path"]),
            "format": Format(sent["format"]),
            "passwords": tuple(sent["passwords"]),
        }
        job = ReadJob(**sent | typed)
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
        if kind == "page" and now - last < _SIGN_EVERY:
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
