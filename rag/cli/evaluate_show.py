"""Showing runs: reports on disk, tables and JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.output import print_json, print_table, tell
from rag.evaluation.compare import Comparison, Verdict
from rag.evaluation.metrics import METRICS, Summary, given, summarise
from rag.evaluation.report.formatting import interval_text, number, signed, smallest_visible_change
from rag.evaluation.report.html import html_report, sweep_html
from rag.evaluation.report.markdown import comparison_markdown, run_markdown, sweep_markdown
from rag.evaluation.sweep import Sweep, sweep_table
from rag.messages import Language, choose_language, message
from rag.rendering.safe import safe_text

if TYPE_CHECKING:
    from rag.evaluation.runs import Run
    from rag.settings import Settings

_MOST_FLIPS = 10


def report_language(settings: Settings, run: Run) -> Language:
    """The language that is set, or that of most questions."""
    korean = sum(record.question.language == "ko" for record in run.records)
    return choose_language(settings.language, "ko" if korean > len(run.records) / 2 else "en")


def write_reports(run: Run, settings: Settings, comparison: Comparison | None = None) -> Summary:
    """Sum a run up and write `summary.json`, `report.html` and `report.md` into its folder."""
    language = report_language(settings, run)
    summary = summarise(run.records)
    markdown = run_markdown(run, summary, language)
    if comparison is not None:
        markdown = comparison_markdown(comparison, language) + "\n" + markdown
    page = html_report(run, summary, comparison=comparison, language=language)
    _write(run.folder / "report.html", page)
    _write(run.folder / "report.md", markdown)
    _write(run.folder / "summary.json", json.dumps(summary.as_dict(), ensure_ascii=False, indent=1))
    return summary


def write_sweep(runs: Mapping[str, Run], out: Path, metric: str | None, settings: Settings) -> Sweep:
    """Rank the runs and write the sweep's own reports."""
    sweep = sweep_table(runs, metric)
    language = report_language(settings, next(iter(runs.values())))
    _write(out / "report.html", sweep_html(sweep, title=out.name, language=language))
    _write(out / "report.md", sweep_markdown(sweep, language))
    _write(out / "sweep.json", json.dumps(sweep.as_dict(), ensure_ascii=False, indent=1))
    return sweep


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace")


def show_run(run: Run, summary: Summary, comparison: Comparison | None, *, as_json: bool) -> None:
    """Print the figures of a run."""
    if as_json:
        form = {
            "run": str(run.folder),
            "complete": run.complete,
            "settings": dict(run.settings),
            **summary.as_dict(),
        }
        print_json(form | ({"comparison": comparison.as_dict()} if comparison else {}))
        return
    rows = [
        (name, number(METRICS[name], figure.value), interval_text(METRICS[name], figure), str(figure.n))
        for name, figure in summary.figures.items()
    ]
    print_table(("metric", "value", "95 % interval", "n"), rows, right=(1, 2, 3))
    for name, ids in summary.strictness.items():
        if ids:
            more = f" + {len(ids) - _MOST_FLIPS}" if len(ids) > _MOST_FLIPS else ""
            click.echo(f"{name}: {', '.join(map(safe_text, ids[:_MOST_FLIPS]))}{more}")
    if comparison is not None:
        click.echo()
        show_comparison(comparison)
    tell(f"Report: {run.folder / 'report.html'}")


def show_sweep(sweep: Sweep, out: Path, *, as_json: bool) -> None:
    """Print the runs of a sweep, best first."""
    if as_json:
        print_json({"run": str(out), **sweep.as_dict()})
        return
    metric, cost, seconds = (METRICS[name] for name in (sweep.metric, "cost_usd", "seconds_p50"))
    rows = [
        (
            entry.name,
            number(metric, entry.quality.value),
            interval_text(metric, entry.quality),
            number(cost, entry.cost),
            number(seconds, entry.seconds),
            "best" if entry.best else "not worse, and cheaper or faster" if entry.cheaper else "",
        )
        for entry in sweep.entries
    ]
    print_table(("run", sweep.metric, "95 % interval", "cost", "seconds", ""), rows, right=(1, 2, 3, 4))
    tell(f"Report: {out / 'report.html'}")


def show_comparison(comparison: Comparison) -> None:
    """Print the verdict, the metrics that decide or differ, and the first questions that flipped."""
    colour = {Verdict.BETTER: "green", Verdict.WORSE: "red", Verdict.MIXED: "yellow"}.get(comparison.verdict)
    click.echo(click.style(f"Verdict: {comparison.verdict.value}", fg=colour, bold=True))
    for name, (before, after) in comparison.settings.items():
        click.echo(safe_text(f"  {name}: {before} -> {after}"))
    for note in comparison.notes:
        click.echo(safe_text(note))
    smallest = smallest_visible_change(comparison)
    if smallest is not None:
        click.echo(message(smallest[0], "en", **smallest[1]))
    click.echo()
    rows = []
    for change in comparison.changes:
        if change.shown:
            one, gap = change.metric, change.difference
            values = (
                number(one, change.before.value),
                number(one, change.after.value),
                signed(one, gap.value),
            )
            between = f"{signed(one, gap.low)} to {signed(one, gap.high)}"
            rows.append((one.name, *values, between, change.verdict.value))
    head = ("metric", "before", "after", "difference", "interval", "verdict")
    print_table(head, rows, right=(1, 2, 3, 4))
    _show_flips(comparison)


def _show_flips(comparison: Comparison) -> None:
    gained = sum(flip.gained for flip in comparison.flips)
    lost = len(comparison.flips) - gained
    questions = "question" if len(comparison.flips) == 1 else "questions"
    click.echo(f"\n{len(comparison.flips)} {questions} flipped: {gained} now right, {lost} now wrong.")
    for flip in comparison.flips[:_MOST_FLIPS]:
        click.echo(safe_text(f"\n{'+' if flip.gained else '-'} {flip.id}: {flip.after.question.question}"))
        if flip.after.question.answers:
            click.echo(safe_text(f"    right:  {flip.after.question.answers[0]}"))
        for label, record in (("before", flip.before), ("after ", flip.after)):
            text = f"failed: {record.error}" if record.failed else given(record) or "(declined)"
            click.echo(safe_text(f"    {label}: {' '.join(text.split())[:300]}"))
    if len(comparison.flips) > _MOST_FLIPS:
        click.echo(f"\n... and {len(comparison.flips) - _MOST_FLIPS} more: --html FILE shows all.")
