"""The language of a text, and which Korean syllables after a noun are its particles.

Korean glues particles (josa) and endings to words. A quote may stop before them, and a keyword is better
without them. The lists follow the standard grammar's classes; no dictionary is needed.
"""

from __future__ import annotations

import re
from typing import Literal

from rag.messages import Language as ReaderLanguage
from rag.messages import choose_language
from rag.text.patterns import lazy_compile

Language = Literal["ko", "en", "other"]

_HANGUL = lazy_compile("[가-힣ㄱ-ㆎ\u1100-\u11ff]")
_LATIN = lazy_compile("[A-Za-z]")
_LETTER = lazy_compile(r"[^\W\d_]")

KOREAN_SHARE = 0.5
"""Share of Hangul among the letters from which a text is Korean, whatever stands beside it."""
_ENGLISH_WORD = lazy_compile(
    r"\b(?:the|of|is|are|was|were|what|which|who|how|does|did|in|to|for|and)\b", re.IGNORECASE
)


def language_of(text: str) -> Language:
    """`ko`, `en` or `other`, by the scripts of the letters. A text without letters is `other`.

    A question such as "2023년 EBITDA는?" is Korean: its grammar is, whatever its terms are. With Hangul in
    the minority the words between decide: "What does 대한민국 mean?" is English.
    """
    letters = len(_LETTER.findall(text))
    if not letters:
        return "other"
    hangul = len(_HANGUL.findall(text))
    if hangul >= KOREAN_SHARE * letters or (hangul >= 0.05 * letters and not _ENGLISH_WORD.search(text)):
        return "ko"
    # Accented letters count as other scripts do: a little of them is a name, much is another language.
    return "en" if len(_LATIN.findall(text)) + hangul >= 0.9 * letters else "other"


def language_for(question: str, setting: str) -> ReaderLanguage:
    """In which language a reader is told about `question`: the one that is set, else that of the question."""
    return choose_language(setting, language_of(question))


_CASE = (
    "이|가|을|를|의|에|에서|에게|에게서|께|께서|한테|한테서|로|으로|로서|으로서|로써|으로써|와|과|랑|이랑|하고|보다|처럼"
    "|만큼|같이|라고|이라고|고|에다|에다가"
)
_AUXILIARY = (
    "은|는|도|만|까지|부터|조차|마저|밖에|뿐|마다|이나|나|이나마|이란|란|이라도|라도|이든|이든지|든지|이야|야|대로|씩|들"
    "|끼리|쯤|가량|여|간|당|측|적|별|상|님"
)
_COPULA = (
    "이다|다|입니다|이며|며|이고|이었다|였다|이었던|였던|이었으며|였으며|이었고|였고|인|일|임|이라는|라는|이라|라|이라서|라서"
    "|이지만|지만|이자|자|이면|면|이므로|므로|이니|인데|인가|인지|일까|이냐|이었으나|였으나|이나|이어서|여서|이었지만|였지만"
    "|이라며|라며|이었습니다|였습니다|이에요|예요|이죠"
)
_PARTICLES = lazy_compile(f"(?:들)?(?:{_CASE}|{_AUXILIARY}|{_COPULA})?(?:{_CASE}|{_AUXILIARY}|{_COPULA})?")
# "하다", "되다" and "시키다" turn the noun before them into a verb; whatever ending follows is theirs.
_VERBALISER = lazy_compile("(?:하|한|할|함|합|해|했|되|된|될|됨|됩|돼|됐|시키|시킨|시킬|시켜|시켰)[가-힣]*")

_AFTER_NUMBER = lazy_compile(
    "(?:으로|로|은|는|이|가|을|를|의|에|에서|에게|과|와|까지|부터|보다|이다|이며|이고|이었다|였다)"
)

_STRIPPED = (
    "으로부터|에서부터|에게서는|에서는|에서도|에게는|에게도|으로는|으로도|으로서|으로써|까지는|까지도|부터는"
    "|이라는|이라고|에서의|에게서|로부터|로서의|에서|에게|께서|한테|으로|로서|로써|까지|부터|보다|처럼|만큼"
    "|조차|마저|밖에|이나|이란|라는|라고|이며|이고|이다|였다|와의|과의|와는|과는|에는|에도|에만|로는|로도|만을"
    "|만이|들은|들이|들을|들의|들에|들과|들도|이라|은|는|이|가|을|를|의|에|로|와|과|도|만"
)
_STRIP = lazy_compile(f"^([가-힣]{{2,}}?)(?:{_STRIPPED})$")


def is_particle(suffix: str, *, after_number: bool = False) -> bool:
    """Whether Hangul glued to the end of a noun is only particles, the copula, or a verb-making ending.

    After a number a syllable is more often a unit (15일, 20도), so fewer are taken for particles there.
    """
    if after_number:
        return bool(_AFTER_NUMBER.fullmatch(suffix))
    return bool(_PARTICLES.fullmatch(suffix) or _VERBALISER.fullmatch(suffix))


def without_particle(word: str) -> str:
    """The word without the longest particle at its end, if two syllables or more are left."""
    match = _STRIP.match(word)
    return match[1] if match else word
