"""The reports of a sweep: cost against quality, and the runs side by side."""

from __future__ import annotations

import math

from rag.evaluation.catalogue import METRICS
from rag.evaluation.report import charts
from rag.evaluation.report.figures import number, spread
from rag.evaluation.report.markdown import plain, table
from rag.evaluation.report.markup import Markup, element, say
from rag.evaluation.report.page import page
from rag.evaluation.report.sections import metric_name, scrolling, table_head
from rag.evaluation.report.strings import TEXTS, Language, metric_texts
from rag.evaluation.sweep import Sweep, SweepEntry


def sweep_html(sweep: Sweep, *, title: str, language: Language = "en") -> str:
    """One self-contained page; each run's name leads to its own report beside it."""
    n = max((entry.quality.n for entry in sweep.entries), default=0)
    body = [
        _plot(sweep),
        element("section", say("sweep", "h2"), _legend(sweep), scrolling(_table(sweep)), id="sweep"),
    ]
    return page(title, body, count=say("questions_count", "p", "note", n=n), language=language)


def sweep_markdown(sweep: Sweep, language: Language = "en") -> str:
    """The runs as a table."""
    metric = METRICS[sweep.metric]
    head = [TEXTS["run"][language], metric_texts(sweep.metric)[language], TEXTS["interval"][language]]
    head += [metric_texts(name)[language] for name in ("cost_usd", "seconds_p50")]
    rows = [
        [
            plain(entry.name) + (f" (**{note}**)" if (note := _note(entry, language)) else ""),
            number(metric, entry.quality.value),
            spread(metric, entry.quality),
            number(METRICS["cost_usd"], entry.cost),
            number(METRICS["seconds_p50"], entry.seconds),
        ]
        for entry in sweep.entries
    ]
    return "\n".join([f"## {TEXTS['sweep'][language]}", "", *table(head, rows), ""])


def _plot(sweep: Sweep) -> Markup | None:
    metric = METRICS[sweep.metric]
    priced = [entry for entry in sweep.entries if not math.isnan(entry.cost) and entry.cost > 0]
    timed = [entry for entry in sweep.entries if not math.isnan(entry.seconds)]
    shown = priced or timed
    if len(shown) < 2:
        return None
    across = [entry.cost if priced else entry.seconds for entry in shown]
    x = charts.value_axis(across, "plot_sweep_x" if priced else "plot_sweep_seconds")
    y = charts.share_axis() if metric.unit == "share" else charts.value_axis([e.quality.high for e in shown])
    points = [
        (value, entry.quality, entry.name, "best" if entry.best else "cheaper" if entry.cheaper else "plain")
        for value, entry in zip(across, shown, strict=True)
    ]
    return element("div", charts.scatter(points, x, y, "plot_sweep"), class_="plots wide")


def _legend(sweep: Sweep) -> Markup:
    return element("p", metric_name(METRICS[sweep.metric]), class_="note")


def _table(sweep: Sweep) -> Markup:
    metric = METRICS[sweep.metric]
    rows = [
        element(
            "tr",
            element("th", _link(entry), " ", _tag(entry), scope="row"),
            element("td", number(metric, entry.quality.value), class_="num strong"),
            element("td", spread(metric, entry.quality), class_="num"),
            element("td", number(METRICS["cost_usd"], entry.cost), class_="num"),
            element("td", number(METRICS["seconds_p50"], entry.seconds), class_="num"),
        )
        for entry in sweep.entries
    ]
    return element(
        "table", table_head("run", "value", "interval", "cost", "seconds"), element("tbody", *rows)
    )


def _link(entry: SweepEntry) -> Markup:
    from urllib.parse import quote

    return element("a", entry.name, href=f"{quote(entry.run.folder.name)}/report.html")


def _tag(entry: SweepEntry) -> Markup | None:
    if entry.best:
        return element("span", say("sweep_best"), class_="tag good")
    return element("span", say("sweep_cheaper"), class_="tag warn") if entry.cheaper else None


def _note(entry: SweepEntry, language: Language) -> str:
    key = "sweep_best" if entry.best else "sweep_cheaper" if entry.cheaper else ""
    return TEXTS[key][language] if key else ""
