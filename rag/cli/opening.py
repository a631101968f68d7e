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
    return Pipeline.open(settings=_calibrated(chosen), notify=tell, command=command)


def _calibrated(settings: Settings) -> Settings:
    """The settings with the threshold that `rag calibrate` kept, where nobody set another one."""
    from rag.cli.calibration import kept_calibration
    from rag.errors import RagError
    from rag.providers.registry import default_specs
    from rag.store import open_index

    if settings.abstain is not None or default_specs(settings)[0] != "extractive":
        return settings
    found = kept_calibration(settings.index)
    if found is None:
        return settings
    try:
        with open_index(settings.index) as index:
            fits = index.spec.embedding_id == found.embeddings
    except RagError:
        return settings  # opening the pipeline says what is wrong
    if not fits:
        tell("The index was calibrated for other embeddings: run `rag calibrate` again.")
        return settings
    return settings.model_copy(update={"abstain": found.threshold})
