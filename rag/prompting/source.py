"""Reads YAML with the line of every value, so that an error can point at the place a person has to mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rag.errors import TemplateError

Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_LOADER = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # ten times as fast where PyYAML was built with libyaml
_MAX_BYTES = 1_000_000
_MAX_NODES = 50_000  # aliases can unfold a small file into an endless one


@dataclass(frozen=True, slots=True)
class Located:
    """Plain data from a YAML file with the line (from 1) of each value, by its path of keys and positions."""

    path: Path
    data: Any
    lines: Mapping[Place, int]
    block_scalars: frozenset[Place]
    """Values written as `|` or `>` blocks: their text begins on the line after the indicator."""

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that is written in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def line_within(self, place: Place, text: str, offset: int) -> int:
        """The line of character `offset` of the text that stands at `place`."""
        first = self.line(place) + (place in self.block_scalars)
        return first + text.count("\n", 0, offset)

    def error(self, message: str, place: Place = ()) -> TemplateError:
        return TemplateError(message, file=self.path, line=self.line(place))


def read_yaml(path: Path) -> Located:
    """Read one YAML document.

    Raises TemplateError, with the line, for a file that is missing, not UTF-8, too large or not plain YAML.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TemplateError(f"the file cannot be read ({error.strerror}).", file=path) from None
    if len(raw) > _MAX_BYTES:
        raise TemplateError("the file is larger than 1 MB, which no template needs.", file=path)
    try:
        node = yaml.compose(raw.decode("utf-8-sig"), Loader=_LOADER)
    except UnicodeDecodeError:
        raise TemplateError("the file is not UTF-8 text: save it as UTF-8.", file=path) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = str(error.problem or error.context)
        # the commonest slip: a reply such as `Ann. [1: "..."]` has a colon in it
        hint = (
            ": put text with a colon in quotes, or on lines of its own after `|`"
            if "mapping" in problem
            else ""
        )
        raise TemplateError(
            f"not valid YAML, {problem}{hint}.",
            file=path,
            line=mark.line + 1 if mark else None,
        ) from None
    except yaml.YAMLError as error:
        raise TemplateError(f"not valid YAML, {str(error).splitlines()[0]}.", file=path) from None
    builder = _Builder(path)
    data = builder.build(node, ()) if node is not None else {}
    return Located(path, data, builder.lines, frozenset(builder.blocks))


class _Builder:
    """Turns YAML nodes into plain data and notes their lines; only maps, lists and plain values are known."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        self.blocks: set[Place] = set()
        self._scalars = yaml.constructor.SafeConstructor()
        self._nodes = 0

    def build(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        line = node.start_mark.line + 1
        if self._nodes > _MAX_NODES:
            raise TemplateError("the file unfolds to far too many values.", file=self.path, line=line)
        self.lines[place] = line
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*place, i)) for i, child in enumerate(node.value)]
        if getattr(node, "style", None) in ("|", ">"):
            self.blocks.add(place)
        try:
            return self._scalars.construct_object(node)
        except yaml.YAMLError:
            raise TemplateError(
                f"the tag {node.tag} is not allowed here: write a plain value.", file=self.path, line=line
            ) from None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                raise TemplateError(
                    f"`{key}` is given twice.", file=self.path, line=key_node.start_mark.line + 1
                )
            result[key] = self.build(value_node, (*place, key))
            # point at the key: that is where the eye looks, and a block's text starts after it
            self.lines[(*place, key)] = key_node.start_mark.line + 1
        return result


def validate(source: Located, model: type[Model], data: Any = None, *, at: Place = ()) -> Model:
    """Check `data` (the whole file by default) against `model`; a TemplateError points at the first fault."""
    try:
        return model.model_validate(source.data if data is None else data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = (*at, *first["loc"])
        raise source.error(_explain(first["type"], first["msg"], place, model), place) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean X?` when a known name is near, else the list of those there are."""
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1)
    if match:
        return f"did you mean `{match[0]}`?"
    return "known: " + ", ".join(f"`{n}`" for n in names) + "." if names else "none is known."


def _explain(kind: str, message: str, place: Place, model: type[BaseModel]) -> str:
    name = str(place[-1]) if place else "the file"
    if kind == "extra_forbidden":
        return f"`{name}` is not a known field: {nearest(name, _fields_at(model, place[:-1]))}"
    if kind == "missing":
        return f"`{name}` is missing."
    text = message.removeprefix("Value error, ")
    return f"`{'.'.join(str(part) for part in place)}`: {text[0].lower()}{text[1:]}."


def _fields_at(model: type[BaseModel], place: Place) -> list[str]:
    """Names of the fields of the model that is nested in `model` at `place`."""
    current: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, int) or current is None or part not in current.model_fields:
            continue
        current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if current else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None
