"""What a question's language and words are, for showing results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.cli.messages import Language

if TYPE_CHECKING:
    from rag.settings import Settings

# Endings that a Korean noun carries in a question but not on the page; longest first.
_PARTICLE = re.compile(
    r"(?<=[가-힣]{2})(?:에서는|으로는|이라는|에게서|까지|부터|에서|에게|으로|처럼|보다|은|는|이|가|을|를|의|에|와|과|도|로)$"
)
_TOO_COMMON = frozenset(
    "a an and are at by did do does for from has have how in is it many much of on or the to was were what when "
    "where which who why with 무엇 어디 언제 누가 어떤 얼마 얼마나 몇".split()
)


def language_for(question: str, settings: Settings) -> Language:
    """The language to speak: the setting, or that of the question."""
    if settings.language != "auto":
        return settings.language
    from rag.text.language import language_of

    return "ko" if language_of(question) == "ko" else "en"


def terms_of(question: str) -> list[str]:
    """The words worth marking in a passage."""
    words = (_PARTICLE.sub("", word) for word in re.findall(r"[\w.%-]*\w", question))
    return [word for word in words if word.lower() not in _TOO_COMMON]
