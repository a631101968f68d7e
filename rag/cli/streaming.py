"""An answer as it comes: the model's words at once, the verdict when the proof is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from rag.cli.coverage import with_coverage
from rag.cli.messages import say
from rag.cli.opening import tell
from rag.cli.render import answer_text, plain
from rag.cli.terms import language_for
from rag.errors import ProviderError
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
    verbose: bool = False,
) -> Answer:
    """Print the answer to standard output and return it.

    On a terminal the model's words appear, dimmed, while they come: nothing in them is proven yet. The proven
    form follows below. When the stream breaks off, the words stay and it is said that nothing proves them; to go
    on in the middle of a reply is not possible. Elsewhere (a pipe, a file) nothing is shown before its proof, so
    a reply that breaks off is asked for again.
    """
    given: dict[str, Any] = {"where": where, "history": history, "prompt": prompt, "variables": variables}
    answer = _streamed(pipeline, question, given, live=sys.stdout.isatty())
    language = language_for(question, pipeline.settings)
    answer = with_coverage(answer, pipeline.index, language)
    click.echo(answer_text(answer, language, verbose=verbose))
    return answer


def _streamed(pipeline: Pipeline, question: str, given: Mapping[str, Any], *, live: bool) -> Answer:
    """The answer; when `live`, the model's words are printed as they come."""
    begun = False
    try:
        for part in pipeline.stream(question, **given):
            if isinstance(part, Answer):
                answer = part
                continue
            begun = True
            if live:
                click.secho(plain(part), dim=True, nl=False)
    except ProviderError as error:
        if not begun:
            raise
        if not live and error.transient:
            return pipeline.ask(question, **given)
        if live:
            click.echo("\n")
            tell(say("unproven_words", language_for(question, pipeline.settings)))
        raise
    if begun and live:
        click.echo("\n")
    return answer
