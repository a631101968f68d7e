"""Paired comparison of two runs over the same questions: an interval for the size, a test for the verdict.

The interval is a paired bootstrap: both runs are resampled by the same questions. The test flips the sign of
each question's difference at random, which is exact when the two runs are interchangeable (Fisher's
randomisation test; Smucker, Allan and Carterette 2007 recommend it for retrieval). Several metrics are tested
at once by the largest standardised difference, step by step (Westfall and Young 1993), so the chance of any
false alarm among them stays at the level although metrics of one run hang together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np

from rag.evaluation.metrics.intervals import Interval, interval
from rag.evaluation.metrics.statistics import Floats, Statistic

FLIPS = 4000
_BLOCK = 2_000_000


def paired_interval(
    before: Statistic, after: Statistic, n: int, *, level: float = 0.95, seed: int = 0
) -> Interval:
    """`after` minus `before` over the same n questions, with the percentile bootstrap interval."""

    def difference(weights: Floats) -> Floats:
        return after(weights) - before(weights)

    found = interval(difference, n, level=level, method="percentile", seed=seed)
    return Interval(found.value, found.low, found.high, min(before.size, after.size))


def adjusted_p_values(differences: Sequence[Floats], *, seed: int = 0, flips: int = FLIPS) -> list[float]:
    """For each metric's differences by question [n], the two-sided p-value adjusted for testing them all.

    NaN marks questions to which a metric does not apply; 1.0 means that nothing differs at all. Step-down
    maximum statistic; the observed assignment counts as one of the flips, so no p-value is below 1/(flips+1).
    """
    if not differences:
        return []
    columns = np.nan_to_num(np.stack(differences, axis=1))
    scale = np.sqrt((columns**2).sum(axis=0))
    standard = np.where(scale > 0, scale, 1.0)
    observed = np.abs(columns.sum(axis=0)) / standard
    order = np.argsort(-observed, kind="stable")
    exceeding = np.ones(len(order))
    for signs in _signs(len(columns), seed, flips):
        drawn = np.abs(signs @ columns) / standard
        # the largest among this metric and all that differ less
        largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
        exceeding += (largest >= observed[order] - 1e-12).sum(axis=0)
    stepped = np.maximum.accumulate(exceeding / (flips + 1))
    adjusted = np.empty(len(order))
    adjusted[order] = stepped
    return [float(p) for p in np.where(scale > 0, adjusted, 1.0)]


def smallest_visible_difference(differences: Floats, alpha: float, *, power: float = 0.8) -> float:
    """The mean difference that a test on as many questions with this spread finds with probability `power`.

    By the normal approximation, (z[1 - alpha/2] + z[power]) * s / sqrt(n), but never less than what sign
    flips can tell at all: k questions that change by 1, all in one direction, have p = 2 ** (1 - k).
    """
    there = differences[~np.isnan(differences)]
    if len(there) < 2:
        return math.nan
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
    fewest = math.ceil(1 - math.log2(alpha))
    return max(fewest / len(there), z * float(np.std(there, ddof=1)) / math.sqrt(len(there)))


def _signs(n: int, seed: int, flips: int) -> Iterator[Floats]:
    """Blocks of random signs [b, n], `flips` rows in all."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(n, 1))
    for start in range(0, flips, block):
        coins = generator.integers(0, 2, size=(min(block, flips - start), n))
        yield coins.astype(np.float64) * 2.0 - 1.0
