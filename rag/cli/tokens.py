"""`rag tokens`: how many tokens files have, and what embedding them or reading them to a model would cost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ingest.discovery import discover, unique_names
from ingest.options import ReadOptions
from ingest.reading import Reading, ReadJob
from ingest.workers import ReaderPool
from rag.cli.app import EXIT_DONE, EXIT_PARTLY
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, print_table
from rag.providers.registry import default_specs, embedding_model
from rag.providers.specs import BUILTIN_EMBEDDINGS, EXTRACTIVE, parse_spec
from rag.text.tokens import count_many, encoding_for
from rag.types import Page, Status
from rag.usage.prices import Price, load_prices

if TYPE_CHECKING:
    from rag.settings import Settings


class _Counter(NamedTuple):
    """Counts for one model. `exact` is False when another model's tokenizer stands in."""

    spec: str
    count: Callable[[Sequence[str]], int]
    exact: bool
    price: Price | None

    def form(self, texts: Sequence[str]) -> dict[str, Any]:
        tokens = self.count(texts)
        cost = self.price.cost(tokens) if self.price is not None else None
        return {"model": self.spec, "tokens": tokens, "exact": self.exact, "cost_usd": cost}


@click.command(
    epilog=examples(
        "rag tokens report.pdf",
        "rag tokens documents --embeddings openai:text-embedding-3-small --model openai:gpt-4o-mini",
        "echo '휴가는 며칠인가요?' | rag tokens -",
        note="Counts are exact for the built-in embeddings and where the model's own tokenizer is on this machine;"
        " otherwise they are approximated, and marked with ~. Nothing is sent anywhere.",
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@json_option
@with_settings("model", "embeddings", "chunk_tokens", "chunk_overlap", "workers")
def command(settings: Settings, paths: tuple[str, ...], as_json: bool) -> int:
    """Count the tokens of FILEs or folders (`-` is standard input) and estimate what they would cost.

    For the embedding model: as chunks, the way `rag ingest` would send them. For the chat model: the text of all
    pages, read once.
    """
    counters = _counters(settings)
    rows = [_row(name, reading, counters) for name, reading in _read(settings, paths)]
    totals: dict[str, Any] = {key: sum(row[key] for row in rows) for key in ("pages", "chunks")}
    totals |= {"files": len(rows)} | {kind: _sum(rows, kind) for kind in counters}
    if as_json:
        print_json({"files": rows, "totals": totals})
    else:
        _print(rows, totals)
    return EXIT_DONE if all(row["pages"] for row in rows) else EXIT_PARTLY


def _counters(settings: Settings) -> dict[str, _Counter]:
    """For `embedding`, and for `chat` unless sentences are only copied."""
    prices = load_prices(settings.prices)
    model, embeddings = (str(parse_spec(spec)) for spec in default_specs(settings))
    if embeddings == BUILTIN_EMBEDDINGS:
        count = embedding_model(embeddings, settings).count_tokens
        first = _Counter(embeddings, lambda texts: sum(map(count, texts)), True, prices.find(embeddings))
    else:
        first = _tiktoken(embeddings, prices.find(embeddings))
    return {"embedding": first} | (
        {} if model == EXTRACTIVE else {"chat": _tiktoken(model, prices.find(model))}
    )


def _tiktoken(spec: str, price: Price | None) -> _Counter:
    return _Counter(spec, lambda texts: sum(count_many(texts, spec)), encoding_for(spec).exact, price)


def _read(settings: Settings, paths: Sequence[str]) -> Iterator[tuple[str, Reading]]:
    """Each file as `rag ingest` would read it, by name."""
    if "-" in paths:
        text = sys.stdin.read()
        yield "-", Reading(Status.OK, pages=(Page(1, text),))
    files = [path for path in paths if path != "-"]
    if not files:
        return
    found = unique_names(discover(files, skip=[settings.folder]).files)
    for file in found:
        if file.problem is not None:
            yield file.file, Reading(file.problem, file.reason)
    jobs = [ReadJob(file.file, file.path, file.format) for file in found if file.problem is None]
    options = ReadOptions(chunk_tokens=settings.chunk_tokens, chunk_overlap=settings.chunk_overlap)
    with ReaderPool(settings.workers or 2, options, lambda _file, _pages: None) as pool:
        outcomes = {outcome.job.file: outcome.reading for outcome in pool.read(jobs)}
    yield from sorted(outcomes.items())


def _row(name: str, reading: Reading, counters: dict[str, _Counter]) -> dict[str, Any]:
    texts = [page.text for page in reading.pages]
    chunks = [chunk.indexed_text for chunk in reading.chunks] or texts
    return {
        "file": name,
        "status": reading.status.value,
        "reason": reading.reason,
        "pages": len(reading.pages),
        "chunks": len(reading.chunks),
        **{
            kind: counter.form(chunks if kind == "embedding" else texts) for kind, counter in counters.items()
        },
    }


def _sum(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    forms = [row[kind] for row in rows]
    unknown = any(form["cost_usd"] is None for form in forms)
    sums = {
        "tokens": sum(form["tokens"] for form in forms),
        "cost_usd": None if unknown else sum(form["cost_usd"] for form in forms),
    }
    return ({"model": forms[0]["model"], "exact": forms[0]["exact"]} if forms else {}) | sums


def _print(rows: list[dict[str, Any]], totals: dict[str, Any]) -> None:
    kinds = [kind for kind in ("embedding", "chat") if totals.get(kind, {}).get("model")]
    table = [_cells(row["file"], row, kinds) for row in rows]
    if len(rows) > 1:
        table.append(_cells("in all", totals, kinds))
    head = [cell for kind in kinds for cell in (totals[kind]["model"], "cost")]
    print_table(("file", "pages", *head, ""), table, right=range(1, 2 + len(head)))
    guessed = [totals[kind]["model"] for kind in kinds if not totals[kind]["exact"]]
    if guessed:
        click.echo(f"~ approximated with cl100k_base: the tokenizer of {', '.join(guessed)} is not here.")


def _cells(name: str, row: dict[str, Any], kinds: Sequence[str]) -> list[str]:
    counts = [cell for kind in kinds for cell in (_tokens(row[kind]), _cost(row[kind]))]
    trouble = f"{row['status']}: {row['reason']}" if not row["pages"] and "status" in row else ""
    return [name, f"{row['pages']:,}", *counts, trouble]


def _tokens(form: dict[str, Any]) -> str:
    return f"{'' if form['exact'] else '~'}{form['tokens']:,}"


def _cost(form: dict[str, Any]) -> str:
    if form["cost_usd"] is None:
        return "unknown"
    return "free" if form["cost_usd"] == 0 and form["tokens"] else f"${form['cost_usd']:.4f}"
