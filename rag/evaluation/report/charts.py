"""The plots of a report as inline SVG. Colours and fonts come from the style sheet, so they follow the theme."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape

from rag.evaluation import metrics
from rag.evaluation.metrics import METRICS, Summary, risk_coverage, values
from rag.evaluation.report.formatting import without_controls
from rag.evaluation.runs import Record
from rag.evaluation.statistics import Interval, Ratio, interval
from rag.evaluation.sweep import Sweep
from rag.messages import texts

Point = tuple[float, float]

_WIDTH, _HEIGHT = 480, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 24, 14, 44
_ROW = 26  # height of a bar with its gap
_CURVE_RESAMPLES = 400
_MAX_KINDS = 12


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart; `text` is a key of the report's texts, `band` holds (x, low, high)."""

    text: str
    points: Sequence[Point]
    band: Sequence[tuple[float, float, float]] = ()
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis over `low` to `high` with labelled `ticks`."""

    low: float
    high: float
    ticks: Sequence[float]
    text: str = ""
    show: Callable[[float], str] = "{:g}".format


def run_plots(records: Sequence[Record], summary: Summary) -> list[Markup]:
    """Those of a run's plots for which it has data."""
    drawn = [_retrieval(records), _risk(records), _latency(records), _kinds(summary)]
    return [plot for plot in drawn if plot is not None]


def _retrieval(records: Sequence[Record]) -> Markup | None:
    deepest = min(20, max((len(record.found) for record in records), default=0))
    if deepest < 2 or "page_hit@1" not in METRICS or np.all(np.isnan(values(metrics.page_hit(1), records))):
        return None
    hits, recalls = [], []
    for k in range(1, deepest + 1):
        statistic = Ratio.mean(values(metrics.page_hit(k), records))
        hits.append((k, interval(statistic, len(records), method="percentile", count=_CURVE_RESAMPLES)))
        recalls.append((float(k), float(np.nanmean(values(metrics.page_recall(k), records)))))
    band = [(k, figure.low, figure.high) for k, figure in hits if not math.isnan(figure.low)]
    series = [Series("legend_page_hit", [(k, figure.value) for k, figure in hits], band)]
    if any(len(metrics.gold_pages(record)) > 1 for record in records):
        series.append(Series("legend_page_recall", recalls))
    ticks = [k for k in (1, 3, 5, 10, 15) if k < deepest] + [deepest]
    axis = Axis(1, deepest, ticks, "plot_retrieval_x")
    return line_chart(series, axis, share_axis(), "plot_retrieval")


def _risk(records: Sequence[Record]) -> Markup | None:
    statistic = risk_coverage(records)
    if statistic.size < 2:
        return None
    coverage, risk = statistic.curve()
    points = list(zip(coverage.tolist(), risk.tolist(), strict=True))
    series = [Series("plot_risk_y", points)]
    y = share_axis(high=max(0.1, float(risk.max())))
    return line_chart(series, share_axis("plot_risk_x"), y, "plot_risk")


def _latency(records: Sequence[Record]) -> Markup | None:
    times = np.sort([value for record in records if (value := metrics.seconds(record)) is not None])
    if len(times) < 2 or times[-1] <= 0:
        return None
    # one outlier would flatten the curve of all the others
    shown = float(np.quantile(times, 0.99)) * 1.05
    inside = times[times <= shown]
    points = [(float(t), (i + 1) / len(times)) for i, t in enumerate(inside)]
    series = [Series("plot_latency_y", [(0.0, 0.0), *points], steps=True)]
    x = value_axis([shown], "plot_latency_x")
    return line_chart(series, x, share_axis(), "plot_latency")


def _kinds(summary: Summary) -> Markup | None:
    kinds = summary.slices.get("kind") or summary.slices.get("language") or {}
    rows = [(name, figures["answer_right"]) for name, figures in kinds.items() if "answer_right" in figures]
    if len(rows) < 2:
        return None
    largest = sorted(rows, key=lambda row: -row[1].n)[:_MAX_KINDS]
    return bars(sorted(largest, key=lambda row: -row[1].value), "plot_kinds")


def sweep_plot(sweep: Sweep) -> Markup | None:
    """Quality against cost, or against time where nothing was paid; None with fewer than two runs to show."""
    metric = METRICS[sweep.metric]
    priced = [entry for entry in sweep.entries if not math.isnan(entry.cost) and entry.cost > 0]
    timed = [entry for entry in sweep.entries if not math.isnan(entry.seconds)]
    shown = priced or timed
    if len(shown) < 2:
        return None
    across = [entry.cost if priced else entry.seconds for entry in shown]
    x = value_axis(across, "plot_sweep_x" if priced else "plot_sweep_seconds")
    y = share_axis() if metric.unit == "share" else value_axis([e.quality.high for e in shown])
    points = [
        (value, entry.quality, entry.name, "best" if entry.best else "cheaper" if entry.cheaper else "plain")
        for value, entry in zip(across, shown, strict=True)
    ]
    return scatter(points, x, y, "plot_sweep")


def share_axis(text: str = "", high: float = 1.0) -> Axis:
    """An axis in per cent, from 0 to `high` rounded up to a tick."""
    step = 0.2 if high > 0.5 else 0.1 if high > 0.2 else 0.05
    count = max(1, math.ceil(min(high, 1.0) / step - 1e-9))
    return Axis(0, count * step, [i * step for i in range(count + 1)], text, lambda v: f"{v:.0%}")


def value_axis(values: Sequence[float], text: str = "") -> Axis:
    """An axis from 0 that holds `values`, with ticks at round numbers."""
    top = max([*values, 1e-12])
    step = 10 ** math.floor(math.log10(top))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if top / s <= 6)
    count = math.ceil(top / step - 1e-9)
    return Axis(0, count * step, [i * step for i in range(count + 1)], text)


def line_chart(series: Sequence[Series], x: Axis, y: Axis, title: str) -> Markup:
    """Lines over a grid, each with a legend entry when there are several."""
    area = _PlotArea(x, y)
    parts = area.grid()
    for number, one in enumerate(series, start=1):
        if one.band:
            upper = [area.at(px, high) for px, _, high in one.band]
            lower = [area.at(px, low) for px, low, _ in reversed(one.band)]
            parts.append(element("polygon", points=_points([*upper, *lower]), class_=f"band c{number}"))
        line = _stairs(one.points) if one.steps else list(one.points)
        parts.append(
            element("polyline", points=_points([area.at(*p) for p in line]), class_=f"line c{number}")
        )
        if len(one.points) <= 24:
            parts += [_dot(area, point, x, y, f"c{number}") for point in one.points]
    return _figure(title, series, parts, _HEIGHT)


def scatter(points: Sequence[tuple[float, Interval, str, str]], x: Axis, y: Axis, title: str) -> Markup:
    """Points of (x, y with interval, name, class), each named and with its interval upright."""
    area = _PlotArea(x, y)
    parts = area.grid()
    for px, figure, name, class_ in sorted(points, key=lambda one: one[0]):
        (cx, top), (_, bottom), (_, cy) = (area.at(px, v) for v in (figure.high, figure.low, figure.value))
        if not math.isnan(top) and not math.isnan(bottom):
            parts.append(element("line", x1=cx, x2=cx, y1=top, y2=bottom, class_="whisker"))
        tip = element("title", f"{name}: {y.show(figure.value)}, {x.show(px)}")
        parts.append(element("circle", tip, cx=cx, cy=cy, r=5, class_=f"dot {class_}"))
        anchor, shift = ("end", -8) if cx > _WIDTH * 0.6 else ("start", 8)
        parts.append(
            element("text", _shorten(name, 30), x=cx + shift, y=cy - 7, text_anchor=anchor, class_="name")
        )
    return _figure(title, (), parts, _HEIGHT)


def bars(rows: Sequence[tuple[str, Interval]], title: str) -> Markup:
    """Horizontal bars of shares with their intervals, one row each."""
    left, right = 150, 56
    scale = _WIDTH - left - right
    parts = []
    for row, (name, figure) in enumerate(rows):
        y = 8 + row * _ROW
        parts.append(
            element("text", _shorten(name, 20), x=left - 8, y=y + 13, text_anchor="end", class_="tick")
        )
        parts.append(element("rect", x=left, y=y + 2, width=scale, height=14, rx=3, class_="track"))
        width = max(1.5, figure.value * scale)
        tip = element("title", f"{name}: {figure.value:.1%}, n = {figure.n}")
        parts.append(element("rect", tip, x=left, y=y + 2, width=width, height=14, rx=3, class_="bar c1"))
        if not math.isnan(figure.low):
            x1, x2 = (left + v * scale for v in (figure.low, figure.high))
            parts.append(element("line", x1=x1, x2=x2, y1=y + 9, y2=y + 9, class_="whisker"))
        parts.append(
            element("text", f"{figure.value:.0%}", x=_WIDTH - right + 8, y=y + 13, class_="tick strong")
        )
    return _figure(title, (), parts, 16 + _ROW * len(rows))


def gauge(figure: Interval) -> Markup:
    """A share with its interval on a thin track from 0 to 1."""
    parts = [element("rect", x=0, y=3, width=100, height=4, rx=2, class_="track")]
    if not math.isnan(figure.low):
        low, high = 100 * max(0.0, figure.low), 100 * min(1.0, figure.high)
        parts.append(element("rect", x=low, y=3, width=max(high - low, 0.5), height=4, rx=2, class_="range"))
    at = min(max(100 * figure.value, 1.5), 98.5)
    parts.append(element("rect", x=at - 1, y=0, width=2, height=10, rx=1, class_="mark"))
    return element(
        "svg", *parts, viewBox="0 0 100 10", class_="gauge", preserveAspectRatio="none", aria_hidden="true"
    )


class _PlotArea:
    """The plotting area and its two axes."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self.x, self.y = x, y

    def at(self, x: float, y: float) -> Point:
        """Where a value is drawn."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    def grid(self) -> list[Markup]:
        parts = []
        for tick in self.y.ticks:
            x1, y = self.at(self.x.low, tick)
            x2, _ = self.at(self.x.high, tick)
            parts.append(element("line", x1=x1, x2=x2, y1=y, y2=y, class_="grid"))
            parts.append(
                element("text", self.y.show(tick), x=_LEFT - 7, y=y + 4, text_anchor="end", class_="tick")
            )
        for tick in self.x.ticks:
            x, y = self.at(tick, self.y.low)
            parts.append(
                element("text", self.x.show(tick), x=x, y=y + 17, text_anchor="middle", class_="tick")
            )
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        if self.x.text:
            parts += [
                element(
                    "text",
                    text,
                    x=middle,
                    y=_HEIGHT - 6,
                    text_anchor="middle",
                    class_="t axis",
                    lang=language,
                )
                for language, text in texts(f"report.{self.x.text}").items()
            ]
        return parts


def _figure(title: str, series: Sequence[Series], parts: Sequence[Markup], height: int) -> Markup:
    heading = [
        element("span", text, class_="t", lang=lang) for lang, text in texts(f"report.{title}").items()
    ]
    legend = [
        element(
            "li",
            element("span", class_=f"swatch c{number}"),
            *(
                element("span", text, class_="t", lang=lang)
                for lang, text in texts(f"report.{one.text}").items()
            ),
        )
        for number, one in enumerate(series, start=1)
    ]
    svg = element(
        "svg", *parts, viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=texts(f"report.{title}")["en"]
    )
    return element(
        "figure",
        element("figcaption", *heading),
        svg,
        element("ul", *legend, class_="legend") if len(legend) > 1 else None,
    )


def _dot(area: _PlotArea, point: Point, x: Axis, y: Axis, class_: str) -> Markup:
    cx, cy = area.at(*point)
    tip = element("title", f"{x.show(point[0])}: {y.show(point[1])}")
    return element("circle", tip, cx=cx, cy=cy, r=3, class_=f"dot {class_}")


def _stairs(points: Sequence[Point]) -> list[Point]:
    stairs = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        stairs += [(x, before), (x, y)]
    return stairs


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element with escaped children; `class_` becomes `class`, `text_anchor` `text-anchor`, None is left out."""
    given = ""
    for name, value in attributes.items():
        if value is not None:
            text = (
                f"{value:.1f}" if isinstance(value, float) else without_controls(value)
            )  # a place in a plot
            given += f' {name.rstrip("_").replace("_", "-")}="{escape(text)}"'
    inside = "".join(escape(without_controls(child)) for child in children if child is not None)
    return Markup(f"<{tag}{given}>{inside}</{tag}>")  # noqa: S704 - every value in it is escaped
