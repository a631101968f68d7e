"""`rag search`: the passages for a question, and why each was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rag.cli.options import (
    HELPED,
    as_typed,
    examples,
    json_option,
    questions_option,
    where_option,
    with_settings,
)

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag search 'notice period'",
        "rag search '연차 휴가 일수' --where folder=규정 -k 5",
        "rag search --questions set.jsonl -k 60 --json > results.jsonl",
        "rag search 'notice period' --expand rewrite --rerank chat --model openai:gpt-4o-mini",
    )
)
@click.argument("query", required=False, callback=as_typed)
@questions_option
@where_option
@json_option
@with_settings("k", "embeddings", *HELPED, "model", "max_cost", "cache")
def command(
    settings: Settings, query: str | None, questions: str | None, where: tuple[str, ...], as_json: bool
) -> int:
    """Find the passages for QUERY, best first. No model is asked unless --expand or --rerank wants one."""
    if (query is None) == (questions is None):
        raise click.UsageError("Give either a query or --questions FILE.")
    from rag.cli.opening import open_pipeline

    needs_chat = bool(settings.expand) or settings.rerank == "chat"
    with open_pipeline(settings, "search", model=None if needs_chat else "extractive") as pipeline:
        if questions is not None:
            return _search_set(pipeline, questions, where, as_json)
        assert query is not None
        return _search_one(pipeline, query, where, as_json)


def _search_one(pipeline: Pipeline, query: str, where: tuple[str, ...], as_json: bool) -> int:
    _show(query, None, pipeline, where, as_json)
    return 0


def _search_set(pipeline: Pipeline, path: str, where: tuple[str, ...], as_json: bool) -> int:
    from rag.cli.progress import track
    from rag.evaluation.question_sets import load_questions

    for question in track(load_questions(path), "Searching"):
        _show(question.question, question.id, pipeline, (*where, *question.where), as_json)
    return 0


def _show(
    query: str, identity: str | None, pipeline: Pipeline, where: tuple[str, ...], as_json: bool
) -> None:
    from rag.cli.forms import print_json, search_form
    from rag.cli.render import passage_text
    from rag.cli.terms import language_for, terms_of

    passages = pipeline.search(query, where=where)
    if as_json:
        print_json(search_form(query, tuple(passages), identity))
        return
    language = language_for(query, pipeline.settings)
    if identity is not None:
        click.echo(f"\n{identity}: {query}")
    if not passages:
        click.echo(pipeline.runnable.steps.no_passage_reason(where, language))
    for rank, passage in enumerate(passages, start=1):
        click.echo(passage_text(rank, passage, terms_of(query), language) + "\n")
