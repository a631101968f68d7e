"""The words of the page, in English and Korean."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal

import yaml

Language = Literal["en", "ko"]
LANGUAGES: dict[Language, str] = {"en": "English", "ko": "한국어"}


def say(key: str, language: Language, **values: object) -> str:
    """The words `key` in `language`, filled in. Raises KeyError for words that there are not."""
    english, korean = _words()[key]
    text = korean if language == "ko" else english
    return text.format(**values) if values else text


def language_for(setting: str, browser: str | None) -> Language:
    """The language to begin with: the setting's, or the browser's."""
    if setting != "auto":
        return "ko" if setting == "ko" else "en"
    return "ko" if (browser or "").lower().startswith("ko") else "en"


@lru_cache(maxsize=1)
def _words() -> dict[str, tuple[str, str]]:
    text = files(__package__).joinpath("words.yaml").read_text(encoding="utf-8")
    return {key: (str(pair[0]), str(pair[1])) for key, pair in yaml.safe_load(text).items()}
