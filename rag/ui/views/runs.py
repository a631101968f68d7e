"""The page of evaluation runs: one by itself, two compared, and the questions that flipped between them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st

from rag.errors import RagError, UsageError
from rag.evaluation.compare import Comparison, Flip, MetricChange, Verdict, compare
from rag.evaluation.metrics import METRICS, Metric, Summary, summarise
from rag.evaluation.report.formatting import difference_interval, interval_text, number, signed
from rag.evaluation.report.html import html_report
from rag.evaluation.runs import MANIFEST, RECORDS, Record, Run, load_run
from rag.messages import Language
from rag.ui import markup
from rag.ui.markup import label
from rag.ui.views.visit import Visit

_VERDICTS = {
    Verdict.BETTER: ("page.verdict_better", "verified"),
    Verdict.WORSE: ("page.verdict_worse", "unsupported"),
    Verdict.MIXED: ("page.verdict_mixed", "weak"),
    Verdict.NONE: ("page.verdict_none", "plain"),
}
_MOST_FLIPS = 100


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.text("page.evaluation_title"))
    folder = RunHistory(visit.workspace.options.runs)
    names = folder.names()
    if not names:
        st.html(markup.note(visit.text("page.no_runs", folder=str(folder.path))))
        return
    one, two = st.tabs([visit.text("page.summary"), visit.text("page.comparison")])
    with one:
        _single(visit, folder, names)
    with two:
        _compared(visit, folder, names)


def _single(visit: Visit, folder: RunHistory, names: list[str]) -> None:
    name = str(st.selectbox(visit.text("report.run"), names, key="run", format_func=label))
    try:
        run, summary = folder.run(name), folder.summary(name)
    except RagError as error:
        visit.error(error)
        return
    st.caption(visit.text("page.run_questions", count=len(run.records)))
    rows = [
        [
            _metric_name(METRICS[key]),
            number(METRICS[key], f.value),
            interval_text(METRICS[key], f),
            f"{f.n:,}",
        ]
        for key, f in summary.figures.items()
    ]
    head = [visit.text("report.metric"), visit.text("report.value"), visit.text("report.interval"), "n"]
    st.html(markup.table(head, rows, numbers=(1, 2, 3)))
    with st.expander(visit.text("page.settings"), icon=":material/tune:"):
        pairs = [[markup.text(str(k)), markup.text(str(v))] for k, v in run.settings.items()]
        st.html(markup.table([visit.text("page.setting"), visit.text("report.value")], pairs))
    _report(visit, folder, name, None)


def _compared(visit: Visit, folder: RunHistory, names: list[str]) -> None:
    left, right = st.columns(2)
    # by default the newest against the one before it
    before = str(
        left.selectbox(
            visit.text("page.run_before"),
            names,
            index=min(1, len(names) - 1),
            key="before",
            format_func=label,
        )
    )
    after = str(right.selectbox(visit.text("page.run_after"), names, index=0, key="after", format_func=label))
    if before == after:
        st.caption(visit.text("page.choose_two"))
        return
    try:
        comparison = folder.compare(before, after)
    except RagError as error:
        visit.error(error)
        return
    _verdict(visit, comparison)
    _changes(visit, comparison)
    _flips(visit, comparison)
    _report(visit, folder, after, before)


def _verdict(visit: Visit, comparison: Comparison) -> None:
    key, kind = _VERDICTS[comparison.verdict]
    words = markup.element("strong", visit.text("report.verdict"), ": ")
    st.html(markup.element("p", words, markup.badge(visit.text(key), kind), class_="pq-verdict"))
    lines = [visit.text("page.compared", count=comparison.questions), *comparison.notes]
    st.html("".join(markup.note(line) for line in lines))
    if comparison.settings:
        rows = [[markup.text(str(v)) for v in (k, *pair)] for k, pair in comparison.settings.items()]
        with st.expander(visit.text("page.changed_settings"), icon=":material/tune:"):
            st.html(
                markup.table([visit.text(k) for k in ("page.setting", "report.before", "report.after")], rows)
            )


def _changes(visit: Visit, comparison: Comparison) -> None:
    head = [visit.text(f"report.{k}") for k in ("metric", "before", "after", "difference", "verdict")]
    first = [change for change in comparison.changes if change.metric.headline]
    rest = [change for change in comparison.changes if not change.metric.headline]
    st.html(markup.table(head, [_change(visit, c) for c in first], numbers=(1, 2, 3)))
    with st.expander(visit.text("report.metrics"), icon=":material/table_rows:"):
        st.html(markup.table(head, [_change(visit, c) for c in rest], numbers=(1, 2, 3)))


def _change(visit: Visit, change: MetricChange) -> list[str]:
    key, kind = _VERDICTS[change.verdict]
    metric = change.metric
    difference = signed(metric, change.difference.value)
    return [
        _metric_name(metric),
        number(metric, change.before.value),
        number(metric, change.after.value),
        f"{difference}<br><small>{difference_interval(metric, change.difference)}</small>",
        markup.badge(visit.text(key), kind),
    ]


def _metric_name(metric: Metric) -> str:
    return markup.element("code", markup.text(metric.name))


def _flips(visit: Visit, comparison: Comparison) -> None:
    st.subheader(visit.text("page.flips", count=len(comparison.flips)))
    if not comparison.flips:
        st.caption(visit.text("page.no_flips"))
    for flip in comparison.flips[:_MOST_FLIPS]:
        _flip(visit, flip)


def _flip(visit: Visit, flip: Flip) -> None:
    mark, word = (
        ("✓", visit.text("report.flip_gained")) if flip.gained else ("✗", visit.text("report.flip_lost"))
    )
    asked = flip.after.question
    with st.expander(f"{mark} {word} · {label(asked.question)}"):
        gold = ", ".join(asked.answers) if asked.answerable else visit.text("page.no_answer")
        st.html(markup.note(visit.text("page.right_answer", answer=gold)))
        sides = [
            markup.element("div", markup.element("h4", visit.text(f"report.{key}")), _given(visit, record))
            for key, record in (("before", flip.before), ("after", flip.after))
        ]
        st.html(markup.element("div", *sides, class_="pq-pair"))


def _given(visit: Visit, record: Record) -> str:
    """What a run answered, or why it did not."""
    if record.failed:
        return markup.note(visit.text("report.failed", error=record.error))
    if record.answer is None:
        return markup.note(visit.text("page.searched_only"))
    if record.answer.extra.get("small_talk"):
        return markup.small_talk(record.answer)
    if not record.answer.answered:
        return markup.note(visit.text("page.answer_declined", reason=record.answer.reason))
    places = ", ".join(
        f"{c.file} {visit.text('page.page_short', page=c.page)}" for c in record.answer.citations
    )
    return markup.answer(record.answer, visit.language) + markup.note(places)


def _report(visit: Visit, folder: RunHistory, name: str, earlier: str | None) -> None:
    st.download_button(
        visit.text("page.report"),
        data=lambda: folder.report(name, earlier, visit.language),
        file_name=f"{name.replace('/', '-')}.html",
        mime="application/octet-stream",
        key=f"report-{earlier is not None}",
        icon=":material/download:",
        on_click="ignore",
    )


# -- the folder of runs -------------------------------------------------------------------------------------------


_DEPTH = 2
"""Levels of folders that runs are looked for in: a sweep has a folder of its own around its runs."""

Stamp = tuple[int, int]
"""When the files of a run were last written: what takes long is computed once for each."""


class RunHistory:
    """The runs below a folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def names(self) -> list[str]:
        """The runs by their path below the folder, the newest first."""
        found = [
            path.parent
            for depth in range(1, _DEPTH + 1)
            for path in self.path.glob("/".join([*"*" * depth, MANIFEST]))
        ]
        found.sort(key=lambda run: -(run / MANIFEST).stat().st_mtime_ns)
        return [run.relative_to(self.path).as_posix() for run in found]

    def run(self, name: str) -> Run:
        """A run with its records. Raises UsageError when there is none of that name, RagError when it is damaged."""
        return _run(*self._find(name))

    def summary(self, name: str) -> Summary:
        """The figures of a run."""
        return _summary(*self._find(name))

    def compare(self, before: str, after: str) -> Comparison:
        """Two runs side by side. Raises UsageError when they share no question."""
        return _comparison(*self._find(before), *self._find(after))

    def report(self, name: str, earlier: str | None, language: Language) -> str:
        """The HTML report of a run, against an earlier one when that is named."""
        comparison = None if earlier is None else self.compare(earlier, name)
        return html_report(self.run(name), self.summary(name), comparison=comparison, language=language)

    def _find(self, name: str) -> tuple[Path, Stamp]:
        # the name comes back from a browser: only what was offered is opened
        if name not in self.names():
            raise UsageError(f"There is no run {name} in {self.path}.")
        path = self.path / name
        return path, (_written(path / MANIFEST), _written(path / RECORDS))


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=8)
def _run(path: Path, _stamp: Stamp) -> Run:
    return load_run(path)


@lru_cache(maxsize=32)
def _summary(path: Path, stamp: Stamp) -> Summary:
    return summarise(_run(path, stamp).records, slices=False)


@lru_cache(maxsize=16)
def _comparison(before: Path, b_stamp: Stamp, after: Path, a_stamp: Stamp) -> Comparison:
    return compare(_run(before, b_stamp), _run(after, a_stamp))
