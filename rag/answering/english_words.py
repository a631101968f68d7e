"""The words of an English sentence in comparable form, its clauses, and its phrases of time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from rag.answering import rewrites as words
from rag.text.patterns import lazy_compile
from rag.text.quantities import dates

_SPELLED = {
    word: str(value)
    for value, word in enumerate(
        re.findall(
            r"\S+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
            " seventeen eighteen nineteen twenty",
        )
    )
} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
}
_TENS = lazy_compile(r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-(\w+)\b")
_SCALES = {
    "thousand": 10**3,
    "million": 10**6,
    "mn": 10**6,
    "billion": 10**9,
    "bn": 10**9,
    "trillion": 10**12,
}
_CURRENCIES = {"$": "dollars", "US$": "dollars", "€": "euros", "£": "pounds", "¥": "yen", "₩": "won"}
_MONEY = lazy_compile(
    r"(?P<sign>US\$|[$€£¥₩])?\s?(?<![\w.,@-])(?P<figure>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d@-]|\.\d)"
    r"(?:\s(?P<scale>thousand|million|billion|trillion|mn|bn)\b)?",
    re.IGNORECASE,
)
_MAY = lazy_compile(r"\b(in|since|until|by|of|from|to|early|late|mid|last|next) May\b")
"""The month, which is not the verb."""
_BODIES = (
    "Studies|Affairs|Hall|Schools?|Sciences?|Department|Cent(?:er|re)|Committee|Council|Museum|Office|Commission|Relations"
    "|Institute|College|University|Club|Company|Party|Church|Library|Society|Association|Services?|Administration|Ministry"
    "|Board|Agency|Bureau|Faculty|Academy"
)
_JOINED_NAME = lazy_compile(
    rf"\b(?P<a>[A-Z][\w-]+) and (?=[A-Z][\w-]+ (?:{_BODIES})\b)"
    rf"|\b(?P<b>(?:{_BODIES}) (?:of|for) (?:the )?[A-Z][\w-]+) and (?=[A-Z])"
)
"""Names of bodies with an "and" in them, which is no list: half of such a name is another one."""
_TITLE = lazy_compile(r"[“\"][^“”\"\n]{1,80}[”\"]")
_TOKEN = lazy_compile(
    r"@[\d-]+@|\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*(?:st|nd|rd|th|s)?(?![a-z])|[$€£¥₩%]|'s\b|[^\W_]+(?:[-'.&/][^\W_]+)*"
    r"|[,;:()—–\"“”]"
)
YEAR = lazy_compile(r"[12]\d{3}s?")
_ORDINAL = lazy_compile(r"\d+(?:st|nd|rd|th)")
_TIMES = words.word_set(
    "century centuries decade decades summer winter spring autumn fall january february march april mayo june july"
    " august september october november december early late mid year month same monday tuesday wednesday thursday"
    " friday saturday sunday"
)
PUNCTUATION = frozenset(',;:()—–"“”')
DATED = words.word_set("in on during between from since until by after before")


def tokenize(text: str) -> list[str]:
    """The words, figures and marks of a sentence in comparable form; a date becomes `@2024-06-11@`."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'").replace("\n", " ")
    text = _JOINED_NAME.sub(lambda m: f"{m['a'] or m['b']}&", text)
    text = _TITLE.sub(lambda m: m[0].replace(" and ", "&"), text)
    for date in reversed(dates(text)):
        if date.value.count("-") >= 1 and not date.value.startswith("Q"):
            comma = "," if text[: date.end].rstrip().endswith(",") else ""  # "3 August, when": not the date's
            text = f"{text[: date.start]} @{date.value}@ {comma}{text[date.end :]}"
    text = _MONEY.sub(_amount, text)
    text = _MAY.sub(r"\1 Mayo", text)
    text = _TENS.sub(_joined_tens, text.casefold())
    text = re.sub(r"\b(\w+)\b(?!')", lambda m: _SPELLED.get(m[1], m[1]), text)
    for pattern, replacement in words.PHRASES:
        text = pattern.sub(replacement, text)
    text = re.sub(r"(?<=[a-z])'s\b", " 's", text)
    text = re.sub(r"(?<=s)'(?=\s)", " 's", text)
    return [token.replace(",", "") if token[0].isdigit() else token for token in _TOKEN.findall(text)]


def _amount(match: re.Match[str]) -> str:
    """`$31.5 million` and `31,500,000 dollars` as one figure with one unit."""
    figure = Decimal(match["figure"].replace(",", "")) * _SCALES.get((match["scale"] or "").casefold(), 1)
    unit = _CURRENCIES.get(match["sign"] or "", "")
    return f" {figure.normalize():f} {unit} "


def _joined_tens(match: re.Match[str]) -> str:
    """`twenty-five` as 25; `twenty-fifth` stays."""
    ones = _SPELLED.get(match[2], "")
    return str(int(_SPELLED[match[1]]) + int(ones)) if len(ones) == 1 else f"{match[1]}_{match[2]}"


@dataclass(frozen=True)
class Source:
    """The tokens of the sentence that a claim is to follow from."""

    tokens: tuple[str, ...]

    @cached_property
    def clauses(self) -> tuple[int, ...]:
        """For each token the number of its clause."""
        number, found = 0, []
        for i, word in enumerate(self.tokens):
            after = self.tokens[i + 1] if i + 1 < len(self.tokens) else ""
            verb = i + 1
            if after == "," and "," in self.tokens[i + 2 :]:  # "and, after delays, ratified"
                verb = i + 3 + self.tokens[i + 2 :].index(",")
            verbal, further = (*self.tokens[verb : verb + 2], "", "")[:2]
            comma = word == "," and (after in words.CLAUSE_OPENERS or after in words.RELATIVES)
            shared = word in ("and", "but", "or") and is_past(verbal) and not is_past(further)
            relative = word in ("which", "who", "whose", "while", "whereas", "because", "although", "though")
            if word == ";" or comma or shared or (relative and self.tokens[i - 1] != ","):
                number += 1
            found.append(number)
        return tuple(found)

    @cached_property
    def adjuncts(self) -> tuple[tuple[int, int], ...]:
        """The ranges of its phrases of time, such as `in the summer of 1521`."""
        return tuple(adjuncts(self.tokens))


def is_past(token: str) -> bool:
    """Whether the word has the form of a past tense or participle."""
    regular = token.endswith("ed") and len(token) > 4 and token not in words.NOT_PAST
    return regular or token in words.PAST or token in words.PARTICIPLES


def adjuncts(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The ranges (start, end) of the phrases that say when."""
    i = 0
    while i < len(tokens):
        end = i + 1
        if tokens[i] in DATED:
            end = time_end(tokens, i + 1)
        if end > i + 1:
            yield i, end
        i = max(end, i + 1)


def time_end(tokens: Sequence[str], start: int) -> int:
    """Where a phrase of time that begins before `start` ends; `start` when there is none."""
    timed, i = start, start
    while i < len(tokens):
        token = tokens[i]
        if token[0] == "@" or YEAR.fullmatch(token) or token in _TIMES:
            timed = i + 1
        elif not (token in ("the", "of", "and") or _ORDINAL.fullmatch(token)):
            break
        i += 1
    return timed
