"""The page of evaluation runs: one by itself, two compared, and the questions that flipped between them."""

from __future__ import annotations

import math

import streamlit as st

from rag.errors import RagError
from rag.evaluation.catalogue import METRICS, Metric
from rag.evaluation.compare import Comparison, Flip, MetricChange, Verdict
from rag.evaluation.metrics.statistics import Interval
from rag.evaluation.runs import Record
from rag.ui import markup
from rag.ui.history import History
from rag.ui.markup import label
from rag.ui.views.frame import Visit

_VERDICTS = {
    Verdict.BETTER: ("verdict_better", "verified"),
    Verdict.WORSE: ("verdict_worse", "unsupported"),
    Verdict.MIXED: ("verdict_mixed", "weak"),
    Verdict.NONE: ("verdict_none", "plain"),
}
_MOST_FLIPS = 100


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.say("evaluation_title"))
    history = History(visit.workspace.options.runs)
    names = history.names()
    if not names:
        st.html(markup.note(visit.say("no_runs", folder=str(history.folder))))
        return
    one, two = st.tabs([visit.say("summary"), visit.say("comparison")])
    with one:
        _single(visit, history, names)
    with two:
        _compared(visit, history, names)


def _single(visit: Visit, history: History, names: list[str]) -> None:
    name = str(st.selectbox(visit.say("run"), names, key="run", format_func=label))
    try:
        run, summary = history.run(name), history.summary(name)
    except RagError as error:
        st.error(label(str(error)))
        return
    st.caption(f"{visit.say('run_questions')}: {len(run.records):,}")
    rows = [
        [_metric_name(METRICS[key]), _value(METRICS[key], f.value), _interval(METRICS[key], f), f"{f.n:,}"]
        for key, f in summary.figures.items()
    ]
    head = [visit.say("metric"), visit.say("value"), visit.say("interval"), "n"]
    st.html(markup.table(head, rows, numbers=(1, 2, 3)))
    with st.expander(visit.say("run_settings"), icon=":material/tune:"):
        pairs = [[markup.text(str(k)), markup.text(str(v))] for k, v in run.settings.items()]
        st.html(markup.table([visit.say("setting"), visit.say("value")], pairs))
    _report(visit, history, name, None)


def _compared(visit: Visit, history: History, names: list[str]) -> None:
    left, right = st.columns(2)
    # by default the newest against the one before it
    before = str(
        left.selectbox(
            visit.say("run_before"), names, index=min(1, len(names) - 1), key="before", format_func=label
        )
    )
    after = str(right.selectbox(visit.say("run_after"), names, index=0, key="after", format_func=label))
    if before == after:
        st.caption(visit.say("choose_two"))
        return
    try:
        comparison = history.compare(before, after)
    except RagError as error:
        st.error(label(str(error)))
        return
    _verdict(visit, comparison)
    _changes(visit, comparison)
    _flips(visit, comparison)
    _report(visit, history, after, before)


def _verdict(visit: Visit, comparison: Comparison) -> None:
    key, kind = _VERDICTS[comparison.verdict]
    words = markup.element("strong", visit.say("verdict"), ": ")
    st.html(markup.element("p", words, markup.badge(visit.say(key), kind), class_="pq-verdict"))
    lines = [visit.say("compared", count=comparison.questions), *comparison.notes]
    st.html("".join(markup.note(line) for line in lines))
    if comparison.settings:
        rows = [[markup.text(str(v)) for v in (k, *pair)] for k, pair in comparison.settings.items()]
        with st.expander(visit.say("changed_settings"), icon=":material/tune:"):
            st.html(markup.table([visit.say(k) for k in ("setting", "before", "after")], rows))


def _changes(visit: Visit, comparison: Comparison) -> None:
    head = [visit.say(k) for k in ("metric", "before", "after", "difference", "verdict")]
    first = [change for change in comparison.changes if change.metric.headline]
    rest = [change for change in comparison.changes if not change.metric.headline]
    st.html(markup.table(head, [_change(visit, c) for c in first], numbers=(1, 2, 3)))
    with st.expander(visit.say("all_metrics"), icon=":material/table_rows:"):
        st.html(markup.table(head, [_change(visit, c) for c in rest], numbers=(1, 2, 3)))


def _change(visit: Visit, change: MetricChange) -> list[str]:
    key, kind = _VERDICTS[change.verdict]
    metric = change.metric
    difference = _value(metric, change.difference.value, signed=True)
    return [
        _metric_name(metric),
        _value(metric, change.before.value),
        _value(metric, change.after.value),
        f"{difference}<br><small>{_interval(metric, change.difference, signed=True)}</small>",
        markup.badge(visit.say(key), kind),
    ]


def _flips(visit: Visit, comparison: Comparison) -> None:
    st.subheader(f"{visit.say('flips')} ({len(comparison.flips)})")
    if not comparison.flips:
        st.caption(visit.say("no_flips"))
    for flip in comparison.flips[:_MOST_FLIPS]:
        _flip(visit, flip)


def _flip(visit: Visit, flip: Flip) -> None:
    mark, word = ("✓", visit.say("gained")) if flip.gained else ("✗", visit.say("lost"))
    asked = flip.after.question
    with st.expander(f"{mark} {word} · {label(asked.question)}"):
        gold = ", ".join(asked.answers) if asked.answerable else visit.say("no_answer")
        st.html(markup.note(f"{visit.say('right_answer')}: {gold}"))
        sides = [
            markup.element("div", markup.element("h4", visit.say(key)), _given(visit, record))
            for key, record in (("before", flip.before), ("after", flip.after))
        ]
        st.html(markup.element("div", *sides, class_="pq-pair"))


def _given(visit: Visit, record: Record) -> str:
    """What a run answered, or why it did not."""
    if record.failed:
        return markup.note(visit.say("answer_failed", error=record.error))
    if record.answer is None:
        return markup.note(visit.say("searched_only"))
    if not record.answer.answered:
        return markup.note(f"{visit.say('answer_declined')}. {record.answer.reason}")
    places = ", ".join(f"{c.file} {visit.say('page', page=c.page)}" for c in record.answer.citations)
    return markup.answer(record.answer, visit.language) + markup.note(places)


def _report(visit: Visit, history: History, name: str, earlier: str | None) -> None:
    st.download_button(
        visit.say("report"),
        data=lambda: history.report(name, earlier, visit.language),
        file_name=f"{name.replace('/', '-')}.html",
        mime="application/octet-stream",
        key=f"report-{earlier is not None}",
        icon=":material/download:",
        on_click="ignore",
    )


# -- figures ------------------------------------------------------------------------------------------------------


def _metric_name(metric: Metric) -> str:
    return markup.element("code", markup.text(metric.name))


def _value(metric: Metric, value: float, *, signed: bool = False) -> str:
    """A figure in the metric's unit; a share as percent."""
    if math.isnan(value):
        return "–"
    sign = "+" if signed else ""
    forms = {
        "share": f"{100 * value:{sign}.1f} %",
        "usd": f"{value:{sign}.4f} $",
        "tokens": f"{value:{sign},.0f}",
    }
    return forms.get(metric.unit, f"{value:{sign}.2f} s")


def _interval(metric: Metric, figure: Interval, *, signed: bool = False) -> str:
    if math.isnan(figure.low) or math.isnan(figure.high):
        return ""
    return f"{_value(metric, figure.low, signed=signed)} … {_value(metric, figure.high, signed=signed)}"
