"""`rag verify`: saved answers proven again, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.boundary import EXIT_DONE, EXIT_FAILED
from rag.cli.options import examples, json_option, with_settings
from rag.errors import RagError

if TYPE_CHECKING:
    from rag.answering.saved import CitationCheck, Verification
    from rag.cli.messages import Language
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag ask 'How long is the warranty?' --save warranty.json",
        "rag verify warranty.json",
        "rag verify answers/*.json --json",
        note="Exit codes: 0 every quote that was proven still is, 1 one no longer is or a file is no saved answer.",
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
@with_settings()
def command(settings: Settings, files: tuple[str, ...], as_json: bool) -> int:
    """Look the quotes of saved answers up again, and list what edited or removed pages have made stale.

    With --json one object a line.
    """
    from rag.answering.originals import CurrentPages
    from rag.answering.saved import read_saved_answer, verify_saved_answer
    from rag.cli.opening import tell
    from rag.store import open_index

    sound = True
    with open_index(settings.index, notify=tell) as index:
        for file in files:
            try:
                found = verify_saved_answer(read_saved_answer(file), CurrentPages(index))
            except RagError as error:  # the other files are still worth proving
                tell(f"Error: {error}")
                sound = False
                continue
            sound = sound and found.holds
            _show(file, found, settings, as_json)
    return EXIT_DONE if sound else EXIT_FAILED


def _show(file: str, found: Verification, settings: Settings, as_json: bool) -> None:
    if as_json:
        from rag.cli.forms import print_json

        print_json(_form(file, found))
    else:
        from rag.cli.terms import language_for

        _print(file, found, language_for(found.receipt.question, settings))


def _form(file: str, found: Verification) -> dict[str, Any]:
    from rag.cli.forms import derived_form

    return {
        "file": file,
        "question": found.receipt.question,
        "saved": found.receipt.saved,
        "holds": found.holds,
        "stale": [check.saved.n for check in found.stale],
        "citations": [_check_form(check) for check in found.checks],
        "weakened": list(found.weakened),
        "derived": [derived_form(one) for sentence in found.proof.sentences for one in sentence.derived],
    }


def _check_form(check: CitationCheck) -> dict[str, Any]:
    return {
        "n": check.saved.n,
        "file": check.saved.file,
        "page": check.saved.page,
        "page_now": check.page if check.outcome.stands else None,
        "quote": check.saved.quote,
        "outcome": check.outcome.value,
    }


def _print(file: str, found: Verification, language: Language) -> None:
    from rag.cli.messages import say
    from rag.cli.render import page_name, plain_line, wrapped

    mark, colour = ("✓", "green") if found.holds else ("✗", "red")
    click.echo(f"{click.style(mark, fg=colour)} {plain_line(file)}: {plain_line(found.receipt.question)}")
    for check in found.checks:
        place = f"{plain_line(check.saved.file)}, {page_name(check.saved.page, '', language)}"
        moved = check.outcome.stands and check.page != check.saved.page
        now = " " + say("now_on_page", language, page=check.page) if moved else ""
        click.echo(f"  [{check.saved.n}] {place}: {say(check.outcome.name.lower() + '_now', language)}{now}")
        if not check.outcome.stands:
            click.echo(wrapped(f"“{plain_line(check.saved.quote)}”", "      "))
    for formulas in ("; ".join(one.formula for one in s.derived) for s in found.proof.sentences if s.derived):
        click.echo(wrapped(say("derived_now", language, formulas=plain_line(formulas)), "  "))
    for sentence in found.weakened:
        click.echo(wrapped(f"{say('weakened', language)} {plain_line(sentence)}", "  "))
