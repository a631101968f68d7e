"""`rag check`: sentences from anywhere checked against the index, without a model or with one as second checker."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.discovery import format_of
from ingest.options import ReadOptions
from ingest.reading import ReadJob, read
from rag.answering.checking import Checked, Claim, check_cited, check_claim, claims_of, read_claims
from rag.cli.app import EXIT_DONE
from rag.cli.options import CHECKING, examples, json_option, where_option, with_settings
from rag.cli.output import print_json, tell
from rag.cli.render import citation_line, sentence_line
from rag.errors import UsageError
from rag.pipeline import Pipeline
from rag.pipeline.forms import checked_form
from rag.providers.specs import EXTRACTIVE
from rag.rendering.footnotes import distinct
from rag.text.language import language_for

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag check claims.jsonl --json > checked.jsonl",
        "rag check report.docx",
        note='A line of claims.jsonl: {"id", "sentence", "quotes": [{"quote", "file", "page"}], "question"};'
        " quotes and question may be left out.",
    )
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False), metavar="CLAIMS")
@where_option
@json_option
@with_settings("k", "embeddings", "model", *CHECKING)
def command(settings: Settings, file: str, where: tuple[str, ...], as_json: bool) -> int:
    """Check the sentences of CLAIMS, a JSON Lines file or a document, against the indexed documents.

    A chat model named with --model or --check, or an entailment model named with --check hf:NAME, is asked about
    sentences that rules leave open. With --json one object per line.
    """
    from_claims = file.endswith((".jsonl", ".ndjson"))
    claims = read_claims(file) if from_claims else _sentences(Path(file))
    second = settings.model or "off" if settings.check == "model" else settings.check
    second = "off" if second == EXTRACTIVE else second
    chosen = settings.model_copy(update={"model": EXTRACTIVE, "check": second})
    with Pipeline.open(settings=chosen, notify=tell, command="check") as pipeline:
        index, search, checker = pipeline.index, partial(pipeline.search, where=where), pipeline.checker
        results = (
            (check_claim(claim, index, search, index, checker) for claim in claims)
            if from_claims
            else check_cited(claims, index, search, index, checker)
        )
        for checked in results:
            _show(checked, settings, as_json)
    return EXIT_DONE


def _sentences(path: Path) -> list[Claim]:
    """Every sentence of a document as a claim. Raises UsageError when the document cannot be read."""
    reading = read(ReadJob(path.name, path, format_of(path)), ReadOptions(), lambda *_: None)
    if not reading.pages:
        raise UsageError(f"{path} cannot be read: {reading.reason or reading.status.value}.")
    claims = [claim for page in reading.pages for claim in claims_of(page.text)]
    return [replace(claim, id=str(number)) for number, claim in enumerate(claims, 1)]


def _show(checked: Checked, settings: Settings, as_json: bool) -> None:
    if as_json:
        print_json(checked_form(checked))
        return
    language = language_for(checked.claim.sentence, settings.language)
    click.echo(sentence_line(checked.sentence, language))
    for citation in distinct(checked.citations):
        click.echo(citation_line(citation, language))
