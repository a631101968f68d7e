"""Runs: resumable after a kill at any moment, within the budget, in parallel, never asking twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rag.errors import AuthenticationFailed, BudgetReached, RagError, ServerUnreachable, UsageError
from rag.evaluation.question_sets import Question
from rag.evaluation.running import EvaluationProgress, evaluate
from rag.evaluation.runs import RECORDS, load_run
from rag.types import Answer
from tests.evaluation.builders import answer, question

QUESTIONS = [question(f"q{i}", gold=[("a.pdf", i % 7 + 1)]) for i in range(40)]


class Scripted:
    """Answers by a rule and counts how often each question was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, asked: Question) -> Answer:
        with self.lock:
            self.asked.append(asked.id)
        return answer(f"gold of {asked.id}", pages=[("a.pdf", 1)])


def test_a_run_keeps_everything_in_the_order_of_the_questions(tmp_path: Path) -> None:
    ask = Scripted()
    seen: list[EvaluationProgress] = []
    outcome = evaluate(
        QUESTIONS, tmp_path / "run", ask=ask, settings={"model": "m"}, workers=4, progress=seen.append
    )
    run = load_run(tmp_path / "run")
    assert outcome.run == run
    assert run.complete
    assert [record.question for record in run.records] == QUESTIONS
    assert [record.answer.text for record in run.records if record.answer] == [
        f"gold of {q.id}" for q in QUESTIONS
    ]
    assert run.settings == {"model": "m"}
    assert [p.done for p in seen] == list(range(1, 41))
    assert seen[-1].cost_usd == pytest.approx(0.04)


def test_finished_questions_are_never_asked_again(tmp_path: Path) -> None:
    evaluate(QUESTIONS, tmp_path, ask=Scripted())
    again = Scripted()
    assert evaluate(QUESTIONS, tmp_path, ask=again).asked == 0
    assert again.asked == []
    assert evaluate(QUESTIONS, tmp_path, ask=again, restart=True).asked == 40


def test_no_more_than_the_workers_are_in_flight(tmp_path: Path) -> None:
    most, flying, lock = 0, 0, threading.Lock()
    both = threading.Barrier(3, timeout=20)

    def ask(asked: Question) -> Answer:
        nonlocal most, flying
        with lock:
            flying += 1
            most = max(most, flying)
        both.wait()  # goes on only when three are in flight at once
        with lock:
            flying -= 1
        return answer("gold")

    evaluate(QUESTIONS[:12], tmp_path, ask=ask, workers=3)
    assert most == 3


def test_the_budget_ends_a_run_and_keeps_what_was_paid(tmp_path: Path) -> None:
    ask = Scripted()

    def capped(asked: Question) -> Answer:
        if len(ask.asked) >= 10:
            raise BudgetReached("The cost cap of 0.01 USD was met.")
        return ask(asked)

    outcome = evaluate(QUESTIONS, tmp_path, ask=capped, workers=1)
    assert (outcome.asked, outcome.budget) == (10, "The cost cap of 0.01 USD was met.")
    assert not outcome.run.complete
    rest = Scripted()
    assert evaluate(QUESTIONS, tmp_path, ask=rest).run.complete
    assert sorted(ask.asked + rest.asked) == sorted(q.id for q in QUESTIONS)


def test_a_failed_question_is_recorded_and_asked_again_by_the_next_run(tmp_path: Path) -> None:
    def flaky(asked: Question) -> Answer:
        if asked.id == "q3":
            raise ServerUnreachable("The server at http://127.0.0.1 does not answer.")
        return answer("gold")

    run = evaluate(QUESTIONS[:6], tmp_path, ask=flaky).run
    assert [r.error for r in run.records if r.failed] == ["The server at http://127.0.0.1 does not answer."]
    again = Scripted()
    run = evaluate(QUESTIONS[:6], tmp_path, ask=again).run
    assert again.asked == ["q3"]
    assert not any(record.failed for record in run.records)
    assert len(run.records) == 6


def test_a_wrong_key_ends_the_run_at_once_but_keeps_the_others(tmp_path: Path) -> None:
    started = threading.Event()

    def ask(asked: Question) -> Answer:
        if asked.id == "q1":
            started.wait(20)
            raise AuthenticationFailed("The key is wrong.")
        started.set()
        return answer("gold")

    with pytest.raises(AuthenticationFailed):
        evaluate(QUESTIONS[:2], tmp_path, ask=ask, workers=2)
    assert [record.id for record in load_run(tmp_path).records] == ["q0"]


def test_retrieval_alone(tmp_path: Path) -> None:
    passages = answer("", pages=[("a.pdf", 2), ("a.pdf", 3)]).passages
    run = evaluate(QUESTIONS[:2], tmp_path, ask=None, search=lambda _: passages).run
    assert [(found.file, found.page) for found in run.records[0].found] == [("a.pdf", 2), ("a.pdf", 3)]
    assert run.records[0].answer is None


def test_another_set_or_other_settings_are_refused(tmp_path: Path) -> None:
    evaluate(QUESTIONS[:2], tmp_path, ask=Scripted(), settings={"k": 8})
    with pytest.raises(UsageError, match="other questions"):
        evaluate(QUESTIONS[:3], tmp_path, ask=Scripted(), settings={"k": 8})
    with pytest.raises(UsageError, match=r"another k \(8, now 4\)"):
        evaluate(QUESTIONS[:2], tmp_path, ask=Scripted(), settings={"k": 4})


def test_two_runs_into_one_folder_at_once_are_refused(tmp_path: Path) -> None:
    def ask(asked: Question) -> Answer:
        with pytest.raises(RagError, match="being written by another"):
            evaluate(QUESTIONS[:1], tmp_path, ask=Scripted())
        return answer("gold")

    assert evaluate(QUESTIONS[:1], tmp_path, ask=ask).run.complete


@pytest.mark.parametrize("name", ["missing", "empty", "damaged", "newer"])
def test_a_folder_that_is_not_a_run_is_one_sentence(tmp_path: Path, name: str) -> None:
    if name != "missing":
        tmp_path.joinpath("run.json").write_text(
            {"empty": "", "damaged": '{"format"', "newer": '{"format": 99}'}[name]
        )
    with pytest.raises(RagError) as caught:
        load_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    evaluate(QUESTIONS[:3], tmp_path, ask=Scripted(), workers=1)
    lines = (tmp_path / RECORDS).read_text().splitlines()
    (tmp_path / RECORDS).write_text("\n".join([lines[0], lines[1][:50], lines[2]]) + "\n")
    with pytest.raises(RagError, match=r"records\.jsonl:2: "):
        load_run(tmp_path)


@pytest.mark.parametrize("seed", range(30))
def test_a_file_torn_at_any_byte_goes_on(tmp_path: Path, seed: int) -> None:
    questions = QUESTIONS[:5]
    whole = evaluate(questions, tmp_path / "whole", ask=Scripted(), workers=1).run
    evaluate(questions, tmp_path / "torn", ask=Scripted(), workers=1)
    path = tmp_path / "torn" / RECORDS
    data = path.read_bytes()
    cut = random.Random(seed).randrange(len(data) + 1)
    path.write_bytes(data[:cut])
    again = Scripted()
    run = evaluate(questions, tmp_path / "torn", ask=again, workers=1).run
    assert run.records == whole.records
    assert path.read_bytes() == data
    complete = sum(1 for line in data[:cut].split(b"\n") if line and json_complete(line))
    assert len(again.asked) == 5 - complete


def json_complete(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.evaluation.test_runs import QUESTIONS, answer
from rag.evaluation.running import evaluate

def ask(asked):
    time.sleep(0.004)
    with open({ledger!r}, "a") as ledger:   # the bill: one line for each call that was made
        ledger.write(asked.id + "\\n")
    return answer(f"gold of {{asked.id}}", pages=[("a.pdf", 1)])

evaluate(QUESTIONS, {folder!r}, ask=ask, workers=2, progress=lambda p: print(p.done, flush=True))
"""


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[pytest.mark.slow] if n >= 6 else []) for n in range(20)]
)
def test_killed_at_a_random_moment_and_resumed(tmp_path: Path, seed: int, uninterrupted: Path) -> None:
    ledger = tmp_path / "ledger.txt"
    script = KILLED.format(
        root=str(Path(__file__).parents[2]), ledger=str(ledger), folder=str(tmp_path / "run")
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(random.Random(seed).randrange(1, 36)):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    paid = ledger.read_text().split()
    kept = {record.id for record in load_run(tmp_path / "run").records}
    resumed = Scripted()
    run = evaluate(QUESTIONS, tmp_path / "run", ask=resumed).run
    assert run.records == load_run(uninterrupted).records
    assert not kept & set(resumed.asked)
    assert len(paid) == len(set(paid))
    # only the two in flight at the kill can have been paid for without having been kept
    assert len(set(paid) & set(resumed.asked)) <= 2


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    evaluate(QUESTIONS, folder, ask=Scripted())
    return folder
