"""Statistics of a run, as functions of how often each question was drawn.

A resample of n questions is a row of n weights (Efron and Tibshirani, "An Introduction to the Bootstrap",
1993, chapter 6). Every statistic is written for many rows at once, so that the point estimate (all weights
1), the bootstrap and the jackknife are the same code. Weights have shape [b, n], results shape [b]; NaN means
"cannot be computed".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
