"""`rag doctor`: which settings are in force and why, and whether the parts work."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rag.cli.options import json_option, with_settings
from rag.errors import IndexMissing, RagError

if TYPE_CHECKING:
    from rag.settings import Settings

_PACKAGES = (
    "pagequote",
    "langchain-core",
    "langchain-openai",
    "faiss-cpu",
    "tantivy",
    "onnxruntime",
    "pypdfium2",
)


class Check(NamedTuple):
    """One part that was tried: `ok` is None when there was nothing to try."""

    name: str
    ok: bool | None
    detail: str


@click.command(
    epilog="Examples:\n\n  rag doctor\n\n  rag doctor --probe   (asks each configured model for one word)"
)
@click.option("--probe", is_flag=True, help="Make one small real call to each configured provider.")
@json_option
@with_settings("model", "embeddings")
def command(settings: Settings, probe: bool, as_json: bool) -> int:
    """Show every setting with where it came from (keys masked), and check that the parts work."""
    rows = list(_settings_rows(settings))
    checks = list(_checks(settings, probe))
    if as_json:
        from rag.cli.forms import print_json

        print_json(
            {
                "settings": rows,
                "checks": [check._asdict() for check in checks],
                "versions": dict(_versions()),
            }
        )
    else:
        _print(rows, checks)
    return 1 if any(check.ok is False for check in checks) else 0


def _settings_rows(settings: Settings) -> Iterator[dict[str, Any]]:
    from pydantic import SecretStr

    from rag.settings import variable_of

    for name in type(settings).model_fields:
        value = getattr(settings, name)
        shown = "set (hidden)" if isinstance(value, SecretStr) else value
        yield {"name": name, "variable": variable_of(name), "value": shown, "origin": settings.origin(name)}


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


def _checks(settings: Settings, probe: bool) -> Iterator[Check]:
    from rag.providers.registry import default_specs

    model, embeddings = default_specs(settings)
    yield _tried("index", lambda: _check_index(settings))
    yield _tried(f"embeddings {embeddings}", lambda: _check_embeddings(settings, embeddings, probe))
    yield _tried(f"model {model}", lambda: _check_model(settings, model, probe))


def _tried(name: str, check: Callable[[], tuple[bool | None, str]]) -> Check:
    try:
        return Check(name, *check())
    except IndexMissing as error:
        return Check(name, None, str(error))
    except RagError as error:
        return Check(name, False, str(error))


def _check_index(settings: Settings) -> tuple[bool | None, str]:
    from rag.cli.opening import tell
    from rag.store import open_index

    with open_index(settings.index, notify=tell) as index:
        problems = index.verify()
        made = f"{settings.index}: made with {index.spec.embedding_model}, generation {index.generation}"
        return not problems, made + ("" if not problems else "; " + "; ".join(problems))


def _check_embeddings(settings: Settings, spec: str, probe: bool) -> tuple[bool | None, str]:
    from rag.providers.registry import embedding_model

    provider = embedding_model(spec, settings)
    if provider.paid and not probe:
        return None, "not tried; --probe makes one small call"
    vectors = provider.embed(["pagequote"])
    return True, f"answers with {vectors.shape[1]} numbers"


def _check_model(settings: Settings, spec: str, probe: bool) -> tuple[bool | None, str]:
    if spec == "extractive":
        return True, "built in; answers with sentences of the documents"
    if not probe:
        return None, "not tried; --probe makes one small call"
    from rag.providers.registry import chat_model

    reply = chat_model(spec, settings).invoke("Answer with the one word: yes")
    return True, f"answered {str(reply.content).strip()[:40]!r}"


def _print(rows: list[dict[str, Any]], checks: list[Check]) -> None:
    click.secho("Settings (those not named have their default)", bold=True)
    for row in rows:
        if row["origin"] != "default":
            click.echo(f"  {row['variable']} = {row['value']}   from {row['origin']}")
    click.secho("\nChecks", bold=True)
    for check in checks:
        mark = {True: "✓", False: "✗", None: "–"}[check.ok]
        click.echo(f"  {mark} {check.name}: {check.detail}")
    click.secho("\nVersions", bold=True)
    click.echo("  " + ", ".join(f"{name} {number}" for name, number in _versions()))
