"""Whether a Korean fragment such as `2018년 7월` answers its question out of a sentence.

The Korean counterpart of `rag.answering.fragments`. The fragment must be whole words of the sentence with a particle
behind it, every telling word of the question must stand in the sentence, and the first verb behind the fragment must
be that of the question, whose missing part its particle fills. Without a verb it must stand next to what is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering import korean_words
from rag.answering.korean_words import OPENERS, Word, words_of
from rag.answering.rewrites import word_set
from rag.text.patterns import lazy_compile

_ASKING = lazy_compile(
    "^(?:무엇|무슨|누구|누가|어디|언제|어느|어떤|얼마|왜|몇|며칠|뭐|뭘)|^(?:인가요?|입니까|일까요?)$"
)
_ENDINGS = lazy_compile(
    r"(?:(?:하|되)?(?:였|았|었)?(?:습니까|는가요?|은가요?|나요|을까요?|ㄹ까요?|던가요?|나|냐|는지)"
    r"|인가요?|입니까|합니까|됩니까|한가요?|된가요?|할까요?|될까요?)$"
)
"""What makes a verb a question."""
_MODIFIER = lazy_compile(
    r"(?:있|없|하|되|받|않|시키|맡|갖|걸리|이르|따르|오|가)(?:는|던)$|던$|[한된할될]$"
    r"|[얻받있없않많작높낮같깊넓좋늦젊남찾닫믿읽앉넣낳놓쌓입잡뽑죽먹막적](?:은|을)$"
)
"""Ends of a verb that modifies the noun behind it."""
_VERBAL = lazy_compile(r"(?:다|고|며|면서|지만|으나|는데|다가|자|도록|려고|아서|어서|여서|해서|면)$")
_LINKED = lazy_compile(r"(?:하여|해|되어|돼|[아어여겨려쳐져켜]|(?<!에)서)$")
_LIGHT = word_set(
    "있는 있던 한 된 하는 되는 할 될 라는 이라는 대한 위한 통한 관한 인한 의한 따른 대해 대하여 위해 위하여 통해"
    " 통하여 따라"
)
_KINDS = word_set(
    "이름 곳 장소 것 사람 인물 때 시기 연도 년도 해 날짜 날 숫자 수 명칭 나라 국가 도시 지역 기관 단체 회사 기업 팀"
    " 선수 무엇 누구 어디 언제 얼마 등 일"
)
"""Nouns that name no more than the kind of answer."""
_ADVERBS = word_set("처음 최근 당시 현재 가장 매우 다시 함께 통상 정도 공동")
_TIMES = lazy_compile(r"(?:연도|년도|해|때|시기|날짜|날|생년월일)(?:은|는)")
_TAIL = lazy_compile(
    r"(?:들|씨|등)?(?:으로부터|로부터|에게서|에서|에게|께서|으로|까지|부터|보다|로서|으로서|[과와]의|은|는|이|가|을|를|의|에|로|과|와|도|만|인)?"
    r"(?:은|는|도)?|이?(?:다|며|고|었다|였다|었으며|라고|라는|란|이란|라는)|이(?:다|었다|며|고|라고|라는)|입니다|이었습니다|였습니다"
)
"""Particles and copulas behind the last word of a noun."""
_VERB_FRAGMENT = lazy_compile(
    r"(?:[했었았였있없됐][다는던고며]|[하되]는|하며|하고|되며|되고|[가-힣](?:했으며|였으며|했고))$|^(?:있|없)[는다]$"
)
_SAYS = lazy_compile(r"이?(?:다|며|고|었다|었으며|었고)|였다|였으며|입니다|이었습니다|였습니다")
_COPULA = lazy_compile(r"(?:인가요?|입니까|일까요?)$")
_POLITE = lazy_compile("\u11b8\u1102\u1175\u1101\u1161$")
"""The end of `냅니까`, behind the stem of its verb, in letters."""
_SUBJECT, _TOPIC = lazy_compile("이$|가$|께서$"), lazy_compile("(?<!에서)(?<!에)(?<!로)(?:은|는|도)$")
_TIME = lazy_compile(r"\d+\s?(?:년|월|일|시|분|세기)|오전|오후")
_DATE = lazy_compile(r"(?:기원전\s)?\d+년(?:\s?\d+월)?(?:\s?\d+일)?|\d+월(?:\s?\d+일)?")
_FIGURE = lazy_compile(r"(\d+(?:\.\d+)?)")
_COUNT = lazy_compile(r"(\d+(?:\.\d+)?)\s?([가-힣°%]|$)")
"""A figure with the first letter of what it counts."""
_GUARDS = lazy_compile(r"않|못|없|제외|면\s|경우|다고|라고|약 |추정|예정")
_PIECES = lazy_compile(r"(?<=[고며])[,\s]\s*|(?<=지만)[,\s]\s*|(?<=으나)[,\s]\s*|(?<=[가-힣]로),\s*")
_PART = lazy_compile(
    r"(?:무엇|누구|누(?=가)|뭐|뭘|어디|언제|(?:어느|무슨|어떤|몇)\s?[가-힣]+?)(?:\s?등)?"
    r"(?P<particle>으로부터|로부터|에게서|에서|에게|으로|이라고|라고|의|에|로|을|를|이|가|인가\S*|입니까|일까\S*|)"
    r"(?:\s(?P<behind>[가-힣]+))?(?=[\s?]|$)"
)
"""A question word with its particle and the word behind it."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A question as what it tells and what it asks for."""

    telling: tuple[Word, ...]
    """Its words that the sentence must hold, without its verb."""
    others: tuple[str, ...]
    """Other verbs of it, as written, that the sentence must hold in some form."""
    verb: str
    """Its verb as written, or the one before the noun that it asks for; empty without one."""
    subject: bool
    """Whether it names who or what did that."""
    relative: bool
    """Whether the verb modifies a noun: `공연을 마친 극장은`."""
    head: str
    """The noun that it asks what it is: `극장` in `공연을 마친 극장은 어디인가`; empty without one."""


def answers(fragment: str, question: str, sentence: str) -> bool:
    """Whether the fragment, read as the answer to the Korean question, says what the sentence says."""
    bare = re.sub(r"(?:입니다|이다|이에요|예요)$", "", _plain(fragment).rstrip(". "))
    if not bare or _VERB_FRAGMENT.search(bare):
        return False
    bare = _without_particle(bare)
    if bare in _KINDS | OPENERS | _ADVERBS or _squeezed(bare) in _squeezed(_plain(question)):
        return False
    if not _right_kind(bare, question):
        return False
    asked = _read(question)
    text = _plain(sentence)
    if asked is None or not all(_stands(word.text, text) for word in asked.telling):
        return False
    if not all(any(_same_verb(verb, word) for word in text.split()) for verb in asked.others):
        return False
    return any(
        _fits(asked, question, text, match) and not _guarded(text, match, question)
        for match in _matches(bare, text)
    )


def restated(reply: str, question: str) -> str:
    """What a reply adds to the words of its question, which it says again in their order; else nothing.

    `렉스 극장` of `공연을 마친 극장은 렉스 극장입니다.`
    """
    asked = _plain(question).split()
    spoken = _plain(reply).rstrip(". ").split()
    order: list[int] = []
    added: list[int] = []
    for i, word in enumerate(spoken):
        stem = words_of(word)[0].text if words_of(word) else word
        at = next((k for k, other in enumerate(asked) if other == word or _same_word(stem, other)), None)
        if at is None or (added and added[-1] == i - 1 and i == len(spoken) - 1):
            added.append(i)
        else:
            order.append(at)
    together = bool(added) and added[-1] - added[0] == len(added) - 1
    if not together or len(order) < 2 or order != sorted(order):
        return ""
    rest = " ".join(spoken[added[0] : added[-1] + 1])
    return _without_particle(re.sub(r"(?:입니다|이었습니다|이다|였다|이었다)$", "", rest))


def _without_particle(text: str) -> str:
    """A noun without its last particle."""
    *first, last = text.split()
    found = words_of(f"{last} 것")[0]
    return " ".join([*first, found.text if not found.verb else last])


def _same_word(stem: str, other: str) -> bool:
    found = words_of(f"{other} 것")
    return bool(found) and len(stem) > 1 and found[0].text == stem


def _plain(text: str) -> str:
    """The text with figures in one form, without quotation marks and parentheses."""
    text = korean_words.figures(unicodedata.normalize("NFKC", text).replace("\n", " "))
    text = re.sub(r"\([^()]*\)", "", text)
    return " ".join(re.sub(r"[‘’“”\"'『』「」《》〈〉]", "", text).split())


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _read(question: str) -> _Question | None:
    """The question as what it tells; None when it tells nothing."""
    spoken = _plain(question).rstrip("?. ").replace(",", " ").split()
    kept: list[str] = [w for w in spoken if not _ASKING.search(w)]
    last = spoken[-1] if spoken else ""
    if _COPULA.search(last) is None:
        last = unicodedata.normalize("NFC", _POLITE.sub("", unicodedata.normalize("NFD", last)))
    asks = _ENDINGS.search(last)
    counted = (
        _COPULA.search(last) is not None and len(spoken) > 1 and spoken[-2].startswith(("몇", "어느", "어떤"))
    )
    copula = (
        bool(_ASKING.search(last)) or counted or not (asks or last != spoken[-1])
    )  # `무엇인가`, `대학교는?`
    verb, relative, head = "", False, ""
    if not copula:
        verb, kept = last[: asks.start()] if asks and asks.start() else last, kept[:-1]
    elif kept:
        kept = kept[:-1] if counted else kept
        *before, last = kept or [""]
        head = words_of(f"{last} 것")[0].text
        modifier = before[-1] if before else ""
        if _MODIFIER.search(modifier) or (_ends_in_n(modifier) and _has_role(before[:-1])):
            verb, relative, kept = modifier, True, before[:-1]
        elif head in _KINDS or last in _KINDS:
            kept = before
    others = tuple(w for w in kept if w not in _LIGHT and (_is_verbal(w) or _MODIFIER.search(w)))
    told = [w for one in kept if one not in _LIGHT and one not in others for w in words_of(f"{one} 것")[:1]]
    telling = tuple(w for w in told if w.text not in _KINDS and w.role != "mark" and w.text not in OPENERS)
    subject = any(w.role in ("subject", "topic") for w in telling)
    return _Question(telling, others, verb, subject, relative, head) if telling else None


def _has_role(spoken: Sequence[str]) -> bool:
    """Whether one of the words has a particle of a verb's part."""
    roles = {w.role for one in spoken for w in words_of(f"{one} 것")[:1]}
    return bool(roles & {"object", "subject", "in", "at", "to", "from", "toward"})


def _ends_in_n(word: str) -> bool:
    """Whether the word ends in the sound of a modifying verb: `마친`, `세울`."""
    return bool(word) and unicodedata.normalize("NFD", word)[-1] in "\u11ab\u11af"


def _stands(text: str, sentence: str) -> bool:
    return re.search(rf"(?<![가-힣A-Za-z]){re.escape(text)}", sentence) is not None


def _matches(bare: str, text: str) -> Iterator[re.Match[str]]:
    """The places where the fragment stands as whole words, with what clings to its last one as `tail`."""
    body = r"\s?".join(map(re.escape, _squeezed(bare)))
    for match in re.finditer(rf"(?<![가-힣A-Za-z\d.]){body}(?P<tail>[가-힣]*)(?!\d)", text):
        if _TAIL.fullmatch(match["tail"]):
            yield match


def _fits(asked: _Question, question: str, text: str, match: re.Match[str]) -> bool:
    """Whether the fragment at this place has the part that the question asks for."""
    fragment, tail = match[0][: len(match[0]) - len(match["tail"])], match["tail"]
    timed, figure = bool(_DATE.fullmatch(fragment)), fragment[0].isdigit()
    if (figure and not _one_count(text, match, fragment)) or (timed and not _asks_time(question)):
        return False
    if asked.head and _called(asked, text, match):
        return True
    if not asked.verb:
        return _beside(asked, text, match)
    behind = re.sub(r"[,.]", " ", text[match.end() :]).split()
    if not tail and not figure and not timed and behind and not _is_verbal(behind[0]):
        return False  # part of a longer noun: `이웃` of `이웃 국가`
    ahead = (text[: match.start()].split() or [""])[-1]
    if (_MODIFIER.search(ahead) or _ends_in_n(ahead)) and _same_verb(asked.verb, ahead):
        return asked.relative  # `추적한 이지스함`
    part = _asked_part(question)
    if part is not None:
        filled = _has_part(part, tail, behind, figure=timed or figure, subject=asked.subject)
    else:
        filled = timed or figure or _fills(asked, tail)
    if not filled or (asked.subject and _of_another(asked, text[: match.start()])):
        return False
    return _governed(asked.verb, tail, behind, only_time=timed and len(set(_DATE.findall(text))) == 1)


def _governed(verb: str, tail: str, behind: Sequence[str], *, only_time: bool) -> bool:
    """Whether the question's verb is the one that the noun before the words `behind` belongs to."""
    at = next((i for i, word in enumerate(behind) if _same_verb(verb, word)), None)
    if at is None or only_time:
        return at is not None
    between = behind[:at]
    if _TOPIC.search(tail):
        return not any(_SUBJECT.search(w) or (_TOPIC.search(w) and not _MODIFIER.search(w)) for w in between)
    return not any(_is_verbal(word) for word in between)


def _asks_time(question: str) -> bool:
    return re.search(r"언제|몇\s?(?:년|월|일|시|세기)", question) is not None or bool(_TIMES.search(question))


def _of_another(asked: _Question, ahead: str) -> bool:
    """Whether the last topic before the fragment is none that the question names."""
    topics = [w for w in ahead.split() if _TOPIC.search(w) and not _MODIFIER.search(w)]
    return bool(topics) and not any(word.text in topics[-1] for word in asked.telling)


def _asked_part(question: str) -> tuple[str, str] | None:
    """The particle of the question word and the word behind it; None where the question word is the predicate."""
    found = _PART.search(_plain(question))
    if found is None or re.match(r"인가|입니까|일까", found["particle"]):
        return None
    return found["particle"], found["behind"] or ""


def _has_part(
    part: tuple[str, str], tail: str, behind: Sequence[str], *, figure: bool, subject: bool
) -> bool:
    """Whether the fragment has the particle of the question word."""
    particle, next_word = part
    if particle == "의":
        return tail.startswith("의") and bool(behind) and behind[0] == next_word
    if particle in ("이", "가"):
        return bool(_SUBJECT.search(tail) or _TOPIC.search(tail))
    if particle in ("을", "를"):
        return bool(re.search("[을를]$" if subject else "[을를은는]$", tail)) or (figure and not tail)
    if particle in ("라고", "이라고"):
        return tail in ("라고", "이라고", "로", "으로")
    if not particle:
        return figure or not tail or not (_SUBJECT.search(tail) or _TOPIC.search(tail))
    return tail.removeprefix("으") == particle.removeprefix("으") or (figure and not tail)


def _fills(asked: _Question, tail: str) -> bool:
    """Whether the particle is that of the part which the clause before the noun lacks."""
    own = bool(_SUBJECT.search(tail) or _TOPIC.search(tail))
    return own != asked.subject


def _is_verbal(word: str) -> bool:
    """Whether a word is a verb, in whatever form can be told."""
    word = word.rstrip(".")
    return bool(
        _VERBAL.search(word)
        or word in _LIGHT
        or (_LINKED.search(word) and len(word) > 1)
        or re.search(r"[하되있없받]는$|[한된던]$", word)
    )


def _same_verb(asked: str, word: str) -> bool:
    """Whether a word of the sentence is the question's verb in another form: `마친` and `마쳤다`."""
    noun = re.match(r"([가-힣]{2,})(?:하|한|했|해|할|되|된|됐|돼|될|시키|시켰|시킨|받|당)", asked)
    if noun is not None:
        return word.startswith(noun[1]) and len(word) > len(noun[1])
    stem = unicodedata.normalize("NFD", re.sub(r"(?:은|는|던|을|었|았|였)$", "", asked))
    stem = stem[:-1] if stem[-1:] in "\u11ab\u11af\u11bb" and len(stem) > 3 else stem
    shared = len(stem) - 1 if len(stem) > 3 else len(stem)
    return (_is_verbal(word) or _ends_in_n(word)) and unicodedata.normalize("NFD", word)[:shared] == stem[
        :shared
    ]


def _called(asked: _Question, text: str, match: re.Match[str]) -> bool:
    """Whether the sentence says of the very noun that the question asks about that it is the fragment."""
    start = max((m.end() for m in _PIECES.finditer(text) if m.end() <= match.start()), default=0)
    ahead, behind = text[start : match.start()], text[match.end() :]
    topics = [w for w in ahead.split() if (_TOPIC.search(w) or w.endswith("가")) and not _MODIFIER.search(w)]
    copula = _SAYS.fullmatch(match["tail"]) is not None or (
        match["tail"] in ("로", "으로") and behind[:1] == ","
    )
    named = len(topics) == 1 and topics[0][: len(asked.head)] == asked.head
    return copula and named and all(_stands(word.text, ahead) for word in asked.telling)


def _beside(asked: _Question, text: str, match: re.Match[str]) -> bool:
    """Whether the fragment stands next to the last thing that a question without a verb tells, or is called it."""
    last = re.escape(asked.telling[-1].text)
    ahead, tail, behind = text[: match.start()], match["tail"], text[match.end() :]
    if re.search(rf"(?<![가-힣]){last}(?:인|의|은|는|에)?,?\s$", ahead):
        return not re.match(r"의", tail)
    said = re.search(rf"(?<![가-힣]){last}(?:은|는|이|가)\s(?:[^\s,]+\s){{0,2}}$", ahead)
    if said is not None:
        return bool(re.match(r"이[다었며고]|였다|입니다|다$", tail))
    return tail in ("이", "가", "은", "는") and bool(re.match(rf"\s{last}(?:이[다었며고]|였다|다\b)", behind))


def _guarded(text: str, match: re.Match[str], question: str) -> bool:
    """Whether the clause denies, guesses or restricts where the question does not."""
    ends = [m.end() for m in _PIECES.finditer(text)]
    start = max((e for e in ends if e <= match.start()), default=0)
    end = min((e for e in ends if e > match.end()), default=len(text))
    return bool(_GUARDS.search(text[start:end])) and not _GUARDS.search(question)


def _one_count(text: str, match: re.Match[str], fragment: str) -> bool:
    """Whether no other figure of the clause counts the same thing as that of the fragment: `12가지 가운데 5가지`."""
    ends = [m.end() for m in _PIECES.finditer(text)]
    start = max((e for e in ends if e <= match.start()), default=0)
    end = min((e for e in ends if e > match.end()), default=len(text))
    counts = _COUNT.findall(_DATE.sub("", text[start:end]))
    figure = _COUNT.match(fragment) or _FIGURE.match(fragment)
    own = figure[1] if figure is not None else ""
    nouns = {noun for count, noun in counts if count == own}
    dated = _TIME.search(fragment) is not None and not nouns
    return dated or (len(nouns) == 1 and not any(noun in nouns for count, noun in counts if count != own))


def _right_kind(bare: str, question: str) -> bool:
    """Whether the fragment is of the kind that the question asks for."""
    if _asks_time(question):
        return bool(_TIME.search(bare))
    if re.search(r"(?:숫자|수)(?:은|는)", question):
        return any(c.isdigit() for c in bare)
    if re.search(r"누구|누가|어디", question):
        return re.fullmatch(r"[\d.]+\s?[가-힣%]{0,2}", bare) is None
    counted = re.search(r"몇\s?([가-힣])", question)
    if counted is not None:
        return re.search(rf"\d\s?{counted[1]}|\d$", bare) is not None
    return any(c.isdigit() for c in bare) if "얼마" in question else True
