"""Opening the pipeline for a command, with what it has to say on the way told on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.settings import Settings


def tell(message: str) -> None:
    """A one-sentence notice: standard output stays free for the result."""
    click.echo(message, err=True)


def open_pipeline(settings: Settings, command: str, *, model: str | None = None) -> Pipeline:
    """The pipeline over `settings.index`; its receipt is kept under the name of the `command`.

    `model` replaces the one in force.

    Raises IndexMissing, IndexMismatch, IndexDamaged, ProviderError or MissingExtra, each a sentence.
    """
    from rag.pipeline import Pipeline

    chosen = settings if model is None else settings.model_copy(update={"model": model})
    return Pipeline.open(settings=chosen, notify=tell, command=command)
