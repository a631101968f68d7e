"""Tables for people: fitted to the terminal, or one row a line in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_UNFOLDED = 100_000  # columns: in a pipe a row stays on its line, for grep


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table on standard output; the columns with the numbers `right` (from 0) are set flush right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rag.cli.render import plain_line

    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        # Text: a file name must not be read as markup, nor its characters obeyed
        table.add_row(*(Text(plain_line(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_UNFOLDED)
    with console.capture() as capture:
        console.print(table)
    # rich fills every line up to the width of the table
    console.file.write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))
