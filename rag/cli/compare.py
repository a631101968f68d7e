"""`rag compare`: did this change make it worse?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.app import EXIT_DONE, EXIT_FAILED
from rag.cli.evaluate_show import report_language, show_comparison
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, tell
from rag.evaluation.compare import Verdict, compare, missed, requirements
from rag.evaluation.metrics import summarise
from rag.evaluation.report.html import html_report
from rag.evaluation.report.markdown import comparison_markdown
from rag.evaluation.runs import load_run

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag compare runs/baseline runs/concise",
        "rag compare runs/baseline runs/concise --fail-if-worse --fail-under page_hit@5=0.6",
        "rag compare runs/baseline runs/concise --markdown > comment.md",
        note="Exit codes: 0 done, 1 worse or below a limit.",
    )
)
@click.argument("before", type=click.Path(exists=True, file_okay=False))
@click.argument("after", type=click.Path(exists=True, file_okay=False))
@click.option("--fail-if-worse", is_flag=True, help="Exit with 1 when AFTER is worse in any headline metric.")
@click.option("--fail-under", multiple=True, metavar="METRIC=X", help="Exit with 1 when AFTER is below.")
@click.option("--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write the report of AFTER.")
@click.option("--markdown", is_flag=True, help="Print Markdown for a pull request.")
@json_option
@with_settings()
def command(
    settings: Settings,
    before: str,
    after: str,
    fail_if_worse: bool,
    fail_under: tuple[str, ...],
    html: str | None,
    markdown: bool,
    as_json: bool,
) -> int:
    """Compare the run AFTER with the run BEFORE, question by question."""
    limits = requirements(fail_under)
    comparison = compare(load_run(before), load_run(after))
    language = report_language(settings, comparison.after)
    if html is not None:
        summary = summarise(comparison.after.records)
        page = html_report(comparison.after, summary, comparison=comparison, language=language)
        Path(html).write_text(page, encoding="utf-8", errors="replace")
        tell(f"Report: {html}")
    if as_json:
        print_json(comparison.as_dict())
    elif markdown:
        click.echo(comparison_markdown(comparison, language))
    else:
        show_comparison(comparison)
    failures = missed(comparison.after.records, limits)
    if fail_if_worse and comparison.verdict in (Verdict.WORSE, Verdict.MIXED):
        failures.append(f"{after} is worse than {before}.")
    for sentence in failures:
        tell(sentence)
    return EXIT_FAILED if failures else EXIT_DONE
