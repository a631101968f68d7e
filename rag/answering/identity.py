"""Whether a sentence is about the same thing, model, year or month that the question names, or about another one.

A manual of the MS-70 says much that a question about the MS-90 asks for, and last year's report answers this year's
question word for word. A different one of the same kind speaks against a sentence; that none is named does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.text.language import without_particle
from rag.text.patterns import lazy_compile
from rag.text.quantities import dates

_CODE = lazy_compile(r"(?<![A-Za-z0-9])([A-Za-z]{1,6})[- ]?(\d{1,5})([A-Za-z]?)(?![A-Za-z0-9]|[-/.]\d)")
"""A model: letters and figures, such as MS-90, RC 200 or iX3. Written together or with a hyphen or space."""
_NUMBERED = lazy_compile(
    r"\b(?:code|error|status)\s(?:(?:is|was|of|=)\s)?(?P<en>\d{1,4})\b"
    r"|(?:코드|오류|에러)(?:[가는은이]|\s번호)?\s?(?P<ko>\d{1,4})(?!\d)|(?P<before>\d{1,4})번?\s?(?:코드|오류|에러)",
    re.IGNORECASE,
)
"""A code of an error or the like, told by its number."""
_YEAR = lazy_compile(r"(?<![\d,.])((?:19|20)\d\d)(?!\d|[.,]\d)")


_COMPARED = lazy_compile(
    r"\([^()]*?(?:19|20)\d\d\s?:[^()]*\)"
    r"|\b(?:than|compared (?:with|to)|against|since)\s(?:in\s|the year\s)?(?:19|20)\d\d(?!\d)"
    r"|(?:19|20)\d\d년?(?:보다|\s?대비|에 비해|과 비교|\s이후)",
    re.IGNORECASE,
)
"""A year that another is compared with: "(2023: 96)", "less than in 2023", "the first since 2019"."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names that has others of its kind."""

    models: frozenset[tuple[str, str]] = frozenset()
    """Letters and figures of models, in small letters."""
    years: frozenset[str] = frozenset()
    months: frozenset[str] = frozenset()
    """As YYYY-MM, or --MM without a year."""
    compared: frozenset[str] = frozenset()
    """Of the years those that another one is only compared with."""

    def __bool__(self) -> bool:
        return bool(self.models or self.years)


def named(text: str) -> Named:
    """The models, years and months that a text names."""
    models = {
        (match[1].casefold(), match[2] + match[3].casefold())
        for match in _CODE.finditer(text)
        if match[1].isupper() or "-" in match[0] or not match[0][0].islower()
    }
    models |= {("code", m["en"] or m["ko"] or m["before"]) for m in _NUMBERED.finditer(text)}
    years = frozenset(_YEAR.findall(text))
    months = frozenset(date.value[:7] if date.value[0] != "-" else date.value[:4] for date in dates(text))
    return Named(
        frozenset(m for m in models if m[0] not in _WORDS),
        years,
        frozenset(month for month in months if re.search(r"-\d\d$", month)),
        years - frozenset(_YEAR.findall(_COMPARED.sub(" ", text))),
    )


_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and at by for from in is of on or the to page pages no p section chapter figure fig table step article"
        " item plot room jan feb mar apr may june july aug sept oct nov dec fy q act rule part day level",
    )
)
"""Words before a number that do not make it the name of a model."""


def conflict(asked: Named, levels: Sequence[Named]) -> float:
    """1 when the nearest level that names one of a kind names only others than the question asks for, else 0.

    `levels` go from the sentence outwards: it and the one before it, its heading, the title of its document.
    """
    return float(
        any(_other_model(model, levels) for model in asked.models)
        or any(_other(year, (_years(level, year) for level in levels)) for year in asked.years)
        or any(_other(month, (level.months for level in levels)) for month in asked.months)
    )


def _years(level: Named, wanted: str) -> frozenset[str]:
    """The years that a level is about: the one wanted, also when it is there for comparison only."""
    return level.years if wanted in level.years else level.years - level.compared


def _other_model(model: tuple[str, str], levels: Sequence[Named]) -> bool:
    of_kind = ({found for found in level.models if found[0] == model[0]} for level in levels)
    return _other(model, of_kind)


def _other(wanted: object, levels: Iterable[Iterable[object]]) -> bool:
    for level in levels:
        found = set(level)
        if found:
            return wanted not in found
    return False


_TOPIC = lazy_compile(
    r"[^가-힣A-Za-z]*+(?P<topic>[가-힣A-Za-z0-9]+(?:\s[가-힣A-Za-z0-9]+){0,2}?)(?<![하되있없시받들나주오가보지리치키르에서로와과게])(?:은|는)\s"
)
_SUBJECT = lazy_compile(r"(?<![가-힣A-Za-z0-9])([가-힣A-Za-z0-9]{2,})(?:이|가)(?=\s)")
_WORD = lazy_compile(r"[가-힣A-Za-z0-9]{2,}")


def topic(sentence: str) -> frozenset[str]:
    """The words of a Korean sentence's topic (독서실은 ...); none when it has none."""
    found = _TOPIC.match(sentence)
    words = found["topic"].split() if found else []
    return frozenset(words) if words and len(words[-1]) > 1 else frozenset()


def subjects(sentence: str) -> frozenset[str]:
    """The nouns of a Korean sentence with the particle of a subject (셔틀버스가 오간다)."""
    return frozenset(_SUBJECT.findall(sentence))


def other_topic(question: str, topics: frozenset[str], own: frozenset[str], told: str) -> bool:
    """Whether the question names one of the text's `topics`, but a sentence with the topic `own` is about another.

    `told` is the sentence with its headings: when it names what the question names, it is about that.
    """
    if not own or any(word in question for word in own):
        return False
    asked = {without_particle(word) for word in _WORD.findall(question)} & topics
    return bool(asked) and not any(word in told for word in asked)
