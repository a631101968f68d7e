"""The one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rag.errors import RagError

if TYPE_CHECKING:
    from rag.settings import Settings

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
        return _report(error, _in_a_sentence(error, arguments), EXIT_FAILED, arguments)
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


def _in_a_sentence(error: Exception, arguments: Sequence[str]) -> str:
    """An error that nobody raised on purpose. A path that cannot be used is the caller's to fix, not a mystery."""
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.filename:
        return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
    where = "" if _debugging(arguments) else " Run again with --debug to see where."
    return f"Unexpected {type(error).__name__}: {error}.{where}"


def _report(error: Exception, sentence: str, code: int, arguments: Sequence[str]) -> int:
    if _debugging(arguments):
        _say("".join(traceback.format_exception(error)).rstrip())
    _say(f"Error: {sentence}")
    return code


def _debugging(arguments: Sequence[str]) -> bool:
    """Whether tracebacks are wanted: by the flag, or by the setting wherever it was made."""
    if "--debug" in arguments:
        return True
    settings = _settings()
    if settings is not None:
        return settings.debug
    return os.environ.get("RAG_DEBUG", "").lower() in ("1", "true", "yes", "on")


def _say(text: str) -> None:
    """Print to standard error, without the keys that the settings hold and without terminal controls."""
    from rag.cli.render import plain

    click.echo(plain(_without_secrets(text)), err=True)


def _without_secrets(text: str) -> str:
    settings = _settings()
    if settings is None:  # the settings themselves are the error, and their message holds no secret
        return text
    for secret in settings.secrets():
        text = text.replace(secret, "****")
    return text


def _settings() -> Settings | None:
    """The settings without the flags; None when they cannot be read, which must not hide the error at hand."""
    from rag.settings import load_settings

    try:
        return load_settings()
    except (RagError, OSError):
        return None
