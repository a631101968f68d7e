"""The sample documents in PostgreSQL: the hybrid retriever finds what it finds in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.providers.e5 import E5Embeddings
from rag.retrieval.retriever import HybridRetriever
from rag.store import Index, copy_index, open_index
from tests.conftest import ROOT
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.slow
QUESTIONS = ROOT / "data" / "questions" / "sample.jsonl"


@pytest.fixture(scope="module")
def both(sample_index: Path, postgres_server: PostgresServer) -> Iterator[tuple[Index, Index]]:
    url = postgres_server.url("sample")
    assert copy_index(sample_index, url).same
    with open_index(sample_index) as folder, open_index(url) as database:
        yield folder, database


def test_the_same_pages_in_the_same_order(both: tuple[Index, Index]) -> None:
    embed = E5Embeddings().embed_query
    retrievers = [HybridRetriever(index=index, embed_query=embed, k=10) for index in both]
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    hits, alike = [0, 0], 0
    for row in rows:
        gold = {(e["file"], e["page"]) for e in row["evidence"]}
        found = []
        for place, retriever in enumerate(retrievers):
            passages = retriever.retrieve(row["question"]).passages
            pages = list(dict.fromkeys((p.file, p.page) for p in passages))
            hits[place] += bool(gold & set(pages[:5]))
            found.append([(p.file, p.page, p.text) for p in passages])
        alike += found[0] == found[1]
    assert hits[0] == hits[1]
    # Scores are sums in single precision: now and then two passages that are all but equal change places.
    assert alike >= 0.97 * len(rows)


def test_pages_by_keyword_score_alike(both: tuple[Index, Index]) -> None:
    for terms in (["ferry", "revenue", "2023"], ["연차", "휴가"], ["the", "annual", "report"]):
        for head in (False, True):
            folder, database = (index.search_pages(terms, 50, head=head) for index in both)
            assert [hit.score for hit in database] == pytest.approx([hit.score for hit in folder], rel=1e-4)
