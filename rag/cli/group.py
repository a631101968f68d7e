"""The `rag` group: which commands there are, each loaded only when it is called."""

from __future__ import annotations

import importlib
from typing import NamedTuple

import click

import rag


class _Entry(NamedTuple):
    module: str
    help: str


# The help is repeated here so that `rag --help` need not import the commands.
_COMMANDS = {
    "ingest": _Entry("rag.cli.ingest", "Index files and folders."),
    "ask": _Entry("rag.cli.ask", "Answer a question with proven quotes."),
    "search": _Entry("rag.cli.search", "Find the passages for a question."),
    "chat": _Entry("rag.cli.chat", "Ask with follow-up questions."),
    "status": _Entry("rag.cli.status", "Show what is searchable, and what is not and why."),
    "show": _Entry("rag.cli.show", "Show a quote on its page."),
    "verify": _Entry("rag.cli.verify", "Prove saved answers again, without a model."),
    "prompts": _Entry("rag.cli.prompts", "List, show, check and start prompt templates."),
    "eval": _Entry("rag.cli.evaluate", "Measure answers against a question set."),
    "compare": _Entry("rag.cli.compare", "Compare two evaluation runs."),
    "calibrate": _Entry("rag.cli.calibrate", "Fit the threshold for declining to your index."),
    "tokens": _Entry("rag.cli.tokens", "Count tokens and estimate the price."),
    "cost": _Entry("rag.cli.cost", "Add up the receipts."),
    "index": _Entry("rag.cli.index", "Copy an index to another place."),
    "ui": _Entry("rag.cli.ui", "Ask on a web page, with the evidence beside it."),
    "doctor": _Entry("rag.cli.doctor", "Show settings, their origin, and what works."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[name].module).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            raise click.UsageError(_unknown(args[0]), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in _COMMANDS.items()])


def _unknown(name: str) -> str:
    import difflib

    nearest = difflib.get_close_matches(name, _COMMANDS, n=1)
    return f"There is no command {name!r}." + (f" Did you mean {nearest[0]!r}?" if nearest else "")


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with:  rag ingest FOLDER   then:  rag ask 'YOUR QUESTION'",
)
@click.version_option(rag.__version__, prog_name="rag")
def cli() -> None:
    """Ask a folder of PDFs; every answer quotes the page."""
