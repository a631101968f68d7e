"""Figures and names as people read them, for the reports and the terminal."""

from __future__ import annotations

import math
import re

from markupsafe import Markup

from rag.evaluation.compare import Comparison
from rag.evaluation.metrics import Metric
from rag.evaluation.statistics import Interval
from rag.messages import Language, catalogue, texts

# Control characters, and those that turn the direction of writing: they make a text read as another one.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def without_controls(value: object) -> object:
    """A text of a document or a model without control characters; markup and other values as they are."""
    return _CONTROLS.sub("", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def metric_texts(name: str) -> dict[Language, str]:
    """What a metric is called, in both languages: `page_hit@5` by the message `metric.page_hit`."""
    stem, _, k = (name, "", "") if f"metric.{name}" in catalogue() else name.partition("@")
    return {language: text.format(k=k) for language, text in texts(f"metric.{stem}").items()}


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


def interval_text(metric: Metric, figure: Interval) -> str:
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


def difference_interval(metric: Metric, difference: Interval) -> str:
    """The interval of a difference; a dash when there is none, or when it is zero on both sides."""
    low, high = signed(metric, difference.low), signed(metric, difference.high)
    return "–" if math.isnan(difference.low) or low == high == "0" else f"{low} … {high}"


def smallest_visible_change(comparison: Comparison) -> tuple[str, dict[str, object]] | None:
    """How small a change these questions could have shown: a message key with its values.

    Without it, "no difference seen" reads as "no difference". It is about right answers, or about right pages where
    only the search was measured; None where neither is known.
    """
    known = {change.metric.name: change for change in comparison.changes if not math.isnan(change.visible)}
    for name, key in (("answer_right", "report.visible"), ("page_hit@5", "report.visible_pages")):
        if name in known:
            # six questions or fewer cannot show even a change of all of them
            points = f"{min(known[name].visible, 1) * 100:.0f}"
            return key, {"n": known[name].difference.n, "points": points}
    return None
