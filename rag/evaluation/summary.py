"""A run summed up: every metric with its interval, over all questions and by slice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.evaluation.catalogue import METRICS, gold_files, strictness
from rag.evaluation.metrics.statistics import RESAMPLES, Interval, Method, interval
from rag.evaluation.runs import Record

Figures = Mapping[str, Interval]
Slices = Mapping[str, Mapping[str, Figures]]

_SLICERS: Mapping[str, Callable[[Record], Iterable[str]]] = {
    "language": lambda record: [record.question.language] if record.question.language else [],
    "kind": lambda record: [record.question.kind] if record.question.kind else [],
    "document": lambda record: sorted(gold_files(record)),
}
_SLICE_RESAMPLES = 500  # a table of many small slices: the second digit of an interval is enough


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run. Metrics that apply to no question are left out."""

    questions: int
    figures: Figures
    slices: Slices = field(default_factory=dict)
    """By slicer (`language`, `kind`, `document`), then by its value, then by metric."""
    strictness: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of the questions that were right but unverified, right but withheld, and wrong but verified."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a bound that cannot be computed is null."""
        return {
            "questions": self.questions,
            "metrics": _figures_form(self.figures),
            "slices": {
                name: {value: _figures_form(figures) for value, figures in by_value.items()}
                for name, by_value in self.slices.items()
            },
            "strictness": {name: list(ids) for name, ids in self.strictness.items()},
        }


def summarise(
    records: Sequence[Record],
    *,
    metrics: Iterable[str] = tuple(METRICS),
    slices: bool = True,
    level: float = 0.95,
    method: Method = "bca",
    seed: int = 0,
) -> Summary:
    """Every metric over `records` with a bootstrap interval at `level`."""
    names = tuple(metrics)
    figures = figures_of(records, names, level=level, method=method, seed=seed)
    by_slice = _slices(records, tuple(figures), level, method, seed) if slices else {}
    return Summary(len(records), figures, by_slice, strictness(records))


def figures_of(
    records: Sequence[Record],
    names: Iterable[str],
    *,
    level: float = 0.95,
    method: Method = "bca",
    seed: int = 0,
    count: int = RESAMPLES,
) -> dict[str, Interval]:
    """The metrics that apply to at least one record, by name."""
    figures = {}
    for name in names:
        statistic = METRICS[name].build(records)
        if statistic.size:
            figures[name] = interval(
                statistic, len(records), level=level, method=method, seed=seed, count=count
            )
    return {name: figure for name, figure in figures.items() if not math.isnan(figure.value)}


def _slices(
    records: Sequence[Record], names: Sequence[str], level: float, method: Method, seed: int
) -> dict[str, dict[str, Figures]]:
    sliced: dict[str, dict[str, Figures]] = {}
    for slicer, values_of in _SLICERS.items():
        groups: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            for value in values_of(record):
                groups[value].append(record)
        # a single slice would repeat the whole
        if len(groups) > 1:
            sliced[slicer] = {
                value: figures_of(
                    groups[value], names, level=level, method=method, seed=seed, count=_SLICE_RESAMPLES
                )
                for value in sorted(groups)
            }
    return sliced


def _figures_form(figures: Figures) -> dict[str, Any]:
    return {
        name: {"value": _number(f.value), "low": _number(f.low), "high": _number(f.high), "n": f.n}
        for name, f in figures.items()
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
