"""Makes a follow-up question understandable without the chat, so that it can be searched for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.question import names_subject
from rag.text.facts import facts
from rag.text.keywords import STOP_WORDS, query_terms
from rag.text.language import without_particle
from rag.text.patterns import lazy_compile

_PRONOUN = lazy_compile(
    r"\b(?:it|its|they|them|their|he|she|his|her|him|this|these|those|then)\b|\bthe (?:same|ones?|others?)\b"
    r"|\bwhich ones?\b|\b(?:that|such) ones?\b"
    r"|(?:^|\s)(?:그|그것|그건|그게|그거|그들|그녀|거기|그곳|이것|이건|저것|그때)(?=[은는이가을를의에도\s?]|$)",
    re.I,
)
_THERE = lazy_compile(
    r"(?<!is )(?<!are )(?<!was )(?<!were )\bthere\b(?! (?:is|are|was|were|be|has|have)\b)", re.I
)
"""Not as in "there are" and "are there"."""
_THAT = lazy_compile(r"(?:^|(?P<before>\S+)\s)that\b(?! one)", re.I)
_EXPLETIVE = lazy_compile(
    r"\bit\b(?=(?:\s\w+){1,3}\sto\b)|\bit(?=\s(?:true|possible|likely|raining)\b)", re.I
)
"""An "it" that means nothing: "is it allowed to", "how long does it take to"."""
_TOPIC_ONLY = lazy_compile(r"^\s*(?:\S+\s){0,2}[가-힣A-Za-z0-9-]+(?:은|는)요?\s*[?？.!]*$")
"""A Korean question that only names a new topic: 청소년은요?"""
_TOPIC = lazy_compile(r"\s*(?:\S+\s){0,4}?[가-힣A-Za-z0-9-]+(?:은|는|이|가|을|를)(?=\s)")
"""The words of a Korean question up to its topic: 올해 도서 구입비는."""
_OPENS = lazy_compile(
    r"^\s*(?:(?:and|but|or|so|also|what about|how about|since when|what other|such)\b"
    r"|(?:위|해당|같은|당시|그럼|그러면|그리고|또)(?=[은는이가을를의에도\s?]|$))",
    re.I,
)
_FEW_BEFORE = 3
"""Telling words of a question before a pronoun, beyond which it has something of its own to point to."""
_SUBJECT_WORDS = 5
"""Words that a subject has at most: more would search for the earlier question again."""
_SHORT = 3
"""Telling words after "and" or 그럼 up to which a question asks the earlier one again, changed."""
_FEWEST = 2
"""Telling words of a whole question after "and" or 그럼 up to which it is about what was said before."""
_AGAIN = lazy_compile(
    r"^\s*(?:and|but|or|so|what about|how about|그럼|그러면|그리고|또)\b[\s,]*(?P<rest>.*?)[\s?？.!]*$",
    re.I | re.S,
)
_ASKS = lazy_compile(
    r"\b(?:what(?! about)|which|who(?:se|m)?|when|where|why|how(?! about)|is|are|was|were|do|does|did|can|could"
    r"|must)\b"
    r"|누구|누가|언제|어디|무엇|무슨|왜|어떻|어떤|얼마|몇|며칠|뭐|(?:나요|까요?|가요|니까|는지|어요|아요)\s*[?？.!]*$",
    re.I,
)
_WORD = lazy_compile(r"\w[\w.&'/-]*\w|\w")
_TURNS = 4
_ANSWER_CHARACTERS = 400
_QUESTION_CHARACTERS = 500
_SMALL_TALK = lazy_compile(
    r"(?:ok(?:ay)?|great|perfect|nice|cool|good|alright|all right|got it|i see|hm+|ah|oh|wow|yes|no|sure|well|very"
    r"|so|much|that'?s"
    r"|it'?s|is|this|that|was|helpful|useful|all|for now|fine|clear|you(?:'re)?|a lot|many|thanks?|thank|thx|cheers"
    r"|hi|hello"
    r"|hey|there|good ?(?:morning|afternoon|evening|night|day)|bye|goodbye|see you|later|how are|who are|for|your"
    r"|the|help|again"
    r"|please|welcome|sorry|never ?mind|understood|awesome|excellent|lovely"
    r"|고마워요?|고맙[가-힣]*|감사[가-힣]*|안녕[가-힣]*|네|예|응|아니요?|아니오|알겠[가-힣]*|알았[가-힣]*|좋아요?|좋네요|좋습니다|그렇군요|그래요?"
    r"|됐어요|됐습니다|수고[가-힣]*|반가[가-힣]*|반갑[가-힣]*|잘|아주|정말|매우|너무|도움이|도움|되었[가-힣]*|됐[가-힣]*|큰|아하?|오|와|다음에|또|봐요|뵙[가-힣]*"
    r"|이제|충분해요|충분합니다|답변|설명|덕분에|덕분입니다|ㅎ+|ㅋ+|ㅇㅋ|오케이)",
    re.I,
)
_COURTESY = lazy_compile(
    r"thank|thx|cheers|hi\b|hello|hey|bye|good ?(?:morning|afternoon|evening|night)|great|perfect|nice|got it|i see"
    r"|ok|sorry|never ?mind"
    r"|understood|awesome|excellent|lovely|helpful|how are you|who are you|see you|cool|alright|fine|clear|useful"
    r"|sure|^\W*(?:yes|no)\W*$"
    r"|고마|고맙|감사|안녕|알겠|알았|좋|그렇군|됐|수고|반가|반갑|도움|뵙|^\W*(?:네|예|응|아니요?|아니오)\W*$|충분|덕분|ㅋ|ㅎ|ㅇㅋ|오케이|그래",
    re.I,
)


def is_small_talk(question: str) -> bool:
    """Whether a message is a greeting, thanks or the like and asks for nothing in the documents."""
    words = _SMALL_TALK.sub(" ", question)
    return bool(_COURTESY.search(question)) and not any(map(str.isalnum, words))


def is_elliptic(question: str) -> bool:
    """Whether a question leans on what was said before: it points back, or names nothing to look for.

    A pronoun points back when little stands before it that it could mean.
    """
    return _points_back(question) or not names_subject(question)


def _points_back(question: str) -> bool:
    if (again := _AGAIN.match(question)) is not None:
        changed = not _ASKS.search(again["rest"]) or _points_back(again["rest"])
        return changed or len(_telling(again["rest"])) <= _FEWEST
    if _OPENS.search(question) or (_TOPIC_ONLY.match(question) and not _ASKS.search(question)):
        return True
    question = _EXPLETIVE.sub("", question)
    pointers = [match.start() for pattern in (_PRONOUN, _THERE) for match in pattern.finditer(question)]
    pointers += [match.start() for match in _THAT.finditer(question) if not _is_relative(match)]
    return any(len(_telling(question[:at])) <= _FEW_BEFORE for at in pointers)


def _is_relative(that: re.Match[str]) -> bool:
    """Whether "that" follows a word that tells something: "the toll that was raised"."""
    return that["before"] is not None and _has_content(that["before"].strip(".,;:'\""))


def _telling(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if _has_content(word)]


def by_rule(question: str, history: Sequence[tuple[str, str]]) -> str:
    """`question`, completed from the turn before it when it leans on that.

    `history` are the earlier questions with their answers, oldest first; each is completed by those before it.
    """
    asked, answered = "", ""
    for earlier, reply in history:
        if not is_small_talk(earlier):
            asked, answered = _completed(earlier, asked, answered), reply
    return _completed(question, asked, answered)


def completed(question: str, history: Sequence[tuple[str, str]]) -> str:
    """`question` with the subject of the turn before it, whether it points back or not."""
    asked, answered = "", ""
    for earlier, reply in history:
        if not is_small_talk(earlier):
            asked, answered = _completed(earlier, asked, answered), reply
    return _with_subject(question, asked, answered) if asked else question


def carried_over(question: str, standalone: str) -> str:
    """What `completed` and `by_rule` took from the turn before: "MV Tern"; "" when the question was put otherwise."""
    added = standalone.removeprefix(f"{question} (")
    return added.removesuffix(")") if added != standalone else ""


def _completed(question: str, asked: str, answered: str) -> str:
    if not asked or not is_elliptic(question):
        return question
    again = _AGAIN.match(question)
    change = again["rest"] if again is not None else question if _TOPIC_ONLY.match(question) else ""
    short = 0 < len(_telling(change)) <= _SHORT
    if short and not _ASKS.search(change) and not _PRONOUN.search(change):
        return _asked_again(question, change, asked)
    return _with_subject(question, asked, answered)


def _asked_again(question: str, change: str, asked: str) -> str:
    """The earlier question with the change that a short one makes to it: another model, year or month, or a word."""
    replaced = replace_named(asked, change)
    return replaced if replaced != asked else f"{question} ({asked.rstrip(' ?？.!')})"


def replace_named(text: str, change: str) -> str:
    """`text` with its model, year or month replaced by the one of the same kind in `change`, if both have one."""
    for kind in NAMED:
        old, new = kind.search(text), kind.search(change)
        if old is not None and new is not None and old[0] != new[0]:
            text = text[: old.start()] + new[0] + text[old.end() :]
    return text


NAMED = (
    lazy_compile(r"(?<![A-Za-z0-9])[A-Z][A-Za-z]{0,5}[- ]?\d{1,5}[A-Za-z]?(?![A-Za-z0-9])"),
    lazy_compile(r"(?<!\d)(?:19|20)\d\d(?!\d)"),
    lazy_compile(
        r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
        r"|(?<!\d)\d{1,2}월"
    ),
    lazy_compile(r"(?:월|화|수|목|금|토|일)요일|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b"),
)
"""A model, a year, a month, a day of the week."""


def _with_subject(question: str, asked: str, answered: str) -> str:
    present = {without_particle(word).casefold() for word in _WORD.findall(question)}
    words = [word for word in subject(asked, answered) if word.casefold() not in present]
    return f"{question} ({' '.join(words)})" if words else question


def subject(asked: str, answered: str) -> list[str]:
    """What a turn was about: the names in its question, else its words that the answer repeats, else its words.

    A question that was itself completed keeps its subject.
    """
    kept = re.search(r" \(([^()]+)\)$", asked)
    if kept is not None:
        asked = kept[1]
    names = [fact.text for fact in facts(asked) if fact.kind in ("name", "code", "title")]
    topic = _TOPIC.match(asked)
    if topic is not None and not names:
        names = [without_particle(word) for word in _telling(topic[0])]
    said = answered.casefold()
    words = [without_particle(word) for word in _telling(asked)]
    echoed = [word for word in words if without_particle(word).casefold() in said]
    chosen = " ".join(names).split() or echoed or words
    return list(dict.fromkeys(chosen))[:_SUBJECT_WORDS]


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
