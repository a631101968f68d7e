"""Asking under random faults, seeds fixed: the right answer or one clear error, within the cap."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rag.errors import RagError
from rag.pipeline import Pipeline
from rag.types import Answer
from tests.pipeline.replies import QUESTION, right_reply
from tests.providers.support import AT_ONCE, EMBEDDINGS, price_file, seeds, settings_for
from tests.servers.openai_server import Fault, OpenAIServer, Request

KINDS = ["429", "500", "503", "refuse", "drop", "cut", "bad-json", "slow", "context", "401", "404"]
WEIGHTS = [6, 4, 4, 4, 4, 4, 4, 4, 2, 1, 1]
CHAT = "openai:gpt-4o-mini"


@pytest.mark.parametrize("seed", seeds(120))
def test_asking_under_faults(seed: int, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    rate = chance.choice([0.1, 0.3, 0.6])

    def fault(request: Request) -> Fault | None:
        if chance.random() >= rate:
            return None
        return Fault(chance.choices(KINDS, WEIGHTS)[0], retry_after=chance.choice([None, "0"]), seconds=0.002)

    monkeypatch.setattr("rag.providers.registry.Retry", lambda retries, **_: AT_ONCE)
    cap = chance.choice([0.15, 0.4, 5.0])
    prices = price_file(
        tmp_path, **{CHAT.replace(":", "__"): (100, 200), EMBEDDINGS.replace(":", "__"): (10, 0)}
    )
    with OpenAIServer(reply=right_reply, faults=fault) as server:
        settings = settings_for(server, model=CHAT, prices=prices, max_cost=cap, max_tokens=60)
        settings = settings.model_copy(update={"index": str(index)})
        pipeline = Pipeline.open(settings=settings, command="test")
        said: list[str] = []
        for how in ("ask", "stream"):
            try:
                if how == "ask":
                    answer = pipeline.ask(QUESTION)
                else:
                    *shown, answer = list(pipeline.stream(QUESTION))
                    assert isinstance(answer, Answer)
                    assert "".join(map(str, shown)).endswith(right_reply(None))
            except RagError as error:
                said.append(str(error))
            else:
                assert answer.answered
                assert answer.text == "It was opened on 24 October 1931."
                assert answer.citations[0].file == "bridges/harbour.pdf"
                assert answer.citations[0].verified
        pipeline.index.close()
        assert server.bill.cost(100, 200, 10) <= pipeline.meter.spent + 1e-9
        assert pipeline.meter.spent <= cap
    assert all(message and "\n" not in message for message in said)
