"""`rag calibrate`: fit the threshold for declining to the index at hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from rag.cli.boundary import EXIT_DONE
from rag.cli.options import examples, json_option, with_settings
from rag.errors import UsageError

if TYPE_CHECKING:
    from rag.cli.calibration import Calibration
    from rag.evaluation.questions import Question
    from rag.pipeline import Pipeline
    from rag.settings import Settings

_FEWEST = 20


@click.command(
    epilog=examples(
        "rag calibrate",
        "rag calibrate --rate 0.02 -n 400",
        "rag calibrate --dry-run --json",
        note="Applies to answers of the built-in answerer; a chat model declines by itself. --abstain and RAG_ABSTAIN"
        " win over it.",
    )
)
@click.option("--rate", type=click.FloatRange(0, 1, max_open=True), default=0.05, show_default=True,
              metavar="SHARE", help="Share of unanswerable questions that may be answered.")  # fmt: skip
@click.option("-n", "count", type=click.IntRange(_FEWEST, 10_000), default=200, show_default=True,
              help="Questions to make.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed picks other pages.")
@click.option("--dry-run", is_flag=True, help="Show the threshold without keeping it.")
@json_option
@with_settings("k")
def command(settings: Settings, rate: float, count: int, seed: int, dry_run: bool, as_json: bool) -> int:
    """Find the evidence score below which to decline.

    Questions are made from the index by rule. Each is searched for twice, with its document and without it, and the
    threshold is the lowest at which at most --rate of the latter would be answered. No model is asked.
    """
    from rag.cli.calibration import fit, keep_calibration
    from rag.cli.opening import open_pipeline, tell

    with open_pipeline(settings, "calibrate", model="extractive") as pipeline:
        questions = _questions(pipeline, count, seed)
        held, left_out = _scores(pipeline, questions)
        found = fit(held, left_out, rate, pipeline.embeddings.id)
    if not dry_run and not keep_calibration(settings.index, found):
        tell("The threshold cannot be kept: no folder for it can be written. Use --abstain instead.")
    if as_json:
        from rag.cli.forms import print_json

        print_json(asdict(found) | {"kept": not dry_run})
    else:
        click.echo(_in_words(found, dry_run))
    return EXIT_DONE


def _questions(pipeline: Pipeline, count: int, seed: int) -> list[Question]:
    from rag.evaluation.drafting.draft import draft_questions
    from rag.evaluation.session import pages_of

    pages = pages_of(pipeline.index)
    if len(pages) < 2:
        raise UsageError(
            "To calibrate, an index needs two files or more: each question is asked without its file."
        )
    questions = draft_questions(pages, count, unanswerable=0.0, seed=seed)
    if len(questions) < _FEWEST:
        raise UsageError(
            f"Only {len(questions)} questions can be made from this index, and a threshold needs {_FEWEST}: "
            "set it by hand with --abstain or RAG_ABSTAIN."
        )
    return questions


def _scores(pipeline: Pipeline, questions: list[Question]) -> tuple[list[float], list[float]]:
    """Evidence scores of the questions with their document, and without it."""
    from rag.answering.abstain import evidence_score
    from rag.cli.progress import track
    from rag.evaluation.session import Asker

    asker = Asker(pipeline, depth=pipeline.settings.k)
    held, left_out = [], []
    for question in track(questions, "Calibrating"):
        without = replace(question, id=f"{question.id}-without", leave_out=(question.evidence[0].file,))
        held.append(evidence_score(question.question, asker.search(question)))
        left_out.append(evidence_score(question.question, asker.search(without)))
    return held, left_out


def _in_words(found: Calibration, dry_run: bool) -> str:
    wrong, right = found.false_answers / found.questions, found.answered / found.questions
    return (
        f"Decline below an evidence score of {found.threshold:.4f}{'' if dry_run else ' (kept for this index)'}.\n"
        f"{found.questions:,} questions made from the index: without their document {wrong:.1%} would be answered"
        f" (asked for: {found.rate:.0%} at most), with it {right:.1%}."
    )
