"""`rag ask`: a grounded answer, each sentence proven or marked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.boundary import EXIT_ABSTAINED, EXIT_DONE
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
        note="Exit codes: 0 answered, 4 the documents do not hold the answer, 5 cost cap reached.",
    )
)
@click.argument("question", required=False, callback=as_typed)
@questions_option
@where_option
@variables_option
@click.option(
    "--save", type=click.Path(dir_okay=False), metavar="FILE", help="Keep the answer with its proof."
)
@json_option
@with_settings(*ANSWERING)
def command(
    settings: Settings,
    question: str | None,
    questions: str | None,
    where: tuple[str, ...],
    variables: dict[str, str],
    save: str | None,
    as_json: bool,
) -> int:
    """Answer QUESTION from the indexed documents, with quotes that are found on the page."""
    if (question is None) == (questions is None):
        raise click.UsageError("Give either a question or --questions FILE.")
    if questions is not None and save is not None:
        raise click.UsageError("--save keeps one answer; with --questions, redirect --json into a file.")
    from rag.cli.opening import open_pipeline, tell
    from rag.cli.saving import save_answer

    with open_pipeline(settings, "ask") as pipeline:
        if questions is not None:
            return _ask_set(pipeline, questions, where, variables, as_json)
        assert question is not None
        answer = _ask_one(pipeline, question, where, variables, as_json)
        if save is not None:
            tell(save_answer(pipeline, answer, Path(save)))
    return EXIT_DONE if answer.answered else EXIT_ABSTAINED


def _ask_one(
    pipeline: Pipeline, question: str, where: tuple[str, ...], variables: dict[str, str], as_json: bool
) -> Answer:
    from rag.cli.forms import answer_form, print_json
    from rag.cli.streaming import show_stream
    from rag.pipeline.state import LAST_ANSWER, write_state

    if as_json:
        answer = _plain_ask(pipeline, question, where, variables)
        print_json(answer_form(answer))
    else:
        answer = show_stream(pipeline, question, where=where, variables=variables)
    write_state(pipeline.settings.index, LAST_ANSWER, answer_form(answer))  # for `rag show N`
    return answer


def _plain_ask(
    pipeline: Pipeline, question: str, where: tuple[str, ...], variables: dict[str, str]
) -> Answer:
    from rag.cli.coverage import with_coverage
    from rag.cli.terms import language_for

    answer = pipeline.ask(question, where=where, variables=variables)
    return with_coverage(answer, pipeline.index, language_for(question, pipeline.settings))


def _ask_set(
    pipeline: Pipeline, path: str, where: tuple[str, ...], variables: dict[str, str], as_json: bool
) -> int:
    from rag.cli.forms import answer_form, print_json
    from rag.cli.progress import track
    from rag.cli.render import answer_text, plain
    from rag.cli.terms import language_for
    from rag.evaluation.question_sets import load_questions

    for item in track(load_questions(path), "Asking"):
        answer = _plain_ask(pipeline, item.question, (*where, *item.where), variables)
        if as_json:
            print_json(answer_form(answer, item.id))
        else:
            click.echo(f"\n{plain(item.id)}: {plain(item.question)}")
            click.echo(answer_text(answer, language_for(item.question, pipeline.settings)))
    return EXIT_DONE
