"""The parts of the HTML report above the questions: headline, plots, tables, comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rag.evaluation.catalogue import METRICS, Metric
from rag.evaluation.compare import Comparison, MetricChange, Verdict
from rag.evaluation.metrics.statistics import Interval
from rag.evaluation.report import charts
from rag.evaluation.report.figures import number, signed, spread, visible
from rag.evaluation.report.markup import Markup, element, say
from rag.evaluation.report.strings import TEXTS, metric_texts
from rag.evaluation.summary import Summary

_CARDS = (
    "page_hit@5", "mrr@10", "answer_right", "answer_f1", "first_citation_hit", "citations_proven",
    "abstention_accuracy", "auroc", "cost_usd", "seconds_p50",
)  # fmt: skip
_SLICE_METRICS = ("page_hit@5", "answer_right", "answer_f1", "first_citation_hit", "wrongly_abstained")
_MOST_SLICES = 60


def metric_name(metric: Metric) -> Markup:
    """A metric in words, with the name that options take as its tip."""
    words = [
        element("span", text, class_="t", lang=language)
        for language, text in metric_texts(metric.name).items()
    ]
    return element("span", *words, title=metric.name)


def cards(summary: Summary) -> Markup:
    """The headline figures."""
    shown = [METRICS[name] for name in _CARDS if name in summary.figures]
    return element("div", *(_card(metric, summary.figures[metric.name]) for metric in shown), class_="cards")


def _card(metric: Metric, figure: Interval) -> Markup:
    return element(
        "div",
        element("div", metric_name(metric), class_="card-name"),
        element("div", number(metric, figure.value), class_="card-value"),
        charts.gauge(figure) if metric.unit == "share" else None,
        element("div", spread(metric, figure), element("span", f"n = {figure.n}"), class_="card-note"),
        class_="card",
    )


def settings_list(settings: Mapping[str, Any]) -> Markup:
    """What the run was made with, as a definition list; nested values are flattened."""
    rows = [
        (element("dt", name), element("dd", str(value)))
        for name, value in _flat(settings)
        if value not in (None, "", [], {})
    ]
    return element("dl", *rows, class_="settings")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{name}.")
        else:
            flat.append((prefix + name, value))
    return flat


def metrics_table(summary: Summary) -> Markup:
    """Every metric, by group."""
    bodies = []
    named = [(METRICS[name], figure) for name, figure in summary.figures.items()]
    for group, rows in groupby(named, key=lambda row: row[0].group):
        heading = element(
            "tr", element("th", say(f"group_{group}"), colspan=4, scope="colgroup"), class_="group"
        )
        bodies.append(element("tbody", heading, *(_metric_row(metric, figure) for metric, figure in rows)))
    head = table_head("metric", "value", "interval", "n")
    return scrolling(element("table", head, *bodies))


def _metric_row(metric: Metric, figure: Interval) -> Markup:
    return element(
        "tr",
        element("th", metric_name(metric), element("code", metric.name), scope="row"),
        element("td", number(metric, figure.value), class_="num strong"),
        element("td", spread(metric, figure), class_="num"),
        element("td", figure.n, class_="num"),
    )


def slice_tables(summary: Summary) -> list[Markup]:
    """One table for each way of slicing."""
    tables = []
    for slicer, by_value in summary.slices.items():
        names = [n for n in _SLICE_METRICS if any(n in figures for figures in by_value.values())]
        head = element(
            "thead",
            element(
                "tr",
                element("th", say(f"slice_{slicer}"), scope="col"),
                *(element("th", metric_name(METRICS[name]), scope="col", class_="num") for name in names),
            ),
        )
        largest = sorted(by_value.items(), key=lambda item: -_size(item[1]))[:_MOST_SLICES]
        rows = [_slice_row(value, figures, names) for value, figures in largest]
        tables.append(scrolling(element("table", head, element("tbody", *rows), class_="slices")))
    return tables


def _size(figures: Mapping[str, Interval]) -> int:
    return max((figure.n for figure in figures.values()), default=0)


def _slice_row(value: str, figures: Mapping[str, Interval], names: Sequence[str]) -> Markup:
    cells = []
    for name in names:
        figure = figures.get(name)
        text = "–" if figure is None else number(METRICS[name], figure.value)
        tip = None if figure is None else f"{spread(METRICS[name], figure)}, n = {figure.n}"
        cells.append(element("td", text, class_="num", title=tip))
    return element("tr", element("th", value, element("code", f"n = {_size(figures)}"), scope="row"), *cells)


def comparison_section(comparison: Comparison) -> Markup:
    """The verdict, what was changed, and every metric side by side."""
    verdict = comparison.verdict
    class_ = {Verdict.BETTER: "good", Verdict.WORSE: "bad", Verdict.MIXED: "bad"}.get(verdict, "flat")
    return element(
        "section",
        say("comparison", "h2", name=comparison.before.name),
        element("p", say(f"verdict_{verdict.value}"), class_=f"verdict {class_}"),
        _visible(comparison),
        _changed_settings(comparison),
        *(element("p", note, class_="note") for note in comparison.notes),
        _changes_table([c for c in comparison.changes if _matters(c)]),
        element(
            "details",
            element("summary", say("other_metrics")),
            _changes_table([c for c in comparison.changes if not _matters(c)]),
        ),
        id="comparison",
    )


def _matters(change: MetricChange) -> bool:
    return change.metric.headline or change.verdict is not Verdict.NONE


def _changes_table(changes: Sequence[MetricChange]) -> Markup:
    head = table_head("metric", "before", "after", "difference", "interval", "verdict")
    return scrolling(element("table", head, element("tbody", *(_change_row(c) for c in changes))))


def _visible(comparison: Comparison) -> Markup | None:
    found = visible(comparison)
    return None if found is None else say(found[0], "p", "note", **found[1])


def _changed_settings(comparison: Comparison) -> Markup | None:
    rows = [
        element("tr", element("th", name, scope="row"), element("td", str(before)), element("td", str(after)))
        for name, (before, after) in comparison.settings.items()
    ]
    if not rows:
        return None
    return element(
        "div",
        say("changed_settings", "h3"),
        scrolling(
            element("table", table_head("", "before", "after"), element("tbody", *rows), class_="changed")
        ),
    )


def _change_row(change: MetricChange) -> Markup:
    metric, verdict = change.metric, change.verdict
    low, high = (signed(metric, bound) for bound in (change.difference.low, change.difference.high))
    mark = {Verdict.BETTER: "good", Verdict.WORSE: "bad"}.get(verdict, "flat")
    between = "–" if math.isnan(change.difference.low) or low == high == "0" else f"{low} … {high}"
    name = element("th", metric_name(metric), element("code", metric.name), scope="row")
    return element(
        "tr",
        name,
        element("td", number(metric, change.before.value), class_="num"),
        element("td", number(metric, change.after.value), class_="num"),
        element("td", signed(metric, change.difference.value), class_="num strong"),
        element("td", between, class_="num"),
        element("td", element("span", say(f"verdict_{verdict.value}"), class_=f"tag {mark}"), class_="num"),
        class_="headline" if metric.headline else None,
    )


def table_head(*keys: str) -> Markup:
    """The head of a table, by keys of the report's texts; an unknown key is an empty cell."""
    cells = [
        element("th", say(key) if key in TEXTS else None, scope="col", class_="num" if at > 0 else None)
        for at, key in enumerate(keys)
    ]
    return element("thead", element("tr", *cells))


def scrolling(table: Markup) -> Markup:
    """A table that scrolls sideways on a narrow screen, by keyboard too."""
    return element("div", table, class_="scroll", tabindex=0)
