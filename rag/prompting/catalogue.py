"""Finds, loads, checks and begins templates: shipped ones, those in the user's folder, and files by path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from rag.errors import TemplateError, UsageError
from rag.messages import LANGUAGES, Language
from rag.prompting.template import GIVEN, NEEDED, Template
from rag.prompting.template_file import (
    Example,
    Output,
    Place,
    TemplateFile,
    YamlWithLines,
    nearest,
    read_yaml,
    validate,
)
from rag.text.sentences import sentences

DEFAULT = "few-shot"
_FORMS_FILE = "_reply_forms.yaml"  # a leading underscore: shipped text that is not a template
_START_FILE = "_start.yaml"
_COPIED = re.compile(r"\[\d+\s*:")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class TemplateEntry:
    """A template that can be named."""

    name: str
    path: Path
    shipped: bool


class _ExampleList(BaseModel):
    model_config = ConfigDict(extra="forbid")
    examples: tuple[Example, ...]


def shipped_folder() -> Path:
    """The folder of the templates that come with the program."""
    return Path(str(resources.files("prompts")))


def list_templates(prompts_dir: str | Path | None = None) -> list[TemplateEntry]:
    """Every template that can be named, by name; a file in the user's folder hides a shipped one.

    Raises UsageError when the user's folder does not exist.
    """
    found = {entry.name: entry for entry in _in_folder(shipped_folder(), shipped=True)}
    if prompts_dir is not None:
        folder = Path(prompts_dir).expanduser()
        if not folder.is_dir():
            raise UsageError(
                f"The folder of templates {folder} does not exist: create it or unset RAG_PROMPTS_DIR."
            )
        found.update((entry.name, entry) for entry in _in_folder(folder, shipped=False))
    return [found[name] for name in sorted(found)]


def _in_folder(folder: Path, *, shipped: bool) -> Iterator[TemplateEntry]:
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        if not path.name.startswith("_") and not path.stem.endswith(".examples"):
            yield TemplateEntry(path.stem, path, shipped)


def load_template(name_or_path: str | Path, prompts_dir: str | Path | None = None) -> Template:
    """Load and check a template by name, or by path when it has a folder or ends in .yaml.

    Raises UsageError when there is none of that name, TemplateError (file and line) when it is wrong.
    """
    text = str(name_or_path)
    if "/" in text or "\\" in text or text.endswith((".yaml", ".yml")):
        path = Path(text).expanduser()
        if not path.is_file():
            raise UsageError(f"There is no template file {path}: `rag prompts list` shows the ones by name.")
        return read_template(path)
    entries = {entry.name: entry for entry in list_templates(prompts_dir)}
    if text not in entries:
        raise UsageError(f"There is no prompt template `{text}`: {nearest(text, entries)}")
    return read_template(entries[text].path)


def read_template(path: Path) -> Template:
    """Read and check one template file. Raises TemplateError with file and line."""
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise source.error("a template is a map of fields such as `description` and `messages`.")
    file = validate(source, TemplateFile)
    for language in LANGUAGES:
        _check_messages(source, file, language)
    examples, example_source, at = _examples(source, file)
    output = _output(file, examples)
    _check_examples(file, examples, example_source, at, output)
    return Template(path.stem, path, file, examples, _reply_forms(file, output), output)


def _check_messages(source: YamlWithLines, file: TemplateFile, language: Language) -> None:
    texts = file.messages.given().get(language)
    if texts is None:
        return
    known = {*GIVEN[file.purpose], *file.variables}
    place: Place = ("messages", language)
    positions: dict[str, int] = {}
    for role, text in (("system", texts.system), ("user", texts.user)):
        for variable, offset in _variables(source, (*place, role), text):
            if variable not in known:
                raise TemplateError(
                    f"`{{{variable}}}` is not a known variable: {nearest(variable, known)}",
                    file=source.path,
                    line=source.line_within((*place, role), text, offset),
                )
            if role == "user":
                positions[variable] = offset
    for needed in NEEDED[file.purpose]:
        if needed not in positions:
            raise source.error(f"the user message lacks the variable `{{{needed}}}`.", (*place, "user"))
    if "question" in NEEDED[file.purpose] and positions["question"] < max(
        positions[name] for name in NEEDED[file.purpose]
    ):
        raise source.error(
            "`{question}` must be the last variable: models heed best what stands at the end.",
            (*place, "user"),
        )


def _variables(source: YamlWithLines, place: Place, text: str) -> Iterator[tuple[str, int]]:
    """Names of the variables of a message with their offsets; raises TemplateError for a stray brace."""
    for match in _BRACES.finditer(text):
        if match[0] in ("{{", "}}"):
            continue
        if match[1] is None or not match[1].isidentifier():
            raise TemplateError(
                "a brace that is not part of a `{variable}`: write `{{` or `}}` for a literal one.",
                file=source.path,
                line=source.line_within(place, text, match.start()),
            )
        yield match[1], match.start()


def _examples(source: YamlWithLines, file: TemplateFile) -> tuple[tuple[Example, ...], YamlWithLines, Place]:
    """The examples with the file and the place in it where they are written."""
    if file.examples is None:
        return (), source, ()
    if file.examples.file is None:
        return file.examples.inline, source, ("examples", "inline")
    path = source.path.parent / file.examples.file
    if not path.is_file():
        raise source.error(f"the file of examples {path} does not exist.", ("examples", "file"))
    beside = read_yaml(path)
    if not isinstance(beside.data, dict) or not isinstance(beside.data.get("examples"), list):
        raise beside.error("a file of examples is a map with the list `examples`.")
    return validate(beside, _ExampleList).examples, beside, ("examples",)


def _output(file: TemplateFile, examples: tuple[Example, ...]) -> Output:
    """The form of the reply: what the file says, else that of its examples, else numbers where a form is asked."""
    if file.output is not None:
        return file.output
    asked = any("{reply_form}" in texts.system + texts.user for texts in file.messages.given().values())
    copied = any(_COPIED.search(example.reply) for example in examples)
    return "numbered" if asked and not copied and file.purpose == "answer" else "quoted"


def _check_examples(
    file: TemplateFile, examples: tuple[Example, ...], source: YamlWithLines, at: Place, output: Output
) -> None:
    for i, example in enumerate(examples):
        cited = {int(n) for n in re.findall(r"\[(\d+)(?=[\]:,])", example.reply)}
        numbered = output == "numbered"
        count = sum(len(sentences(p.text)) for p in example.passages) if numbered else len(example.passages)
        wrong = sorted(n for n in cited if not 1 <= n <= count)
        if file.purpose == "answer" and wrong:
            what = "sentence" if numbered else "passage"
            raise source.error(
                f"the reply cites {what} {wrong[0]}, but the example has {count}.",
                (*at, i, "reply"),
            )


def _reply_forms(file: TemplateFile, output: Output) -> dict[Language, str]:
    used = {
        language: texts
        for language, texts in file.messages.given().items()
        if "{reply_form}" in texts.system + texts.user
    }
    if not used:
        return {}
    source = read_yaml(shipped_folder() / _FORMS_FILE)
    forms = TypeAdapter(dict[Output, dict[Language, str]]).validate_python(source.data)
    return {language: forms[output][language].strip() for language in used}


def new_template(name: str, folder: str | Path) -> Path:
    """Write a commented template to start from into `folder`; returns its path.

    Raises UsageError when the name is no plain file name or the file exists.
    """
    if not re.fullmatch(r"[\w][\w.-]*", name) or name.endswith((".yaml", ".yml")):
        raise UsageError(
            f"`{name}` cannot name a template: use letters, digits, `-` and `_`, without an ending."
        )
    path = Path(folder).expanduser() / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    start = (shipped_folder() / _START_FILE).read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(start)
    except FileExistsError:
        raise UsageError(f"{path} exists already: choose another name or edit that file.") from None
    return path
