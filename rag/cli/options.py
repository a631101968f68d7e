"""Options that mean the same in every command, and how they become settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    pass

F = TypeVar("F", bound=Callable[..., Any])

# Options that are settings: name of the setting -> how click shows it.
_SETTINGS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "index": (
        ("--index",),
        {"metavar": "DIR", "help": "Folder of the index (default .rag), or postgresql://..."},
    ),
    "model": (("--model",), {"metavar": "SPEC", "help": "Chat model as provider:model, or 'extractive'."}),
    "embeddings": (("--embeddings",), {"metavar": "SPEC", "help": "Embedding model for a new index."}),
    "prompt": (("--prompt",), {"metavar": "NAME|FILE", "help": "Prompt template."}),
    "k": (("-k", "k"), {"type": click.IntRange(1, 1000), "metavar": "N", "help": "Passages to retrieve."}),
    "expand": (
        ("--expand",),
        {
            "metavar": "WAYS",
            "help": "Expand the search with the chat model: rewrite, hypothetical, split, all.",
        },
    ),
    "rerank": (
        ("--rerank",),
        {"metavar": "MODEL", "help": "Rerank: cross-encoder:NAME, flashrank:NAME, or chat."},
    ),
    "rerank_depth": (("--rerank-depth",), {"type": int, "metavar": "N", "help": "Passages to rerank."}),
    "temperature": (("--temperature",), {"type": float, "help": "Sampling temperature."}),
    "max_tokens": (("--max-tokens",), {"type": int, "metavar": "N", "help": "Longest reply, in tokens."}),
    "max_cost": (("--max-cost",), {"type": float, "metavar": "USD", "help": "Stop at this cost."}),
    "abstain": (
        ("--abstain",),
        {"type": float, "metavar": "0..1", "help": "Decline below this evidence score."},
    ),
    "chunk_tokens": (("--chunk-tokens",), {"type": int, "metavar": "N", "help": "Largest chunk, in tokens."}),
    "chunk_overlap": (("--chunk-overlap",), {"type": int, "metavar": "N", "help": "Tokens chunks share."}),
    "workers": (("--workers",), {"type": int, "metavar": "N", "help": "Processes that read files."}),
    "engine": (
        ("--engine",),
        {"type": click.Choice(["local", "ray"]), "help": "What reads and embeds (default local)."},
    ),
    "ray_address": (("--ray-address",), {"metavar": "HOST:PORT", "help": "A Ray cluster, for --engine ray."}),
    "strict": (("--strict",), {"is_flag": True, "default": None, "help": "Withhold what is not verified."}),
    "check": (
        ("--check",),
        {
            "metavar": "MODEL",
            "help": "Chat model, or hf:NAME of an entailment model, that checks what rules leave open"
            " (default: --model).",
        },
    ),
    "no_check": (("--no-check",), {"is_flag": True, "default": None, "help": "Check by rules alone."}),
    "vision": (
        ("--vision",),
        {"is_flag": True, "default": None, "help": "Show the chat model pictures of the best pages."},
    ),
    "cache": (("--cache",), {"is_flag": True, "default": None, "help": "Reuse identical model calls."}),
    "offline": (
        ("--offline",),
        {"is_flag": True, "default": None, "help": "Refuse connections that leave this machine."},
    ),
    "language": (
        ("--language",),
        {"type": click.Choice(["auto", "en", "ko"]), "help": "Language of answers and messages."},
    ),
    "debug": (("--debug",), {"is_flag": True, "default": None, "help": "Show tracebacks."}),
}
_EVERYWHERE = ("index", "language", "offline", "debug")
SEARCH_MODEL = ("expand", "rerank", "rerank_depth")
"""Settings for a model that helps with the search; off by default."""
CHECKING = ("check", "no_check")
"""Who checks sentences that rules leave open."""
ANSWERING = (
    *("model", "prompt", "k", *SEARCH_MODEL),
    *("temperature", "max_tokens", "max_cost", "abstain", "strict", "vision", *CHECKING, "cache"),
)


def with_settings(*names: str) -> Callable[[F], F]:
    """Add the options for the settings `names` (and those that every command has).

    The command receives them merged with environment, `.env` and defaults, as its first argument. With
    `--offline` the guard that refuses sockets is set before the command's first line runs.
    """
    wanted = (*names, *_EVERYWHERE)

    def decorate(function: F) -> F:
        @wraps(function)
        def inner(**options: Any) -> Any:
            from rag.settings import load_settings

            flags = {name: options.pop(name) for name in wanted}
            if flags.pop("no_check", None):
                flags["check"] = "off"
            settings = load_settings(flags)
            if settings.offline:
                from rag.providers.offline import enable_offline

                enable_offline()
            return function(settings, **options)

        for name in reversed(wanted):
            flags, attributes = _SETTINGS[name]
            inner = click.option(*flags, **attributes)(inner)
        return inner  # type: ignore[return-value]

    return decorate


def examples(*commands: str, note: str = "") -> str:
    """The end of a help text: commands to begin with, one a line, and a closing note."""
    block = "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))
    return f"{block}\n\n{note}" if note else block


def as_typed(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """An argument as UTF-8 text, also where the locale made Python read its bytes as something else."""
    return text if text is None else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON alone on standard output.")
where_option = click.option(
    "--where",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only these documents: file=GLOB, folder=DIR, page=3-10, or metadata. Repeat to narrow.",
)


def _variables(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """`NAME=VALUE` pairs as the values of a template's variables; the last of a name wins."""
    found = {}
    for pair in given:
        name, equals, value = str(as_typed(_context, _parameter, pair)).partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"write NAME=VALUE, such as --set persona=librarian, not {pair!r}.")
        found[name.strip()] = value
    return found


variables_option = click.option(
    "--set",
    "variables",
    multiple=True,
    callback=_variables,
    metavar="NAME=VALUE",
    help="Set a variable of the prompt template. Repeat for more.",
)
questions_option = click.option(
    "--questions",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="A question set (JSON Lines, JSON or CSV) instead of one question.",
)
