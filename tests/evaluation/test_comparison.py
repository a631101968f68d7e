"""Comparing runs: rarely a false alarm, hardly ever a missed loss, and what changed side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import UsageError
from rag.evaluation.compare import Verdict, compare, missed, requirements
from rag.evaluation.statistics import adjusted_p_values, smallest_visible_difference
from tests.evaluation.builders import answer, question, record
from tests.evaluation.trials import as_run, noisy_run, spoil


def verdicts(trials: Sequence[int], n: int, *, loss: float = 0.0) -> list[Verdict]:
    """Verdicts of comparing a run with itself under fresh noise, or with itself spoilt."""
    found = []
    for trial in trials:
        before = noisy_run(n, trial, 2 * trial)
        after = spoil(before, loss, trial) if loss else noisy_run(n, trial, 2 * trial + 1)
        found.append(compare(as_run(before), as_run(after), seed=trial).verdict)
    return found


def test_noise_is_seldom_called_a_difference_and_a_loss_seldom_missed() -> None:
    alarms = sum(verdict is not Verdict.NONE for verdict in verdicts(range(8), 60))
    assert alarms <= 1
    found = verdicts(range(3), 100, loss=0.1)
    assert found.count(Verdict.WORSE) == 3


# seeds that had no part in choosing the level of the verdict
@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 100, 200])
def test_false_alarms_in_at_most_five_percent_of_200_trials(n: int) -> None:
    alarms = sum(verdict is not Verdict.NONE for verdict in verdicts(range(700_000, 700_200), n))
    assert alarms <= 10


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200])
def test_ten_percent_spoilt_answers_are_found_in_at_least_ninety_percent(n: int) -> None:
    found = verdicts(range(700_000, 700_200), n, loss=0.1)
    assert found.count(Verdict.WORSE) >= 180


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=10))
def test_one_metric_is_the_exact_sign_flip_test(differences: list[float]) -> None:
    column = np.array(differences)
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(column))).reshape(len(column), -1).T
    exact = float(np.mean(np.abs(signs @ column) >= abs(column.sum()) - 1e-9)) if column.any() else 1.0
    assert adjusted_p_values([column])[0] == pytest.approx(exact, abs=0.035)


def test_testing_many_metrics_costs_little_when_they_hang_together() -> None:
    generator = np.random.default_rng(3)
    lost = -(generator.random(100) < 0.09).astype(float)
    noise = [generator.choice([-1.0, 0.0, 1.0], size=100, p=[0.1, 0.8, 0.1]) for _ in range(6)]
    alone = adjusted_p_values([lost])[0]
    copies = adjusted_p_values([lost] * 7)[0]
    others = adjusted_p_values([lost, *noise])[0]
    assert alone == pytest.approx(copies, abs=0.002)  # a copy of a metric is no further test
    assert alone < others < 8 * alone + 0.002  # others are, and cost at most what Bonferroni would


def test_the_smallest_visible_difference_is_what_is_then_found_four_times_of_five() -> None:
    generator = np.random.default_rng(5)
    noise = generator.choice([-1.0, 0.0, 1.0], size=200, p=[0.1, 0.8, 0.1])
    visible = smallest_visible_difference(noise, 1 / 30)
    found = 0
    for _ in range(100):
        drawn = generator.choice([-1.0, 0.0, 1.0], size=200, p=[0.1 + visible / 2, 0.8, 0.1 - visible / 2])
        found += adjusted_p_values([drawn], flips=1000)[0] <= 1 / 30
    assert 68 <= found <= 92


def test_flips_settings_and_notes() -> None:
    asked = [question(f"q{i}", answers=[f"answer {i}"]) for i in range(4)]
    before = [record(q, f"It is answer {i}.") for i, q in enumerate(asked)]
    after = [
        record(asked[0], "It is something else."),
        record(asked[1], "It is answer 1."),
        record(asked[2], None),
        record(question("new"), "gold"),
    ]
    comparison = compare(as_run(before, "a", k=8, model="m"), as_run(after, "b", k=4, model="m"))
    assert comparison.questions == 3
    assert comparison.settings == {"k": (8, 4)}
    assert [(flip.id, flip.gained) for flip in comparison.flips] == [("q0", False), ("q2", False)]
    assert any("1 question of b is not in the other run" in note for note in comparison.notes)
    assert comparison.change("answer_hit").difference.value == pytest.approx(-2 / 3)
    form = comparison.as_dict()
    assert form["flips"][1] == {
        "id": "q2", "question": "What is q2?", "answers": ["answer 2"], "gained": False,
        "before": "It is answer 2.", "after": None,
    }  # fmt: skip


def test_an_improvement_is_better_and_a_trade_is_both() -> None:
    run = noisy_run(80, 1, 1)
    spoilt = spoil(run, 0.2, 2)
    assert compare(as_run(spoilt), as_run(run)).verdict is Verdict.BETTER
    assert compare(as_run(run), as_run(spoilt)).verdict is Verdict.WORSE
    traded = []
    for one in spoilt:  # answers got worse, but every page is now found first
        gold = [(e.file, e.page) for e in one.question.evidence if e.page]
        better = record(one.question, "x", pages=gold or [("z.pdf", 1)])
        traded.append(type(one)(one.question, better.found, one.answer))
    assert compare(as_run(run), as_run(traded)).verdict is Verdict.MIXED


def test_cost_and_time_are_told_but_never_decide() -> None:
    asked = [question(f"q{i}") for i in range(60)]
    before = [record(q, "gold", cost=0.001, seconds=0.5) for q in asked]
    after = [record(q, "gold", cost=0.002, seconds=0.9) for q in asked]
    comparison = compare(as_run(before), as_run(after))
    assert comparison.verdict is Verdict.NONE
    assert comparison.change("cost_usd").verdict is Verdict.WORSE
    assert comparison.change("seconds_p95").difference.value == pytest.approx(0.4)


def test_runs_without_a_common_question_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="share no question"):
        compare(as_run([record(question("a"))], "a"), as_run([record(question("b"))], "b"))


def test_limits() -> None:
    assert requirements(["page_hit@5=0.6", "cost_usd=0.01"]) == {"page_hit@5": 0.6, "cost_usd": 0.01}
    with pytest.raises(UsageError, match=r"Did you mean page_hit@5\?"):
        requirements(["pagehit@5=0.6"])
    with pytest.raises(UsageError, match="needs a number"):
        requirements(["mrr@10=high"])
    records = [record(question("a"), "gold", cost=0.02), record(question("b"), "wrong", cost=0.02)]
    assert missed(records, {"answer_hit": 0.5, "cost_usd": 0.03}) == []
    assert missed(records, {"answer_hit": 0.6, "cost_usd": 0.01}) == [
        "answer_hit is 0.5, below 0.6.",
        "cost_usd is 0.02, above 0.01.",
    ]
    unpriced = [record(question("a"), answer("gold").text, cost=None)]
    with pytest.raises(UsageError, match="cannot be computed"):
        missed(unpriced, {"cost_usd": 0.01})
