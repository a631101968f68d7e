"""`rag ingest`: bring an index up to date with files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.options import examples, json_option, with_settings
from rag.errors import UsageError

if TYPE_CHECKING:
    from ingest.pipeline import IngestOptions
    from rag.settings import Settings

_FLAGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--glob", {"multiple": True, "metavar": "PATTERN", "help": "Only files like this, such as '*.pdf'. Repeat."}),
    ("--exclude", {"multiple": True, "metavar": "PATTERN", "help": "Leave out files or folders. Repeat."}),
    ("--password", {"multiple": True, "metavar": "TEXT", "help": "Try it on encrypted PDFs. Repeat."}),
    (
        "--passwords",
        {"type": click.Path(dir_okay=False), "metavar": "FILE", "help": "Lines of `pattern: password`."},
    ),
    ("--timeout", {"type": click.FloatRange(min=0, min_open=True), "metavar": "SECONDS",
                   "help": "Give a file up that shows no new page for so long (default 120)."}),
    ("--memory", {"type": click.IntRange(min=64), "metavar": "MIB", "help": "For reading one file (default 2048)."}),
    ("--max-pages", {"type": click.IntRange(min=1), "metavar": "N", "help": "In one file (default 20,000)."}),
    ("--ocr", {"is_flag": True, "help": "Read scanned pages with Tesseract, which must be installed."}),
    ("--keep-hidden-text", {"is_flag": True, "help": "Index text that a reader cannot see."}),
    ("--prune", {"is_flag": True, "help": "Take files that vanished out of the index."}),
    ("--retry", {"is_flag": True, "help": "Read again what could not be read before."}),
    ("--rebuild", {"is_flag": True, "help": "Begin anew; embeddings that exist are used again."}),
    ("--dry-run", {"is_flag": True, "help": "Say what would be done and cost; change nothing."}),
    ("--no-wait", {"is_flag": True, "help": "Fail when another process writes the index."}),
)  # fmt: skip


def _with_flags(function: Any) -> Any:
    for name, attributes in reversed(_FLAGS):
        function = click.option(name, **attributes)(function)
    return function


@click.command(
    epilog=examples(
        "rag ingest documents",
        "rag ingest reports --glob '*.pdf' --exclude drafts --dry-run",
        "rag ingest 규정집 --password 1234 --ocr",
        "rag ingest documents --embeddings openai:text-embedding-3-small --max-cost 2",
        "rag ingest /shared/documents --engine ray --ray-address 10.0.0.5:6379",
        note="Running it again reads only what has changed. What failed for a passing reason (a rate limit, the"
        " network) is tried again by itself. Exit codes: 0 done, 3 some files failed, 5 cost cap reached.",
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_with_flags
@json_option
@with_settings("embeddings", "chunk_tokens", "chunk_overlap", "workers", "engine", "ray_address", "max_cost")
def command(settings: Settings, paths: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Index files and folders: PDF, text, Markdown, HTML, CSV and DOCX."""
    from ingest.pipeline import ingest
    from rag.cli.ingest_progress import showing
    from rag.cli.receipts import receipt
    from rag.cli.summary import summary_text

    if settings.origin("ray_address") == "flag" and settings.engine != "ray":
        raise UsageError("--ray-address needs --engine ray.")
    options = _options(flags)
    with receipt(settings, "ingest"), showing() as progress:
        report = ingest(paths, settings=settings, options=options, progress=progress)
    if as_json:
        from rag.cli.forms import print_json

        print_json(report.as_dict())
    else:
        click.echo(summary_text(report))
    return report.exit_code


def _options(flags: dict[str, Any]) -> IngestOptions:
    from ingest.options import Passwords, ReadOptions
    from ingest.pipeline import IngestOptions

    limits = {"seconds": flags["timeout"], "memory_mib": flags["memory"], "max_pages": flags["max_pages"]}
    given = {name: value for name, value in limits.items() if value is not None}
    return IngestOptions(
        globs=flags["glob"],
        excludes=flags["exclude"],
        retry=flags["retry"],
        rebuild=flags["rebuild"],
        prune=flags["prune"],
        dry_run=flags["dry_run"],
        passwords=Passwords.load(flags["password"], flags["passwords"]),
        read=ReadOptions(keep_hidden_text=flags["keep_hidden_text"], ocr=flags["ocr"], **given),
        wait=not flags["no_wait"],
    )
