"""A large folder through the real ingest on one machine: seconds of each phase, memory, size, changes.

    python benchmarks/ingest_scale.py                     # 100 thousand chunks
    python benchmarks/ingest_scale.py --chunks 1000000    # 0.7 GB of text, 5 GB of index
    python benchmarks/ingest_scale.py --out               # also writes benchmarks/results/ingest_scale.json

The documents are text files with the words of synthetic.py, the embedder is that of ingest_throughput.py, which takes
a tenth of a millisecond for a text: everything but embedding is real. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ingest_throughput
import numpy as np
import store_scale
import synthetic

from rag.store.copying import copy_index

RESULT = Path(__file__).parent / "results" / "ingest_scale.json"
SENTENCE = 14
"""Words of a sentence; ten of them make a paragraph."""


def write_documents(folder: Path, chunks: int) -> int:
    """About so many chunks in files of a hundred, a quarter of them Korean; returns how many files."""
    chance = np.random.default_rng(4)
    words = {language: synthetic.Vocabulary(language, chance) for language in synthetic.WORDS}
    names = synthetic.names(chunks // synthetic.CHUNKS_PER_FILE)
    for number, name in enumerate(names):
        language = "ko" if number % 4 == 3 else "en"
        count = synthetic.CHUNKS_PER_FILE * synthetic.WORDS[language] // SENTENCE
        sentences = [f"{text}." for text in words[language].texts(chance, count, SENTENCE)]
        paragraphs = [" ".join(sentences[at : at + 10]) for at in range(0, count, 10)]
        path = folder / str(number // 1000) / name.file.replace(".pdf", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name.company} {name.year} annual report\n\n" + "\n\n".join(paragraphs), "utf-8")
    return len(names)


def measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    with ingest_throughput.peak_memory() as peak:
        result = work()
    return result | {"peak_memory_mib": peak[0]}


def storage(index: Path) -> dict[str, float]:
    """Sizes, and how much of the database is room that deleted rows left and new ones will take."""
    with sqlite3.connect(f"file:{index / 'index.db'}?mode=ro", uri=True) as database:
        pages, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size")
        )
    return store_scale.sizes(index) | {"database_free_mib": pages * size / 2**20}


def copied(index: Path, target: Path) -> dict[str, float]:
    """`rag index copy`, which leaves out what nobody reads any more but for the embedding cache."""
    began = time.perf_counter()
    assert copy_index(index, target).same
    return {"seconds": round(time.perf_counter() - began, 3), **storage(target)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--out", type=Path, nargs="?", const=RESULT, help="write the JSON to a file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        documents, index = Path(scratch) / "documents", Path(scratch) / "index"
        result: dict[str, Any] = {
            "processors": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 1),
            "files": write_documents(documents, options.chunks),
        }
        result["first"] = measured(lambda: ingest_throughput.run(documents, index))
        result |= storage(index)
        result["unchanged"] = measured(lambda: ingest_throughput.run(documents, index))
        with next(documents.rglob("*.txt")).open("a", encoding="utf-8") as file:
            file.write("\n\nOne more paragraph, as if somebody had written it.")
        result["one_changed_file"] = measured(lambda: ingest_throughput.run(documents, index))
        for path in sorted(documents.rglob("*.txt"))[::10]:
            path.write_text(path.read_text("utf-8")[::-1], "utf-8")  # every chunk is another one
        result["a_tenth_changed"] = measured(lambda: ingest_throughput.run(documents, index)) | storage(index)
        result["copied"] = measured(lambda: copied(index, Path(scratch) / "copy"))
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
