"""The message catalogue: every sentence shown to people, in English and Korean, and which language a reader gets.

    message("answer.page", "en", page=4)              # 'page 4'
    choose_language("auto", language_of(question))    # 'ko' for a Korean question

Keys begin with where the sentence is shown: `answer.` (with an answer, on every surface), `search.`, `command.` (the
command line), `page.` (the web page), `report.` and `metric.` (evaluation), `ingest.`, `status.` and `reason.` (what
became of files). Errors and reasons are raised and stored in English; `translated` shows them in another language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rag.types import Usage

Language = Literal["en", "ko"]
LANGUAGES: dict[Language, str] = {"en": "English", "ko": "한국어"}
"""The languages with their own names."""
_SLIDES = frozenset({"pptx", "pptm", "ppsx"})
_SHEETS = frozenset({"xlsx", "xlsm"})


def message(key: str, language: Language, **values: object) -> str:
    """The message `key` in `language`, `values` filled in. Raises KeyError for an unknown key or a missing value."""
    text = texts(key)[language]
    return text.format(**values) if values else text


def texts(key: str) -> dict[Language, str]:
    """The message `key` in every language, nothing filled in. Raises KeyError for an unknown key."""
    english, korean = catalogue()[key]
    return {"en": english, "ko": korean}


def place_name(file: str, page: int, label: str, language: Language, plain: str = "answer.page") -> str:
    """A place in a document: its physical page, with the printed label beside it when they differ.

    Where a format has no printed pages it is the slide, the sheet or its cell, or the section and paragraph. `plain`
    is the message for a page.
    """
    suffix = file.rpartition(".")[2].lower()
    if suffix in _SLIDES:
        return message("answer.slide", language, page=page)
    if label and suffix in _SHEETS:
        return message("answer.cell" if "!" in label else "answer.sheet", language, label=label)
    if section := re.fullmatch(r"section (\d+), paragraph (\d+)", label):
        return message("answer.section", language, section=section[1], paragraph=section[2])
    if label and label != str(page) and plain == "answer.page":
        return message("answer.page_printed", language, page=page, label=label)
    return message(plain, language, page=page)


def price_text(cost: float | None, language: Language) -> str:
    """US dollars; an unknown price is said to be unknown."""
    return message("answer.price_unknown", language) if cost is None else f"${cost:.4f}"


def usage_text(usage: Usage, language: Language) -> str:
    """Tokens that were billed, and their price."""
    tokens = message("answer.tokens", language, input=usage.input_tokens, output=usage.output_tokens)
    return f"{tokens}, {price_text(usage.cost_usd, language)}"


def choose_language(setting: str, *detected: str | None) -> Language:
    """The language for a reader, the one place that decides it.

    `setting` is that of `--language` or `RAG_LANGUAGE`. Where it is `auto` the first of `detected` that the catalogue
    has wins: the question's language, then the browser's locale (`ko-KR`). English otherwise.
    """
    for code in (setting, *detected):
        match (code or "").lower().partition("-")[0]:
            case "ko":
                return "ko"
            case "en":
                return "en"
    return "en"


@cache
def catalogue() -> Mapping[str, tuple[str, str]]:
    """All messages by key: (English, Korean)."""
    from rag.messages import answers, documents, page, page_tabs, reports

    modules = (answers, documents, page, page_tabs, reports)
    return {key: pair for module in modules for key, pair in module.MESSAGES.items()}


def translated(sentence: str, language: Language) -> str:
    """An error or a reason, which are kept in English, in `language`; as it is where the catalogue lacks it.

    The parts of a reason (`a; b`) and the values in a sentence are translated by themselves.
    """
    if language == "en" or not sentence:
        return sentence
    for pattern, korean in _kept_in_english():
        if found := pattern.fullmatch(sentence):
            values = {name: translated(value, language) for name, value in found.groupdict().items()}
            return korean.format(**values)
    for separator in ("; ", ", "):
        parts = sentence.split(separator)
        if len(parts) > 1:
            told = [translated(part, language) for part in parts]
            known = separator == "; " or all(a != b for a, b in zip(parts, told, strict=True))
            return separator.join(told) if known else sentence
    return sentence


@cache
def _kept_in_english() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Pattern and Korean template of every error and reason; those with most words of their own first."""
    found: list[tuple[int, re.Pattern[str], str]] = []
    for key, (english, korean) in catalogue().items():
        if key.startswith(("reason.", "error.")):
            pieces = re.split(r"\{(\w+)\}", english)
            named = [f"(?P<{piece}>[^;]+?)" if i % 2 else re.escape(piece) for i, piece in enumerate(pieces)]
            found.append((sum(map(len, pieces[::2])), re.compile("".join(named)), korean))
    return tuple((pattern, korean) for _, pattern, korean in sorted(found, key=lambda one: -one[0]))
