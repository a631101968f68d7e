"""The message catalogue: every sentence shown to people, in English and Korean, and which language a reader gets.

    message("answer.page", "en", page=4)              # 'page 4'
    choose_language("auto", language_of(question))    # 'ko' for a Korean question

Keys begin with where the sentence is shown: `answer.` (with an answer, on every surface), `search.`, `command.` (the
command line), `page.` (the web page), `report.` and `metric.` (evaluation). Error sentences are English and stay with
the errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

Language = Literal["en", "ko"]
LANGUAGES: dict[Language, str] = {"en": "English", "ko": "한국어"}
"""The languages with their own names."""


def message(key: str, language: Language, **values: object) -> str:
    """The message `key` in `language`, `values` filled in. Raises KeyError for an unknown key or a missing value."""
    text = texts(key)[language]
    return text.format(**values) if values else text


def texts(key: str) -> dict[Language, str]:
    """The message `key` in every language, nothing filled in. Raises KeyError for an unknown key."""
    english, korean = catalogue()[key]
    return {"en": english, "ko": korean}


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
    from rag.messages import answers, page, reports

    return {key: pair for module in (answers, page, reports) for key, pair in module.MESSAGES.items()}
