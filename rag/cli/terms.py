"""What a question's language and words are, for showing results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.cli.messages import Language

if TYPE_CHECKING:
    from rag.settings import Settings


def language_for(question: str, settings: Settings) -> Language:
    """The language to speak: the setting, or that of the question."""
    if settings.language != "auto":
        return settings.language
    from rag.text.language import language_of

    return "ko" if language_of(question) == "ko" else "en"


def terms_of(question: str) -> list[str]:
    """The words of a question that are worth marking in a passage; Korean ones without their particle."""
    from rag.text.keywords import STOP_WORDS
    from rag.text.language import without_particle

    words = (without_particle(word) for word in re.findall(r"[\w.%-]*\w", question))
    return [word for word in words if word.casefold() not in STOP_WORDS]
