"""Takes a question that holds several apart, by rule: two clauses that both ask, or several things named together."""

from __future__ import annotations

import re

from rag.pipeline.rewriting import NAMED
from rag.text.patterns import lazy_compile

MOST = 4
"""Parts that are searched at most."""
_WH = r"(?:what|when|where|which|who|whose|whom|how|why)"
_LEAD = r"(?:(?:in|at|on|to|for|from|by|of|with|under|during|about|after|according to|since|until)\s+)?"
_ORDER = r"(?:name|list|give|tell me|describe|explain)"
_AND_ASKS = lazy_compile(
    rf"[,;]?\s+(?:and|but|as well as|also|versus|vs\.?|compared (?:to|with))\s+(?:also\s+)?"
    rf"(?={_LEAD}{_WH}\b|(?:does|do|did|can|could|may|must|is there|are there|{_ORDER})\b)",
    re.IGNORECASE,
)
_AND_CLAUSE = lazy_compile(
    rf"(?:,\s+and|\s+compared (?:to|with))\s+(?!not\b|then\b)(?=[^?]*\b{_WH}\b[^?]*\?)", re.IGNORECASE
)
"""Where the second clause does not begin with what it asks: ", and aside from the firebox, what ..."."""
_ENGLISH = lazy_compile(
    rf"\b{_WH}\b|^\s*(?:does|do|did|can|could|may|must|is|are|was|were|{_ORDER})\b", re.IGNORECASE
)
_KO_WH = r"(?:무엇|무슨|누구|누가|언제|어디|어느|어떤|어떻|얼마|왜|몇|며칠|뭐)"
_KOREAN = lazy_compile(
    rf"{_KO_WH}|(?:나요|까요?|가요|니까|[는은인던]가|는지|[었았였했됐]나|[가-힣][은는])\s*[?？]?\s*$"
)
"""Asks, or ends with its topic, as short questions do: 대표의 이름은?"""
_KO_AND = lazy_compile(r"\s*[,，]?\s*(?:그리고|또한|또)\s+")
_KO_VERB = lazy_compile(rf"(?<=[고며지])(?<!까지)[,，]?\s+(?!있|없|싶|않|못|말)(?=[^?？]*{_KO_WH})")
"""Where a clause ends that goes on: 정년은 몇 살이고."""
_RANGE = lazy_compile(r"\b(?:between|from)\b[^?]{0,30}$", re.IGNORECASE)
"""Before two years that are the ends of a period."""
_OPENING = lazy_compile(r"^(?:and|also|그리고|또)[\s,]+(?=\S+\s+\S)", re.IGNORECASE)
_KO_LINK = lazy_compile(r"(?:이고|이며|인지|고|며|지)\s*[,，]?\s*$")
_JOIN = r"\s*(?:,\s*)?(?:and|or|vs\.?|versus|with|&|와|과|이랑|랑|하고|및|대|또는|이나|나|년과|년이랑|,)\s*"
_COMPARE = lazy_compile(
    r"(?:please\s+)?compare (?:them|the two|both)[.!]?"
    r"|(?:이|그)?\s?(?:둘|두 가지|이들|셋)?(?:을|를)?\s?비교해?\s?[가-힣 ]*[.!]?",
    re.IGNORECASE,
)
"""A request to compare what was asked before it."""
_BETWEEN = lazy_compile(
    r"\b(?:differences?\s+between|compare)\s+(?P<a>.+?)\s+(?:and|with|to)\s+(?P<b>.+?)(?P<tail>\s+(?:in|for|on|by)\s.+)?[?.!\s]*$",
    re.IGNORECASE,
)
_BETWEEN_KO = lazy_compile(
    r"(?P<a>\S+(?:\s\S+)?)(?:와|과|이랑|랑)\s(?P<b>[^?？]+?)(?:의|을|를)?\s*(?:차이|비교|다른\s?점)[^?？]{0,12}[?？.!]*\s*$"
)


def parts_of(question: str) -> tuple[str, ...]:
    """The questions that a question holds, in order, as they are written; the question alone when it is one."""
    clauses = [clause for sentence in _sentences(question) for clause in _clauses(sentence)]
    parts = [part for clause in clauses for part in _compared(clause)]
    return tuple(dict.fromkeys(parts[:MOST])) if len(parts) > 1 else (question,)


def _sentences(question: str) -> list[str]:
    """Question sentences; what follows one and is no question ("Round to two places.") stays with it."""
    found: list[str] = []
    for piece in re.split(r"(?<=[?？])\s+", question.strip()):
        if len(found) > 1 and _COMPARE.fullmatch(piece.strip()):
            continue
        if found and not piece.rstrip().endswith(("?", "？")):
            found[-1] += f" {piece}"
        elif piece.strip():
            found.append(_OPENING.sub("", piece.strip()))
    return found


def _clauses(question: str) -> list[str]:
    """The question cut where "and" or 그리고 joins two clauses that both ask."""
    for pattern in (_AND_ASKS, _AND_CLAUSE, _KO_AND, _KO_VERB):
        for match in pattern.finditer(question):
            left, right = question[: match.start()].strip(" ,"), question[match.end() :].strip()
            if pattern in (_KO_AND, _KO_VERB) and "그리고" not in match[0] and not re.search(_KO_WH, left):
                continue
            left = _KO_LINK.sub("", left) if pattern in (_KO_AND, _KO_VERB) else left
            if _asks_alone(left) and _asks_alone(right):
                return [*_clauses(left.rstrip("?？ ") + "?"), *_clauses(right)]
    return [question]


def _asks_alone(clause: str) -> bool:
    """Whether a clause asks, and can be asked by itself: "and why?" cannot."""
    fewest = 2 if re.search("[가-힣]", clause) else 3
    return bool(_ENGLISH.search(clause) or _KOREAN.search(clause)) and len(clause.split()) >= fewest


def _run(question: str, found: list[re.Match[str]]) -> list[re.Match[str]]:
    """The first of the names that are joined by "and", commas or the like, and differ."""
    run = found[:1]
    for match in found[1:]:
        between = question[run[-1].end() : match.start()]
        if match[0] == run[-1][0] or not re.fullmatch(
            f"(?:년도?)?{_JOIN}(?:the |in )?", between, re.IGNORECASE
        ):
            break
        run.append(match)
    return run


def _compared(question: str) -> list[str]:
    """One question for each of two models, years or months that are named together, or of two things compared."""
    for kind in NAMED:
        run = _run(question, list(kind.finditer(question)))
        if len(run) > 1 and not _RANGE.search(question[: run[0].start()]):
            head, tail = question[: run[0].start()], question[run[-1].end() :]
            return [head + named[0] + tail for named in run]
    match = _BETWEEN.search(question) or _BETWEEN_KO.search(question)
    if match is None:
        return [question]
    tail = match.groupdict().get("tail") or ""
    return [f"{match[side].strip()}{tail}?" for side in ("a", "b")]
