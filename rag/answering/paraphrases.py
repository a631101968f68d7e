"""Other words for the words of a question: people get rid of what a manual deletes, and turn off what it disables.

The groups of words are in `paraphrases.yaml`. The other forms of a verb belong to it as well, where they have too
little in common with it as letters: "write" is found as "written", 나눌 as 나누고, 나눈다 and 나눠.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rag.answering.rewrites import BASES, PARTICIPLES
from rag.text.keywords import STEM, keyword_tokens
from rag.text.patterns import lazy_compile

Alike = Mapping[str, frozenset[str]]
"""Tokens of a question, and for each the tokens of other words for the same."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Words and phrases that mean the same."""

    words: tuple[str, ...]
    korean: bool

    def find(self, question: str) -> Iterator[re.Match[str]]:
        """Those of the group in a question. Few groups have one, and a pattern takes a while to make."""
        if any(word.split()[0].removesuffix("e") in question.casefold() for word in self.words):
            yield from _pattern(self).finditer(question)


def other_words(question: str) -> Alike:
    """For the tokens of each known word or phrase of a question those of the other words of its group."""
    result: dict[str, frozenset[str]] = {}
    for group in _groups():
        for match in group.find(question):
            asked = match[0].casefold()
            others = frozenset(
                _telling(word)
                for word in group.words
                if " " not in word and not asked.startswith(word[:STEM])
            )
            for token in keyword_tokens(asked):
                result[token] = result.get(token, frozenset()) | others
    return result


def alike(question: str) -> Alike:
    """`other_words` of a question, and the other forms of its verbs."""
    result = dict(other_words(question))
    irregular = _irregular()
    english = ((token, irregular[token]) for token in keyword_tokens(question) if token in irregular)
    for token, others in (*english, *_verb_forms(question)):
        result[token] = result.get(token, frozenset()) | others
    return result


@cache
def _irregular() -> Mapping[str, frozenset[str]]:
    """For each form of an irregular English verb the others: write, wrote and written."""
    verbs: dict[str, set[str]] = {}
    for form, past in (*BASES.items(), *PARTICIPLES.items()):
        verbs.setdefault(past, {past}).add(form)
    return {form: frozenset(forms - {form}) for forms in verbs.values() for form in forms if len(forms) > 1}


_VERB = lazy_compile(
    r"(?<![가-힣])(?P<stem>[가-힣]{2,4}?)(?:는|려면|려고|면|고|지|기|게|도록|던|시면|나요|는지|ㅂ니까)?(?![가-힣])"
    r"|(?<![가-힣])(?P<linked>[가-힣]{2,4}?)(?:서|야|도|요|라)(?![가-힣])"
)
_FIRST, _VOWELS, _TAILS = ord("가"), 588, 28
_CONTRACTED = {13: 14, 20: 6, 8: 9, 11: 10, 18: 4, 0: 0}
"""Vowels at the end of a stem (ㅜ, ㅣ, ㅗ, ㅚ, ㅡ, ㅏ) and what they become before 어, numbered as in Unicode."""
_STEM_TAILS = (0, 4, 8, 17)
"""Consonants that endings add to a stem: none, ㄴ, ㄹ, ㅂ."""
_LINKED_TAILS = (0, 20)
"""Those that they add to its contraction: none, ㅆ."""
_PARTICLES = "을를은이가의에로과와도만"
"""Syllables that a noun ends with more often than a verb."""


def _verb_forms(question: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The last two letters of what may be a verb, as the question writes them, and as other endings would."""
    for match in _VERB.finditer(question):
        written = (match["stem"] or match["linked"])[-2:]
        if written[1] in _PARTICLES:
            continue
        lead, rest = divmod(ord(written[1]) - _FIRST, _VOWELS)
        vowel, tail = divmod(rest, _TAILS)
        linked = {after: before for before, after in _CONTRACTED.items() if after}
        if vowel in linked and vowel != 4 and tail in _LINKED_TAILS:
            vowel, tail = linked[vowel], 0
        if vowel in _CONTRACTED and tail in _STEM_TAILS:
            begin = _FIRST + lead * _VOWELS
            syllables = [begin + vowel * _TAILS + t for t in _STEM_TAILS]
            syllables += [begin + _CONTRACTED[vowel] * _TAILS + t for t in _LINKED_TAILS]
            yield written, frozenset(written[0] + chr(s) for s in syllables) - {written}


def _telling(word: str) -> str:
    """The token that tells most of a word: of the pairs of letters of a Korean one the second, when it has more."""
    tokens = keyword_tokens(word)
    return tokens[min(1, len(tokens) - 1)]


@cache
def _groups() -> tuple[_Group, ...]:
    from rag.text.nesting import safe_load  # YAML takes a while to import

    rows = safe_load((files("rag.answering") / "paraphrases.yaml").read_text(encoding="utf-8"))
    return tuple(_Group(tuple(row), language == "ko") for language in ("en", "ko") for row in rows[language])


@cache
def _pattern(group: _Group) -> re.Pattern[str]:
    words = [re.escape(word) if group.korean else _forms(word) for word in group.words]
    before, after = ("(?<![가-힣])", "") if group.korean else (r"\b", r"\b")
    return re.compile(f"{before}(?:{'|'.join(words)}){after}", re.IGNORECASE)


def _forms(words: str) -> str:
    """The forms of an English word or phrase, whose first word is its verb: "gets rid of", "removing"."""
    first, *rest = words.split()
    stem = re.escape(first.removesuffix("e")) + ("e?" if first.endswith("e") else "")
    return r"\s".join([f"{stem}{first[-1]}?(?:s|es|d|ed|ing)?", *rest])
