"""`rag doctor`: which settings are in force and why, and whether the parts work."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import click
from pydantic import SecretStr

from rag.cli.app import EXIT_DONE, EXIT_FAILED
from rag.cli.cost import usage_logged
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, print_table, tell
from rag.errors import IndexMissing, RagError
from rag.pipeline.opening import load_calibration
from rag.providers.registry import chat_model, default_specs, embedding_model
from rag.rendering.safe import safe_text
from rag.settings import Settings, variable_of
from rag.store import Index, open_index

_PACKAGES = (
    "pagequote",
    "langchain-core",
    "langchain-openai",
    "faiss-cpu",
    "tantivy",
    "onnxruntime",
    "pypdfium2",
)
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+(?=@)")  # https://user:password@host


class PartCheck(NamedTuple):
    """One part that was tried: `ok` is None when there was nothing to try."""

    name: str
    ok: bool | None
    detail: str


@click.command(epilog=examples("rag doctor", "rag doctor --probe", "rag doctor --json | jq .checks"))
@click.option("--probe", is_flag=True, help="Make one small real call to each configured provider.")
@json_option
@with_settings("model", "embeddings")
def command(settings: Settings, probe: bool, as_json: bool) -> int:
    """Show every setting with where it came from (keys masked), and check that the parts work."""
    rows = [_setting(settings, name) for name in type(settings).model_fields]
    with usage_logged(settings, "doctor"):
        checks = list(_checks(settings, probe))
    if as_json:
        versions = dict(_versions())
        print_json({"settings": rows, "checks": [check._asdict() for check in checks], "versions": versions})
    else:
        _print(rows, checks)
    return EXIT_FAILED if any(check.ok is False for check in checks) else EXIT_DONE


def _setting(settings: Settings, name: str) -> dict[str, Any]:
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        value = "set (hidden)"
    elif name == "index":
        value = settings.shown_index
    elif isinstance(value, str):
        value = _CREDENTIALS.sub("****", value)
    return {"name": name, "variable": variable_of(name), "value": value, "origin": settings.origin(name)}


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


# -- checks -------------------------------------------------------------------------------------------------------


def _checks(settings: Settings, probe: bool) -> Iterator[PartCheck]:
    model, embeddings = default_specs(settings)
    yield _tried("index", lambda: _check_index(settings))
    for spec in dict.fromkeys((embeddings, _embeddings_of_index(settings) or embeddings)):
        yield _tried(f"embeddings {spec}", lambda spec=spec: _check_embeddings(settings, spec, probe))  # type: ignore[misc]
    yield _tried(f"model {model}", lambda: _check_model(settings, model, probe))


def _tried(name: str, check: Callable[[], tuple[bool | None, str]]) -> PartCheck:
    try:
        return PartCheck(name, *check())
    except IndexMissing as error:
        return PartCheck(name, None, str(error))
    except RagError as error:
        return PartCheck(name, False, str(error))


def _check_index(settings: Settings) -> tuple[bool | None, str]:
    with open_index(settings.index, notify=tell) as index:
        problems = index.verify()
        made = (
            f"{settings.shown_index}: made with {index.spec.embedding_model}, generation {index.generation}"
        )
        return not problems, "; ".join((made, *_threshold(index, settings), *problems))


def _threshold(index: Index, settings: Settings) -> list[str]:
    """The threshold for declining that was fitted to the index, when there is one and it is in force."""
    found = load_calibration(index)
    if found is None or settings.abstain is not None:
        return []
    return [f"calibrated to decline below {found.threshold:g} ({found.asked:,} questions)"]


def _embeddings_of_index(settings: Settings) -> str | None:
    """What the index was made with: it is what questions are embedded with, whatever a new index would get."""
    try:
        with open_index(settings.index) as index:
            return index.spec.embedding_model
    except RagError:
        return None


def _check_embeddings(settings: Settings, spec: str, probe: bool) -> tuple[bool | None, str]:
    provider = embedding_model(spec, settings, notify=tell)
    if provider.paid and not probe:
        return None, "not tried; --probe makes one small call"
    vectors = provider.embed(["pagequote"])
    return True, f"answers with {vectors.shape[1]} numbers"


def _check_model(settings: Settings, spec: str, probe: bool) -> tuple[bool | None, str]:
    if spec == "extractive":
        return True, "built in; answers with sentences of the documents"
    model = chat_model(spec, settings, notify=tell)
    if not probe:
        return None, "not tried; --probe makes one small call"
    reply = model.invoke("Answer with the one word: yes")
    return True, f"answered {reply.text.strip()[:40]!r}"


# -- for people ---------------------------------------------------------------------------------------------------


def _print(rows: list[dict[str, Any]], checks: list[PartCheck]) -> None:
    shown = [(row["variable"], _in_words(row["value"]), row["origin"]) for row in rows]
    print_table(("setting", "value", "from"), shown)
    click.echo()
    for check in checks:
        mark, colour = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "yellow")}[check.ok]
        click.echo(f"{click.style(mark, fg=colour)} {safe_text(check.name)}: {safe_text(check.detail)}")
    click.echo("\n" + ", ".join(f"{name} {number}" for name, number in _versions()))


def _in_words(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return ", ".join(value) or "not set"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
