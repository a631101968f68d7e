"""Random faults, seeds fixed: the outcome is right or one clear error, and money stays within its bounds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.errors import BudgetReached, RagError
from rag.providers.embedding import EmbeddingProvider
from rag.providers.registry import embedding_model
from tests.providers.support import AT_ONCE, EMBEDDINGS, price_file, seeds, settings_for
from tests.servers.openai_server import Fault, OpenAIServer, Request
from tests.servers.toy_model import embed

KINDS = ["429", "500", "503", "refuse", "drop", "cut", "bad-json", "slow", "wrong-dimension", "401", "404"]
WEIGHTS = [6, 4, 4, 4, 4, 4, 4, 4, 1, 1, 1]
PRICE = 50.0
"""Dollars per million tokens: high, so that caps of a few cents bite."""


def schedule(seed: int) -> Any:
    """Faults for requests in the order in which they come in; now and then a server dies for good."""
    chance = random.Random(seed)
    rate = chance.choice([0.0, 0.1, 0.3, 0.6])
    dies_at = chance.randint(2, 15) if chance.random() < 0.15 else None

    def fault(request: Request) -> Fault | None:
        if dies_at is not None and request.number >= dies_at:
            return Fault("refuse")
        if chance.random() >= rate:
            return None
        kind = chance.choices(KINDS, WEIGHTS)[0]
        return Fault(kind, retry_after=chance.choice([None, "0", "0.001"]), seconds=0.002)

    return fault


class Kept:
    """What a caller such as an ingest keeps between runs: the vectors it was handed."""

    def __init__(self) -> None:
        self.vectors: dict[str, np.ndarray] = {}

    def run(self, provider: EmbeddingProvider, texts: Sequence[str]) -> None:
        missing = [text for text in texts if text not in self.vectors]

        def keep(positions: Sequence[int], vectors: np.ndarray) -> None:
            for position, vector in zip(positions, vectors, strict=True):
                assert missing[position] not in self.vectors
                self.vectors[missing[position]] = vector

        provider.embed(missing, keep)


@pytest.mark.parametrize("seed", seeds(120))
def test_embedding_under_faults(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed * 7 + 1)
    count = chance.choice([3, 60, 200])
    texts = [f"{i} {'word ' * chance.randint(1, 120)}" for i in range(count)]
    cap = chance.choice([0.02, 0.1, 100.0])
    prices = price_file(tmp_path, **{EMBEDDINGS.replace(":", "__"): (PRICE, 0.0)})
    kept = Kept()
    said: list[str] = []
    with OpenAIServer(faults=schedule(seed)) as server:
        flags = {"prices": prices, "max_cost": cap, "tpm": chance.choice([None, 10**9])}
        for _ in range(4):
            before = server.bill.input_tokens
            provider = embedding_model(EMBEDDINGS, settings_for(server, **flags), retry=AT_ONCE, dimension=64)
            try:
                kept.run(provider, texts)
            except RagError as error:
                said.append(str(error))
            assert (server.bill.input_tokens - before) * PRICE / 1e6 <= cap
        billed = server.bill.texts
        # whatever was answered well was kept, so that no text was ever paid for twice without a fault
        assert billed.total() - server.bill.lost_texts == len(kept.vectors)
    assert all(message and "\n" not in message for message in said)
    if len(kept.vectors) < count:  # the fix: the server is well again, and the cap is out of the way
        with OpenAIServer() as server:
            flags["max_cost"] = 100.0
            provider = embedding_model(EMBEDDINGS, settings_for(server, **flags), retry=AT_ONCE, dimension=64)
            left = count - len(kept.vectors)
            kept.run(provider, texts)
            assert server.bill.texts.total() == left
    for text in texts:
        np.testing.assert_allclose(kept.vectors[text], embed(text, 64), atol=1e-6)


def test_a_cap_in_the_middle_of_a_run_keeps_what_was_paid(tmp_path: Path) -> None:
    texts = [f"{i} {'word ' * 200}" for i in range(300)]
    prices = price_file(tmp_path, **{EMBEDDINGS.replace(":", "__"): (PRICE, 0.0)})
    kept = Kept()
    with OpenAIServer() as server:
        settings = settings_for(server, prices=prices, max_cost=1.5)
        for _ in range(3):
            before = server.bill.input_tokens
            provider = embedding_model(EMBEDDINGS, settings, retry=AT_ONCE, dimension=64)
            try:
                kept.run(provider, texts)
            except BudgetReached:
                assert 0.5 < (server.bill.input_tokens - before) * PRICE / 1e6 <= 1.5
        assert len(kept.vectors) == server.bill.texts.total() == 300
