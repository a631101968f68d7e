"""Completes a question that leans on the one before it, by rule: in a chat, or as a part of a longer question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from rag.answering.question_terms import names_subject, plain_word
from rag.text.facts import facts
from rag.text.keywords import STOP_WORDS, query_terms
from rag.text.language import without_particle
from rag.text.patterns import lazy_compile

_PRONOUN = lazy_compile(
    r"\b(?:it|they|them|he|she|him|these|those(?! who)|then)\b"
    r"|\bthe (?:same|ones?|others?)\b(?=\W*$|\s(?:is|are|was|were|do|does|did|has|have|can|could|must|may)\b)"
    r"|\bwhich ones?\b|\b(?:that|such) ones?\b|\bthat(?=\W*$)"
    r"|(?:^|\s)(?:그|그것|그건|그게|그걸|그거|그들|그녀|거기|그곳|이것|이건|이걸|저것|그때)(?=[은는이가을를의에도서로\s?]|$)"
    r"|(?:^|\s)(?:그동안|그해|그달|그날|그중|그쪽|그 (?:뒤|후|전|다음|밖|해|날|달|중))(?=[은는이가을를의에도\s?]|$)",
    re.I,
)
_POSSESSIVE = lazy_compile(r"\b(?:its|their|his|her|this)\b", re.I)
"""Points back when nothing stands before it that it could belong to: "who may not require that its teachers"."""
_HOW = lazy_compile(r"\bhow \w+", re.I)
_THERE = lazy_compile(
    r"(?<!is )(?<!are )(?<!was )(?<!were )\bthere\b(?! (?:is|are|was|were|be|has|have)\b)", re.I
)
"""Not as in "there are" and "are there"."""
_THAT = lazy_compile(r"(?:^|(?P<before>\S+)\s)that\b(?! one)", re.I)
_EXPLETIVE = lazy_compile(r"\bit\b(?=(?:\s\w+){1,5}\s(?:to|that)\b)|\bit(?=\sraining\b)", re.I)
"""An "it" that means nothing: "is it allowed to", "how long does it take for members to"."""
_TOPIC_ONLY = lazy_compile(r"^\s*(?:(?:\S+\s){0,2}[가-힣A-Za-z0-9-]+(?:은|는)요|\S+(?:은|는))\s*[?？.!]*$")
"""A Korean question that only names a new topic: 청소년은요?"""
_TOPIC = lazy_compile(r"\s*(?:\S+\s){0,4}?[가-힣A-Za-z0-9-]+(?:은|는|이|가)(?=\s)")
"""The words of a Korean question up to its topic: 올해 도서 구입비는."""
_WHICH = lazy_compile(r"\bwhich \w+|(?:어느|어떤|무슨) \S+", re.I)
"""What is asked for, not what a question is about."""
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
"""Telling words of a whole question up to which it may be about what was said before, and after "and" or 그럼 is."""
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


class Leaning(IntEnum):
    """How far a question leans on what was said before."""

    NOT = 0
    PERHAPS = 1
    """It has few words of its own, or one that may point back: what is found decides."""
    SURELY = 2
    """It points back, or names nothing to look for."""


def leaning(question: str) -> Leaning:
    """How far a question leans on the one before it."""
    if not names_subject(question):
        return Leaning.SURELY
    if (again := _AGAIN.match(question)) is not None:
        points = not _ASKS.search(again["rest"]) or leaning(again["rest"]) is Leaning.SURELY
        return Leaning.SURELY if points or len(_telling(again["rest"])) <= _FEWEST else Leaning.NOT
    if _OPENS.search(question) or (_TOPIC_ONLY.match(question) and not _ASKS.search(question)):
        return Leaning.SURELY
    before = [len(_telling(question[:at])) for at in _pronouns(question)]
    if any(count <= _FEW_BEFORE for count in before):
        return Leaning.SURELY
    owned = [
        len(_telling(_HOW.sub("", question[: match.start()]))) for match in _POSSESSIVE.finditer(question)
    ]
    others = [len(_telling(question[:at])) for at in _relatives(question)]
    if 0 in owned or (others and len(_telling(question)) <= _FEW_BEFORE):
        return Leaning.SURELY
    vague = any(count <= _FEW_BEFORE for count in (*owned, *others)) or _says_little(question)
    return Leaning.PERHAPS if vague else Leaning.NOT


def is_elliptic(question: str) -> bool:
    """Whether a question points back at what was said before, or names nothing to look for."""
    return leaning(question) is Leaning.SURELY


def _pronouns(question: str) -> list[int]:
    """Where words stand that point back when little stands before them that they could mean."""
    return [match.start() for match in _PRONOUN.finditer(_EXPLETIVE.sub("  ", question))]


def _relatives(question: str) -> list[int]:
    """Where "there" and "that" stand that may point back; "the toll that was raised" does not."""
    found = [match.start() for match in _THERE.finditer(question)]
    return found + [
        that.start()
        for that in _THAT.finditer(question)
        if that["before"] is None or not _has_content(that["before"].strip(".,;:'\""))
    ]


def _says_little(question: str) -> bool:
    """Whether a question has few telling words, and no name among them."""
    named = any(fact.kind in ("name", "code", "title") for fact in facts(question))
    if named or len(_telling(question)) > _FEWEST:
        return False
    return bool(_ASKS.search(question)) or question.rstrip(" ?？").endswith(("은", "는"))


def _telling(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if _has_content(word)]


@dataclass(frozen=True, slots=True)
class Interpretation:
    """One way to understand a question: as itself, or completed from the one before it."""

    question: str
    search: str
    """What is searched for: with all of the earlier question, which says more than its subject."""


def interpretations(question: str, history: Sequence[tuple[str, str]]) -> list[Interpretation]:
    """The ways to understand a question after those before it, the likeliest first; at least one.

    `history` are the earlier questions with their answers, oldest first; each is completed by those before it. A
    question that leans on nothing has one, itself, and one that does so perhaps has itself as the second.
    """
    asked, answered = _last_turn(history)
    leans = leaning(question)
    if not asked or leans is Leaning.NOT:
        return [Interpretation(question, question)]
    question_of_year = _in_the_same_year(question, asked)
    subject_of = _with_subject(question_of_year, asked, answered)
    about = Interpretation(subject_of, f"{question_of_year} ({asked.rstrip(' ?？.!')})")
    if leans is Leaning.PERHAPS:
        return [about, Interpretation(question, question)]
    first = _completed(question, asked, answered)
    return [about] if first == subject_of else [Interpretation(first, first), about]


def _last_turn(history: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The last question of a chat, completed from those before it, and its answer; empty when there is none."""
    asked, answered = "", ""
    for earlier, reply in history:
        if not is_small_talk(earlier):
            asked, answered = _completed(earlier, asked, answered), reply
    return asked, answered


def carried_over(question: str, standalone: str) -> str:
    """What was taken from the turn before: "MV Tern"; "" when the question was put otherwise."""
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
    return _with_subject(_in_the_same_year(question, asked), asked, answered)


def _in_the_same_year(question: str, asked: str) -> str:
    """The question with the year that it points back at, when the earlier one names one."""
    years = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", asked)
    if len(set(years)) != 1:
        return question
    korean = re.sub(r"(?<!\S)(?:그|같은) ?해(?:에는|에도|에|의)?(?=\s)", f"{years[0]}년", question)
    return re.sub(r"\b(?:that|the same) year\b", years[0], korean, flags=re.I)


def _asked_again(question: str, change: str, asked: str) -> str:
    """The earlier question with the change that a short one makes to it: another model, year or month, or a word."""
    for replaced in (replace_named(asked, change), _replace_phrase(asked, change)):
        if replaced != asked:
            return replaced
    return f"{question} ({asked.rstrip(' ?？.!')})"


def _replace_phrase(asked: str, change: str) -> str:
    """`asked` with its phrase replaced that begins like `change` ("for London", "for Oslo").

    In Korean with its topic replaced, when both are of one kind (집진 필터, 탈취 필터) or belong to something.
    """
    new = change.strip(" ?？.!")
    preposition = re.match(r"(?:for|to|in|on|at|from|by|with|of|about)\b", new, re.I)
    if preposition is not None:
        old = re.compile(
            rf"\b{preposition[0]}\s[^?,]+?(?=\s(?:for|to|in|on|at|from|by|with|of)\s|\W*$)", re.I
        )
        return old.sub(new, asked, count=1)
    topic = re.match(r"(?P<words>.+?)(?:은|는)(?:요)?$", new)
    asks = re.match(r"(?P<whose>(?:\S+의\s)?)(?P<words>(?:\S+\s){0,2}\S+)(?P<mark>은|는)\s", asked)
    if topic is None or asks is None or not (asks["whose"] or topic["words"][-2:] == asks["words"][-2:]):
        return asked
    return f"{asks['whose']}{topic['words']}{_topic_mark(topic['words'])} {asked[asks.end() :]}"


def _topic_mark(words: str) -> str:
    """은 after a final consonant, else 는."""
    last = ord(words[-1]) - 0xAC00
    return "은" if 0 <= last < 11172 and last % 28 else "는"


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
        names = [plain_word(word) for word in _telling(topic[0])]
    said = answered.casefold()
    words = [word for word in map(plain_word, _telling(_WHICH.sub("", asked))) if word]
    echoed = [word for word in words if word.casefold() in said]
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
