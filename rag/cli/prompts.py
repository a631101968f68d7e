"""`rag prompts`: list, show, check and start prompt templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.app import EXIT_DONE, EXIT_FAILED
from rag.cli.options import examples, json_option, variables_option, where_option, with_settings
from rag.cli.output import print_json, tell
from rag.errors import UsageError
from rag.pipeline import Pipeline
from rag.prompting.catalogue import list_templates, load_template, new_template, read_template
from rag.text.tokens import count_tokens, encoding_for

if TYPE_CHECKING:
    from rag.prompting.template import Template
    from rag.settings import Settings


@click.group(
    epilog=examples(
        "rag prompts list",
        "rag prompts show concise --render 'How long is the warranty?'",
        "rag prompts new mine && rag ask 'How long is the warranty?' --prompt ./mine.yaml",
    )
)
def command() -> None:
    """Prompt templates: the shipped ones and your own, each a YAML file."""


@command.command("list", epilog=examples("rag prompts list", "rag prompts list --json"))
@json_option
@with_settings()
def list_command(settings: Settings, as_json: bool) -> int:
    """Name every template, with what it is for."""
    rows = []
    for entry in list_templates(settings.prompts_dir):
        description = read_template(entry.path).description
        rows.append({"name": entry.name, "description": description, "shipped": entry.shipped})
    if as_json:
        print_json({"prompts": rows})
        return EXIT_DONE
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        own = "" if row["shipped"] else "  (yours)"
        click.echo(f"{row['name']:<{width}}  {row['description']}{own}")
    return EXIT_DONE


@command.command(
    "show",
    epilog=examples(
        "rag prompts show few-shot",
        "rag prompts show ./mine.yaml --render '연차는 며칠인가요?' --model openai:gpt-4o-mini",
    ),
)
@click.argument("name")
@click.option("--render", "question", metavar="QUESTION", help="Show the exact messages for this question.")
@where_option
@variables_option
@json_option
@with_settings("model", "k")
def show_command(
    settings: Settings,
    name: str,
    question: str | None,
    where: tuple[str, ...],
    variables: dict[str, str],
    as_json: bool,
) -> int:
    """Show the template NAME (or a file), or the messages it makes of a question."""
    template = load_template(name, settings.prompts_dir)
    if question is None:
        _show_file(template, as_json)
    else:
        _show_messages(settings, template, question, where, variables, as_json)
    return EXIT_DONE


def _show_file(template: Template, as_json: bool) -> None:
    if as_json:
        form = template.file.model_dump(mode="json", exclude_none=True)
        print_json({"name": template.name, "fingerprint": template.fingerprint, "template": form})
        return
    click.secho(f"# {template.path}", dim=True)
    click.echo(template.path.read_text(encoding="utf-8").rstrip())


def _show_messages(
    settings: Settings,
    template: Template,
    question: str,
    where: tuple[str, ...],
    variables: dict[str, str],
    as_json: bool,
) -> None:
    with Pipeline.open(settings=settings, notify=tell, command="prompts") as pipeline:
        messages = pipeline.render(question, prompt=str(template.path), where=where, variables=variables)
        model = pipeline.model
    rows: list[dict[str, Any]] = [
        {"role": m.type, "content": str(m.content), "tokens": count_tokens(str(m.content), model)}
        for m in messages
    ]
    total = sum(row["tokens"] for row in rows)
    exact = encoding_for(model).exact
    if as_json:
        print_json({"name": template.name, "messages": rows, "tokens": total, "exact": exact})
        return
    for row in rows:
        click.secho(f"--- {row['role']} ({row['tokens']:,} tokens)", bold=True)
        click.echo(row["content"])
    click.secho(f"--- {total:,} tokens{'' if exact else ' (approximated with cl100k_base)'}", bold=True)


@command.command("check", epilog=examples("rag prompts check", "rag prompts check ./mine.yaml"))
@click.argument("names", nargs=-1)
@json_option
@with_settings()
def check_command(settings: Settings, names: tuple[str, ...], as_json: bool) -> int:
    """Check templates by name or file; all of them when none is named."""
    results = []
    for name in names or [entry.name for entry in list_templates(settings.prompts_dir)]:
        try:
            template = load_template(name, settings.prompts_dir)
            results.append({"name": name, "ok": True, "detail": f"fingerprint {template.fingerprint[:12]}"})
        except UsageError as error:
            results.append({"name": name, "ok": False, "detail": str(error)})
    if as_json:
        print_json({"prompts": results})
    else:
        for result in results:
            click.echo(f"{'✓' if result['ok'] else '✗'} {result['name']}: {result['detail']}")
    return EXIT_DONE if all(result["ok"] for result in results) else EXIT_FAILED


@command.command("new", epilog=examples("rag prompts new mine", "rag prompts new mine --folder templates"))
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where to write it (default: your templates' folder, or here).",
)
@json_option
@with_settings()
def new_command(settings: Settings, name: str, folder: str | None, as_json: bool) -> int:
    """Write a commented template to start from."""
    path = new_template(name, folder or settings.prompts_dir or ".")
    if as_json:
        print_json({"path": str(path)})
    else:
        click.echo(f"Wrote {path}. Edit it, then: rag prompts check {path}")
    return EXIT_DONE
