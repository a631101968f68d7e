"""`rag export`: an answer, a chat or a question set as a document with a footnote for each citation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.answering.checking import ClaimQuote
from rag.answering.saved import read_saved_answer
from rag.cli.app import EXIT_DONE
from rag.cli.chat import ChatLog
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, tell
from rag.errors import RagError, UsageError
from rag.evaluation.question_sets import load_questions
from rag.pipeline import Pipeline
from rag.pipeline.export import Exporter, saved_of_form
from rag.pipeline.state import LAST_ANSWER, read_state_file
from rag.rendering.footnotes import Section, as_docx, as_markdown

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag export > answer.md",
        "rag export warranty.json --out warranty.docx --pictures",
        "rag export --chat --out talk.docx",
        "rag export questions.jsonl --out questions.docx",
        note="Without FILE the last answer. Check what was exported with: rag check warranty.docx",
    )
)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False), metavar="[FILE]")
@click.option(
    "--chat", is_flag=False, flag_value="", metavar="[NAME]", help="A session of `rag chat` (the last)."
)
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write FILE.md or FILE.docx.")
@click.option("--pictures", is_flag=True, help="Add the cited pages of PDFs, with the quote marked.")
@json_option
@with_settings("k", "embeddings")
def command(
    settings: Settings, file: str | None, chat: str | None, out: str | None, pictures: bool, as_json: bool
) -> int:
    """Write the last answer, a saved answer, answers of `rag ask --json`, a chat or a question set.

    Every citation is looked up again first. The format follows the name of --out; Markdown without it.
    """
    if file is not None and chat is not None:
        raise click.UsageError("Give either FILE or --chat.")
    if out is not None and not out.lower().endswith((".md", ".docx")):
        raise click.UsageError("--out takes the name of a .md or .docx file.")
    if pictures and out is None:
        raise click.UsageError("--pictures needs --out FILE, beside which or in which they are kept.")
    chosen = settings.model_copy(update={"model": "extractive"})
    with Pipeline.open(settings=chosen, notify=tell, command="export") as pipeline:
        exporter = Exporter(pipeline.index, partial(pipeline.search), settings.language, pictures)
        sections = list(_sections(exporter, settings, file, chat))
    if out is not None:
        written = _write(sections, Path(out))
        print_json({"written": written}) if as_json else click.echo("\n".join(written))
        return EXIT_DONE
    text = as_markdown(sections)[0]
    print_json({"text": text}) if as_json else click.echo(text, nl=False)
    return EXIT_DONE


def _sections(
    exporter: Exporter, settings: Settings, file: str | None, chat: str | None
) -> Iterator[Section]:
    """What is to be exported, one answer or question after the other. Raises UsageError when it cannot be read."""
    if chat is not None:
        forms = ChatLog.resume(settings.index, chat or None).answers
    elif file is None:
        forms = [read_state_file(settings.index, LAST_ANSWER)]
        if forms == [None]:
            raise UsageError("There is no last answer to export: ask first, or name a file.")
    else:
        first = _first_value(Path(file))
        if "format" in first:
            yield exporter.answer(read_saved_answer(file))
            return
        if "sentences" not in first:
            yield from _questions(exporter, file)
            return
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        forms = [json.loads(line) for line in lines if line.strip()]
    for form in forms:
        yield exporter.answer(saved_of_form(form))


def _first_value(path: Path) -> dict[str, Any]:
    """The first JSON object of a file; empty when it does not begin with one."""
    try:
        value, _ = json.JSONDecoder().raw_decode(path.read_text(encoding="utf-8-sig").lstrip())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _questions(exporter: Exporter, file: str) -> Iterator[Section]:
    for item in load_questions(file):
        evidence = [ClaimQuote(one.text, one.file, one.page) for one in item.evidence]
        yield exporter.gold(item.question, item.answers, evidence)


def _write(sections: list[Section], out: Path) -> list[str]:
    """Write the document, with Markdown also its pictures in a folder beside it; returns the paths."""
    folder = out.with_name(f"{out.stem}-pages")
    try:
        if out.suffix.lower() == ".docx":
            out.write_bytes(as_docx(sections))
            return [str(out)]
        text, pictures = as_markdown(sections, folder.name)
        out.write_text(text, encoding="utf-8")
        if pictures:
            folder.mkdir(exist_ok=True)
        for name, png in pictures.items():
            (folder / name).write_bytes(png)
        return [str(out), *(str(folder / name) for name in pictures)]
    except OSError as error:
        raise RagError(f"{error.filename or out} cannot be written: {error.strerror}.") from None
