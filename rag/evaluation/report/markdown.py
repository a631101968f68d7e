"""Reports as Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.evaluation.compare import Comparison, Flip, MetricChange, Verdict
from rag.evaluation.metrics import METRICS, Summary, given
from rag.evaluation.report.formatting import (
    difference_interval,
    interval_text,
    metric_texts,
    number,
    signed,
    smallest_visible_change,
)
from rag.evaluation.runs import Record, Run
from rag.evaluation.sweep import Sweep, SweepEntry
from rag.messages import Language, message

_LONGEST = 160
_MOST_FLIPS = 20
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>|#!~@])")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


def run_markdown(run: Run, summary: Summary, language: Language = "en") -> str:
    """The metrics of a run as a table."""
    rows = [
        [
            _metric(name, language),
            number(METRICS[name], figure.value),
            interval_text(METRICS[name], figure),
            str(figure.n),
        ]
        for name, figure in summary.figures.items()
    ]
    return "\n".join(
        [
            f"## {message('report.title', language)}: {plain(run.name)}",
            "",
            message("report.questions_count", language, n=len(run.records)) + _settings(run),
            "",
            *table(_columns(("metric", "value", "interval", "n"), language), rows),
            "",
            *_strictness(run, summary, language),
        ]
    )


def _strictness(run: Run, summary: Summary, language: Language) -> list[str]:
    """The questions on which strictness costs an answer or lets a wrong one through."""
    asked = {record.id: record.question.question for record in run.records}
    lines = [
        f"- {_metric(name, language)}: {plain(one)}, {plain(asked[one])}"
        for name, ids in summary.strictness.items()
        for one in ids[:_MOST_FLIPS]
    ]
    return [f"### {message('report.strictness', language)}", "", *lines, ""] if lines else []


def comparison_markdown(comparison: Comparison, language: Language = "en") -> str:
    """The verdict, the metrics that decide or differ, and the questions that flipped."""
    visible = smallest_visible_change(comparison)
    columns = _columns(("metric", "before", "after", "difference", "interval", "verdict"), language)
    lines = [
        f"## {plain(comparison.after.name)}: {message('report.verdict_' + comparison.verdict.value, language)}",
        "",
        message("report.comparison", language, name=plain(comparison.before.name)) + ". "
        + message("report.questions_count", language, n=comparison.questions) + ".",
        "",
        *([] if visible is None else [message(visible[0], language, **visible[1]), ""]),
        *_changed(comparison, language),
        *table(columns, [_change_row(change, language) for change in comparison.changes if change.shown]),
        "",
        *(f"- {plain(note)}" for note in comparison.notes),
    ]  # fmt: skip
    return "\n".join([*lines, *_flips(comparison.flips, language), ""])


def plain(text: str, longest: int = _LONGEST) -> str:
    """Text of documents and models on one line, with nothing that Markdown or a forge acts on."""
    short = _SPACE.sub(" ", text).strip()
    short = short if len(short) <= longest else short[: longest - 1] + "…"
    return _ACTIVE.sub(r"\\\1", short).replace("://", ":\u200b//")


def _columns(keys: Sequence[str], language: Language) -> list[str]:
    return [message(f"report.{key}", language) for key in keys]


def _metric(name: str, language: Language) -> str:
    return f"{metric_texts(name)[language]} `{name}`"


def _settings(run: Run) -> str:
    parts = [
        f"{name} {plain(str(run.settings[name]))}"
        for name in ("model", "prompt", "k")
        if run.settings.get(name)
    ]
    return f" ({', '.join(parts)})." if parts else "."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, the first column flush left and the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _change_row(change: MetricChange, language: Language) -> list[str]:
    metric = change.metric
    verdict = message(f"report.verdict_{change.verdict.value}", language)
    return [
        _metric(metric.name, language),
        number(metric, change.before.value),
        number(metric, change.after.value),
        signed(metric, change.difference.value),
        difference_interval(metric, change.difference),
        f"**{verdict}**" if change.verdict is not Verdict.NONE else verdict,
    ]


def _changed(comparison: Comparison, language: Language) -> list[str]:
    lines = [
        f"- {plain(name)}: {plain(str(before))} → {plain(str(after))}"
        for name, (before, after) in comparison.settings.items()
    ]
    return [f"{message('report.changed_settings', language)}:", "", *lines, ""] if lines else []


def _flips(flips: Sequence[Flip], language: Language) -> list[str]:
    if not flips:
        return ["", message("report.no_flips", language)]
    lines = ["", f"### {message('report.flips', language)} ({len(flips)})", ""]
    columns = _columns(("question", "before", "after"), language)
    rows = []
    for flip in flips[:_MOST_FLIPS]:
        direction = message("report.flip_gained" if flip.gained else "report.flip_lost", language)
        question = f"{plain(flip.after.question.question)} ({direction})"
        rows.append([question, _answer(flip.before, language), _answer(flip.after, language)])
    head, rule, *body = table(columns, rows)
    return [*lines, head, rule.replace("---:", "---"), *body]


def _answer(record: Record, language: Language) -> str:
    if record.failed:
        return plain(message("report.failed", language, error=record.error))
    return plain(given(record)) or message("report.declined", language)


def sweep_markdown(sweep: Sweep, language: Language = "en") -> str:
    """The runs of a sweep as a table."""
    metric = METRICS[sweep.metric]
    head = [
        message("report.run", language),
        metric_texts(sweep.metric)[language],
        message("report.interval", language),
        *(metric_texts(name)[language] for name in ("cost_usd", "seconds_p50")),
    ]
    rows = [
        [
            plain(entry.name) + _sweep_note(entry, language),
            number(metric, entry.quality.value),
            interval_text(metric, entry.quality),
            number(METRICS["cost_usd"], entry.cost),
            number(METRICS["seconds_p50"], entry.seconds),
        ]
        for entry in sweep.entries
    ]
    return "\n".join([f"## {message('report.sweep', language)}", "", *table(head, rows), ""])


def _sweep_note(entry: SweepEntry, language: Language) -> str:
    key = "report.sweep_best" if entry.best else "report.sweep_cheaper" if entry.cheaper else ""
    return f" (**{message(key, language)}**)" if key else ""
