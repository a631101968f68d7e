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


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run `command` and return the exit code. Tracebacks are printed only with `--debug`."""
    debug = "--debug" in arguments or os.environ.get("RAG_DEBUG", "").lower() in ("1", "true", "yes", "on")
    try:
        result = command.main(args=list(arguments), prog_name="rag", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped. What was finished is kept; the same command goes on from there.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # `rag search ... | head` closes the pipe; Python would complain again while it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except RagError as error:
        return _report(error, str(error), error.exit_code, debug)
    except Exception as error:  # noqa: BLE001 - the last boundary: nobody should meet a traceback unasked
        sentence = f"Unexpected {type(error).__name__}: {error}. Run again with --debug to see where."
        return _report(error, sentence, EXIT_FAILED, debug)
    return result if isinstance(result, int) else EXIT_DONE


def _report(error: Exception, sentence: str, code: int, debug: bool) -> int:
    if debug:
        _say("".join(traceback.format_exception(error)).rstrip())
    _say(f"Error: {sentence}")
    return code


def _say(text: str) -> None:
    """Print to standard error, without the keys that the settings hold and without terminal controls."""
    click.echo(_without_secrets(text), err=True)


def _without_secrets(text: str) -> str:
    from rag.settings import load_settings

    try:
        secrets = load_settings().secrets()
    except RagError:  # the settings themselves are the error, and their message holds no secret
        return text
    for secret in secrets:
        text = text.replace(secret, "****")
    return text
