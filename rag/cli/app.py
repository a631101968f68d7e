"""The `rag` command: which commands there are, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

import rag
from rag.errors import RagError
from rag.messages import choose_language, message, translated

if TYPE_CHECKING:
    from rag.settings import Settings

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PARTLY = 3
EXIT_ABSTAINED = 4
EXIT_BUDGET = 5
EXIT_UNVERIFIED = 6  # answered, but no sentence of the answer is verified
EXIT_INTERRUPTED = 130  # what a shell reports for SIGINT


class _Command(NamedTuple):
    module: str
    help: str


# The help is repeated here so that `rag --help` need not import the commands.
_COMMANDS = {
    "ingest": _Command("rag.cli.ingest", "Index files and folders."),
    "watch": _Command("rag.cli.watch", "Index folders and follow their changes."),
    "ask": _Command("rag.cli.ask", "Answer a question with verified quotes."),
    "search": _Command("rag.cli.search", "Find the passages for a question."),
    "chat": _Command("rag.cli.chat", "Ask with follow-up questions."),
    "status": _Command("rag.cli.status", "Show what is searchable, and what is not and why."),
    "show": _Command("rag.cli.show", "Show a quote on its page."),
    "verify": _Command("rag.cli.verify", "Check saved answers again, without a model."),
    "export": _Command("rag.cli.export", "Write answers as Markdown or DOCX, with footnotes."),
    "check": _Command("rag.cli.check", "Check sentences from anywhere against the documents."),
    "prompts": _Command("rag.cli.prompts", "List, show, check and start prompt templates."),
    "eval": _Command("rag.cli.evaluate", "Measure answers against a question set."),
    "compare": _Command("rag.cli.compare", "Compare two evaluation runs."),
    "calibrate": _Command("rag.cli.calibrate", "Fit the threshold for declining to your index."),
    "tokens": _Command("rag.cli.tokens", "Count tokens and estimate the price."),
    "cost": _Command("rag.cli.cost", "Add up the usage log."),
    "index": _Command("rag.cli.index", "Copy an index to another place."),
    "ui": _Command("rag.cli.ui", "Ask on a web page, with the quoted page beside the answer."),
    "serve": _Command("rag.cli.serve", "Serve the documents over HTTP, to OpenAI clients and others."),
    "mcp": _Command("rag.cli.mcp", "Serve the documents to agents (MCP)."),
    "doctor": _Command("rag.cli.doctor", "Show settings, their origin, and what works."),
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
            import difflib

            nearest = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in _COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with:  rag ingest FOLDER   then:  rag ask 'YOUR QUESTION'",
)
@click.version_option(rag.__version__, prog_name="rag")
def cli() -> None:
    """Ask a folder of PDFs; every answer quotes the page."""


def run(command: click.Command, arguments: Sequence[str], name: str = "rag") -> int:
    """Run `command` and return the exit code. Tracebacks are printed only with `--debug`.

    `name` is what the command is called in usage texts.
    """
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a terminal that lacks a letter shows `?`; the answer is not lost
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        result = _invoke(command, arguments, name)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; Python would complain again when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt) as error:
        _print_error(str(error) or _stopped(arguments, name))
        return EXIT_INTERRUPTED
    except RagError as error:
        return _report(error, str(error), error.exit_code, arguments)
    except Exception as error:  # noqa: BLE001 - the last boundary: no traceback unless --debug asks for it
        return _report(error, _unexpected(error, arguments), EXIT_FAILED, arguments)
    return result if isinstance(result, int) else EXIT_DONE


def leave(code: int) -> NoReturn:
    """End the process with an exit code; after Ctrl-C without waiting for threads that wait for a server."""
    waiting = [
        one for one in threading.enumerate() if one is not threading.current_thread() and not one.daemon
    ]
    if code == EXIT_INTERRUPTED and waiting:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _invoke(command: click.Command, arguments: Sequence[str], name: str) -> object:
    """What click's own `main` does, without its handling of errors: that hides a closed pipe behind code 1."""
    if f"_{name.upper()}_COMPLETE" in os.environ:
        command.main(prog_name=name)  # the shell asks for completions: click answers and leaves
    colour = False if os.environ.get("NO_COLOR") else None  # None: where it is a terminal
    with command.make_context(name, list(arguments), color=colour) as context:
        return command.invoke(context)


def _stopped(arguments: Sequence[str], name: str) -> str:
    """What to say after Ctrl-C: only an ingest has kept something, unless the command itself said what."""
    settings = _settings()
    language = choose_language(settings.language if settings is not None else "auto")
    ingesting = "ingest" in (name, *arguments[:1])
    return message("command.stopped_ingest" if ingesting else "command.stopped", language)


def _unexpected(error: Exception, arguments: Sequence[str]) -> str:
    """A sentence for an error that nothing raised on purpose; a path that cannot be used is for the user to fix."""
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.filename:
        return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
    where = "" if _debugging(arguments) else " Run again with --debug to see where."
    return f"Unexpected {type(error).__name__}: {error}.{where}"


def _report(error: Exception, sentence: str, code: int, arguments: Sequence[str]) -> int:
    if _debugging(arguments):
        _print_error("".join(traceback.format_exception(error)).rstrip())
    from rag.cli.output import command_language

    language = command_language(_settings())
    _print_error(message("command.error", language, sentence=translated(sentence, language)))
    return code


def _debugging(arguments: Sequence[str]) -> bool:
    """Whether tracebacks are asked for: by the flag, or by the setting wherever it was made."""
    if "--debug" in arguments:
        return True
    settings = _settings()
    if settings is not None:
        return settings.debug
    return os.environ.get("RAG_DEBUG", "").lower() in ("1", "true", "yes", "on")


def _print_error(text: str) -> None:
    """Print to standard error, without the keys that the settings hold and without terminal controls."""
    from rag.rendering.safe import safe_text

    settings = _settings()  # when they are the error themselves, its message holds no secret
    for secret in settings.secrets() if settings is not None else ():
        text = text.replace(secret, "****")
    click.echo(safe_text(text), err=True)


def _settings() -> Settings | None:
    """The settings without the flags; None when they cannot be read, which must not hide the error at hand."""
    from rag.settings import load_settings

    try:
        return load_settings()
    except (RagError, OSError):
        return None
