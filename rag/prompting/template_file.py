"""What a template file may hold, as pydantic models."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rag.errors import TemplateError
from rag.messages import Language
from rag.text.nesting import LOADER, check_nesting

Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_MAX_BYTES = 1_000_000
_MAX_NODES = 50_000  # aliases can unfold a small file into an endless one


@dataclass(frozen=True, slots=True)
class YamlWithLines:
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


def read_yaml(path: Path) -> YamlWithLines:
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
        text = raw.decode("utf-8-sig")
        check_nesting(text)
        node = yaml.compose(text, Loader=LOADER)
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
    return YamlWithLines(path, data, builder.lines, frozenset(builder.blocks))


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


def validate(source: YamlWithLines, model: type[Model]) -> Model:
    """Check the file against `model`; a TemplateError points at the first fault."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"]
        raise source.error(_explain(first["type"], first["msg"], place, model), place) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean X?` when a known name is near, else the list of those there are."""
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


Purpose = Literal["answer", "condense", "rewrite", "hypothetical", "split", "rerank", "check"]
"""What a template is for: to answer, to make a follow-up question understandable without the chat, to expand a
search in one of three ways, to rate passages, or to check sentences against quotes."""
Output = Literal["numbered", "quoted", "json"]
Filled = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sampling(_Part):
    """How the model draws its words. What is left out is the model's own default."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    stop: tuple[Filled, ...] = Field(default=(), max_length=4)
    """Four at most: the limit of OpenAI's interface."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = None

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for a LangChain chat model: only what is set."""
        given = self.model_dump(exclude_none=True)
        stop = given.pop("stop")
        return {**given, "stop": list(stop)} if stop else given


class ExamplePassage(_Part):
    """A passage of a worked example."""

    file: Filled
    page: int = Field(ge=1)
    text: Filled


class Example(_Part):
    """A worked example: a question, the passages that were found, and the reply one would like."""

    question: Filled
    passages: tuple[ExamplePassage, ...] = Field(min_length=1)
    reply: Filled
    language: Language | None = None
    """Shown only for prompts in this language; for both when left out."""
    keep: bool = False
    """Always among the chosen ones, for what the model must see, such as how to decline."""


class Examples(_Part):
    """Which worked examples go into the prompt."""

    file: Filled | None = None
    """A YAML list of examples, relative to the template."""
    inline: tuple[Example, ...] = ()
    number: int = Field(default=3, ge=0, le=50)
    choose: Literal["fixed", "nearest"] = "fixed"
    """The first ones, or those whose question is most like the question asked."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Examples beyond this many tokens are left out."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (not self.inline):
            raise ValueError("give either `file` or `inline`")
        return self


class Messages(_Part):
    """The two messages of a prompt, with `{variables}`; a literal brace is written twice."""

    system: Filled
    user: Filled


class MessagesByLanguage(_Part):
    """One set of messages for each language; a language that is left out uses the other."""

    en: Messages | None = None
    ko: Messages | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.en is None and self.ko is None:
            raise ValueError("give messages in `en`, in `ko`, or in both")
        return self

    def given(self) -> dict[Language, Messages]:
        return {name: m for name, m in (("en", self.en), ("ko", self.ko)) if m is not None}  # type: ignore[misc]


class TemplateFile(_Part):
    """A template as written in its file."""

    description: Filled
    purpose: Purpose = "answer"
    language: Literal["auto", "en", "ko"] = "auto"
    """`auto` follows the language of the question."""
    output: Output | None = None
    """The form of the reply that `{reply_form}` asks for: passages as numbered sentences and their numbers cited,
    words copied from passages, or JSON with copied words. Left out: `numbered`, unless an example copies words."""
    sentences: int | None = Field(default=None, ge=1, le=20)
    """How many sentences an answer without a model has at most. A chat model reads the messages instead."""
    passages: Literal["likeliest", "all"] = "likeliest"
    """Which of the passages found go into the prompt: those likeliest to answer, or all, for what needs many."""
    sampling: Sampling = Sampling()
    variables: dict[str, str | dict[Language, str]] = Field(default_factory=dict)
    """Variables of one's own, with their values: one text, or one for each language of the messages."""
    examples: Examples | None = None
    messages: MessagesByLanguage

    def variable_values(self, language: Language) -> dict[str, str]:
        """The variables with their values in `language`, or in the other one when that is all there is."""
        return {
            name: value if isinstance(value, str) else value.get(language) or next(iter(value.values()), "")
            for name, value in self.variables.items()
        }
