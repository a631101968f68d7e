"""The messages between the main process and its reader processes: JSON frames on pipes.

A reader parses files from anywhere, so what it sends is data and nothing that could run: no pickle.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from ingest.discovery import Format
from ingest.options import ReadOptions
from ingest.reading import Reading, ReadJob
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


def job_message(job: ReadJob, options: ReadOptions) -> dict[str, Any]:
    """A job and its options as a frame. It holds passwords: it goes through a pipe and nowhere else."""
    return {
        "file": job.file,
        "path": str(job.path),
        "format": job.format.value,
        "passwords": list(job.passwords),
        "use": [job.use_pdfium, job.use_pypdf],
        "options": asdict(options),
    }


def job_of(message: Mapping[str, Any]) -> tuple[ReadJob, ReadOptions]:
    """The other way round."""
    pdfium, pypdf = message["use"]
    job = ReadJob(
        message["file"],
        Path(message["path"]),
        Format(message["format"]),
        tuple(message["passwords"]),
        use_pdfium=pdfium,
        use_pypdf=pypdf,
    )
    return job, ReadOptions(**message["options"])


def reading_messages(reading: Reading) -> Iterator[dict[str, Any]]:
    """A reading as frames: its pages and chunks in parts, then what the file as a whole is."""
    for start in range(0, len(reading.pages), _PART):
        yield {"type": "part", "pages": [_page_row(page) for page in reading.pages[start : start + _PART]]}
    for start in range(0, len(reading.chunks), _PART):
        yield {"type": "part", "chunks": [_chunk_row(c) for c in reading.chunks[start : start + _PART]]}
    for start in range(0, len(reading.tables), _PART):
        yield {"type": "part", "tables": [table_form(t) for t in reading.tables[start : start + _PART]]}
    yield {
        "type": "done",
        "status": reading.status.value,
        "reason": reading.reason,
        "title": reading.title,
        "metadata": dict(reading.metadata),
    }


def reading_of(parts: Sequence[Mapping[str, Any]], done: Mapping[str, Any]) -> Reading:
    """A reading from the frames before, and the one with which it was done."""
    return Reading(
        Status(done["status"]),
        done["reason"],
        done["title"],
        done["metadata"],
        tuple(_page_of(row) for part in parts for row in part.get("pages", ())),
        tuple(chunk for part in parts for chunk in chunks_in(part)),
        tuple(table_of(form) for part in parts for form in part.get("tables", ())),
    )


def chunks_in(part: Mapping[str, Any]) -> list[Chunk]:
    """The chunks of a frame."""
    return [_chunk_of(row) for row in part.get("chunks", ())]


def _page_row(page: Page) -> list[Any]:
    return [
        page.number,
        page.text,
        page.status.value,
        page.reason,
        page.label,
        page.characters,
        page.headers_footers,
    ]


def _page_of(row: Sequence[Any]) -> Page:
    number, text, status, reason, label, characters, headers_footers = row
    ranges = tuple((start, end) for start, end in headers_footers)
    return Page(number, text, Status(status), reason, label, characters, ranges)


def _chunk_row(chunk: Chunk) -> list[Any]:
    spans = [[span.page, span.start, span.end] for span in chunk.spans]
    return [chunk.ordinal, spans, chunk.text, chunk.header, chunk.heading, chunk.tokens]


def _chunk_of(row: Sequence[Any]) -> Chunk:
    ordinal, spans, text, header, heading, tokens = row
    return Chunk(ordinal, tuple(Span(*span) for span in spans), text, header, heading, tokens)
