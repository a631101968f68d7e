"""Ingest through a faulty embedding server, seeds fixed: nothing paid is lost, and a later run continues."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ingest.pipeline import IngestOptions, ingest
from rag.errors import RagError
from rag.settings import Settings
from rag.store import Index, open_index
from rag.types import Status
from tests.conftest import SAMPLE
from tests.providers.support import AT_ONCE, EMBEDDINGS, price_file, seeds, settings_for
from tests.servers.openai_server import Fault, OpenAIServer, Request

KINDS = ["429", "500", "503", "refuse", "drop", "cut", "bad-json", "slow", "wrong-dimension", "401"]
WEIGHTS = [6, 4, 4, 4, 4, 4, 4, 4, 1, 1]
PRICE = 20.0


def write_documents(folder: Path, chance: random.Random) -> int:
    """Markdown files of random length in both languages; returns how many."""
    count = chance.randint(2, 6)
    for i in range(count):
        lines = [f"# Report {i}"]
        for j in range(chance.randint(1, 40)):
            lines.append(
                f"Section {j} of report {i} tells of bridge number {i * 100 + j} and its {j} lanes.\n"
            )
            lines.append(f"제{j}장은 {i}번 보고서의 다리 {i * 100 + j}호와 그 차로 {j}개를 다룬다.\n")
        (folder / f"report-{i}.md").write_text("\n".join(lines), encoding="utf-8")
    return count


def run(folder: Path, settings: Settings) -> str:
    """One ingest; the error that ended it, or nothing."""
    try:
        ingest([folder], settings=settings)
    except RagError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", seeds(60, fast=4))
def test_an_ingest_under_faults(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.providers.registry.Retry", lambda retries, **_: AT_ONCE)
    chance = random.Random(seed)
    documents = tmp_path / "documents"
    documents.mkdir()
    files = write_documents(documents, chance)
    rate = chance.choice([0.1, 0.4, 0.7])
    cap = chance.choice([0.03, 0.1, 10.0])
    prices = price_file(tmp_path, **{EMBEDDINGS.replace(":", "__"): (PRICE, 0.0)})
    flags = {
        "embeddings": EMBEDDINGS,
        "prices": prices,
        "index": str(tmp_path / "index"),
        "workers": 1,
        "chunk_tokens": 64,
    }

    def fault(request: Request) -> Fault | None:
        if chance.random() >= rate:
            return None
        return Fault(chance.choices(KINDS, WEIGHTS)[0], retry_after=chance.choice([None, "0"]), seconds=0.002)

    said = []
    with OpenAIServer(dimension=1536, faults=fault) as server:
        for _ in range(2):
            before = server.bill.input_tokens
            said.append(run(documents, settings_for(server, max_cost=cap, **flags)))
            assert (server.bill.input_tokens - before) * PRICE / 1e6 <= cap
        paid_well = server.bill.texts.total() - server.bill.lost_texts
    assert all("\n" not in message for message in said)
    with OpenAIServer(dimension=1536) as server:
        assert run(documents, settings_for(server, **flags)) == ""
        later = server.bill.texts.total()
        server.clear()
        assert run(documents, settings_for(server, **flags)) == ""
        assert server.requests == []
    with open_index(tmp_path / "index") as index:
        assert [s.status for s in index.documents()] == [Status.OK] * files
        assert index.verify() == []
        texts = embedded_texts(index)
    # every text was paid for once, by a request that was answered, in whichever run
    assert paid_well + later == len(texts)


def embedded_texts(index: Index) -> set[str]:
    """The distinct texts that the index had embedded."""
    pages = [(source.file, page.number) for source in index.documents() for page in index.pages(source.file)]
    chunks = {chunk for file, number in pages for chunk in index.chunks_of_page(file, number)}
    return {f"{p.header}\n{p.text}" if p.header else p.text for p in index.passages(sorted(chunks))}


def test_the_estimate_of_the_sample_documents_is_what_is_billed(tmp_path: Path) -> None:
    with OpenAIServer(dimension=1536) as server:
        settings = settings_for(server, embeddings=EMBEDDINGS, index=str(tmp_path / "index"), workers=1)
        estimate = ingest([SAMPLE], settings=settings, options=IngestOptions(dry_run=True))
        assert server.requests == []
        ingest([SAMPLE], settings=settings)
        billed = server.bill
    assert billed.input_tokens > 5_000
    assert estimate.usage.input_tokens == pytest.approx(billed.input_tokens, rel=0.02)
    assert estimate.usage.cost_usd == pytest.approx(billed.cost(0.02, 0), rel=0.02)
