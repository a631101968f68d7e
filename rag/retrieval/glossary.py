"""A glossary from the words people ask with to the words pages print: query expansion without a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from rag.errors import SettingsError
from rag.text.nesting import safe_load


@dataclass(frozen=True, slots=True)
class GlossaryEntry:
    """When a question matches `asked`, `printed` is searched for too."""

    asked: re.Pattern[str]
    printed: str


@dataclass(frozen=True, slots=True)
class Glossary:
    """Entries in the order of their file."""

    entries: tuple[GlossaryEntry, ...]

    def expand(self, question: str) -> tuple[str, ...]:
        """The printed words for every entry that `question` asks with; empty when there is none."""
        folded = _fold(question)
        return tuple(entry.printed for entry in self.entries if entry.asked.search(folded))


def load_glossary(extra: str | Path | None = None) -> Glossary:
    """The shipped glossary, followed by the entries of the YAML file `extra`.

    Raises SettingsError, naming the file, when `extra` cannot be read or has another form.
    """
    shipped = _shipped()
    if extra is None:
        return shipped
    try:
        text = Path(extra).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The glossary {extra} cannot be read ({error}): name a UTF-8 YAML file."
        ) from None
    return Glossary(shipped.entries + _parse(text, str(extra)))


@cache
def _shipped() -> Glossary:
    resource = files("rag.retrieval") / "glossary.yaml"
    return Glossary(_parse(resource.read_text(encoding="utf-8"), "glossary.yaml"))


def _parse(text: str, name: str) -> tuple[GlossaryEntry, ...]:
    try:
        rows = safe_load(text) or []
        return tuple(
            GlossaryEntry(_pattern([str(term) for term in row["asked"]]), str(row["printed"])) for row in rows
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"The glossary {name} is not a list of entries with `asked` and `printed` ({error})."
        ) from None


def _pattern(terms: Sequence[str]) -> re.Pattern[str]:
    """Whole words for Latin script; Korean terms may carry a particle, so only their beginning is held."""
    alternatives = []
    for term in terms:
        escaped = re.escape(_fold(term)).replace(r"\ ", r"[\s,-]+")
        korean = any("가" <= character <= "힣" for character in term)
        alternatives.append(escaped if korean else rf"{escaped}(?!\w)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})")


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
