"""The command line. Nothing heavy is imported before a command runs: `rag --help` answers at once."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `rag` with `arguments` (default: those of the process) and leave with its exit code."""
    import sys

    from rag.cli.app import cli, leave, run

    leave(run(cli, sys.argv[1:] if arguments is None else arguments))
