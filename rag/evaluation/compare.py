"""Did this change make it worse? Two runs over the same questions, metric by metric, with a verdict.

The verdict rests on a few headline metrics, tested together so that a false alarm among them is rarer than
one comparison in fifty. The others are looked at only when a headline differs, which keeps that promise for
the whole table. Cost, tokens and time are reported beside it and never decide.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from rag.errors import UsageError
from rag.evaluation.metrics import METRICS, Metric, given, is_right, page_hit, values
from rag.evaluation.runs import Record, Run
from rag.evaluation.statistics import (
    Floats,
    Interval,
    adjusted_p_values,
    interval,
    paired_interval,
    rounded,
    smallest_visible_difference,
)

ALPHA = 1 / 50
_TABLE_LEVEL = 0.99  # where the interval itself decides: areas, shares of citations, cost and time


class Verdict(StrEnum):
    """What the comparison of two runs came to."""

    BETTER = "better"
    WORSE = "worse"
    MIXED = "better and worse"
    NONE = "no difference seen"


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric in both runs, over the questions that both answered."""

    metric: Metric
    before: Interval
    after: Interval
    difference: Interval
    """`after` minus `before`, paired by question."""
    p_value: float | None
    """Adjusted for the metrics tested with it; None when the metric is not a mean over questions."""
    verdict: Verdict
    visible: float
    """The smallest difference that these questions would show four times out of five; NaN if not known."""

    @property
    def shown(self) -> bool:
        """Whether it decides, or differs."""
        return self.metric.headline or self.verdict is not Verdict.NONE

    @property
    def direction(self) -> Verdict:
        """Better or worse, however small the change."""
        rose = self.difference.value > 0
        return Verdict.BETTER if rose == self.metric.higher_is_better else Verdict.WORSE

    def as_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric.name,
            "headline": self.metric.headline,
            "before": rounded(self.before.value),
            "after": rounded(self.after.value),
            "difference": rounded(self.difference.value),
            "low": rounded(self.difference.low),
            "high": rounded(self.difference.high),
            "n": self.difference.n,
            "p_value": None if self.p_value is None else rounded(self.p_value),
            "smallest_visible_difference": rounded(self.visible),
            "verdict": self.verdict.value,
        }


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that became right or wrong."""

    before: Record
    after: Record
    gained: bool

    @property
    def id(self) -> str:
        return self.after.id

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "question": self.after.question.question,
            "answers": list(self.after.question.answers),
            "gained": self.gained,
            "before": given(self.before) or None,
            "after": given(self.after) or None,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    before: Run
    after: Run
    questions: int
    """Questions that both runs hold; only these are compared."""
    changes: tuple[MetricChange, ...]
    verdict: Verdict
    flips: tuple[Flip, ...]
    settings: Mapping[str, tuple[Any, Any]]
    """The settings that differ, before and after."""
    notes: tuple[str, ...] = ()

    def change(self, name: str) -> MetricChange:
        """The change of a metric. Raises KeyError."""
        return next(change for change in self.changes if change.metric.name == name)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "before": str(self.before.folder),
            "after": str(self.after.folder),
            "questions": self.questions,
            "verdict": self.verdict.value,
            "settings": {name: {"before": b, "after": a} for name, (b, a) in self.settings.items()},
            "metrics": [change.as_dict() for change in self.changes],
            "flips": [flip.as_dict() for flip in self.flips],
            "notes": list(self.notes),
        }


def compare(before: Run, after: Run, *, seed: int = 0) -> Comparison:
    """Compare two runs over the questions that they share, in the order of `after`.

    Raises UsageError when they share none.
    """
    known = {record.id: record for record in before.records}
    pairs = [
        (known[record.id], record)
        for record in after.records
        if record.id in known and known[record.id].question.question == record.question.question
    ]
    if not pairs:
        raise UsageError(f"{before.folder} and {after.folder} share no question: nothing can be compared.")
    changes = _changes([b for b, _ in pairs], [a for _, a in pairs], seed)
    seen = {change.verdict for change in changes if change.metric.headline} - {Verdict.NONE}
    overall = Verdict.MIXED if len(seen) > 1 else seen.pop() if seen else Verdict.NONE
    return Comparison(
        before,
        after,
        len(pairs),
        changes,
        overall,
        tuple(flip for b, a in pairs if (flip := _flip(b, a)) is not None),
        {
            name: (before.settings.get(name), after.settings.get(name))
            for name in sorted({*before.settings, *after.settings})
            if before.settings.get(name) != after.settings.get(name)
        },
        tuple(_notes(before, after, len(pairs))),
    )


def requirements(texts: Iterable[str]) -> dict[str, float]:
    """`["page_hit@5=0.6"]` as metrics with limits. Raises UsageError, naming the nearest metric."""
    limits = {}
    for text in texts:
        name, _, value = text.partition("=")
        name = name.strip()
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(METRICS)}."
            raise UsageError(f"{name!r} is not a metric.{hint}")
        try:
            limits[name] = float(value)
        except ValueError:
            raise UsageError(f"{text!r} needs a number: write it as page_hit@5=0.6.") from None
    return limits


def missed(records: Sequence[Record], limits: Mapping[str, float]) -> list[str]:
    """A sentence for each limit that the records miss: below it, or above it where less is better.

    Raises UsageError for a metric that cannot be computed from these records.
    """
    sentences = []
    for name, limit in limits.items():
        one = METRICS[name]
        value = float(one.build(records)(np.ones((1, len(records))))[0])
        if math.isnan(value):
            raise UsageError(f"{name} cannot be computed: no question of this set has what it needs.")
        if (value < limit) if one.higher_is_better else (value > limit):
            side = "below" if one.higher_is_better else "above"
            sentences.append(f"{name} is {value:.4g}, {side} {limit:g}.")
    return sentences


def _changes(before: Sequence[Record], after: Sequence[Record], seed: int) -> tuple[MetricChange, ...]:
    """The change of every metric that both runs have, in the order of the catalogue."""
    changes: dict[str, MetricChange] = {}
    differences: dict[str, Floats] = {}
    """The difference at each question [n], NaN where the metric does not apply to both."""
    for name, metric in METRICS.items():
        n, was, now = len(before), metric.build(before), metric.build(after)
        figures = interval(was, n, seed=seed), interval(now, n, seed=seed)
        if any(math.isnan(figure.value) for figure in figures):
            continue
        visible = math.nan
        if metric.score is not None:
            differences[name] = values(metric.score, after) - values(metric.score, before)
            if metric.unit == "share":
                visible = smallest_visible_difference(differences[name], ALPHA)
        level = _TABLE_LEVEL if metric.score is None or metric.group == "cost" else 0.95
        difference = paired_interval(was, now, n, level=level, seed=seed)
        changes[name] = MetricChange(metric, *figures, difference, None, Verdict.NONE, visible)

    def test(names: Sequence[str]) -> None:
        p_values = adjusted_p_values([differences[name] for name in names], seed=seed)
        for name, p in zip(names, p_values, strict=True):
            verdict = changes[name].direction if p <= ALPHA else Verdict.NONE
            changes[name] = replace(changes[name], p_value=p, verdict=verdict)

    headlines = [name for name, change in changes.items() if change.metric.headline]
    costs = [name for name, change in changes.items() if change.metric.group == "cost"]
    others = [name for name in changes if name not in headlines and name not in costs]
    test(headlines)
    by_interval = costs
    if any(changes[name].verdict is not Verdict.NONE for name in headlines):
        test([name for name in others if name in differences])
        by_interval = costs + [name for name in others if name not in differences]
    for name in by_interval:
        change = changes[name]
        beyond = change.difference.low > 0 or change.difference.high < 0
        changes[name] = replace(change, verdict=change.direction if beyond else Verdict.NONE)
    return tuple(changes.values())


def _flip(before: Record, after: Record) -> Flip | None:
    was, now = is_right(before), is_right(after)
    if was is None and now is None:  # no answers to judge: retrieval alone
        was, now = (
            None if (hit := page_hit(5)(record)) is None else hit == 1.0 for record in (before, after)
        )
    if was is None or now is None or was == now:
        return None
    return Flip(before, after, now)


def _notes(before: Run, after: Run, shared: int) -> Iterable[str]:
    for run in (before, after):
        if not run.complete:
            total = run.manifest.get("questions")
            yield f"{run.name} is not finished: {len(run.records)} of {total} questions."
        if len(run.records) > shared:
            others = len(run.records) - shared
            these = "1 question" if others == 1 else f"{others} questions"
            yield f"{these} of {run.name} {'is' if others == 1 else 'are'} not in the other run; left out."
        if failures := sum(record.failed for record in run.records):
            these = "1 question" if failures == 1 else f"{failures} questions"
            yield f"{these} of {run.name} failed and {'counts' if failures == 1 else 'count'} as wrong."
