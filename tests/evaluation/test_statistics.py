"""Statistics by weights equal the plain statistic of the repeated data; intervals cover what they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.statistics import (
    AnsweredAtRate,
    Auroc,
    Percentile,
    Ratio,
    RiskCoverage,
    Statistic,
    interval,
)

score = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.5, 0.9])
rows = st.lists(st.tuples(score, st.booleans(), st.integers(0, 3)), min_size=1, max_size=14)


def columns(data: list[tuple[float, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, flags, weights = zip(*data, strict=True)
    return np.array(scores), np.array(flags), np.array([weights], dtype=float)


def check(weighted: float, repeated: list[tuple[float, bool]], expected: object) -> None:
    value = expected(repeated) if callable(expected) else expected  # type: ignore[misc]
    assert (math.isnan(weighted) and value is None) or weighted == pytest.approx(value)


def repeat(data: list[tuple[float, bool, int]]) -> list[tuple[float, bool]]:
    return [(s, flag) for s, flag, weight in data for _ in range(weight)]


@given(rows)
def test_mean_and_percentiles(data: list[tuple[float, bool, int]]) -> None:
    scores, _, weights = columns(data)
    drawn = [s for s, _ in repeat(data)]
    check(Ratio.mean(scores)(weights)[0], [], float(np.mean(drawn)) if drawn else None)
    for q in (0.05, 0.5, 0.95, 1.0):
        plain = float(np.quantile(drawn, q, method="inverted_cdf")) if drawn else None
        check(Percentile(scores, q)(weights)[0], [], plain)


@given(rows)
def test_auroc_is_the_share_of_ordered_pairs(data: list[tuple[float, bool, int]]) -> None:
    def plain(drawn: list[tuple[float, bool]]) -> float | None:
        good, bad = [s for s, flag in drawn if flag], [s for s, flag in drawn if not flag]
        pairs = [(x > y) + 0.5 * (x == y) for x in good for y in bad]
        return sum(pairs) / len(pairs) if pairs else None

    scores, flags, weights = columns(data)
    check(Auroc(scores, flags)(weights)[0], repeat(data), plain)


@given(rows)
def test_answered_at_a_rate_of_false_answers(data: list[tuple[float, bool, int]]) -> None:
    def plain(drawn: list[tuple[float, bool]]) -> float | None:
        good, bad = [s for s, flag in drawn if flag], sorted(s for s, flag in drawn if not flag)
        if not good or not bad:
            return None
        cut = bad[-max(1, int(0.2 * len(bad)))]
        return sum(s > cut for s in good) / len(good)

    scores, flags, weights = columns(data)
    check(AnsweredAtRate(scores, flags, 0.2)(weights)[0], repeat(data), plain)


@given(rows)
def test_risk_coverage_is_the_mean_risk_over_the_order(data: list[tuple[float, bool, int]]) -> None:
    def plain(drawn: list[tuple[float, bool]]) -> float | None:
        risks = []
        for s, _ in drawn:
            taken = [wrong for other, wrong in drawn if other >= s]
            risks.append(sum(taken) / len(taken))
        return sum(risks) / len(risks) if risks else None

    scores, flags, weights = columns(data)
    check(RiskCoverage(scores, flags.astype(float))(weights)[0], repeat(data), plain)


def test_the_curve_ends_at_the_share_that_was_answered() -> None:
    scores = np.array([0.9, 0.8, 0.8, np.nan])
    coverage, risk = RiskCoverage(scores, np.array([0.0, 1.0, 0.0, 1.0])).curve()
    assert coverage == pytest.approx([0.25, 0.75])
    assert risk == pytest.approx([0.0, 1 / 3])


@pytest.mark.parametrize("statistic", [Percentile, lambda values, q: Ratio.mean(values)])
def test_nothing_to_measure_is_nan(statistic: object) -> None:
    figure = interval(statistic(np.array([np.nan, np.nan]), 0.5), 2)  # type: ignore[operator]
    assert math.isnan(figure.value)
    assert figure.n == 0


def test_intervals_are_seeded_and_hold_their_value() -> None:
    values = np.random.default_rng(1).exponential(size=80)
    statistics: list[Statistic] = [Ratio.mean(values), Percentile(values, 0.95)]
    for statistic in statistics:
        for method in ("percentile", "bca"):
            figure = interval(statistic, 80, method=method, seed=3)  # type: ignore[arg-type]
            assert figure == interval(statistic, 80, method=method, seed=3)  # type: ignore[arg-type]
            assert figure.low < figure.value < figure.high
    # a skewed sample: the corrected interval reaches further to the long side than the plain one
    plain = interval(Ratio.mean(values), 80, method="percentile")
    corrected = interval(Ratio.mean(values), 80, method="bca")
    assert corrected.high > plain.high


@pytest.mark.filterwarnings("error")
def test_a_figure_that_needs_every_question_has_the_plain_interval() -> None:
    auroc = Auroc(np.array([0.2, 0.9]), np.array([False, True]))
    assert interval(auroc, 2, method="bca") == interval(auroc, 2, method="percentile")


def test_all_right_is_not_certainly_right() -> None:
    figure = interval(Ratio.mean(np.ones(30)), 30)
    assert figure.value == figure.high == 1.0
    assert figure.low == pytest.approx(0.884, abs=0.001)  # Clopper-Pearson of 30 of 30
    assert interval(Ratio.mean(np.zeros(30)), 30).high == pytest.approx(0.116, abs=0.001)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_95_percent_interval_covers_the_truth(share: float) -> None:
    generator = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        values = (generator.random(100) < share).astype(float)
        figure = interval(Ratio.mean(values), 100, seed=trial, count=500)
        covered += figure.low <= share <= figure.high
    # nominal 190 of 200; a bootstrap of 100 zeros and ones runs a little short
    assert 180 <= covered <= 200
