"""Reports as Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.evaluation.catalogue import METRICS, given
from rag.evaluation.compare import Comparison, Flip, MetricChange, Verdict
from rag.evaluation.report.figures import number, signed, spread, visible
from rag.evaluation.report.strings import TEXTS, Language, metric_texts
from rag.evaluation.runs import Record, Run
from rag.evaluation.summary import Summary

_LONGEST = 160
_MOST_FLIPS = 20
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>|#!~@])")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


def run_markdown(run: Run, summary: Summary, language: Language = "en") -> str:
    """The metrics of a run as a table."""
    say = _speaker(language)
    rows = [
        [
            _metric(name, language),
            number(METRICS[name], figure.value),
            spread(METRICS[name], figure),
            str(figure.n),
        ]
        for name, figure in summary.figures.items()
    ]
    return "\n".join(
        [
            f"## {say('title')}: {plain(run.name)}",
            "",
            say("questions_count").format(n=len(run.records)) + _settings(run),
            "",
            *table([say("metric"), say("value"), say("interval"), say("n")], rows),
            "",
        ]
    )


def comparison_markdown(comparison: Comparison, language: Language = "en") -> str:
    """The verdict, the metrics that decide or differ, and the questions that flipped."""
    say = _speaker(language)
    shown = [c for c in comparison.changes if c.metric.headline or c.verdict is not Verdict.NONE]
    columns = [say(key) for key in ("metric", "before", "after", "difference", "interval", "verdict")]
    lines = [
        f"## {plain(comparison.after.name)}: {say('verdict_' + comparison.verdict.value)}",
        "",
        say("comparison").format(name=plain(comparison.before.name)) + ". "
        + say("questions_count").format(n=comparison.questions) + ".",
        "",
        *_visible(comparison, language),
        *_changed(comparison, language),
        *table(columns, [_change_row(change, language) for change in shown]),
        "",
        *(f"- {plain(note)}" for note in comparison.notes),
    ]  # fmt: skip
    return "\n".join([*lines, *_flips(comparison.flips, language), ""])


def plain(text: str, longest: int = _LONGEST) -> str:
    """Text of documents and models on one line, with nothing that Markdown or a forge acts on."""
    short = _SPACE.sub(" ", text).strip()
    short = short if len(short) <= longest else short[: longest - 1] + "…"
    return _ACTIVE.sub(r"\\\1", short).replace("://", ":\u200b//")


def _speaker(language: Language) -> Callable[[str], str]:
    return lambda key: TEXTS[key][language]


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
    low, high = (signed(metric, bound) for bound in (change.difference.low, change.difference.high))
    verdict = TEXTS[f"verdict_{change.verdict.value}"][language]
    return [
        _metric(metric.name, language),
        number(metric, change.before.value),
        number(metric, change.after.value),
        signed(metric, change.difference.value),
        f"{low} … {high}",
        f"**{verdict}**" if change.verdict is not Verdict.NONE else verdict,
    ]


def _changed(comparison: Comparison, language: Language) -> list[str]:
    lines = [
        f"- {plain(name)}: {plain(str(before))} → {plain(str(after))}"
        for name, (before, after) in comparison.settings.items()
    ]
    return [f"{TEXTS['changed_settings'][language]}:", "", *lines, ""] if lines else []


def _visible(comparison: Comparison, language: Language) -> list[str]:
    found = visible(comparison)
    return [] if found is None else [TEXTS[found[0]][language].format(**found[1]), ""]


def _flips(flips: Sequence[Flip], language: Language) -> list[str]:
    if not flips:
        return ["", TEXTS["no_flips"][language]]
    lines = ["", f"### {TEXTS['flips'][language]} ({len(flips)})", ""]
    columns = [TEXTS[key][language] for key in ("question", "before", "after")]
    rows = [_flip_row(flip, language) for flip in flips[:_MOST_FLIPS]]
    head, rule, *body = table(columns, rows)
    return [*lines, head, rule.replace("---:", "---"), *body]


def _flip_row(flip: Flip, language: Language) -> list[str]:
    direction = TEXTS["flip_gained" if flip.gained else "flip_lost"][language]
    question = f"{plain(flip.after.question.question)} ({direction})"
    return [question, _answer(flip.before, language), _answer(flip.after, language)]


def _answer(record: Record, language: Language) -> str:
    if record.failed:
        return plain(TEXTS["failed"][language].format(error=record.error))
    return plain(given(record)) or TEXTS["declined"][language]
