"""Asking a chat model for one JSON object, by a prompt that is a YAML file with `system` and `user`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

from rag.errors import TemplateError
from rag.text.nesting import check_nesting

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


_MARK = re.compile(r"</?(?:page|question|passages|right_answers|answer)>", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069]")


@dataclass(frozen=True, slots=True)
class JsonPrompt:
    """A prompt whose reply is one JSON object."""

    system: str
    user: str
    fingerprint: str

    def ask(self, model: BaseChatModel, **values: str) -> dict[str, Any] | None:
        """The object the model replies with; None when its reply holds none.

        Values are fenced: the marks that separate the parts of the prompt are taken out of them.
        """
        fenced = {name: _MARK.sub(" ", _CONTROLS.sub("", value)) for name, value in values.items()}
        messages = [("system", self.system), ("human", Template(self.user).substitute(fenced))]
        return first_object(str(model.invoke(messages).text))


def load_prompt(name_or_path: str | Path, variables: Iterable[str]) -> JsonPrompt:
    """A shipped prompt by name, or a file. Raises TemplateError for a missing part or an unknown variable."""
    path = Path(name_or_path)
    shipped = files("rag.evaluation").joinpath("templates", f"{name_or_path}.yaml")
    try:
        text = path.read_text(encoding="utf-8") if path.suffix else shipped.read_text(encoding="utf-8")
        check_nesting(text)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TemplateError(f"cannot be read: {error}.", file=name_or_path) from None
    if not isinstance(data, Mapping) or not all(
        isinstance(data.get(part), str) for part in ("system", "user")
    ):
        raise TemplateError("needs two texts: `system` and `user`.", file=name_or_path)
    used, known = set(Template(data["user"]).get_identifiers()), set(variables)
    if used != known or not Template(data["user"]).is_valid():
        wrong = ", ".join(sorted(f"${name}" for name in used ^ known)) or "$"
        raise TemplateError(
            f"`user` must use exactly these variables: {', '.join(sorted(known))}; see {wrong}.",
            file=name_or_path,
        )
    return JsonPrompt(data["system"], data["user"], hashlib.sha256(text.encode()).hexdigest())


def first_object(reply: str) -> dict[str, Any] | None:
    """The first JSON object in a reply that may have a fence or words around it."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", reply):
        try:
            value, _ = decoder.raw_decode(reply, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None
