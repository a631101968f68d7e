"""Questions for what a thing is or does, and the sentences that say it.

"What does tasksel do?" is answered by a sentence of which tasksel is the subject, or that stands under it as its
label; that it is mentioned ("the tasksel dialog") does not answer.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rag.text.patterns import lazy_compile

_THING = r"(?:(?:the|an?)\s)?(?P<thing>[^\s?,][^?,]{0,48}?)"
_ASKS_USE = (
    lazy_compile(
        rf"^what\s(?:do|does|did)\s{_THING}\s(?:do|mean|stand\sfor|refer\sto)\b(?:.{{0,20}})?[?\s]*$",
        re.IGNORECASE,
    ),
    lazy_compile(rf"^what\s(?:is|are)\s{_THING}\s(?:used\s)?for[?\s]*$", re.IGNORECASE),
)
_ASKS_WHAT = (
    lazy_compile(
        rf"^what\s(?:is|are)\sthe\s(?:purpose|function|role|job|meaning|definition)\sof\s{_THING}[?\s]*$",
        re.IGNORECASE,
    ),
    lazy_compile(
        r"^what\s(?:is|are)\s(?:an?\s)?(?P<thing>(?!the\b)[^\s?,]+(?:\s[^\s?,]+){0,2})[?\s]*$", re.IGNORECASE
    ),
    lazy_compile(
        r"^(?P<thing>\S+?(?:\s\S+?){0,2}?)(?:이란|란|은|는|이|가)\s?(?:무슨|어떤|무엇|뭐|뭘|어디에)\s?"
        r"(?:(?:뜻|의미|일|역할|기능|용도|도구|장치|것|을|를|에|인지|인가요|입니까|이에요|예요|죠|야|하|쓰|사용)\S{0,6}\s?){0,3}[?\s]*$"
    ),
    lazy_compile(
        r"^(?P<thing>\S+?(?:\s\S+?){0,2}?)의\s(?:뜻|의미|정의|역할|기능|용도)[은는이가]\s\S+[?\s]*$"
    ),
)
_ATTRIBUTE = lazy_compile(
    r"\b(?:of|for|in|on|at|by|with|from|is|are|was|allowed|there)\b|[가-힣]의\s", re.IGNORECASE
)
"""What a thing is no longer named by alone: an attribute of it is asked for."""
_KIND = (
    r"(?:option|command|function|variable|parameter|setting|method|tool|program|package|key|file|도구|옵션)s?"
)
_KINDS = lazy_compile(
    rf"^(?:\S+\s){{0,2}}?(?:option|command|function|variable|parameter|setting|method)\s(?=\S+$)|\s{_KIND}$",
    re.IGNORECASE,
)
"""What a thing that does something is called beside its name: "the shopt option globstar", "the globstar option"."""
_VERB = (
    r"(?:(?:also|then|only|usually|simply)\s)?(?:(?:is|are|was|were)\s(?:an?|the|one|used|responsible|for|meant|intended"
    r"|designed|known|called|what|when|where|how)\b|means?|refers?|stands?|can|will|allows?|lets?|enables?"
    r"|provides?|controls?|specif(?:y|ies)|sets?|determines?|makes?|helps?|causes?|contains?|holds?|defines?|describes?"
    r"|handles?|manages?|checks?|runs?|reads?|writes?|prints?|shows?|sends?|returns?|creates?|converts?|protects?|measures?"
    r"|stores?|takes?|gives?|keeps?|removes?|adds?|starts?|stops?|tells?|serves?|acts?|works?)\b"
)


_IDENTIFIER = lazy_compile(
    r"""
    (?<![\w.-]) (?: --?\w[\w-]* | [A-Za-z]\w+(?:[._][A-Za-z]\w+)+ )  # an option, a name with dots or low lines
    | (?<![\w%]) %[A-Za-z]\b  # a directive, as of a date's format
    | (?<![^\s'"`]) (?: // | \*\* | [=!<>]= | [=<>^|@~] ) (?![^\s'"`])  # an operator by itself or in quotes
    """,
    re.VERBOSE | re.ASCII,  # a Korean particle behind a name is no part of it
)
_PLACEHOLDER = lazy_compile(r"\s*[\[<({=|,].*$", re.DOTALL)


def identifiers(text: str) -> frozenset[str]:
    """The options of programs, names with dots or low lines, directives and operators in a text (-B, --backup,
    gc.auto, %Y, //); capital letters are told from small ones in options and directives."""
    return frozenset(name if name[0] in "-%" else name.casefold() for name in _IDENTIFIER.findall(text))


def asked_thing(question: str) -> str:
    """The thing of which a question asks what it is or does; "" for any other question."""
    for asks in (*_ASKS_USE, *_ASKS_WHAT):
        found = asks.match(question.strip())
        if found and not _ATTRIBUTE.search(found["thing"]):
            return _KINDS.sub("", found["thing"]).strip() if asks in _ASKS_USE else found["thing"]
    return ""


def says_what(thing: str, sentence: str, label: str) -> bool:
    """Whether a sentence says what the thing is or does. `label` is the term that the sentence stands under."""
    if not thing:
        return False
    if thing.startswith("-"):
        head, colon, _ = sentence.partition(": ")
        return thing in identifiers(f"{label} {head}" if colon else label)
    name, term = thing.casefold(), _PLACEHOLDER.sub("", label).casefold()
    described = bool(term) and f" {name}".endswith(f" {term}")  # `git stash pop`, under `pop [--index]`
    return described or any(saying.search(sentence) for saying in _saying(thing))


@lru_cache(maxsize=64)
def _saying(thing: str) -> tuple[re.Pattern[str], ...]:
    """Subject of a clause, given as a name, standing before what explains it, or the topic of a Korean sentence."""
    name = r"\s+".join(map(re.escape, thing.split()))
    words = rf"(?:{name}|{name.removesuffix('s')}(?:s|es)?)"
    subject = rf"[\"'“‘]?\b{words}\b[\"'”’]?(?:\s{_KIND})?(?:\s\([^)]*\))?"
    korean = rf"[\"'“‘]?{name}[\"'”’]?(?:\s{_KIND})?(?:\s?\([^)]*\))?"
    return (
        re.compile(rf"(?:^\W*|[,;:]\s)(?:the\s|an?\s)?{subject},?\s(?:(?:which|that)\s)?{_VERB}", re.I),
        re.compile(
            rf"\b(?:called|known\sas|termed|named)\s(?:the\s|an?\s)?{subject}|\bruns?\s{subject}\sto\b", re.I
        ),
        re.compile(rf"^{subject}(?::\s|\s[–—-]\s|(?<![A-Z]\w)\s(?=[A-Z][a-z]+\s))"),
        re.compile(
            rf"(?:^|[.!?,]\s){korean}(?:이란|란|은|는)(?=\s)|{name}(?:이라고|라고)\s?(?:한다|합니다|부르|부른|하며|불)"
        ),
    )
