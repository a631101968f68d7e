"""Paired comparison of two runs over the same questions: an interval for the size, a test for the verdict.

The interval is a paired bootstrap: both runs are resampled by the same questions. The test flips the sign of
each question's difference at random, which is exact when the two runs are interchangeable (Fisher's
randomisation test; Smucker, Allan and Carterette 2007 recommend it for retrieval). Several metrics are tested
at once by the largest standardised difference, step by step (Westfall and Young 1993), so the chance of any
false alarm among them stays at the level although metrics of one run hang together.

A resample of n questions is a row of n weights (Efron and Tibshirani, "An Introduction to the Bootstrap",
1993, chapter 6). Every statistic is written for many rows at once, so that the point estimate (all weights
1), the bootstrap and the jackknife are the same code. Weights have shape [b, n], results shape [b]; NaN means
"cannot be computed".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Method = Literal["percentile", "bca"]

RESAMPLES = 2000
_BLOCK = 4_000_000  # weights in memory at once: 32 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval; `n` is the number of questions behind it. NaN bounds: too few to tell."""

    value: float
    low: float
    high: float
    n: int


def rounded(value: float) -> float | None:
    """A figure for JSON, which knows no NaN: None for one that cannot be computed."""
    return None if math.isnan(value) else round(value, 6)


def resamples(n: int, seed: int, count: int = RESAMPLES) -> Iterable[Floats]:
    """Blocks of bootstrap weights [b, n], `count` rows in all; the same for the same arguments."""
    return _kept(n, seed, count) if n * count <= _BLOCK else _drawn(n, seed, count)


@lru_cache(maxsize=2)  # every figure of a run is resampled alike
def _kept(n: int, seed: int, count: int) -> tuple[Floats, ...]:
    return tuple(_drawn(n, seed, count))


def _drawn(n: int, seed: int, count: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(n, 1))
    for start in range(0, count, block):
        rows = min(block, count - start)
        yield generator.multinomial(n, np.full(n, 1.0 / n), size=rows).astype(float)


def interval(
    statistic: Statistic | Callable[[Floats], Floats],
    n: int,
    *,
    level: float = 0.95,
    method: Method = "bca",
    seed: int = 0,
    count: int = RESAMPLES,
) -> Interval:
    """The statistic of n questions and its bootstrap interval.

    `bca` corrects for bias and skew (Efron 1987) and falls back on `percentile` where its correction cannot
    be computed. The interval contains the value.
    """
    size = int(getattr(statistic, "size", n))
    value = float(statistic(np.ones((1, n)))[0]) if n else math.nan
    if size < 2 or math.isnan(value):
        return Interval(value, math.nan, math.nan, size)
    drawn = np.concatenate([statistic(weights) for weights in resamples(n, seed, count)])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value, math.nan, math.nan, size)
    same = drawn.min() == drawn.max()
    if same and value in (0.0, 1.0) and isinstance(statistic, Ratio) and statistic.share:
        # resamples of all right or all wrong cannot differ: the exact bound (Clopper and Pearson 1934)
        bound = ((1 - level) / 2) ** (1 / size)
        return Interval(value, bound, 1.0, size) if value else Interval(value, 0.0, 1 - bound, size)
    tails = ((1 - level) / 2, (1 + level) / 2)
    if method == "bca":
        tails = _bca_tails(statistic, n, value, drawn, tails)
    low, high = np.quantile(drawn, tails)
    return Interval(value, min(float(low), value), max(float(high), value), size)


def _bca_tails(
    statistic: Callable[[Floats], Floats], n: int, value: float, drawn: Floats, tails: tuple[float, float]
) -> tuple[float, float]:
    """The tail probabilities to read off the bootstrap instead (Efron and Tibshirani, equation 14.10)."""
    below = float(np.mean(drawn < value) + 0.5 * np.mean(drawn == value))
    left_out = _jackknife(statistic, n)
    if not 0.0 < below < 1.0 or not left_out.size:
        return tails
    spread = left_out.mean() - left_out
    scale = float(np.sum(spread**2)) ** 1.5
    if scale < 1e-12 or math.isnan(scale):
        return tails
    normal = NormalDist()
    bias, acceleration = normal.inv_cdf(below), float(np.sum(spread**3)) / (6.0 * scale)
    shifted = [bias + normal.inv_cdf(tail) for tail in tails]
    low, high = (normal.cdf(bias + z / (1.0 - acceleration * z)) for z in shifted)
    return low, high


def _jackknife(statistic: Callable[[Floats], Floats], n: int) -> Floats:
    block = max(1, _BLOCK // n)
    parts = []
    for start in range(0, n, block):
        rows = np.arange(start, min(start + block, n))
        weights = np.ones((len(rows), n))
        weights[np.arange(len(rows)), rows] = 0.0
        parts.append(statistic(weights))
    values = np.concatenate(parts)
    return values[~np.isnan(values)]


Floats = NDArray[np.float64]


class Statistic(Protocol):
    """A figure of a run as a function of question weights [b, n] -> [b]."""

    @property
    def size(self) -> int:
        """The number of questions that it looks at, of the n given."""
        ...

    def __call__(self, weights: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Ratio:
    """A weighted sum of `numerator` over one of `denominator`, both [n]; a mean when the latter is 0 or 1."""

    numerator: Floats
    denominator: Floats
    share: bool = True
    """Whether it lies between 0 and 1 whatever is measured."""

    @classmethod
    def mean(cls, values: Floats, *, share: bool = True) -> Ratio:
        """The mean of the values that are not NaN."""
        there = ~np.isnan(values)
        return cls(np.where(there, values, 0.0), there.astype(float), share)

    @property
    def size(self) -> int:
        return int(np.count_nonzero(self.denominator))

    def __call__(self, weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = weights @ np.stack([self.numerator, self.denominator], axis=1)
            return np.asarray(sums[:, 0] / sums[:, 1])


@dataclass(frozen=True, slots=True)
class Percentile:
    """The smallest value that at least the share `q` of the values does not exceed, NaN values left out."""

    values: Floats
    q: float

    @property
    def size(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.values)))

    def __call__(self, weights: Floats) -> Floats:
        there = np.flatnonzero(~np.isnan(self.values))
        if not len(there):
            return np.full(len(weights), np.nan)
        order = there[np.argsort(self.values[there], kind="stable")]
        reached = np.cumsum(weights[:, order], axis=1)
        total = reached[:, -1:]
        # the tolerance keeps 0.5 * 10 draws from missing the fifth by rounding
        first = np.argmax(reached >= self.q * total - 1e-9, axis=1)
        return np.where(total[:, 0] > 0, self.values[order][first], np.nan)


@dataclass(frozen=True, slots=True)
class Auroc:
    """The chance that a positive scores above a negative, ties counting half (Hanley and McNeil 1982)."""

    scores: Floats
    positive: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.scores)))

    def __call__(self, weights: Floats) -> Floats:
        there = ~np.isnan(self.scores)
        scores, positive, weights = self.scores[there], self.positive[there], weights[:, there]
        order, starts = _tie_groups(scores)
        good, bad = (_group_sums(weights * mask, order, starts) for mask in (positive, ~positive))
        below = np.cumsum(bad, axis=1) - bad
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((good * (below + 0.5 * bad)).sum(axis=1) / (good.sum(axis=1) * bad.sum(axis=1)))


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The area under the risk-coverage curve (AURC; Geifman, Uziel and El-Yaniv 2019).

    Questions are taken in falling order of score; the risk at a coverage is the share of wrong answers so
    far. The area is the mean risk over the questions that were taken; NaN scores are left out. Equal scores
    are taken together.
    """

    scores: Floats
    wrong: Floats

    @property
    def size(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.scores)))

    def __call__(self, weights: Floats) -> Floats:
        there = ~np.isnan(self.scores)
        order, starts = _tie_groups(-self.scores[there])
        taken = _group_sums(weights[:, there], order, starts)
        wrong = _group_sums(weights[:, there] * self.wrong[there], order, starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            risk = np.cumsum(wrong, axis=1) / np.cumsum(taken, axis=1)
            return np.asarray(np.where(taken > 0, risk * taken, 0.0).sum(axis=1) / taken.sum(axis=1))

    def curve(self) -> tuple[Floats, Floats]:
        """Coverage and risk, one point for each distinct score."""
        there = ~np.isnan(self.scores)
        order, starts = _tie_groups(-self.scores[there])
        ones = np.ones((1, int(there.sum())))
        taken = np.cumsum(_group_sums(ones, order, starts)[0])
        wrong = np.cumsum(_group_sums(ones * self.wrong[there], order, starts)[0])
        return taken / max(len(self.scores), 1), wrong / np.maximum(taken, 1)


@dataclass(frozen=True, slots=True)
class AnsweredAtRate:
    """The share of the answerable that score above a threshold which lets through `rate` of the others.

    The threshold is the score of the unanswerable question that stands at that rate from the top, at least
    the first one; a question is answered when it scores above it.
    """

    scores: Floats
    answerable: NDArray[np.bool_]
    rate: float = 0.05

    @property
    def size(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.scores)))

    def __call__(self, weights: Floats) -> Floats:
        there = ~np.isnan(self.scores)
        good, bad = np.flatnonzero(there & self.answerable), np.flatnonzero(there & ~self.answerable)
        if not len(good) or not len(bad):
            return np.full(len(weights), np.nan)
        falling = bad[np.argsort(-self.scores[bad], kind="stable")]
        passed = np.cumsum(weights[:, falling], axis=1)
        allowed = np.maximum(1.0, np.floor(self.rate * passed[:, -1:]))
        cut = self.scores[falling][np.argmax(passed >= allowed, axis=1)]
        above = self.scores[good][None, :] > cut[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (weights[:, good] * above).sum(axis=1) / weights[:, good].sum(axis=1)
        return np.where(passed[:, -1] > 0, share, np.nan)


def _tie_groups(values: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The ascending order, and where each group of equal values begins in it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(values) else order
    return order, starts


def _group_sums(rows: Floats, order: NDArray[np.intp], starts: NDArray[np.intp]) -> Floats:
    return np.add.reduceat(rows[:, order], starts, axis=1) if len(starts) else np.zeros((len(rows), 1))


FLIPS = 4000
_PAIRED_BLOCK = 2_000_000


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
    block = max(1, _PAIRED_BLOCK // max(n, 1))
    for start in range(0, flips, block):
        coins = generator.integers(0, 2, size=(min(block, flips - start), n))
        yield coins.astype(np.float64) * 2.0 - 1.0
