"""`rag show`: the evidence of an answer, or any quote, on its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.boundary import EXIT_DONE, EXIT_FAILED
from rag.cli.options import as_typed, examples, json_option, with_settings

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.store import Index
    from rag.types import Citation


@click.command(
    epilog=examples(
        "rag show 1",
        "rag show 2 --png page.png",
        "rag show --file manual.pdf --page 4 --quote 'Sample volume 10 ml' --open",
        note="Exit codes: 0 shown, 1 the quote is not on the page.",
    )
)
@click.argument("number", required=False)
@click.option("--file", "file", metavar="NAME", help="A file of the index, as `rag status` names it.")
@click.option("--page", type=click.IntRange(min=1), metavar="N", help="Its physical page, from 1.")
@click.option(
    "--quote", default="", callback=as_typed, metavar="TEXT", help="Words to look up and mark there."
)
@click.option("--png", type=click.Path(dir_okay=False), metavar="FILE", help="Draw the page, quote marked.")
@click.option("--open", "open_picture", is_flag=True, help="Open the picture in the system's viewer.")
@click.option("--password", multiple=True, metavar="TEXT", help="Try it on an encrypted PDF. Repeat.")
@click.option(
    "--passwords", type=click.Path(dir_okay=False), metavar="FILE", help="Lines of `pattern: password`."
)
@json_option
@with_settings()
def command(
    settings: Settings,
    number: str | None,
    file: str | None,
    page: int | None,
    quote: str,
    png: str | None,
    open_picture: bool,
    password: tuple[str, ...],
    passwords: str | None,
    as_json: bool,
) -> int:
    """Show citation NUMBER of the last answer, or any quote, where it stands on its page."""
    given = (number is not None, file is not None, page is not None)
    if given not in ((True, False, False), (False, True, True)):
        raise click.UsageError("Give the number of a citation, or --file and --page.")
    from rag.cli.evidence import checked_against_original, cite, current, picture_of
    from rag.cli.opening import tell
    from rag.cli.terms import language_for
    from rag.store import open_index

    with open_index(settings.index, notify=tell) as index:
        if number is not None:
            read_state_file = _of_last_answer(settings, number)
            citation = current(index, read_state_file, language_for(read_state_file.quote, settings))
        else:
            citation = cite(index, str(file), int(page or 1), quote)
        citation = checked_against_original(index, citation, language_for(citation.quote, settings))
        wanted = png is not None or open_picture
        picture = None
        if wanted:
            keys = _passwords(password, passwords, citation.file)
            picture = picture_of(index, citation, None if png is None else Path(png), keys)
        _print(settings, index, citation, picture, as_json)
    if picture is not None and open_picture:
        click.launch(str(picture))
    return EXIT_DONE if citation.verified else EXIT_FAILED


def _passwords(given: tuple[str, ...], file: str | None, name: str) -> tuple[str, ...]:
    from ingest.options import Passwords

    return Passwords.load(given, file).for_file(name)


def _of_last_answer(settings: Settings, number: str) -> Citation:
    from rag.cli.evidence import chosen
    from rag.cli.forms import citations_of
    from rag.errors import UsageError
    from rag.pipeline.state import LAST_ANSWER, read_state_file

    answer = read_state_file(settings.index, LAST_ANSWER)
    if answer is None:
        raise UsageError("There is no last answer to show: ask first, or give --file and --page.")
    return chosen(citations_of(answer), number)


def _print(settings: Settings, index: Index, citation: Citation, picture: Path | None, as_json: bool) -> None:
    from rag.cli.evidence import evidence_form, evidence_text
    from rag.cli.messages import say
    from rag.cli.render import difference_text, plain
    from rag.cli.terms import language_for

    if as_json:
        from rag.cli.forms import print_json

        print_json(evidence_form(index, citation, picture))
        return
    language = language_for(citation.quote, settings)
    click.echo(evidence_text(index, citation, language))
    if not citation.verified:
        click.secho("\n" + (plain(citation.note) or say("not_on_page", language)), fg="red")
    if citation.difference:
        click.echo(difference_text(citation.difference, language))
    if picture is not None:
        click.echo(say("picture", language, path=picture))
