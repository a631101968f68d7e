"""`rag verify`: saved answers checked again, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.answering.originals import CurrentPages
from rag.answering.saved import Verification, read_saved_answer, verify_saved_answer
from rag.cli.app import EXIT_DONE, EXIT_FAILED
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import one_line, print_json, tell, wrapped
from rag.cli.render import page_name
from rag.errors import RagError
from rag.messages import Language, message
from rag.pipeline.forms import derived_form
from rag.store import open_index
from rag.text.language import language_for

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag ask 'How long is the warranty?' --save warranty.json",
        "rag verify warranty.json",
        "rag verify answers/*.json --json",
        note="Exit codes: 0 what was verified still is, 1 something no longer is, or a file is not a saved answer.",
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
@with_settings()
def command(settings: Settings, files: tuple[str, ...], as_json: bool) -> int:
    """Look up the quotes of saved answers again, and list those that no longer hold.

    With --json one object per line.
    """
    sound = True
    with open_index(settings.index, notify=tell) as index:
        for file in files:
            try:
                found = verify_saved_answer(read_saved_answer(file), CurrentPages(index), index)
            except RagError as error:  # the other files are still checked
                tell(f"Error: {error}")
                sound = False
                continue
            sound = sound and found.holds
            if as_json:
                print_json(_form(file, found))
            else:
                _print(file, found, language_for(found.answer.question, settings.language))
    return EXIT_DONE if sound else EXIT_FAILED


def _form(file: str, found: Verification) -> dict[str, Any]:
    return {
        "file": file,
        "question": found.answer.question,
        "saved": found.answer.saved,
        "holds": found.holds,
        "stale": [check.saved.n for check in found.stale],
        "citations": [
            {
                "n": check.saved.n,
                "file": check.saved.file,
                "page": check.saved.page,
                "page_now": check.page if check.outcome.stands else None,
                "quote": check.saved.quote,
                "outcome": check.outcome.value,
            }
            for check in found.checks
        ],
        "weakened": list(found.weakened),
        "derived": [derived_form(one) for sentence in found.checked.sentences for one in sentence.derived],
    }


def _print(file: str, found: Verification, language: Language) -> None:
    mark, colour = ("✓", "green") if found.holds else ("✗", "red")
    click.echo(f"{click.style(mark, fg=colour)} {one_line(file)}: {one_line(found.answer.question)}")
    for check in found.checks:
        place = f"{one_line(check.saved.file)}, {page_name(check.saved.file, check.saved.page, '', language)}"
        key = f"command.verify_{check.outcome.value.replace(' ', '_')}"
        click.echo(f"  [{check.saved.n}] {place}: {message(key, language, page=check.page)}")
        if not check.outcome.stands:
            click.echo(wrapped(f"“{one_line(check.saved.quote)}”", "      "))
    for derived in (sentence.derived for sentence in found.checked.sentences if sentence.derived):
        formulas = one_line("; ".join(one.formula for one in derived))
        click.echo(wrapped(message("command.verify_derived", language, formulas=formulas), "  "))
    for sentence in found.weakened:
        click.echo(wrapped(message("command.verify_weakened", language, sentence=one_line(sentence)), "  "))
