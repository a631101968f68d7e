"""What a model costs: the shipped list, one of the user's own over it, nothing for models on this machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from rag.errors import SettingsError

_FREE = ("e5-small", "extractive", "gguf:", "hf:")
_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
_FIELDS = ("input", "output", "cached_input")
_ORIGIN = ("checked", "source")
"""Where and when a price was read; for people, not for sums."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float = 0.0
    cached_input: float | None = None
    """For input that the server found in its prompt cache; the full price when None."""

    def cost(self, input_tokens: int, output_tokens: int = 0, cached_input: int = 0) -> float:
        """US dollars for a call; `cached_input` of the `input_tokens` came from the server's cache."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = max(input_tokens - cached_input, 0)
        return (fresh * self.input + cached_input * cached_price + output_tokens * self.output) / 1e6


FREE = Price(0.0)


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by `provider:model`."""

    models: Mapping[str, Price]
    checked: str = ""
    """The day that most of the shipped prices were seen at `source`; the file names the others."""
    source: str = ""

    def find(self, spec: str) -> Price | None:
        """The price of a model; None when it is not known. Models that run on this machine cost nothing."""
        if spec in self.models:
            return self.models[spec]
        if spec.startswith(_FREE):
            return FREE
        return self.models.get(_SNAPSHOT.sub("", spec))


def load_prices(own: str | Path | None = None) -> Prices:
    """The shipped prices, overruled by those of the file `own`.

    Raises SettingsError when that file cannot be read or holds anything but prices.
    """
    shipped = tomllib.loads(resources.files("rag.usage").joinpath("prices.toml").read_text(encoding="utf-8"))
    models = _models(shipped, "prices.toml")
    if own is not None:
        try:
            content = tomllib.loads(Path(own).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"The price list {own} cannot be read: {error}.") from None
        models |= _models(content, str(own))
    return Prices(models, str(shipped["checked"]), str(shipped["source"]))


def _models(content: Mapping[str, Any], where: str) -> dict[str, Price]:
    entries = content.get("models")
    if not isinstance(entries, dict):
        raise SettingsError(f'The price list {where} has no table like [models."openai:gpt-4o"].')
    return {spec: _price(spec, entry, where) for spec, entry in entries.items()}


def _price(spec: str, entry: object, where: str) -> Price:
    figures = (
        {name: value for name, value in entry.items() if name not in _ORIGIN}
        if isinstance(entry, dict)
        else {}
    )
    valid = (
        "input" in figures
        and set(figures) <= set(_FIELDS)
        and all(isinstance(v, int | float) and not isinstance(v, bool) and v >= 0 for v in figures.values())
    )
    if not valid:
        raise SettingsError(
            f"The price of {spec} in {where} is wrong: give `input`, and where it applies `output` and"
            " `cached_input`, in dollars per million tokens."
        )
    return Price(**{name: float(value) for name, value in figures.items()})
