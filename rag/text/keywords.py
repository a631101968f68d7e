"""Keyword tokens for BM25, for English, Korean and scripts written without spaces.

Words of spaced scripts are case-folded, lose diacritics and a plural s. Hangul words become character
bigrams, which find a noun whatever particles cling to it without a dictionary (measured on KorQuAD pages: as
good as morphemes, far better than words); so do Han, kana, Thai, Lao and Khmer runs. The tokens hold no white
space, so that an index can keep them with a white-space tokeniser.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from rag.text.language import is_particle, without_particle
from rag.text.normalise import INVISIBLE, SOFT_HYPHENS
from rag.text.patterns import lazy_compile

TOKENISER_ID = "keywords-2"
"""Names this scheme in an index. Any change to what `indexed_tokens` makes of any text needs a new name."""

PARTICLE_WEIGHT = 0.3
"""Weight in a query of a Hangul bigram that reaches into a particle (KorQuAD page hit@1 0.938 to 0.948)."""

_ACCENTED = lazy_compile("[\u00c0-\u024f\u0370-\u03ff\u1e00-\u1fff]")
_HYPHENATION = lazy_compile(rf"(?<=[^\W\d_])(?:[{SOFT_HYPHENS}]\s*|-[^\S\n]*\n\s*)(?=[^\W\d_])")
_UNSPACED = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0eff\u1780-\u17ff"
)
_LETTER = rf"[^\W\d_가-힣{_UNSPACED}]"
_TOKEN = lazy_compile(
    rf"(?P<hangul>[가-힣]+)"
    rf"|(?P<unspaced>[{_UNSPACED}]+)"
    rf"|(?P<initials>(?:{_LETTER}\.)+{_LETTER}(?!{_LETTER})\.?)"
    rf"|(?P<code>(?:\d+-{_LETTER}(?!{_LETTER})"
    rf"|(?:\d+{_LETTER}|{_LETTER}+(?:-\d|\d|&{_LETTER}))(?:{_LETTER}|\d|[-&./](?=\d))*))(?:'s(?!{_LETTER}))?"
    rf"|(?P<number>\d+(?:,\d{{3}}(?!\d))*(?:\.\d+)*%?)"
    rf"|(?P<word>{_LETTER}+(?:'{_LETTER}+)?)"
)
_COUNT = lazy_compile(r"(?<![a-z\d.,])(?P<number>\d+(?:,\d{3}(?!\d))*(?:\.\d+)*)(?P<unit>[가-힣]+)")
_CODE_PART = lazy_compile(rf"{_LETTER}{{2,}}|\d+(?:\.\d+)+|\d{{2,}}")

STOP_WORDS = frozenset(
    re.findall(
        r"\S+",
        "a about after all also an and any are as at be been before being between both but by can"
        " could did do does doing during each every for from had has have having he her here hers him"
        " his how i if in into is it its me might more most much must my no nor not of on only or"
        " other our out over own per please same shall she should so some such tell than that the"
        " their them then there these they this those through to too under until up upon very was we"
        " were what when where whether which while who whom whose why will with would you your",
    )
)
"""English words that a query leaves out: they stand in nearly every passage and slow the search."""

_KOREAN_QUESTION = lazy_compile(
    "(?:무엇|무슨|누구|누가|어디|언제|어느|어떤|어떻게|어떠|얼마|왜|몇|뭐|뭘|알려|설명해|무었)[가-힣]{0,6}"
    "|(?:인가|입니까|인가요|일까요|있는가|있나요|있습니까|있을까요|없나요|되는가|되나요|됩니까|될까요|하는가|하나요"
    "|합니까|할까요|했는가|했나요|하였는가|되었는가|됐나요|였는가|였나요|이었는가)"
)


STEM = 5
"""First letters that two forms of a word share at least ("invented", "invention")."""
STEM_SHARE = 0.7
"""Likewise as a share of the shorter form: "globstar" is no form of "globskipdots"."""


def same_stem(word: str, other: str) -> bool:
    """Whether two words begin so much alike that they are likely forms of one."""
    shorter = min(len(word), len(other))
    if shorter < STEM or word[:STEM] != other[:STEM]:
        return False
    length = math.ceil(STEM_SHARE * shorter)
    return word[:length] == other[:length]


def keyword_tokens(text: str) -> list[str]:
    """The tokens of a passage, in order, repeats included."""
    return _tokens(_folded(text))


def indexed_tokens(text: str) -> list[str]:
    """The tokens of a passage by which an index finds it: `keyword_tokens`, and counts with their units."""
    folded = _folded(text)
    return _tokens(folded) + [token for token, _ in _counts(folded)]


def searched_terms(text: str) -> dict[str, float]:
    """The tokens of a question with which an index is searched: `query_terms`, and counts with their units."""
    counts = {
        token: 1.0 for token, unit in _counts(_folded(text)) if not is_particle(unit, after_number=True)
    }
    return query_terms(text) | counts


def _tokens(folded: str) -> list[str]:
    tokens: list[str] = []
    for match in _TOKEN.finditer(folded):
        kind = match.lastgroup
        if kind:
            tokens += _expanded(kind, match[kind])
    return tokens


def _counts(folded: str) -> Iterator[tuple[str, str]]:
    """Numbers with the first syllable of the Hangul glued to them, and that Hangul.

    Apart, the number and the unit of 제15대, 7조 or 3호선 stand on every other page; together they name one thing.
    """
    for match in _COUNT.finditer(folded):
        yield match["number"].replace(",", "") + match["unit"][0], match["unit"]


def query_terms(text: str) -> dict[str, float]:
    """The distinct tokens of a question with their weights (1, or less for what is hardly about anything).

    Stop words and question words are left out, unless nothing else is there.
    """
    terms, everything = _asked(text)
    return terms or everything


def has_search_terms(text: str) -> bool:
    """Whether a question has a word to search for beside stop words and question words."""
    return bool(_asked(text)[0])


def _asked(text: str) -> tuple[dict[str, float], dict[str, float]]:
    """The weighted tokens of a question without and with stop words and question words."""
    terms: dict[str, float] = {}
    everything: dict[str, float] = {}
    folded = _folded(text)
    for match in _TOKEN.finditer(folded):
        kind = match.lastgroup or "word"
        word = match[kind]
        glued = kind == "hangul" and folded[match.start() - 1 : match.start()].isalnum()
        idle = word in STOP_WORDS or (glued and is_particle(word, after_number=True))
        idle = idle or (kind == "hangul" and _KOREAN_QUESTION.fullmatch(word) is not None)
        for token, weight in _weighted(kind, word):
            everything[token] = max(weight, everything.get(token, 0.0))
            if not idle:
                terms[token] = max(weight, terms.get(token, 0.0))
    return terms, everything


def _folded(text: str) -> str:
    """Case, compatibility forms, diacritics, hyphenation and quotation marks out of the way."""
    text = _HYPHENATION.sub("", text)
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold().replace("’", "'")
    return _ACCENTED.sub(lambda m: _bare(m[0]), text)


@lru_cache(maxsize=1024)
def _bare(letter: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", letter) if not unicodedata.combining(c))


@lru_cache(maxsize=65536)
def _expanded(kind: str, word: str) -> tuple[str, ...]:
    """The tokens of one match of `_TOKEN`."""
    if kind in ("hangul", "unspaced"):
        return tuple(word[i : i + 2] for i in range(len(word) - 1)) or (word,)
    if kind == "word":
        return (_singular(word),)
    if kind == "number":
        plain = word.replace(",", "")
        return (plain, plain[:-1]) if plain.endswith("%") else (plain,)
    if kind == "initials":
        return (word.replace(".", ""),)
    # A code is found whole, however it is punctuated, and by its parts: RT-21 as rt21, rt and 21.
    whole = re.sub(r"[-/]", "", word)
    return (whole, *(part for part in _CODE_PART.findall(word) if part != whole))


def _weighted(kind: str, word: str) -> list[tuple[str, float]]:
    tokens = _expanded(kind, word)
    if kind != "hangul":
        return [(token, 1.0) for token in tokens]
    whole = max(len(without_particle(word)) - 1, 1)
    return [(token, 1.0 if i < whole else PARTICLE_WEIGHT) for i, token in enumerate(tokens)]


def _singular(word: str) -> str:
    """Without possessive and plural s: the S stemmer of Harman, "How effective is suffixing?" (1991)."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) <= 3 or not word.endswith("s"):
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    return word[:-1] if word[-2] not in "us" else word
