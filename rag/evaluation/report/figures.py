"""Figures as text, and the plots of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rag.evaluation import catalogue
from rag.evaluation.catalogue import METRICS, Metric, risk_coverage, values
from rag.evaluation.compare import Comparison
from rag.evaluation.metrics.statistics import Interval, Ratio, interval
from rag.evaluation.report import charts
from rag.evaluation.report.markup import Markup
from rag.evaluation.runs import Record
from rag.evaluation.summary import Summary

_CURVE_RESAMPLES = 400
_MOST_KINDS = 12


def number(metric: Metric, value: float) -> str:
    """A value as people read it: shares in per cent (areas as plain numbers), money, seconds, tokens."""
    if math.isnan(value):
        return "–"
    if metric.unit == "usd":
        if value == 0:
            return "$0"
        return f"${value:.4f}" if abs(value) < 0.1 else f"${value:.2f}"
    if metric.unit == "seconds":
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    if metric.unit == "tokens":
        return f"{value:,.0f}"
    return f"{value:.3f}" if metric.name.startswith(("mrr", "ndcg", "au")) else f"{value * 100:.1f} %"


def spread(metric: Metric, figure: Interval) -> str:
    """The interval of a figure, in the same form."""
    if math.isnan(figure.low):
        return "–"
    return f"{number(metric, figure.low)} – {number(metric, figure.high)}"


def signed(metric: Metric, value: float) -> str:
    """A difference with its sign; shares in points, so that nobody takes them for ratios."""
    shown = number(metric, abs(value)).removesuffix(" %")
    if not math.isnan(value) and not any(digit in shown for digit in "123456789"):
        return "0"
    return ("+" if value > 0 else "−" if value < 0 else "") + shown


def visible(comparison: Comparison) -> tuple[str, dict[str, object]] | None:
    """How small a change these questions could have shown, as a key of the reports' texts with its values.

    Without it, "no difference seen" reads as "no difference". It tells of right answers, or of right pages where
    only the search was measured; None where neither is known.
    """
    known = {change.metric.name: change for change in comparison.changes if not math.isnan(change.visible)}
    for name, key in (("answer_right", "visible"), ("page_hit@5", "visible_pages")):
        if name in known:
            points = (
                f"{min(known[name].visible, 1) * 100:.0f}"  # six questions or fewer cannot show even that
            )
            return key, {"n": known[name].difference.n, "points": points}
    return None


def plots(records: Sequence[Record], summary: Summary) -> list[Markup]:
    """Those of the plots for which the run has data."""
    drawn = [_retrieval(records), _risk(records), _latency(records), _kinds(summary)]
    return [plot for plot in drawn if plot is not None]


def _retrieval(records: Sequence[Record]) -> Markup | None:
    deepest = min(20, max((len(record.found) for record in records), default=0))
    if deepest < 2 or "page_hit@1" not in METRICS or np.all(np.isnan(values(catalogue.page_hit(1), records))):
        return None
    hits, recalls = [], []
    for k in range(1, deepest + 1):
        statistic = Ratio.mean(values(catalogue.page_hit(k), records))
        hits.append((k, interval(statistic, len(records), method="percentile", count=_CURVE_RESAMPLES)))
        recalls.append((float(k), float(np.nanmean(values(catalogue.page_recall(k), records)))))
    band = [(k, figure.low, figure.high) for k, figure in hits if not math.isnan(figure.low)]
    series = [charts.Series("legend_page_hit", [(k, figure.value) for k, figure in hits], band)]
    if any(len(catalogue.gold_pages(record)) > 1 for record in records):
        series.append(charts.Series("legend_page_recall", recalls))
    ticks = [k for k in (1, 3, 5, 10, 15) if k < deepest] + [deepest]
    axis = charts.Axis(1, deepest, ticks, "plot_retrieval_x")
    return charts.line_chart(series, axis, charts.share_axis(), "plot_retrieval")


def _risk(records: Sequence[Record]) -> Markup | None:
    statistic = risk_coverage(records)
    if statistic.size < 2:
        return None
    coverage, risk = statistic.curve()
    points = list(zip(coverage.tolist(), risk.tolist(), strict=True))
    series = [charts.Series("plot_risk_y", points)]
    y = charts.share_axis(high=max(0.1, float(risk.max())))
    return charts.line_chart(series, charts.share_axis("plot_risk_x"), y, "plot_risk")


def _latency(records: Sequence[Record]) -> Markup | None:
    times = np.sort([value for record in records if (value := catalogue.seconds(record)) is not None])
    if len(times) < 2 or times[-1] <= 0:
        return None
    # one outlier would flatten the curve of all the others
    shown = float(np.quantile(times, 0.99)) * 1.05
    inside = times[times <= shown]
    points = [(float(t), (i + 1) / len(times)) for i, t in enumerate(inside)]
    series = [charts.Series("plot_latency_y", [(0.0, 0.0), *points], steps=True)]
    x = charts.value_axis([shown], "plot_latency_x")
    return charts.line_chart(series, x, charts.share_axis(), "plot_latency")


def _kinds(summary: Summary) -> Markup | None:
    kinds = summary.slices.get("kind") or summary.slices.get("language") or {}
    rows = [(name, figures["answer_right"]) for name, figures in kinds.items() if "answer_right" in figures]
    if len(rows) < 2:
        return None
    largest = sorted(rows, key=lambda row: -row[1].n)[:_MOST_KINDS]
    return charts.bars(sorted(largest, key=lambda row: -row[1].value), "plot_kinds")
