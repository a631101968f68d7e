"""`rag cost`: the usage log added up, and the log of commands that ask models without a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from rag.cli.app import EXIT_DONE
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, print_table, tell
from rag.errors import RagError
from rag.index_location import is_url
from rag.messages import Language, choose_language, message
from rag.usage.log import FILE_NAME, UsageEntry, UsageLog
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from rag.settings import Settings

_GROUPS: tuple[Literal["day", "model", "command"], ...] = ("day", "model", "command")


@click.command(epilog=examples("rag cost", "rag cost --by model", "rag cost --json | jq .total"))
@click.option("--by", "by", type=click.Choice(_GROUPS), help="Only this table (default: all three).")
@json_option
@with_settings()
def command(settings: Settings, by: Literal["day", "model", "command"] | None, as_json: bool) -> int:
    """Add up what was paid for this index: by day (UTC), model and command."""
    log = UsageLog(settings.folder / FILE_NAME)
    tables = {group: log.summary(group) for group in (_GROUPS if by is None else (by,))}
    total = _total(next(iter(tables.values())))
    if as_json:
        forms = {f"by_{group}": [_form(line) for line in lines] for group, lines in tables.items()}
        print_json(forms | {"total": total})
    elif total["calls"] + total["cached_calls"] == 0:
        click.echo(f"No model has been paid for {settings.shown_index} yet.")
    else:
        _print(tables, total, choose_language(settings.language))
    return EXIT_DONE


def _form(line: UsageEntry) -> dict[str, Any]:
    """`cost_usd` is null when the price of any call is not known; `known_cost_usd` is what is known of it."""
    return {
        "key": line.key,
        "calls": line.calls,
        "cached_calls": line.cached_calls,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cost_usd": None if line.unpriced_calls else line.cost_usd,
        "known_cost_usd": line.cost_usd,
        "unpriced_calls": line.unpriced_calls,
        "estimated": line.estimated,
    }


def _total(lines: list[UsageEntry]) -> dict[str, Any]:
    names = (
        "calls", "cached_calls", "input_tokens", "output_tokens", "known_cost_usd", "unpriced_calls",
    )  # fmt: skip
    forms = [_form(line) for line in lines]
    sums: dict[str, Any] = {name: sum(form[name] for form in forms) for name in names}
    sums["cost_usd"] = None if sums["unpriced_calls"] else sums["known_cost_usd"]
    return sums | {"estimated": any(line.estimated for line in lines)}


def _print(
    tables: dict[Literal["day", "model", "command"], list[UsageEntry]],
    total: dict[str, Any],
    language: Language,
) -> None:
    for group, lines in tables.items():
        rows = [
            (
                line.key,
                f"{line.calls:,}",
                f"{line.cached_calls:,}",
                f"{line.input_tokens:,}",
                f"{line.output_tokens:,}",
                _price(_form(line), message("answer.price_unknown", language)),
            )
            for line in lines
        ]
        head = (group, "calls", "from cache", "tokens in", "tokens out", "cost")
        print_table(head, rows, right=(1, 2, 3, 4, 5))
        click.echo()
    if total["unpriced_calls"] < total["calls"] + total["cached_calls"]:
        click.echo(message("command.cost_total", language, cost=_price(total)))
    if total["unpriced_calls"]:
        click.echo(message("command.cost_unknown", language, calls=total["unpriced_calls"]))


def _price(form: Mapping[str, Any], unknown: str = "") -> str:
    """What is known of the price, and a sign when that is not all; `unknown` when nothing is known."""
    if form["unpriced_calls"] and not form["known_cost_usd"]:
        return unknown
    about = "about " if form["estimated"] else ""
    return f"{about}${form['known_cost_usd']:.4f}" + (" + ?" if form["unpriced_calls"] else "")


# -- the log ------------------------------------------------------------------------------------------------------


@contextmanager
def usage_logged(settings: Settings, command: str) -> Iterator[UsageTotal]:
    """Log what is spent inside the block, also when an error or an interruption ends it.

    A log that cannot be written is a notice: it must never take the place of the command's own outcome.
    """
    with counting_usage(UsageTotal()) as total:
        try:
            yield total
        finally:
            log = UsageLog(settings.folder / FILE_NAME)
            try:
                if total.by_model:
                    if not is_url(settings.index) and not log.path.parent.is_dir():
                        raise RagError("there is no index beside which to write it")
                    log.record(command, total)
            except (RagError, OSError) as error:
                tell(f"The usage could not be logged: {error}")
