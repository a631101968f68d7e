"""`rag ask`: an answer from the documents, each sentence verified or marked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.app import EXIT_ABSTAINED, EXIT_DONE, EXIT_UNVERIFIED
from rag.cli.options import (
    ANSWERING,
    as_typed,
    examples,
    json_option,
    questions_option,
    variables_option,
    where_option,
    with_settings,
)
from rag.cli.output import print_json, tell, track
from rag.cli.render import answer_text
from rag.errors import ProviderError, RagError
from rag.messages import message
from rag.pipeline.forms import answer_form
from rag.rendering.safe import safe_text
from rag.text.language import language_for

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.settings import Settings
    from rag.types import Answer


@click.command(
    epilog=examples(
        "rag ask 'How long is the warranty?'",
        "rag ask '출장비 한도는 얼마인가요?' --model openai:gpt-4o-mini",
        "rag ask 'What changed in 2024?' --where file='*2024*' --prompt concise",
        "rag ask --questions set.jsonl --json > answers.jsonl",
        note="Exit codes: 0 answered, 4 the documents do not hold the answer, 5 cost cap reached,"
        " 6 answered, nothing verified.",
    )
)
@click.argument("question", required=False, callback=as_typed)
@questions_option
@where_option
@variables_option
@click.option(
    "--save", type=click.Path(dir_okay=False), metavar="FILE", help="Save the answer with its citations."
)
@click.option("--verbose", is_flag=True, help="Show the evidence score as a figure.")
@json_option
@with_settings(*ANSWERING)
def command(
    settings: Settings,
    question: str | None,
    questions: str | None,
    where: tuple[str, ...],
    variables: dict[str, str],
    save: str | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Answer QUESTION from the indexed documents, with quotes that are found on the page."""
    if (question is None) == (questions is None):
        raise click.UsageError("Give either a question or --questions FILE.")
    if questions is not None and save is not None:
        raise click.UsageError("--save writes one answer; with --questions, redirect --json into a file.")
    from rag.pipeline import Pipeline
    from rag.pipeline.state import LAST_ANSWER, write_state

    given: dict[str, Any] = {"where": where, "variables": variables}
    with Pipeline.open(settings=settings, notify=tell, command="ask") as pipeline:
        if question is None:
            assert questions is not None
            return _ask_set(pipeline, questions, given, as_json, verbose)
        if as_json:
            answer = pipeline.ask(question, **given)
            print_json(answer_form(answer))
        else:
            answer = show_stream(pipeline, question, given, verbose=verbose)
        write_state(settings.index, LAST_ANSWER, answer_form(answer))  # for `rag show N`
        if save is not None:
            tell(save_answer(pipeline, answer, Path(save)))
    if not answer.answered:
        return EXIT_ABSTAINED
    return EXIT_DONE if answer.verified else EXIT_UNVERIFIED


def _ask_set(pipeline: Pipeline, path: str, given: Mapping[str, Any], as_json: bool, verbose: bool) -> int:
    from rag.evaluation.question_sets import load_questions
    from rag.store.filters import all_of

    for item in track(load_questions(path), "Asking"):
        where = all_of(given["where"], item.where)
        answer = pipeline.ask(item.question, **{**given, "where": where})
        if as_json:
            print_json(answer_form(answer, item.id))
        else:
            click.echo(f"\n{safe_text(item.id)}: {safe_text(item.question)}")
            language = language_for(item.question, pipeline.settings.language)
            click.echo(answer_text(answer, language, verbose=verbose))
    return EXIT_DONE


def show_stream(
    pipeline: Pipeline, question: str, given: Mapping[str, Any], *, verbose: bool = False
) -> Answer:
    """Print the answer to standard output and return it; `given` are further arguments of `Pipeline.stream`.

    At a terminal the model's words appear, dimmed, while they come: nothing in them is verified yet. The verified
    form follows below. When the stream breaks off, the words stay with a sentence that nothing in them is verified.
    Elsewhere (a pipe, a file) nothing is shown before it is verified, so a reply that breaks off is asked for again.
    """
    live, begun = sys.stdout.isatty(), False
    language = language_for(question, pipeline.settings.language)
    try:
        for part in pipeline.stream(question, **given):
            if not isinstance(part, str):
                answer = part
                continue
            begun = True
            if live:
                click.secho(safe_text(part), dim=True, nl=False)
    except ProviderError as error:
        if live and begun:
            click.echo("\n")
            tell(message("command.unverified_text", language))
        if live or not begun or not error.transient:
            raise
        answer = pipeline.ask(question, **given)
    if begun and live:
        click.echo("\n")
    click.echo(answer_text(answer, language, verbose=verbose))
    return answer


def save_answer(pipeline: Pipeline, answer: Answer, path: Path) -> str:
    """Write the answer with its citations, for `rag verify`; returns a sentence that says so.

    Raises RagError when the file cannot be written.
    """
    from rag.answering.saved import saved_answer_of, write_saved_answer

    fingerprints = {
        "model": answer.model,
        "prompt": str(answer.extra.get("prompt_fingerprint", "")),
        "embeddings": pipeline.embeddings.id,
    }
    known = {name: value for name, value in fingerprints.items() if value}
    try:
        write_saved_answer(saved_answer_of(answer, fingerprints=known), path)
    except OSError as error:
        raise RagError(f"The answer cannot be saved to {path}: {error.strerror}.") from None
    return message("command.saved", language_for(answer.question, pipeline.settings.language), path=path)
