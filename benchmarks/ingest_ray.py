"""Ingest on a Ray cluster of one machine with one and two workers, against the local engine, in one run.

    python benchmarks/ingest_ray.py            # prints JSON
    python benchmarks/ingest_ray.py --out      # also writes benchmarks/results/ray.json

Two embedders: one that takes the same time for every batch (a sleep), which shows what the pipeline itself costs, and
the built-in e5-small with one thread in each process, which needs a core for each worker. Chunks a second are counted
from the first file that was read to the end, so the start of the cluster is apart (`start_seconds`). `of_linear` is
the throughput of two workers as a share of twice that of one. The documents are made for the purpose, all different.
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
SECONDS_A_BATCH = 0.5
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
    """Notes when the first file was read."""

    first: float | None = None

    def advanced(self, tally: ProgressCounts) -> None:
        if self.first is None and tally.size_read:
            self.first = time.monotonic()


def write_documents(folder: Path, files: int) -> None:
    """Text files of a few pages each; no two paragraphs are alike."""
    folder.mkdir()
    for file in range(files):
        paragraphs = []
        for paragraph in range(24):
            words = [WORDS[(file * 7 + paragraph * 5 + n * n) % len(WORDS)] for n in range(70)]
            paragraphs.append(f"Entry {paragraph} of log {file}: {' '.join(words)}.")
        (folder / f"log-{file:03}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")


def measure(folder: Path, index: Path, embedder: ConstantTime | None, **flags: Any) -> dict[str, Any]:
    """One ingest into a new index."""
    settings = load_settings(
        {"index": str(index), "embeddings": "e5-small", **flags}, env={}, dotenv_path=None
    )
    watch = Watch()
    began = time.monotonic()
    report = ingest([folder], settings=settings, progress=watch, embedder=embedder)  # type: ignore[arg-type]
    end = time.monotonic()
    assert watch.first is not None
    return {
        "chunks": report.chunks,
        "start_seconds": round(watch.first - began, 1),
        "seconds": round(end - watch.first, 1),
        "chunks_a_second": round(report.chunks / (end - watch.first), 2),
    }


def compare(folder: Path, scratch: Path, embedder: ConstantTime | None) -> dict[str, Any]:
    """The local engine, and Ray with one and two workers."""
    runs = {
        "local": {"engine": "local", "workers": 1, "threads": 1},
        "ray_1": {"engine": "ray", "workers": 1, "threads": 1},
        "ray_2": {"engine": "ray", "workers": 2, "threads": 1},
    }
    kind = "builtin" if embedder is None else "constant"
    result: dict[str, Any] = {}
    for name, flags in runs.items():
        result[name] = measure(folder, scratch / f"{kind}-{name}", embedder, **flags)
        print(f"{kind} {name}: {result[name]}", flush=True)
    rate = {name: run["chunks_a_second"] for name, run in result.items()}
    result["one_worker_of_local"] = round(rate["ray_1"] / rate["local"], 3)
    result["of_linear"] = round(rate["ray_2"] / (2 * rate["ray_1"]), 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--out", type=Path, nargs="?", const=RESULT, help="write the JSON to a file too")
    options = parser.parse_args()
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
        result["constant_time"] = compare(scratch / "documents", scratch, ConstantTime())
        result["e5_small"] = compare(scratch / "documents", scratch, None)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
