"""How the index grows: put and publish speed, size, open time, memory and search latency by number of chunks.

    python benchmarks/store_scale.py                 # 10 thousand and 100 thousand chunks
    python benchmarks/store_scale.py --million       # and one million (a quarter of an hour, 8 GB of disk)

Chunks are synthetic: words drawn by Zipf's law, 110 a chunk, 5 chunks a page; vectors are mixtures of a few hundred
topics, as embeddings of real text are. Every size is measured in a process of its own. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (10_000, 100_000)
MILLION = 1_000_000
DIMENSION = 384
CHUNKS_PER_FILE = 100
WORDS = 110
VOCABULARY = 50_000
TOPICS = 400
QUERIES = 60


def words_of(chance: np.random.Generator, count: int) -> list[str]:
    ranks = np.minimum(chance.zipf(1.15, count), VOCABULARY)
    return [f"w{rank}" for rank in ranks]


def vectors_of(chance: np.random.Generator, count: int) -> np.ndarray:
    topics = np.random.default_rng(1).standard_normal((TOPICS, DIMENSION)).astype(np.float32)
    mixed = topics[chance.integers(TOPICS, size=count)] + 0.6 * topics[chance.integers(TOPICS, size=count)]
    return mixed + 0.7 * chance.standard_normal((count, DIMENSION)).astype(np.float32)


def documents(total: int) -> Iterator[tuple[Any, np.ndarray]]:
    from rag.types import Chunk, Document, Page, Source, Span, Status

    chance = np.random.default_rng(2)
    for number in range(total // CHUNKS_PER_FILE):
        chunks, pages = [], []
        for page in range(1, CHUNKS_PER_FILE // 5 + 1):
            texts = [" ".join(words_of(chance, WORDS)) for _ in range(5)]
            pages.append(Page(page, "\n".join(texts)))
            for text in texts:
                chunks.append(Chunk(len(chunks), (Span(page, 0, len(text)),), text, tokens=WORDS))
        source = Source(
            f"file-{number}.pdf", "", str(number), 1, 1, Status.OK, metadata={"part": str(number % 10)}
        )
        yield Document(source, tuple(pages), tuple(chunks)), vectors_of(chance, len(chunks))


def build(location: Path | str, total: int) -> dict[str, float]:
    from rag.store import IndexSpec, open_index

    spec = IndexSpec("synthetic", "synthetic", DIMENSION, 220, 0, "keywords")
    made = putting = 0.0
    began = time.perf_counter()
    with open_index(location, create=spec) as index, index.writer() as writer:
        for document, vectors in documents(total):
            before = time.perf_counter()
            writer.put(document, vectors)
            putting += time.perf_counter() - before
        before = time.perf_counter()
        writer.publish()
        publishing = time.perf_counter() - before
        made = time.perf_counter() - began
        before = time.perf_counter()
        document, vectors = next(documents(CHUNKS_PER_FILE))
        writer.put(document, vectors)
        writer.publish()
        one_more = time.perf_counter() - before
    return {
        "put_chunks_per_s": total / putting,
        "publish_s": publishing,
        "publish_after_one_file_s": one_more,
        "total_s": made,
    }


def memory_mib(kind: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


def percentiles(run: Callable[[int], object]) -> dict[str, float]:
    run(0)
    times = []
    for number in range(1, QUERIES + 1):
        began = time.perf_counter()
        run(number)
        times.append((time.perf_counter() - began) * 1000)
    return {"p50_ms": float(np.percentile(times, 50)), "p95_ms": float(np.percentile(times, 95))}


def recall(index: Any, queries: np.ndarray, stored: Path) -> float:
    """Share of the ten nearest by an exact search that the index returns."""
    import sqlite3

    with sqlite3.connect(f"file:{stored}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT c.id, e.vector FROM contents t JOIN chunks c ON c.content = t.id "
            "JOIN embeddings e ON e.id = c.embedding WHERE t.removed IS NULL"
        )
        best: list[list[tuple[float, int]]] = [[] for _ in queries]
        while batch := rows.fetchmany(20_000):
            table = np.frombuffer(b"".join(row[1] for row in batch), dtype=np.float32).reshape(len(batch), -1)
            ids = [row[0] for row in batch]
            for place, scores in enumerate((table @ queries.T).T):
                top = np.argpartition(-scores, 10)[:10]
                best[place] = sorted(
                    [*best[place], *((float(scores[t]), ids[t]) for t in top)], reverse=True
                )[:10]
    found = [{hit.chunk_id for hit in index.search_dense(query, 10)} for query in queries]
    return float(
        np.mean([len({i for _, i in exact} & got) / 10 for exact, got in zip(best, found, strict=True)])
    )


def measure(location: Path) -> dict[str, Any]:
    import faiss  # noqa: F401  (its import is not the index's doing)
    import tantivy  # noqa: F401

    from rag.store import Filter, open_index

    chance = np.random.default_rng(3)
    queries = vectors_of(chance, QUERIES + 1)
    terms = [sorted(set(words_of(chance, 12))) for _ in range(QUERIES + 1)]
    where = Filter.parse(["part=3"])
    before = memory_mib("RssAnon")
    began = time.perf_counter()
    index = open_index(location)
    opened = time.perf_counter() - began
    index.search_dense(queries[0], 10)
    index.search_keywords(terms[0], 10)
    ready = time.perf_counter() - began
    result = {
        "open_ms": opened * 1000,
        "first_answer_ms": ready * 1000,
        "memory_own_mib": memory_mib("RssAnon") - before,
        "dense": percentiles(lambda n: index.search_dense(queries[n], 100)),
        "dense_filtered": percentiles(lambda n: index.search_dense(queries[n], 100, where)),
        "keywords": percentiles(lambda n: index.search_keywords(terms[n], 100)),
        "keywords_filtered": percentiles(lambda n: index.search_keywords(terms[n], 100, where)),
        "pages": percentiles(lambda n: index.search_pages(terms[n], 100)),
        "passages": percentiles(
            lambda n: index.passages([h.chunk_id for h in index.search_dense(queries[n], 8)])
        ),
    }
    result["memory_after_mib"] = memory_mib("VmRSS")
    result["recall_at_10"] = recall(index, queries, location / "index.db")
    index.close()
    return result


def sizes(location: Path) -> dict[str, float]:
    def mib(paths: Iterator[Path]) -> float:
        return sum(path.stat().st_size for path in paths if path.is_file()) / 2**20

    return {
        "database_mib": mib(location.glob("index.db*")),
        "vectors_mib": mib(location.glob("vectors*")),
        "keywords_mib": mib((location / "keywords").rglob("*")),
    }


def run_apart(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="measure one million chunks too")
    parser.add_argument("--keep", type=Path, help="folder for the indexes, which are kept and used again")
    parser.add_argument("--build", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        print(json.dumps(build(Path(options.build[0]), int(options.build[1]))))
        return
    if options.measure:
        print(json.dumps(measure(Path(options.measure))))
        return
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for total in (*SIZES, *([MILLION] if options.million else [])):
            location = (options.keep or Path(temporary)) / str(total)
            built = {} if location.exists() else run_apart("--build", str(location), str(total))
            results[str(total)] = {"build": built, **sizes(location), **run_apart("--measure", str(location))}
    print(json.dumps({"dimension": DIMENSION, "words_per_chunk": WORDS, "sizes": results}, indent=2))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
