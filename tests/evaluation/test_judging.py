"""The judge: kept as it goes, believed as far as it agrees; and the export for RAGAS."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rag.evaluation.judge import FILE, agreement, judge_run
from rag.evaluation.question_sets import Question
from rag.evaluation.running import evaluate
from rag.evaluation.runs import load_run, write_ragas
from rag.providers.registry import chat_model
from rag.settings import load_settings
from rag.types import Answer
from tests.evaluation.builders import answer, question
from tests.servers.openai_server import OpenAIServer, Request

QUESTIONS = [question(f"q{i}", answers=[f"gold {i}"]) for i in range(6)]


def ask(asked: Question) -> Answer:
    number = int(asked.id[1:])
    return answer({4: "wrong", 5: None}.get(number, f"It is gold {number}."), pages=[("a.pdf", 1)])


def strict(request: Request) -> str:
    """A judge that says what the gold answer in its prompt says, and once nothing of use."""
    prompt = str(request.messages[-1]["content"])
    if "It is gold 3" in prompt:
        return "I would rather not say."
    right = "It is gold" in prompt
    return json.dumps({"faithful": 1, "correct": 1.0 if right else 0.0, "reason": "because"})


def test_a_run_is_judged_once_and_its_judge_is_measured(tmp_path: Path) -> None:
    evaluate(QUESTIONS, tmp_path, ask=ask)
    with OpenAIServer(reply=strict) as server:
        settings = load_settings(
            {"base_url": server.base_url, "api_key": server.key}, env={}, dotenv_path=None
        )
        model = chat_model("compatible:judge", settings)
        judged = judge_run(load_run(tmp_path), model)
        asked = len(server.chat_requests())
        again = judge_run(load_run(tmp_path), model)
        # a torn line costs that one judgement again
        lines = (tmp_path / FILE).read_text().splitlines()
        (tmp_path / FILE).write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
        repaired = judge_run(load_run(tmp_path), model)
        total = len(server.chat_requests())
    assert (len(judged.judgements), judged.unread) == (4, 1)  # the declined one is not judged
    assert judged.correctness.value == pytest.approx(3 / 4)
    assert judged.correctness_agreement.share == 1.0
    assert judged.correctness_agreement.kappa == pytest.approx(1.0)
    assert asked == 5
    assert again.judgements == judged.judgements == repaired.judgements
    assert total == 5 + 1 + 2  # the unread one is asked again each time, the torn one once
    json.dumps(judged.as_dict(), allow_nan=False)


def test_agreement_beyond_chance() -> None:
    # Cohen (1960): p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4
    one = [True] * 25 + [False] * 25
    other = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = agreement(one, other)
    assert (found.share, found.n) == (pytest.approx(0.7), 50)
    assert found.kappa == pytest.approx(0.4)
    assert math.isnan(agreement([True, True], [True, False]).kappa)


def test_ragas_rows_have_its_names(tmp_path: Path) -> None:
    run = evaluate(QUESTIONS[:2], tmp_path / "run", ask=ask).run
    assert write_ragas(run.records, tmp_path / "ragas.jsonl") == 2
    row = json.loads((tmp_path / "ragas.jsonl").read_text().splitlines()[0])
    assert row == {
        "user_input": "What is q0?",
        "retrieved_contexts": ["What a.pdf says on page 1."],
        "response": "It is gold 0.",
        "reference": "gold 0",
    }
