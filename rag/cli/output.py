"""Printing: notices, JSON, tables and progress, and text made safe for a terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import TYPE_CHECKING, TypeVar

import click

from rag.messages import Language, choose_language
from rag.rendering.safe import safe_text

if TYPE_CHECKING:
    from rag.settings import Settings

T = TypeVar("T")
_WIDTH = 100
"""Columns of text, at most: longer lines are hard to read."""
_UNFOLDED = 100_000
"""Columns of a table in a pipe: a row stays on its line, for grep."""
LINE_EVERY = 15.0
"""Seconds between lines of progress where there is no terminal, so that a log stays readable."""


def command_language(settings: Settings | None) -> Language:
    """The language of a command that has no question: the one that is set, else that of the system's locale."""
    locale = next((v for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(name))), "")
    return choose_language("auto" if settings is None else settings.language, locale[:2])


def tell(text: str) -> None:
    """Print a notice to standard error: standard output is for the result alone."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """One JSON value on one line of standard output, in UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def one_line(text: str) -> str:
    """A file name or a short text as one safe line: a line break in a name must not forge a line of the output."""
    return " ".join(safe_text(text).split())


def columns() -> int:
    """The width of text: that of the terminal, but no more than can be read with ease."""
    return min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)


def wrapped(text: str, indent: str) -> str:
    """`text` in lines that fit the terminal, Hangul counted as the two columns it takes."""
    from rich.console import Console
    from rich.text import Text

    lines = Text(text).wrap(Console(width=columns()), columns() - len(indent))
    return "\n".join(indent + line.plain.rstrip() for line in lines)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table on standard output; the columns with the numbers `right` (from 0) are set flush right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        # Text: a file name must not be read as markup, nor its characters obeyed
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_UNFOLDED)
    with console.capture() as capture:
        console.print(table)
    # rich fills every line up to the width of the table
    console.file.write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))


def track(items: Iterable[T], label: str) -> Iterator[T]:
    """Yield `items` with a progress bar at a terminal, a line now and then elsewhere; silent for a single one."""
    total = len(items) if isinstance(items, Sized) else None
    if total == 1:
        yield from items
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as bar

        yield from bar(items, description=label, total=total, console=Console(stderr=True), transient=True)
        return
    printed = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - printed >= LINE_EVERY:
            printed = time.monotonic()
            tell(f"{label}: {done:,}" + (f" of {total:,}" if total else ""))
        yield item
