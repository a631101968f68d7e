"""The one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from rag.errors import RagError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PARTLY = 3
EXIT_ABSTAINED = 4
EXIT_BUDGET = 5
EXIT_INTERRUPTED = 130  # what a shell reports for SIGINT


def run(command: click.Command, arguments: Sequence[str], name: str = "rag") -> int:
    """Run `command` and return the exit code. Tracebacks are printed only with `--debug`.

    `name` is what the command is called in usage texts.
    """
    _forgive_encodings()
    try:
        result = _invoke(command, arguments, name)
        sys.stdout.flush()
    except BrokenPipeError:
        return _piped_away()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped. What was finished is kept; the same command goes on from there.")
        return EXIT_INTERRUPTED
    except RagError as error:
        return _report(error, str(error), error.exit_code, arguments)
    except Exception as error:  # noqa: BLE001 - the last boundary: nobody should meet a traceback unasked
        sentence = f"Unexpected {type(error).__name__}: {error}. Run again with --debug to see where."
        return _report(error, sentence, EXIT_FAILED, arguments)
    return result if isinstance(result, int) else EXIT_DONE


def _invoke(command: click.Command, arguments: Sequence[str], name: str) -> object:
    """What click's own `main` does, without its handling of errors: that hides a closed pipe behind code 1."""
    if f"_{name.upper()}_COMPLETE" in os.environ:
        command.main(prog_name=name)  # the shell asks for completions: click answers and leaves
    colour = False if os.environ.get("NO_COLOR") else None  # None: where it is a terminal
    with command.make_context(name, list(arguments), color=colour) as context:
        return command.invoke(context)


def _forgive_encodings() -> None:
    """A terminal that lacks a letter shows `?` for it; that is no reason to lose the answer."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _piped_away() -> int:
    """`rag search ... | head` has read enough; Python would complain once more while it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_DONE


def _report(error: Exception, sentence: str, code: int, arguments: Sequence[str]) -> int:
    wanted = os.environ.get("RAG_DEBUG", "").lower() in ("1", "true", "yes", "on")
    if wanted or "--debug" in arguments:
        _say("".join(traceback.format_exception(error)).rstrip())
    _say(f"Error: {sentence}")
    return code


def _say(text: str) -> None:
    """Print to standard error, without the keys that the settings hold and without terminal controls."""
    from rag.cli.render import plain

    click.echo(plain(_without_secrets(text)), err=True)


def _without_secrets(text: str) -> str:
    from rag.settings import load_settings

    try:
        secrets = load_settings().secrets()
    except RagError:  # the settings themselves are the error, and their message holds no secret
        return text
    for secret in secrets:
        text = text.replace(secret, "****")
    return text
