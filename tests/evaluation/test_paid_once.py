"""A run that is killed between two paid calls of a question and resumed pays for none of them again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rag.evaluation.running import evaluate
from rag.evaluation.runs import PAID, load_run
from rag.providers.registry import chat_model, embedding_model
from rag.types import Answer, Usage
from rag.usage.meter import UsageTotal, counting_usage
from tests.conftest import ROOT, clean_environment
from tests.evaluation.builders import answer, question
from tests.providers.support import price_file, settings_for
from tests.servers.openai_server import OpenAIServer

QUESTIONS = [question(f"q{i}") for i in range(6)]
CALLS = 4
"""What a question takes: an embedding, and three calls to the chat model, two of them equal."""


class Asker:
    """Asks a real model behind the guards; ends its own process with SIGKILL after so many replies."""

    def __init__(self, base_url: str, prices: str, last: int | None = None) -> None:
        with OpenAIServer() as nobody:  # for the shape of the settings only
            settings = settings_for(nobody, base_url=base_url, prices=prices, max_cost=1.0)
        self.chat = chat_model("compatible:m", settings)
        self.embedder = embedding_model("compatible:e", settings, dimension=64)
        self.last, self.replies = last, 0

    def __call__(self, asked: object) -> Answer:
        from rag.evaluation.question_sets import Question

        assert isinstance(asked, Question)
        spent = UsageTotal()
        with counting_usage(spent):
            self.embedder.embeddings.embed_query(asked.question)
            self._count()
            texts = []
            for said in ("Rewrite", "Answer", "Answer"):
                texts.append(self.chat.invoke(f"{said}: {asked.question}", temperature=0.7).text)
                self._count()
        total: Usage = spent.total
        return Answer(**{**_fields(answer(" ".join(texts))), "usage": total})

    def _count(self) -> None:
        self.replies += 1
        if self.replies == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def _fields(made: Answer) -> dict[str, object]:
    return {name: getattr(made, name) for name in Answer.__dataclass_fields__}


def calls_of(server: OpenAIServer) -> Counter[str]:
    return Counter(str(request.body.get("messages") or request.texts) for request in server.requests)


@pytest.fixture
def prices(tmp_path: Path) -> str:
    return price_file(tmp_path, compatible__m=(10.0, 30.0), compatible__e=(1.0, 0.0))


def moments() -> list[object]:
    """20 of the replies after which the process dies; one in every run, all in `make test-all`."""
    chosen = random.Random(7).sample(range(1, CALLS * len(QUESTIONS) + 1), 20)
    return [pytest.param(moment, marks=[pytest.mark.slow] if at else []) for at, moment in enumerate(chosen)]


@pytest.mark.parametrize("moment", moments())
def test_no_reply_that_came_is_paid_for_twice(tmp_path: Path, prices: str, moment: int) -> None:
    with OpenAIServer(reply="Well.") as server:
        whole = evaluate(QUESTIONS, tmp_path / "whole", ask=Asker(server.base_url, prices), workers=1)
        needed, bill = calls_of(server), server.bill
        server.clear()
        code = (
            "from tests.evaluation.test_paid_once import *\n"
            f"ask = Asker({server.base_url!r}, {prices!r}, {moment})\n"
            f"evaluate(QUESTIONS, {str(tmp_path / 'run')!r}, ask=ask, workers=1)"
        )
        died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=clean_environment(), check=False)
        assert died.returncode == -signal.SIGKILL
        assert len(server.requests) == moment
        resumed = Asker(server.base_url, prices)
        outcome = evaluate(QUESTIONS, tmp_path / "run", ask=resumed, workers=1)
        assert calls_of(server) == needed
        assert server.bill == bill
    assert outcome.run.records == load_run(tmp_path / "whole").records == whole.run.records
    assert not (tmp_path / "run" / PAID).exists()


def test_a_question_that_failed_half_way_pays_only_for_the_rest(tmp_path: Path, prices: str) -> None:
    from rag.errors import ServerUnreachable

    with OpenAIServer(reply="Well.") as server:
        ask = Asker(server.base_url, prices)
        broken = Asker(server.base_url, prices)

        def failing(asked: object) -> Answer:
            broken.chat.invoke("Rewrite: What is q0?", temperature=0.7)
            raise ServerUnreachable("The server is gone.")

        failed = evaluate(QUESTIONS[:1], tmp_path, ask=failing, workers=1)
        assert failed.run.records[0].failed
        done = evaluate(QUESTIONS[:1], tmp_path, ask=ask, workers=1)
        assert not done.run.records[0].failed
        assert len(server.requests) == CALLS
        # the first attempt's usage is logged with its call, so the second's does not
        assert ask.chat.guards.meter.usage.calls == CALLS - 2  # its embedding has a meter of its own
        assert done.run.records[0].answer is not None
        assert done.run.records[0].answer.usage.calls == CALLS
