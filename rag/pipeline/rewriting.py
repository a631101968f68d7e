"""Makes a question ready to be searched for, by rule: a follow-up is completed from the chat, several are parted."""

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
    pointers += [
        that.start()
        for that in _THAT.finditer(question)
        # after a word that tells something it is relative: "the toll that was raised"
        if that["before"] is None or not _has_content(that["before"].strip(".,;:'\""))
    ]
    return any(len(_telling(question[:at])) <= _FEW_BEFORE for at in pointers)


def _telling(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if _has_content(word)]


def by_rule(question: str, history: Sequence[tuple[str, str]]) -> str:
    """`question`, completed from the turn before it when it leans on that.

    `history` are the earlier questions with their answers, oldest first; each is completed by those before it.
    """
    return _completed(question, *_last_turn(history))


def completed(question: str, history: Sequence[tuple[str, str]]) -> str:
    """`question` with the subject of the turn before it, whether it points back or not."""
    asked, answered = _last_turn(history)
    return _with_subject(question, asked, answered) if asked else question


def _last_turn(history: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The last question of a chat, completed from those before it, and its answer; empty when there is none."""
    asked, answered = "", ""
    for earlier, reply in history:
        if not is_small_talk(earlier):
            asked, answered = _completed(earlier, asked, answered), reply
    return asked, answered


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


MOST = 4
"""Parts that are searched at most."""
_WH = r"(?:what|when|where|which|who|whose|whom|how|why)"
_LEAD = r"(?:(?:in|at|on|to|for|from|by|of|with|under|during|about|after|according to|since|until)\s+)?"
_AND_ASKS = lazy_compile(
    rf"[,;]?\s+(?:and|but|as well as|also|versus|vs\.?|compared (?:to|with))\s+(?:also\s+)?"
    rf"(?={_LEAD}{_WH}\b|(?:does|do|did|can|could|may|must|is there|are there)\b)",
    re.IGNORECASE,
)
_AND_CLAUSE = lazy_compile(rf",\s+and\s+(?!not\b|then\b)(?=[^?]*\b{_WH}\b[^?]*\?)", re.IGNORECASE)
"""Where the second clause does not begin with what it asks: ", and aside from the firebox, what ..."."""
_ENGLISH = lazy_compile(rf"\b{_WH}\b|^\s*(?:does|do|did|can|could|may|must|is|are|was|were)\b", re.IGNORECASE)
_KO_WH = r"(?:무엇|무슨|누구|누가|언제|어디|어느|어떤|어떻|얼마|왜|몇|며칠|뭐)"
_KOREAN = lazy_compile(
    rf"{_KO_WH}|(?:나요|까요?|가요|니까|[는은인던]가|는지|[었았였했됐]나|[가-힣][은는])\s*[?？]?\s*$"
)
"""Asks, or ends with its topic, as short questions do: 대표의 이름은?"""
_KO_AND = lazy_compile(
    rf"\s*[,，]?\s*(?:그리고|또한|또)\s+|(?<=[고며지])(?<!까지)[,，]?\s+(?!있|없|싶|않|못|말)(?=[^?？]*{_KO_WH})"
)
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
    """The questions that a question holds, in order; the question alone when it is one.

    A part that points back at the one before it is completed from that.
    """
    clauses = [clause for sentence in _sentences(question) for clause in _clauses(sentence)]
    parts = [part for clause in clauses for part in _compared(clause)]
    if len(parts) < 2:
        return (question,)
    done: list[str] = []
    for part in parts[:MOST]:
        done.append(by_rule(part, [(done[-1], "")]) if done else part)
    return tuple(dict.fromkeys(done))


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
    for pattern in (_AND_ASKS, _AND_CLAUSE, _KO_AND):
        for match in pattern.finditer(question):
            left, right = question[: match.start()].strip(" ,"), question[match.end() :].strip()
            if pattern is _KO_AND:
                left = _KO_LINK.sub("", left)
            if pattern is _KO_AND and "그리고" not in match[0] and not re.search(_KO_WH, left):
                continue
            if _asks_alone(left) and _asks_alone(right):
                return [left.rstrip("?？ ") + "?", *_clauses(right)]
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
