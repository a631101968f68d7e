"""LanceDB and Milvus (milvus-lite) in place of the folder's own searches: latency, agreement, one changed file.

    pip install lancedb milvus-lite pymilvus
    python benchmarks/store_scale.py --keep DIR                 # makes DIR/10000 and DIR/100000
    python benchmarks/other_stores.py DIR/100000 --store lancedb

An engine is loaded with the chunks, pages and vectors of a folder's index and answers in its place, through the
protocol of `rag.store.snapshot.GenerationReader`. Everything else of a hybrid query (fusion, passages from SQLite) is
the same for all, so that the pages found can be compared. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import store_scale
import synthetic

BATCH = 5000
FIELDS = ("chunk", "page", "head")
Row = dict[str, Any]


def rows_of(database: Any, field: str, content: int | None = None) -> Iterator[Row]:
    """What is searched of one kind: a key, the content and pages that filters ask for, and tokens."""
    from rag.store.keywords import page_head
    from rag.text.keywords import indexed_tokens

    where, bound = ("", ()) if content is None else (" AND t.id = ?", (content,))
    if field == "chunk":
        found = database.stream(
            "SELECT c.id, t.id, c.page, c.page_end, c.header, c.text, e.vector FROM contents t "
            "JOIN chunks c ON c.content = t.id JOIN embeddings e ON e.id = c.embedding "
            f"WHERE t.removed IS NULL{where}",
            bound,
        )
        for key, owner, first, last, header, text, vector in found:
            body = f"{header}\n{text}" if header else text
            yield _row(key, owner, first, last, indexed_tokens(body)) | {
                "vector": np.frombuffer(vector, np.float32)
            }
        return
    found = database.stream(
        "SELECT t.id, p.number, p.text, p.furniture FROM contents t JOIN pages p ON p.content = t.id "
        f"WHERE t.removed IS NULL AND p.text != ''{where}",
        bound,
    )
    for owner, number, text, headers in found:
        part = page_head(text, json.loads(headers)) if field == "head" else text
        yield _row(owner * 100_000 + number, owner, number, number, indexed_tokens(part))


def _row(key: int, content: int, first: int, last: int, tokens: Sequence[str]) -> Row:
    return {"key": key, "content": content, "first": first, "last": last, "tokens": " ".join(tokens)}


def condition(selection: Any, contains: str) -> str:
    """A filter as SQL of LanceDB (`IN (...)`) or as an expression of Milvus (`in [...]`)."""
    if selection is None:
        return ""
    listed = ", ".join(map(str, selection.contents.tolist()))
    parts = [contains.format(listed)]
    if selection.last_page is not None:
        parts.append(f"first <= {selection.last_page}")
    if selection.first_page is not None:
        parts.append(f"last >= {selection.first_page}")
    return " and ".join(parts)


class Lance:
    """Three tables in one folder, with an inverted index each and IVF-HNSW over the vectors."""

    def __init__(self, folder: Path) -> None:
        import lancedb

        self._db = lancedb.connect(str(folder))

    def load(self, field: str, rows: Iterator[Row]) -> None:
        import pyarrow as pa
        from lancedb.index import FTS, BTree, HnswSq

        columns = [(name, pa.int64()) for name in ("key", "content", "first", "last")] + [
            ("tokens", pa.utf8())
        ]
        if field == "chunk":
            columns.append(("vector", pa.list_(pa.float32(), store_scale.DIMENSION)))
        table = self._db.create_table(field, schema=pa.schema(columns))
        while batch := list(islice(rows, BATCH)):
            table.add(batch)
        table.create_index("content", config=BTree())
        table.create_index("tokens", config=FTS(
            base_tokenizer="whitespace", lower_case=False, stem=False, remove_stop_words=False,
            ascii_folding=False, max_token_length=None, with_position=False,
        ))  # fmt: skip
        if field == "chunk":
            table.create_index("vector", config=HnswSq(distance_type="dot", m=32, ef_construction=200))

    def replace(self, content: int, rows: Mapping[str, Sequence[Row]]) -> None:
        for field, new in rows.items():
            table = self._db.open_table(field)
            table.delete(f"content = {content}")
            table.add(list(new))
            table.optimize()

    def open(self) -> None:
        self._tables = {field: self._db.open_table(field) for field in FIELDS}

    def nearest(self, vector: Any, k: int, selection: Any) -> list[tuple[int, float]]:
        query = self._tables["chunk"].search(vector, vector_column_name="vector").refine_factor(3).limit(k)
        if selection is not None:
            query = query.where(condition(selection, "content IN ({})"), prefilter=True)
        found = query.select(["key", "_distance"]).to_arrow().to_pydict()
        return [(key, 1 - distance) for key, distance in zip(found["key"], found["_distance"], strict=True)]

    def match(
        self, field: str, weights: Mapping[str, float], k: int, selection: Any
    ) -> list[tuple[int, int, float]]:
        from lancedb.query import BooleanQuery, MatchQuery, Occur

        words = [(Occur.SHOULD, MatchQuery(term, "tokens", boost=w)) for term, w in weights.items()]
        query = self._tables[field].search(BooleanQuery(words), query_type="fts").limit(k)
        if selection is not None:
            query = query.where(condition(selection, "content IN ({})"), prefilter=True)
        found = query.select(["content", "key", "_score"]).to_arrow().to_pydict()
        return _places(field, zip(found["content"], found["key"], found["_score"], strict=True))


class Milvus:
    """Three collections of milvus-lite with its BM25 over ready-made tokens. It has no weights for words."""

    def __init__(self, folder: Path) -> None:
        from pymilvus import MilvusClient

        folder.mkdir(parents=True, exist_ok=True)
        self._client = MilvusClient(str(folder / "milvus.db"))

    def load(self, field: str, rows: Iterator[Row]) -> None:
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema()
        schema.add_field("key", DataType.INT64, is_primary=True)
        for name in ("content", "first", "last"):
            schema.add_field(name, DataType.INT64)
        analyzer = {"tokenizer": "standard"}  # of a cluster: "whitespace"; the tokens are letters and digits
        schema.add_field(
            "tokens", DataType.VARCHAR, max_length=65_535, enable_analyzer=True, analyzer_params=analyzer
        )
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(Function("bm25", FunctionType.BM25, ["tokens"], ["words"]))
        indexes = self._client.prepare_index_params()
        indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        if field == "chunk":
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=store_scale.DIMENSION)
            build = {"M": 32, "efConstruction": 200}
            indexes.add_index("vector", index_type="HNSW", metric_type="IP", params=build)
        self._client.create_collection(field, schema=schema, index_params=indexes)
        while batch := list(islice(rows, BATCH)):
            self._client.insert(field, batch)
        self._client.flush(field)

    def replace(self, content: int, rows: Mapping[str, Sequence[Row]]) -> None:
        for field, new in rows.items():
            self._client.delete(field, filter=f"content == {content}")
            self._client.insert(field, list(new))

    def open(self) -> None:
        for field in FIELDS:
            self._client.load_collection(field)

    def nearest(self, vector: Any, k: int, selection: Any) -> list[tuple[int, float]]:
        found = self._client.search(
            "chunk", [vector.tolist()], anns_field="vector", limit=k, output_fields=["key"],
            filter=condition(selection, "content in [{}]"), search_params={"params": {"ef": 200}},
        )[0]  # fmt: skip
        return [(hit["entity"]["key"], hit["distance"]) for hit in found]

    def match(
        self, field: str, weights: Mapping[str, float], k: int, selection: Any
    ) -> list[tuple[int, int, float]]:
        found = self._client.search(
            field, [" ".join(weights)], anns_field="words", limit=k, output_fields=["content", "key"],
            filter=condition(selection, "content in [{}]"),
        )[0]  # fmt: skip
        # milvus-lite gives BM25 with its sign turned
        hits = ((hit["entity"]["content"], hit["entity"]["key"], abs(hit["distance"])) for hit in found)
        return _places(field, hits)


def _places(field: str, hits: Any) -> list[tuple[int, int, float]]:
    """Content, chunk id or page number, score; best first."""
    by_chunk = field == "chunk"
    return [(content, key if by_chunk else key % 100_000, score) for content, key, score in hits]


STORES: dict[str, Callable[[Path], Any]] = {"lancedb": Lance, "milvus": Milvus}


def compare(origin: Path, name: str, folder: Path) -> dict[str, Any]:
    from rag.providers.e5 import E5Embeddings
    from rag.retrieval.retriever import HybridRetriever
    from rag.store import Filter, Snapshot, open_index

    embeddings = E5Embeddings()
    with open_index(origin) as index:
        total = index.counts().chunks
        asked = synthetic.questions(total)
        vectors = embeddings.embed_array(asked, kind="query")
        store = STORES[name](folder)
        result: dict[str, Any] = {"chunks": total, "load_s": {}}
        for field in FIELDS:
            began = time.perf_counter()
            store.load(field, rows_of(index.database, field))
            result["load_s"][field] = time.perf_counter() - began
        store.open()
        result["size_mib"] = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 2**20
        reader = index._reader  # the rows are the folder's, only the searches are not
        store.state, store.database = reader.state, index.database
        ours, theirs = index.snapshot(), Snapshot(name, store)
        retriever = HybridRetriever(index=index, embed_query=embeddings.embed_query)
        for label, where in (("hybrid", None), ("hybrid_part", Filter.parse(["part=3"]))):
            found: dict[str, list[list[tuple[str, int]]]] = {}
            for kind, snapshot in (("folder", ours), (name, theirs)):
                clock = store_scale.Clock()
                found[kind] = []
                for place, question in enumerate(asked):
                    search = lambda q=question, v=vectors[place], s=snapshot, w=where: retriever.retrieve(  # noqa: E731
                        q, vector=v, snapshot=s, where=w
                    )
                    retrieval = clock.time(search) if place >= store_scale.WARM else search()
                    pages = dict.fromkeys((p.file, p.page) for p in retrieval.passages)
                    found[kind].append(list(pages)[:10])
                result[f"{label}_{kind}"] = clock.summary()
            result[f"{label}_same_ten_pages"] = float(
                np.mean([set(a) == set(b) for a, b in zip(found["folder"], found[name], strict=True)])
            )
            result[f"{label}_pages_shared"] = float(
                np.mean(
                    [len(set(a) & set(b)) / len(a) for a, b in zip(found["folder"], found[name], strict=True)]
                )
            )
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        nearest = [
            (
                {chunk for chunk, _ in store.nearest(v, 10, None)},
                {h.chunk_id for h in ours.search_dense(v, 10)},
            )
            for v in unit
        ]
        result["recall_at_10"] = float(np.mean([len(a & b) / len(b) for a, b in nearest]))
        one = ours.contents()[0][1]
        assert one is not None
        again = {field: list(rows_of(index.database, field, one)) for field in FIELDS}
        began = time.perf_counter()
        store.replace(one, again)
        result["one_changed_file_s"] = time.perf_counter() - began
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="a folder made by store_scale.py --keep")
    parser.add_argument("--store", choices=sorted(STORES), required=True)
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report = json.dumps(compare(options.index, options.store, Path(temporary) / options.store), indent=1)
    print(report)
    if options.out:
        options.out.write_text(report + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
