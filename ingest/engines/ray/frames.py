"""What travels between the stages: tables of jobs, and of frames, the messages that readers send.

A file is as many frames as it needs, so that a large one is spread over many blocks and embedded by many workers.
The content of a frame is JSON and its vectors are numbers: nothing that comes from a file could run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.discovery import Format
from ingest.reading import Reading, ReadJob
from ingest.wire import reading_messages, reading_of

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_FILES = 16
_BLOCK_BYTES = 8 << 20
_BLOCKS_A_WORKER = 4
"""Blocks of jobs that a worker should find at least, so that all end at about the same time."""


def job_tables(jobs: Sequence[tuple[int, ReadJob, int]], workers: int) -> list[pa.Table]:
    """Numbered jobs with their sizes in bytes as tables, each a task: a large file alone, small ones together."""
    most = min(_BLOCK_FILES, max(1, len(jobs) // (workers * _BLOCKS_A_WORKER)))
    groups: list[list[tuple[int, ReadJob, int]]] = []
    filled = _BLOCK_BYTES
    for job in jobs:
        if filled + job[2] > _BLOCK_BYTES or len(groups[-1]) == most:
            groups.append([])
            filled = 0
        groups[-1].append(job)
        filled += job[2]
    return [_job_table(group) for group in groups]


def _job_table(jobs: Sequence[tuple[int, ReadJob, int]]) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "job": pa.array([number for number, _, _ in jobs], pa.int64()),
            "file": pa.array([job.file.encode("utf-8", "surrogatepass") for _, job, _ in jobs], pa.binary()),
            "path": pa.array([os.fsencode(job.path) for _, job, _ in jobs], pa.binary()),
            "format": pa.array([job.format.value for _, job, _ in jobs], pa.string()),
            "size": pa.array([size for _, _, size in jobs], pa.int64()),
        }
    )


def jobs_in(table: pa.Table) -> Iterator[tuple[int, ReadJob, int]]:
    """The jobs of a table."""
    for row in table.to_pylist():
        file = row["file"].decode("utf-8", "surrogatepass")
        yield row["job"], ReadJob(file, Path(os.fsdecode(row["path"])), Format(row["format"])), row["size"]


def frame_tables(job: int, reading: Reading, seconds: float) -> Iterator[pa.Table]:
    """A reading as tables of one frame each."""
    import pyarrow as pa

    messages = list(reading_messages(reading))
    for place, message in enumerate(messages):
        yield pa.table(
            {
                "job": pa.array([job], pa.int64()),
                "place": pa.array([place], pa.int64()),
                "places": pa.array([len(messages)], pa.int64()),
                "seconds": pa.array([seconds], pa.float64()),
                "frame": pa.array([json.dumps(message, separators=(",", ":")).encode("ascii")], pa.binary()),
            }
        )


@dataclass(slots=True)
class Vectors:
    """What embedding made of one frame."""

    vectors: bytes = b""
    """float32, one after the other, of all its chunks; empty when one is missing."""
    cached: int = 0
    """Chunks that needed no embedding."""
    refused: str = ""
    """Why its file cannot be embedded."""


def with_vectors(frames: pa.Table, found: Sequence[Vectors]) -> pa.Table:
    """The frames with what embedding made of each."""
    import pyarrow as pa

    columns = {
        "vectors": pa.array([one.vectors for one in found], pa.binary()),
        "cached": pa.array([one.cached for one in found], pa.int64()),
        "refused": pa.array([one.refused for one in found], pa.string()),
    }
    for name, column in columns.items():
        frames = frames.append_column(name, column)
    return frames


@dataclass(slots=True)
class Parts:
    """A file as far as it has arrived."""

    seconds: float = 0.0
    frames: dict[int, tuple[Mapping[str, Any], bytes]] = field(default_factory=dict)
    refused: str = ""
    cached: int = 0

    def reading(self) -> Reading:
        """What was read, put together again."""
        ordered = [self.frames[place][0] for place in range(len(self.frames))]
        return reading_of(ordered[:-1], ordered[-1])

    def vectors(self, count: int) -> Any | None:
        """One row for each of `count` chunks, or None when some are missing."""
        import numpy as np

        together = b"".join(self.frames[place][1] for place in range(len(self.frames)))
        if not together:
            return None if count else []
        numbers = np.frombuffer(together, np.float32)
        dimension = self._dimension()
        return numbers.reshape(count, dimension) if numbers.size == count * dimension else None

    def _dimension(self) -> int:
        for message, vectors in self.frames.values():
            if vectors:
                return len(vectors) // 4 // len(message["chunks"])
        return 0


class Assembly:
    """Puts files together from frames that come in any order, now and then twice."""

    def __init__(self) -> None:
        self._parts: dict[int, Parts] = {}

    def add(self, table: pa.Table) -> Iterator[tuple[int, Parts]]:
        """Take frames in; gives the files that are whole with them."""
        for row in table.to_pylist():
            parts = self._parts.setdefault(row["job"], Parts())
            parts.seconds = row["seconds"]
            if row["place"] in parts.frames:
                continue
            parts.cached += row["cached"]
            parts.frames[row["place"]] = json.loads(row["frame"]), row["vectors"]
            parts.refused = parts.refused or row["refused"]
            if len(parts.frames) == row["places"]:
                yield row["job"], self._parts.pop(row["job"])
