"""An answer as it comes: the model's words at once, the verdict when the proof is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from rag.cli.coverage import with_coverage
from rag.cli.render import answer_text, plain
from rag.cli.terms import language_for
from rag.types import Answer

if TYPE_CHECKING:
    from rag.pipeline import Pipeline


def show_stream(
    pipeline: Pipeline,
    question: str,
    *,
    where: Sequence[str] = (),
    history: Sequence[tuple[str, str]] = (),
    prompt: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Answer:
    """Print the answer to standard output and return it.

    On a terminal the model's words appear, dimmed, while they come: nothing in them is proven yet. The proven
    form follows below. Elsewhere (a pipe, a file) only the proven form is printed.
    """
    live = sys.stdout.isatty()
    streamed = False
    parts = pipeline.stream(question, where=where, history=history, prompt=prompt, variables=variables)
    for part in parts:
        if isinstance(part, Answer):
            answer = part
        elif live:
            click.secho(plain(part), dim=True, nl=False)
            streamed = True
    if streamed:
        click.echo("\n")
    language = language_for(question, pipeline.settings)
    answer = with_coverage(answer, pipeline.index, language)
    click.echo(answer_text(answer, language))
    return answer
