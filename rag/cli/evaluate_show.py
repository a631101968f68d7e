"""Showing runs: reports on disk, tables and JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.opening import tell

if TYPE_CHECKING:
    from rag.evaluation.compare import Comparison, Flip
    from rag.evaluation.report.strings import Language
    from rag.evaluation.runs import Run
    from rag.evaluation.summary import Summary
    from rag.evaluation.sweep import Sweep
    from rag.settings import Settings

_MOST_FLIPS = 10


def report_language(settings: Settings, run: Run) -> Language:
    """The language that is set, or that of most questions."""
    if settings.language != "auto":
        return settings.language
    korean = sum(record.question.language == "ko" for record in run.records)
    return "ko" if korean > len(run.records) / 2 else "en"


def write_reports(run: Run, settings: Settings, comparison: Comparison | None = None) -> Summary:
    """Sum a run up and write `summary.json`, `report.html` and `report.md` into its folder."""
    from rag.evaluation.report.markdown import comparison_markdown, run_markdown
    from rag.evaluation.report.page import html_report
    from rag.evaluation.summary import summarise

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
    from rag.evaluation.report.sweeps import sweep_html, sweep_markdown
    from rag.evaluation.sweep import sweep_table

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
        from rag.cli.forms import print_json

        form = {
            "run": str(run.folder),
            "complete": run.complete,
            "settings": dict(run.settings),
            **summary.as_dict(),
        }
        print_json(form | ({"comparison": comparison.as_dict()} if comparison else {}))
        return
    from rag.cli.tables import print_table
    from rag.evaluation.catalogue import METRICS
    from rag.evaluation.report.figures import number, spread

    rows = [
        (name, number(METRICS[name], figure.value), spread(METRICS[name], figure), str(figure.n))
        for name, figure in summary.figures.items()
    ]
    print_table(("metric", "value", "95 % interval", "n"), rows, right=(1, 2, 3))
    if comparison is not None:
        click.echo()
        show_comparison(comparison)
    tell(f"Report: {run.folder / 'report.html'}")


def show_sweep(sweep: Sweep, out: Path, *, as_json: bool) -> None:
    """Print the runs of a sweep, best first."""
    if as_json:
        from rag.cli.forms import print_json

        print_json({"run": str(out), **sweep.as_dict()})
        return
    from rag.cli.tables import print_table
    from rag.evaluation.catalogue import METRICS
    from rag.evaluation.report.figures import number, spread

    metric, cost, seconds = (METRICS[name] for name in (sweep.metric, "cost_usd", "seconds_p50"))
    rows = [
        (
            entry.name,
            number(metric, entry.quality.value),
            spread(metric, entry.quality),
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
    from rag.cli.render import plain
    from rag.cli.tables import print_table
    from rag.evaluation.compare import Verdict
    from rag.evaluation.report.figures import number, signed, visible
    from rag.evaluation.report.strings import TEXTS

    colour = {Verdict.BETTER: "green", Verdict.WORSE: "red", Verdict.MIXED: "yellow"}.get(comparison.verdict)
    click.echo(click.style(f"Verdict: {comparison.verdict.value}", fg=colour, bold=True))
    for name, (before, after) in comparison.settings.items():
        click.echo(plain(f"  {name}: {before} -> {after}"))
    for note in comparison.notes:
        click.echo(plain(note))
    smallest = visible(comparison)
    if smallest is not None:
        click.echo(TEXTS[smallest[0]]["en"].format(**smallest[1]))
    click.echo()
    rows = []
    for change in comparison.changes:
        if change.metric.headline or change.verdict is not Verdict.NONE:
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
    from rag.cli.render import plain

    gained = sum(flip.gained for flip in comparison.flips)
    lost = len(comparison.flips) - gained
    questions = "question" if len(comparison.flips) == 1 else "questions"
    click.echo(f"\n{len(comparison.flips)} {questions} flipped: {gained} now right, {lost} now wrong.")
    for flip in comparison.flips[:_MOST_FLIPS]:
        click.echo(plain(f"\n{'+' if flip.gained else '-'} {flip.id}: {flip.after.question.question}"))
        if flip.after.question.answers:
            click.echo(plain(f"    right:  {flip.after.question.answers[0]}"))
        for label, text in zip(("before", "after "), _both(flip), strict=True):
            click.echo(plain(f"    {label}: {' '.join(text.split())[:300]}"))
    if len(comparison.flips) > _MOST_FLIPS:
        click.echo(f"\n... and {len(comparison.flips) - _MOST_FLIPS} more: --html FILE shows all.")


def _both(flip: Flip) -> tuple[str, str]:
    from rag.evaluation.catalogue import given

    def text(record: object) -> str:
        from rag.evaluation.runs import Record

        assert isinstance(record, Record)
        return f"failed: {record.error}" if record.failed else given(record) or "(declined)"

    return text(flip.before), text(flip.after)
