"""Ingest against the LangChain tutorial pipeline, with one constant-time embedder, in one run.

    python benchmarks/ingest_throughput.py FOLDER              # every PDF below FOLDER
    python benchmarks/ingest_throughput.py FOLDER --pages 300  # the tutorial reads so many pages at most
    python benchmarks/ingest_throughput.py FOLDER --out        # also writes benchmarks/results/

The tutorial: PyPDFLoader, RecursiveCharacterTextSplitter(1000, 200), FAISS.from_documents, save_local. It is slow,
so `--pages` may give it a part of the files; pages a second are compared. Then the folder is ingested again
unchanged, and with one file changed. Peak memory is that of all processes of the ingest together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from ingest.pipeline import ingest
from rag.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "ingest_throughput.json"
DIMENSION = 384
SECONDS_A_TEXT = 0.0001


class ConstantTime(Embeddings):
    """Vectors from a hash, after the same wait for every text; serves both pipelines."""

    spec = id = "benchmark:constant-time"
    dimension = DIMENSION
    paid = False

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    def embed(self, texts: Sequence[str], on_batch: Callable[..., None] | None = None) -> np.ndarray:
        time.sleep(SECONDS_A_TEXT * len(texts))
        digests = b"".join(hashlib.shake_256(text.encode()).digest(DIMENSION) for text in texts)
        vectors = np.frombuffer(digests, np.uint8).reshape(-1, DIMENSION) / np.float32(127.5) - 1
        if on_batch is not None:
            on_batch(range(len(texts)), vectors)
        return vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=10**9, help="most pages for the tutorial pipeline")
    parser.add_argument("--builtin", action="store_true", help="also the share of embedding with e5-small")
    parser.add_argument("--out", type=Path, nargs="?", const=RESULT, help="write the JSON to a file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(options.folder, options.pages, Path(scratch))
        if options.builtin:
            result["embedding_share_with_e5"] = embedding_share(options.folder, Path(scratch) / "builtin")
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")


def measure(folder: Path, most_pages: int, scratch: Path) -> dict[str, Any]:
    documents = scratch / "documents"
    shutil.copytree(
        folder, documents, ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".pdf")]
    )
    with peak_memory() as peak:
        first = run(documents, scratch / "index")
    again = run(documents, scratch / "index")
    changed = min(documents.rglob("*.pdf"), key=lambda path: path.stat().st_size)
    with changed.open("ab") as file:
        file.write(b"\n%% changed\n")
    one = run(documents, scratch / "index")
    tutorial = run_tutorial(folder, most_pages, scratch / "tutorial")
    return {
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "files": len(list(documents.rglob("*.pdf"))),
        "ingest": first | {"peak_memory_mib": peak[0]},
        "tutorial": tutorial,
        "ratio_pages_per_second": round(first["pages_per_second"] / tutorial["pages_per_second"], 1),
        "unchanged_run_share": round(again["seconds"] / first["seconds"], 4),
        "one_changed_file_share": round(one["seconds"] / first["seconds"], 4),
    }


def run(folder: Path, index: Path) -> dict[str, Any]:
    """One ingest, with the seconds of its stages."""
    settings = load_settings({"index": str(index)}, env={}, dotenv_path=None)
    began = time.perf_counter()
    report = ingest([folder], settings=settings, embedder=ConstantTime())  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    stages = {name: round(value, 3) for name, value in report.seconds.items()}
    return {
        "seconds": round(seconds, 3),
        "pages": report.pages,
        "chunks": report.chunks_embedded,
        "pages_per_second": round(report.pages / seconds, 1),
        "stages": stages,
    }


def embedding_share(folder: Path, index: Path) -> float:
    """Of the wall time of an ingest with the built-in embeddings, how much is spent embedding."""
    settings = load_settings({"index": str(index), "embeddings": "e5-small"}, env={}, dotenv_path=None)
    seconds = ingest([folder], settings=settings).seconds
    return round(seconds["embed"] / seconds["total"], 3)


def run_tutorial(folder: Path, most_pages: int, out: Path) -> dict[str, Any]:
    """The pipeline of the tutorials, imports not counted."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_community.document_loaders import PyPDFLoader
        from langchain_community.vectorstores import FAISS
        from langchain_text_splitters import RecursiveCharacterTextSplitter
    began = time.perf_counter()
    pages: list[Any] = []
    for path in sorted(folder.rglob("*.pdf"), key=lambda path: path.stat().st_size):
        if len(pages) >= most_pages:
            break
        pages += PyPDFLoader(str(path)).load()
    chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(pages)
    FAISS.from_documents(chunks, ConstantTime()).save_local(str(out))
    seconds = time.perf_counter() - began
    return {
        "seconds": round(seconds, 3),
        "pages": len(pages),
        "chunks": len(chunks),
        "pages_per_second": round(len(pages) / seconds, 2),
    }


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """The most memory (proportional set size, MiB) that this process and its children had together."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            peak[0] = max(peak[0], sum(map(proportional_mib, family())))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def family() -> list[int]:
    """This process and its children."""
    children: list[int] = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with suppress(OSError):  # a thread that has ended
            children += map(int, (task / "children").read_text().split())
    return [os.getpid(), *children]


def proportional_mib(pid: int) -> int:
    """Memory of a process with shared pages divided among those that share them; 0 when it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
