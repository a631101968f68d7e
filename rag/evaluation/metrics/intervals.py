"""Bootstrap intervals over questions, percentile or BCa, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np

from rag.evaluation.metrics.statistics import Floats, Ratio, Statistic

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
        return _without_spread(value, size, level)
    tails = ((1 - level) / 2, (1 + level) / 2)
    if method == "bca":
        tails = _bca_tails(statistic, n, value, drawn, tails)
    low, high = np.quantile(drawn, tails)
    return Interval(value, min(float(low), value), max(float(high), value), size)


def _without_spread(share: float, n: int, level: float) -> Interval:
    """All right or all wrong: resamples cannot differ, so take the exact bound (Clopper and Pearson 1934)."""
    bound = ((1 - level) / 2) ** (1 / n)
    return Interval(share, bound, 1.0, n) if share else Interval(share, 0.0, 1 - bound, n)


def _bca_tails(
    statistic: Callable[[Floats], Floats], n: int, value: float, drawn: Floats, tails: tuple[float, float]
) -> tuple[float, float]:
    """The tail probabilities to read off the bootstrap instead (Efron and Tibshirani, equation 14.10)."""
    below = float(np.mean(drawn < value) + 0.5 * np.mean(drawn == value))
    left_out = _jackknife(statistic, n)
    spread = left_out.mean() - left_out
    scale = float(np.sum(spread**2)) ** 1.5
    if not 0.0 < below < 1.0 or scale < 1e-12 or math.isnan(scale):
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
