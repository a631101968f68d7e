"""Makes a follow-up question understandable without the chat, so that it can be searched for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.text.facts import facts
from rag.text.keywords import STOP_WORDS, query_terms

_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|he|she|his|her|him|this|these|those|then)\b|\bthe (?:same|ones?|others?)\b"
    r"|\bwhich ones?\b|\b(?:that|such) ones?\b"
    r"|(?:^|\s)(?:그|그것|그건|그게|그거|그들|그녀|거기|그곳|이것|이건|저것|그때)(?=[은는이가을를의에도\s?]|$)",
    re.I,
)
_THERE = re.compile(
    r"(?<!is )(?<!are )(?<!was )(?<!were )\bthere\b(?! (?:is|are|was|were|be|has|have)\b)", re.I
)
"""Not as in "there are" and "are there"."""
_THAT = re.compile(r"(?:^|(?P<before>\S+)\s)that\b(?! one)", re.I)
_OPENS = re.compile(
    r"^\s*(?:(?:and|but|or|so|also|what about|how about|since when|what other|such)\b"
    r"|(?:위|해당|같은|당시|그럼|그러면|그리고|또)(?=[은는이가을를의에도\s?]|$))",
    re.I,
)
_FEW_BEFORE = 3
"""Telling words of a question before a pronoun, beyond which it has something of its own to point to."""
_FEW_TERMS = 2
_WORD = re.compile(r"\w[\w.&'/-]*\w|\w")
_TURNS = 4
_ANSWER_CHARACTERS = 400
_QUESTION_CHARACTERS = 500


def is_elliptic(question: str) -> bool:
    """Whether a question seems to lean on what was said before: it points back, or says hardly anything.

    A pronoun points back when little stands before it that it could mean. A short question that names something of
    its own (a name, a code, a title) says enough.
    """
    if _points_back(question):
        return True
    names = any(fact.kind in ("name", "code", "title") for fact in facts(question))
    return not names and len(_telling(question)) <= _FEW_TERMS


def _points_back(question: str) -> bool:
    if _OPENS.search(question):
        return True
    pointers = [match.start() for pattern in (_PRONOUN, _THERE) for match in pattern.finditer(question)]
    pointers += [match.start() for match in _THAT.finditer(question) if not _is_relative(match)]
    return any(len(_telling(question[:at])) <= _FEW_BEFORE for at in pointers)


def _is_relative(that: re.Match[str]) -> bool:
    """Whether "that" follows a word that tells something: "the toll that was raised"."""
    return that["before"] is not None and _has_content(that["before"].strip(".,;:'\""))


def _telling(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if _has_content(word)]


def by_rule(question: str, earlier: Sequence[str]) -> str:
    """`question`, with the telling words of the question before it when it leans on that.

    `earlier` are the questions of the chat, oldest first; each is completed by those before it.
    """
    context = ""
    for asked in earlier:
        context = _completed(asked, context)
    return _completed(question, context)


def _completed(question: str, context: str) -> str:
    if not context or not is_elliptic(question):
        return question
    present = {word.casefold() for word in _WORD.findall(question)}
    words = [word for word in _telling(context) if word.casefold() not in present]
    return f"{question} ({' '.join(dict.fromkeys(words))})" if words else question


def _has_content(word: str) -> bool:
    """Whether a word says what a question is about: no stop word, no question word, nothing that points back."""
    folded = word.casefold()
    return (
        folded not in STOP_WORDS
        and not _PRONOUN.fullmatch(word)
        and not _OPENS.fullmatch(word)
        and bool(query_terms(f"{word} 0").keys() - {"0"})
    )


def as_text(history: Sequence[tuple[str, str]], language: str) -> str:
    """The last turns of a chat as the text of a prompt."""
    asker, answerer = ("질문", "답변") if language == "ko" else ("Question", "Answer")
    lines = []
    for asked, answered in history[-_TURNS:]:
        lines.append(f"{asker}: {' '.join(asked.split())}")
        lines.append(f"{answerer}: {' '.join(answered.split())[:_ANSWER_CHARACTERS]}")
    return "\n".join(lines)


def read_reply(reply: str, question: str) -> str | None:
    """The rewritten question in a model's reply; None when that is no single question of sensible length."""
    lines = [line.strip() for line in reply.strip().splitlines() if line.strip()]
    if len(lines) != 1:
        return None
    text = re.sub(r"^(?:question|last question|질문|마지막 질문)\s*[::]\s*", "", lines[0], flags=re.I).strip(
        " \"'“”`"
    )
    return text if text and len(text) <= max(_QUESTION_CHARACTERS, 2 * len(question)) else None
