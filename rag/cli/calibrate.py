"""`rag calibrate`: fit the threshold for declining to the index at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rag.answering.calibration import Calibration, calibrate, make_questions
from rag.cli.app import EXIT_DONE
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, tell, track
from rag.pipeline import Pipeline
from rag.pipeline.opening import save_calibration

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag calibrate",
        "rag calibrate --rate 0.02 -n 400",
        "rag calibrate --dry-run --json",
        note="Applies to answers of the built-in answerer; a chat model declines by itself. --abstain and RAG_ABSTAIN"
        " take precedence.",
    )
)
@click.option("--rate", type=click.FloatRange(0, 1, max_open=True), default=0.05, show_default=True,
              metavar="SHARE", help="Share of unanswerable questions that may be answered.")  # fmt: skip
@click.option("-n", "count", type=click.IntRange(40, 10_000), default=200, show_default=True,
              help="Questions to make.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed picks other sentences.")
@click.option("--dry-run", is_flag=True, help="Show the threshold without saving it.")
@json_option
@with_settings("k")
def command(settings: Settings, rate: float, count: int, seed: int, dry_run: bool, as_json: bool) -> int:
    """Find the evidence score below which to decline.

    Questions are made from the index by rule. Each is asked with its document and without it, and the threshold is
    the lowest at which at most --rate of the latter would be answered. No model is asked.
    """
    settings = settings.model_copy(update={"model": "extractive"})
    with Pipeline.open(settings=settings, notify=tell, command="calibrate") as pipeline:
        found = _calibrate(pipeline, rate, count, seed)
        if not dry_run and not save_calibration(settings.index, found, pipeline.embeddings.id):
            tell("The threshold cannot be saved: no folder for it can be written. Use --abstain instead.")
    if as_json:
        print_json(found.as_json() | {"kept": not dry_run})
    else:
        where = "" if dry_run else " (saved for this index)"
        click.echo(
            f"Decline below an evidence score of {found.threshold:.4f}{where}.\n"
            f"{found.asked:,} questions made from the index: without their document at most {found.rate:.0%} would be"
            f" answered, with it {found.answered:.1%}."
        )
    return EXIT_DONE


def _calibrate(pipeline: Pipeline, rate: float, count: int, seed: int) -> Calibration:
    index = pipeline.index
    files = [source.file for source in index.documents() if source.status.searchable]
    questions = make_questions(
        ((file, page) for file in files for page in index.pages(file)), count, seed=seed
    )
    bar = track(questions, "Calibrating")

    def advance() -> None:
        next(bar, None)

    return calibrate(
        questions,
        lambda question, k: pipeline.search(question, k=k),
        rate=rate,
        k=pipeline.settings.k,
        embed_tokens=pipeline.embeddings.embed_tokens,
        on_question=advance,
    )
