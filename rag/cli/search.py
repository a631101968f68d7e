"""`rag search`: the passages for a question, and why each was found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from rag.cli.app import EXIT_DONE
from rag.cli.options import (
    SEARCH_MODEL,
    as_typed,
    examples,
    json_option,
    questions_option,
    where_option,
    with_settings,
)
from rag.cli.output import one_line, print_json, tell, track, wrapped
from rag.cli.render import page_name
from rag.evaluation.question_sets import load_questions
from rag.messages import Language, message
from rag.pipeline import Pipeline
from rag.pipeline.forms import search_form
from rag.store.filters import all_of
from rag.text.keywords import STOP_WORDS
from rag.text.language import language_for, without_particle

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.store import Filter
    from rag.types import Passage


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
@with_settings("k", "embeddings", *SEARCH_MODEL, "model", "max_cost", "cache")
def command(
    settings: Settings, query: str | None, questions: str | None, where: tuple[str, ...], as_json: bool
) -> int:
    """Find the passages for QUERY, best first. No model is asked unless --expand or --rerank needs one."""
    if (query is None) == (questions is None):
        raise click.UsageError("Give either a query or --questions FILE.")
    if not settings.expand and settings.rerank != "chat":
        settings = settings.model_copy(update={"model": "extractive"})
    with Pipeline.open(settings=settings, notify=tell, command="search") as pipeline:
        if query is not None:
            _search(query, None, pipeline, where, as_json)
            return EXIT_DONE
        assert questions is not None
        for one in track(load_questions(questions), "Searching"):
            _search(one.question, one.id, pipeline, all_of(where, one.where), as_json)
    return EXIT_DONE


def _search(
    query: str,
    identity: str | None,
    pipeline: Pipeline,
    where: tuple[str, ...] | Filter | None,
    as_json: bool,
) -> None:
    passages = pipeline.search(query, where=where)
    if as_json:
        print_json(search_form(query, passages, identity))
        return
    language = language_for(query, pipeline.settings.language)
    if identity is not None:
        click.echo(f"\n{one_line(identity)}: {one_line(query)}")
    if not passages:
        click.echo(pipeline.steps.no_passage_reason(pipeline.index.snapshot(), where, language))
    keywords = _keywords(query)
    for rank, passage in enumerate(passages, start=1):
        click.echo(_passage_text(rank, passage, keywords, language) + "\n")


def _keywords(question: str) -> list[str]:
    """The words of a question that are worth marking in a passage; Korean ones without their particle."""
    words = (without_particle(word) for word in re.findall(r"[\w.%-]*\w", question))
    return [word for word in words if word.casefold() not in STOP_WORDS]


def _passage_text(rank: int, passage: Passage, keywords: Iterable[str], language: Language) -> str:
    """A passage with its page, why it was found, and its text with the keywords marked."""
    page = page_name(passage.file, passage.page, passage.page_label, language)
    heading = f" · {one_line(passage.heading)}" if passage.heading else ""
    head = click.style(f"{rank}. {one_line(passage.file)}, {page}", bold=True) + heading
    text = wrapped(one_line(passage.text), "   ")
    words = sorted({re.escape(word) for word in keywords if len(word) > 1}, key=len, reverse=True)
    if words:  # also where a Korean word stands before another particle
        text = re.sub(
            "|".join(words), lambda m: click.style(m.group(), fg="yellow", bold=True), text, flags=re.I
        )
    return f"{head}\n   {click.style(_scores(passage, language), dim=True)}\n{text}"


def _scores(passage: Passage, language: Language) -> str:
    """The score and the ranks that it was fused from."""
    parts = [message("search.score", language, score=passage.score)]
    if passage.dense_rank is not None:
        parts.append(message("search.dense_rank", language, rank=passage.dense_rank))
    if passage.keyword_rank is not None:
        parts.append(message("search.keyword_rank", language, rank=passage.keyword_rank))
    if passage.similarity is not None:
        parts.append(message("search.cosine", language, cosine=passage.similarity))
    if passage.routed:
        parts.append(message("search.routed", language))
    if passage.rerank_score is not None:
        parts.insert(0, message("search.rerank_score", language, score=passage.rerank_score))
    return " · ".join(parts)
