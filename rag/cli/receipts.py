"""The receipt of a command: what its models were paid, kept beside the index for `rag cost`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.usage.log import UsageLog
    from rag.usage.meter import UsageTotal


def ledger_of(settings: Settings) -> UsageLog:
    """The receipts of the index in force."""
    from rag.usage.log import FILE_NAME, UsageLog

    return UsageLog(settings.folder / FILE_NAME)


@contextmanager
def receipt(settings: Settings, command: str) -> Iterator[UsageTotal]:
    """Keep a receipt of what is spent inside the block, also when an error or an interruption ends it."""
    from rag.usage.meter import UsageTotal, counting_usage

    with counting_usage(UsageTotal()) as tally:
        try:
            yield tally
        finally:
            if tally.by_model:
                _keep(settings, command, tally)


def _keep(settings: Settings, command: str, tally: UsageTotal) -> None:
    """Write the receipt; that must never take the place of the command's own outcome."""
    from rag.errors import RagError
    from rag.places import in_database

    ledger = ledger_of(settings)
    try:
        if not in_database(settings.index) and not ledger.path.parent.is_dir():
            raise RagError("there is no index to keep it in")
        ledger.record(command, tally)
    except (RagError, OSError) as error:
        click.echo(f"The receipt could not be kept: {error}", err=True)
