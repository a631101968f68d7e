"""The receipt of a command: what its models were paid, kept beside the index for `rag cost`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.usage.ledger import Ledger
    from rag.usage.meter import Tally


def ledger_of(settings: Settings) -> Ledger:
    """The receipts of the index in force."""
    from rag.usage.ledger import FILE_NAME, Ledger

    return Ledger(Path(settings.index) / FILE_NAME)


@contextmanager
def receipt(settings: Settings) -> Iterator[Tally]:
    """Keep a receipt of what is spent inside the block, also when an error or an interruption ends it."""
    from rag.usage.meter import tallying

    with tallying() as tally:
        try:
            yield tally
        finally:
            if tally.by_model:
                _keep(settings, tally)


def _keep(settings: Settings, tally: Tally) -> None:
    """Write the receipt; that must never take the place of the command's own outcome."""
    from rag.errors import RagError

    ledger = ledger_of(settings)
    try:
        if not ledger.path.parent.is_dir():
            raise RagError("there is no index to keep it in")
        ledger.record(_command_name(), tally)
    except (RagError, OSError) as error:
        click.echo(f"The receipt could not be kept: {error}", err=True)


def _command_name() -> str:
    """`ask`, `prompts show`, ...: what was typed, without the name of the program."""
    context = click.get_current_context(silent=True)
    if context is None:
        return "rag"
    return context.command_path.partition(" ")[2] or str(context.info_name)
