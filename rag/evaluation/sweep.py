"""Sweeps: a grid of settings, one run for each, and which of them is worth its price."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from rag.evaluation.compare import ALPHA
from rag.evaluation.metrics import METRICS, values
from rag.evaluation.runs import Record, Run
from rag.evaluation.statistics import Interval, adjusted_p_values, interval, rounded

_FASTER = 0.8
_UNSAFE = re.compile(r"[^\w.=,+-]+")


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of the grid: the settings that set it apart."""

    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """A name that is a folder's too: `prompt=concise,k=4`."""
        parts = (f"{name}={_UNSAFE.sub('_', str(value))}" for name, value in self.settings.items())
        return ",".join(parts) or "run"


def grid(axes: Mapping[str, Sequence[Any]]) -> list[Variant]:
    """Every combination of the values, the last axis varying fastest. Axes with one value are not named."""
    varied = {name: list(dict.fromkeys(options)) for name, options in axes.items() if len(set(options)) > 1}
    return [Variant(dict(zip(varied, point, strict=True))) for point in product(*varied.values())]


@dataclass(frozen=True, slots=True)
class SweepEntry:
    """A run of a sweep, measured."""

    name: str
    run: Run
    quality: Interval
    cost: float
    """US dollars per question; NaN when a price is not known."""
    seconds: float
    """Median time of an answer."""
    p_value: float
    """That it is not as good as the best, adjusted for all that were tried; 1 for the best itself."""
    best: bool = False
    cheaper: bool = False
    """Not significantly worse than the best, and cheaper (or faster, where neither costs anything)."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "run": str(self.run.folder),
            "value": rounded(self.quality.value),
            "low": rounded(self.quality.low),
            "high": rounded(self.quality.high),
            "cost_usd": rounded(self.cost),
            "seconds_p50": rounded(self.seconds),
            "p_value": rounded(self.p_value),
            "best": self.best,
            "not_worse_and_cheaper": self.cheaper,
        }


@dataclass(frozen=True, slots=True)
class Sweep:
    """The runs of a grid, best first by `metric`."""

    metric: str
    entries: tuple[SweepEntry, ...]

    @property
    def best(self) -> SweepEntry:
        return next(entry for entry in self.entries if entry.best)

    @property
    def recommended(self) -> SweepEntry:
        """The cheapest that is not significantly worse than the best: the best itself when none is."""
        candidates = [entry for entry in self.entries if entry.cheaper] or [self.best]
        return min(candidates, key=_price)

    def as_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "recommended": self.recommended.name,
            "runs": [entry.as_dict() for entry in self.entries],
        }


def sweep_table(runs: Mapping[str, Run], metric: str | None = None) -> Sweep:
    """Rank runs over the same questions, by name, and find what is not worse than the best but cheaper.

    `metric` must be a mean over questions; by default answers right, or page_hit@5 when nothing was asked.
    Differences to the best are tested together, so trying many settings does not make one look good by luck.
    """
    answered = any(record.answer is not None for run in runs.values() for record in run.records)
    chosen = metric or ("answer_right" if answered else "page_hit@5")
    shared = _shared(runs)
    score = METRICS[chosen].score
    assert score is not None, chosen
    sign = 1.0 if METRICS[chosen].higher_is_better else -1.0
    columns = {name: sign * values(score, records) for name, records in shared.items()}
    measured = {name: _measured(name, runs[name], records, chosen) for name, records in shared.items()}
    best = min(columns, key=lambda name: (-float(np.nansum(columns[name])), _price(measured[name])))
    others = [name for name in columns if name != best]
    p_values = adjusted_p_values([columns[best] - columns[name] for name in others])
    chances = {best: 1.0, **dict(zip(others, p_values, strict=True))}
    marked = [_mark(entry, measured[best], chances[entry.name]) for entry in measured.values()]
    return Sweep(chosen, tuple(sorted(marked, key=lambda e: (-sign * e.quality.value, _price(e)))))


def _shared(runs: Mapping[str, Run]) -> dict[str, list[Record]]:
    """The records of the questions that every run holds, in one order."""
    common = set.intersection(*({record.id for record in run.records} for run in runs.values()))
    order = [record.id for record in next(iter(runs.values())).records if record.id in common]
    found = {}
    for name, run in runs.items():
        by_id = {record.id: record for record in run.records}
        found[name] = [by_id[identity] for identity in order]
    return found


def _measured(name: str, run: Run, records: Sequence[Record], metric: str) -> SweepEntry:
    n = len(records)
    everything = np.ones((1, n))
    quality = interval(METRICS[metric].build(records), n)
    cost, seconds = (float(METRICS[m].build(records)(everything)[0]) for m in ("cost_usd", "seconds_p50"))
    return SweepEntry(name, run, quality, cost, seconds, p_value=1.0)


def _mark(entry: SweepEntry, best: SweepEntry, p_value: float) -> SweepEntry:
    """The entry with its place: cheaper is less money, or less time for the same by more than chance explains."""
    (cost, seconds), (best_cost, best_seconds) = _price(entry), _price(best)
    cheaper = cost < best_cost or (cost == best_cost and seconds < _FASTER * best_seconds)
    return replace(entry, p_value=p_value, best=entry.name == best.name, cheaper=cheaper and p_value > ALPHA)


def _price(entry: SweepEntry) -> tuple[float, float]:
    """Money first; an unknown price counts as the highest, and time decides between equals."""
    cost = math.inf if math.isnan(entry.cost) else entry.cost
    return cost, math.inf if math.isnan(entry.seconds) else entry.seconds
