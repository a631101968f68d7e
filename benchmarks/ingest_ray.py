"""Ingest on a Ray cluster of one machine with one, two and four workers, against the local engine, in one run.

    python benchmarks/ingest_ray.py            # prints JSON
    python benchmarks/ingest_ray.py --out      # also writes benchmarks/results/ray.json

The embedder takes the same time for every batch (a sleep), which shows what the engine costs and not what the cores
of this machine do. `chunks_a_second` counts from the tenth part of the chunks to the end, `whole` from the first file
that was read; the start of the cluster is apart (`start_seconds`). The documents are made for it, all different.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.pipeline import ingest
from ingest.progress import NoProgress, ProgressCounts
from rag.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "ray.json"
DIMENSION = 384
BATCH = 16
SECONDS_A_BATCH = 1.0
WORDS = (
    *("pier", "coal", "gulls", "ferry", "harbour", "light", "dredger", "customs"),
    *("crane", "rope", "anchor", "tide", "cargo", "sail", "keel", "mast"),
)


class ConstantTime:
    """Vectors from a hash, after the same wait for every batch."""

    spec = id = "benchmark:constant-time"
    dimension = DIMENSION
    paid = False

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    def embed(self, texts: Sequence[str], on_batch: Callable[..., None] | None = None) -> np.ndarray:
        done = []
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            time.sleep(SECONDS_A_BATCH)
            digests = b"".join(hashlib.shake_256(text.encode()).digest(DIMENSION) for text in part)
            done.append(np.frombuffer(digests, np.uint8).reshape(-1, DIMENSION) / np.float32(127.5) - 1)
            if on_batch is not None:
                on_batch(range(start, start + len(part)), done[-1])
        return np.concatenate(done)


class Watch(NoProgress):
    """Notes when the first file was read, and how far embedding was at which time."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.steps: list[tuple[float, int]] = []

    def advanced(self, counts: ProgressCounts) -> None:
        if self.first is None and counts.size_read:
            self.first = time.monotonic()
        self.steps.append((time.monotonic(), counts.chunks_done))


def write_documents(folder: Path, files: int) -> None:
    """Text files of a few pages each; no two paragraphs are alike."""
    folder.mkdir()
    for file in range(files):
        paragraphs = []
        for paragraph in range(24):
            words = [WORDS[(file * 7 + paragraph * 5 + n * n) % len(WORDS)] for n in range(70)]
            paragraphs.append(f"Entry {paragraph} of log {file}: {' '.join(words)}.")
        (folder / f"log-{file:03}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")


def measure(folder: Path, index: Path, **flags: Any) -> dict[str, Any]:
    """One ingest into a new index."""
    settings = load_settings({"index": str(index), "threads": 1, **flags}, env={}, dotenv_path=None)
    watch = Watch()
    began = time.monotonic()
    report = ingest([folder], settings=settings, progress=watch, embedder=ConstantTime())  # type: ignore[arg-type]
    assert watch.first is not None
    end, chunks = watch.steps[-1]
    since, before = next(step for step in watch.steps if step[1] >= report.chunks / 10)
    return {
        "chunks": chunks,
        "start_seconds": round(watch.first - began, 1),
        "seconds": round(end - watch.first, 1),
        "chunks_a_second": round((chunks - before) / (end - since), 2),
        "whole": round(chunks / (end - watch.first), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=160)
    parser.add_argument("--out", type=Path, nargs="?", const=RESULT, help="write the JSON to a file too")
    options = parser.parse_args()
    os.environ.update(RAY_worker_niceness="0")  # as nice as the local engine, which is compared
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "batch": BATCH,
        "seconds_a_batch": SECONDS_A_BATCH,
    }
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        write_documents(scratch / "documents", options.files)
        runs = {"local": {"engine": "local", "workers": 1}}
        runs |= {f"ray_{workers}": {"engine": "ray", "workers": workers} for workers in (1, 2, 4)}
        for run, flags in runs.items():
            result[run] = measure(scratch / "documents", scratch / run, **flags)
            print(f"{run}: {result[run]}", flush=True)
    for workers in (2, 4):
        ratio = result[f"ray_{workers}"]["chunks_a_second"] / result["ray_1"]["chunks_a_second"]
        result[f"{workers}_workers_of_one"] = round(ratio, 2)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
