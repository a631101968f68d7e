"""How a question's cost grows with the index: a whole hybrid query and its parts, build, size, open time and memory.

    python benchmarks/store_scale.py                       # 10 thousand and 100 thousand chunks
    python benchmarks/store_scale.py --million             # and one million (a quarter of an hour, 8 GB of disk)
    python benchmarks/store_scale.py --million --keep DIR  # indexes stay in DIR and are used again by the next run

The documents are synthetic (synthetic.py), the questions those of the sample set, embedded with the built-in model.
Every size is measured in a process of its own, a question at a time. Wall time is what a user waits; CPU time counts
all threads and hardly depends on what else the machine does. Prints one JSON object; --out writes it to a file too.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import documents, names, questions

SIZES = (10_000, 100_000)
MILLION = 1_000_000
DIMENSION = 384
WARM = 5
"""Questions asked before the timing begins: what is loaded at first use is measured as `first_answer_ms`."""


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
        writer.put(document, vectors)  # the last file once more, as if it had changed
        writer.publish()
        one_more = time.perf_counter() - before
    return {
        "put_chunks_per_s": total / putting,
        "publish_s": publishing,
        "one_changed_file_s": one_more,
        "total_s": made,
        "peak_memory_mib": memory_mib("VmHWM"),
    }


def memory_mib(kind: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Clock:
    """Wall and CPU milliseconds of repeated work."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def time(self, work: Callable[[], Any]) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        done = work()
        self.wall.append((time.perf_counter() - wall) * 1000)
        self.cpu.append((time.process_time() - cpu) * 1000)
        return done

    def __add__(self, other: Clock) -> Clock:
        both = Clock()
        both.wall = [a + b for a, b in zip(self.wall, other.wall, strict=True)]
        both.cpu = [a + b for a, b in zip(self.cpu, other.cpu, strict=True)]
        return both

    def summary(self) -> dict[str, float]:
        found = {}
        for kind, times in (("", self.wall), ("cpu_", self.cpu)):
            found |= {f"{kind}p{q}_ms": round(float(np.percentile(times, q)), 2) for q in (50, 95)}
        return found


def timed(run: Callable[[int], object], count: int) -> dict[str, float]:
    clock = Clock()
    for number in range(WARM):
        run(number)
    for number in range(WARM, count):
        clock.time(lambda number=number: run(number))
    return clock.summary()


def hybrid(
    index: Any, asked: Sequence[str], embed: Callable[[str], Any], where: Any = None
) -> dict[str, Any]:
    """A whole query: embedding and search apart, and both together."""
    from rag.retrieval.retriever import HybridRetriever

    retriever = HybridRetriever(index=index, embed_query=embed, where=where)
    embedding, searching = Clock(), Clock()
    for number, question in enumerate(asked):
        if number < WARM:
            retriever.retrieve(question)
            continue
        vector = embedding.time(lambda question=question: embed(question))
        searching.time(lambda question=question, v=vector: retriever.retrieve(question, vector=np.asarray(v)))
    parts = {"whole": embedding + searching, "embedding": embedding, "search": searching}
    return {name: clock.summary() for name, clock in parts.items()}


def recall(index: Any, queries: np.ndarray, stored: Path) -> float:
    """Share of the ten nearest by an exact search that the index returns."""
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


def measure(location: Path, total: int) -> dict[str, Any]:
    import faiss  # noqa: F401  (its import is not the index's doing)
    import tantivy  # noqa: F401

    from rag.providers.e5 import E5Embeddings
    from rag.retrieval.retriever import HybridRetriever
    from rag.store import Filter, open_index
    from rag.text.keywords import query_terms

    asked = questions(total)
    embeddings = E5Embeddings()
    queries = embeddings.embed_array(asked, kind="query")
    terms = [query_terms(question) for question in asked]
    before = memory_mib("RssAnon")
    began = time.perf_counter()
    index = open_index(location)
    opened = time.perf_counter() - began
    HybridRetriever(index=index, embed_query=embeddings.embed_query).retrieve(asked[0])
    ready = time.perf_counter() - began
    result: dict[str, Any] = {
        "open_ms": opened * 1000,
        "first_answer_ms": ready * 1000,
        "memory_own_mib": memory_mib("RssAnon") - before,
        "hybrid": hybrid(index, asked, embeddings.embed_query),
    }
    filters = {"file": f"file={names(1)[0].file}", "part": "part=3", "page": "page=1-3"}
    for name, condition in filters.items():
        where = Filter.parse([condition])
        result[f"hybrid_{name}"] = hybrid(index, asked, embeddings.embed_query, where)
    part, count = Filter.parse([filters["part"]]), len(asked)
    result |= {
        "dense": timed(lambda n: index.search_dense(queries[n], 100), count),
        "dense_filtered": timed(lambda n: index.search_dense(queries[n], 100, part), count),
        "keywords": timed(lambda n: index.search_keywords(terms[n], 100), count),
        "keywords_filtered": timed(lambda n: index.search_keywords(terms[n], 100, part), count),
        "pages": timed(lambda n: index.search_pages(terms[n], 60), count),
        "page_beginnings": timed(lambda n: index.search_pages(terms[n], 60, head=True), count),
        "memory_own_after_mib": memory_mib("RssAnon") - before,
        "memory_mapped_mib": memory_mib("RssFile"),
        "recall_at_10": recall(index, queries, location / "index.db"),
    }
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
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    parser.add_argument("--build", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        print(json.dumps(build(Path(options.build[0]), int(options.build[1]))))
        return
    if options.measure:
        print(json.dumps(measure(Path(options.measure[0]), int(options.measure[1]))))
        return
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for total in (*SIZES, *([MILLION] if options.million else [])):
            results[str(total)] = of_size((options.keep or Path(temporary)) / str(total), total)
    report = json.dumps({"dimension": DIMENSION, "processors": os.cpu_count(), "sizes": results}, indent=1)
    print(report)
    if options.out:
        options.out.write_text(report + "\n")


def of_size(location: Path, total: int) -> dict[str, Any]:
    record = location.with_suffix(".build.json")
    if not record.exists():
        location.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(run_apart("--build", str(location), str(total))))
    measured = run_apart("--measure", str(location), str(total))
    return {"build": json.loads(record.read_text()), **sizes(location), **measured}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
