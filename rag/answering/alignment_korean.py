"""Whether one Korean sentence follows from another, by aligning their words and particles.

The Korean counterpart of `rag.answering.alignment`. Arguments may change their order only while each keeps its
particle; a clause, a parenthesis or a reason may be left out, a condition, limit, quantity, hedge or report may not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

from rag.answering.korean_clauses import (
    AFTERWARDS,
    GUARD,
    IF,
    MODIFYING,
    PERSON,
    TELLING,
    TIMES,
    ends_unit,
    is_bound,
    is_event,
    is_loose,
    is_named,
    is_of_another,
    is_predicate,
    is_story,
    is_told,
    modifies,
    narrow,
    tells_done,
)
from rag.answering.korean_words import OPENERS, Word, words_of
from rag.answering.rewrites import word_set
from rag.text.patterns import lazy_compile

Basis = Literal["quoted", "entailed"]
_LONGEST = 70
"""Words beyond which a sentence is not aligned."""
_CONDITION = lazy_compile(rf"{IF}$|때에?는?$|경우|제외|다만|만약|만일|한해|한하여")
_BOUND = word_set("지 뒤 후 것 수 때 끝 데 채 동안 전 만큼 적 중 이후 이래 이전 직후 당시 무렵")
"""Nouns that only stand behind what modifies them."""
_AFTER = word_set("뒤인 후인 전인 직후인")
_LINKED = lazy_compile(r"(?:하여|해|되어|돼)$")
"""Ends of a verb that tells how the one behind it was done."""
_REPORTED = lazy_compile(r"^(?:전해|알려|밝혀|나타|드러)")
_AT_ONCE = lazy_compile(r"(?:[가-힣]자|면서|더니)$")
_MANNER = lazy_compile(r"(?:대상|중심|바탕|계기|주제|방식|형식)으로$|(?:통해|통하여|따라|맞아|걸쳐|함께)$")
"""What ends a phrase of how, with whom or on what occasion something was done."""
_INTENT = lazy_compile(r"(?:예정|계획|방침|것|전망|목표)이$|[다라려자냐]고$|기로$|도록$|듯$")
"""Ends of sentences whose past is not that of the verbs before it: `전환하고 이전할 예정이었다`, `하려고 했다`."""
_REASON = lazy_compile(
    r"(?:때문에?|바람에|탓에?|덕분에?|위해|위하여|인해|인하여|아서|어서|여서|해서|워서|타서|려서|라서|므로|으로써)$"
)
_SYNONYMS = [
    frozenset(group.split())
    for group in (
        "늘 증가하 불어나", "줄 감소하", "떨어지 하락하 내리", "오르 상승하", "시작하 개시하", "끝나 종료되",
        "만들 제작하", "짓 건설하", "세우 설립하 창립하", "죽 사망하 숨지", "사 구입하 구매하", "쓰 사용하",
        "열리 개최되", "바꾸 교체하", "고치 수리하", "받 수령하", "넘 초과하", "알리 통지하", "주 드리",
        "태어나 출생하", "참가하 참여하", "맡 담당하",
    )
]  # fmt: skip


def follows(claim: str, sentence: str) -> Basis | None:
    """How the claim follows from the sentence; None when that cannot be told (as in `alignment.follows`)."""
    wanted, source = words_of(claim), words_of(sentence)
    if not wanted or max(len(wanted), len(source)) > _LONGEST:
        return None
    if _bare(claim) == _bare(sentence):
        return "quoted"
    if not wanted[-1].verb or len(wanted) == 1:
        return None
    if _in_order(wanted, source, exact=True):
        return "quoted"
    moved = any(_moved(variant, source) for variant in (wanted, *_voices(wanted)))
    return "entailed" if _in_order(wanted, source, exact=False) or moved or _copula(wanted, source) else None


def _same(claimed: Word, given: Word, main: Word | None, exact: bool) -> bool:
    """Whether a word of the claim is one of the source."""
    if claimed.verb != given.verb:
        return False
    if claimed.verb:
        given_tense = given.tense or (main.tense if main and given.role == "connective" else "")
        same_tense = claimed.tense == given.tense or (
            given.role == "connective" and claimed.tense == given_tense
        )
        pair = {claimed.text, given.text}
        synonyms = not exact and any(pair <= group for group in _SYNONYMS)
        return same_tense and (claimed.text == given.text or synonyms)
    if claimed.text != given.text:
        return False
    if claimed.role == given.role:
        return True
    return {claimed.role, given.role} <= {"topic", "subject"} or _timed(claimed, given)


def _timed(claimed: Word, given: Word) -> bool:
    """`9월 23일에` and `9월 23일` say the same."""
    return {claimed.role, given.role} == {"", "in"} and bool(TIMES.search(claimed.text))


def _in_order(claim: Sequence[Word], source: Sequence[Word], *, exact: bool) -> bool:
    """Whether the claim's words stand in the source in order, and what is left out may be."""
    main = _final(source)
    spoken = [w for w in claim if w.role != "mark"]
    loose = is_loose(spoken)

    @cache
    def skips(j: int, k: int, i: int) -> bool:
        """Whether the words `j` to `k` may be left out before the claim's word `i`, one unit after another."""
        if _may_skip(source, j, k, spoken, i, loose):
            return True
        ends = (m for m in range(j + 1, k) if ends_unit(source, m))
        return any(_may_skip(source, j, m, spoken, i, loose) and skips(m, k, i) for m in ends)

    @cache
    def fits(i: int, j: int) -> bool:
        if i == len(spoken):
            return _may_end(source, j)
        for k in range(j, len(source)):
            if _same(spoken[i], source[k], main, exact) and skips(j, k, i) and fits(i + 1, k + 1):
                return True
        return False

    return fits(0, 0)


def _final(source: Sequence[Word]) -> Word | None:
    """The last predicate, when the verbs before it share its tense: not those of a plan or a report."""
    at = next((i for i in reversed(range(len(source))) if source[i].role == "predicate"), None)
    if at is None or any(_INTENT.search(w.written) for w in source[max(at - 1, 0) : at + 1]):
        return None
    return source[at]


def _may_end(source: Sequence[Word], start: int) -> bool:
    rest = [w for w in source[start:] if w.role != "mark"]
    if not rest or all(w.role == "aside" for w in rest):
        return True
    ended = source[start - 1].role == "connective" and not is_of_another(source, start - 1)
    return ended and not _CONDITION.search(rest[0].text)


def _may_skip(
    source: Sequence[Word], start: int, end: int, claim: Sequence[Word], at: int, loose: bool
) -> bool:
    """Whether the source's words `start` to `end` may be left out before the claim's word `at`."""
    gap = [w for w in source[start:end] if w.role not in ("mark", "aside")]
    if gap and start == 0 and (gap[0].text in OPENERS or gap[0].text == "다만"):
        gap = gap[1:]
    if not gap or all(w.text in OPENERS and not w.role for w in gap):
        return True
    if is_story(gap) or _torn(source, start, end, claim, at, gap):
        return False
    named = _skips_of_name(source, start, end, claim, gap)
    if named is not None:
        return named
    told = modifies(source, end - 1)
    if gap[-1].role == "connective":
        return _skips_clause(source, end, claim, at, gap)
    inner = [i for i in range(start, end - 1) if source[i].role == "connective"]
    whole = told and not any(source[i].tense or "mark" in {w.role for w in source[i:end]} for i in inner)
    if inner and not whole:
        before = _skips_clause(source, inner[-1] + 1, claim, at, source[start : inner[-1] + 1])
        return before and _may_skip(source, inner[-1] + 1, end, claim, at, loose)
    last = gap[-1]
    opens = at == 0 or claim[at - 1].role not in ("", "of", "with") or bool(TIMES.search(claim[at - 1].text))
    past = claim[-1].tense == "past"
    own_topic = any(w.role == "topic" and not MODIFYING.search(w.written) for w in gap)
    then = last.text == "때" and len(gap) > 1 and bool(re.search(r"[았었했됐였]$", gap[-2].text))
    if past and opens and (then or last.text in AFTERWARDS or _AT_ONCE.search(last.text)):
        return not own_topic and not any(_CONDITION.search(w.text) for w in gap[:-1])
    if any(GUARD.search(w.text + "".join(w.role.partition("+")[1:])) for w in gap):
        return False
    if (_REASON.search(source[end - 1].text) or (past and _MANNER.search(last.written))) and not own_topic:
        return opens
    return _skips_modifier(gap, claim, at, loose=loose, own_topic=own_topic, opens=opens) or _skips_place(
        gap, claim, loose=loose
    )


def _torn(
    source: Sequence[Word], start: int, end: int, claim: Sequence[Word], at: int, gap: Sequence[Word]
) -> bool:
    """Whether what is left out leaves behind a part of itself."""
    told = modifies(source, end - 1)
    if source[end].text == "있" and source[end - 1].role == "connective":
        return True  # "하고 있다"
    if start and modifies(source, start - 1) and not told:
        return True  # its noun is left out
    if at and gap[0].text in _BOUND and claim[at - 1].role in ("", "topic"):
        return True  # "1951년 이후" is not "1951년"
    head = next((w.role for w in source[end:] if w.role not in ("", "of", "aside")), "")
    subject = any(w.role in ("topic", "subject") for w in claim[:at])
    return told and at > 0 and head == "topic" and not subject  # "1921년 서울에서 태어난 …": the rest of it


def _skips_of_name(
    source: Sequence[Word], start: int, end: int, claim: Sequence[Word], gap: Sequence[Word]
) -> bool | None:
    """Whether what is told of a person, or of `이 …`, may be left out: it restricts nothing; None of other things."""
    shown = source[end].text in ("이", "그") and source[end].role in ("", "of")
    titled = gap[-1].text.endswith("인") and bool(PERSON.search(gap[-1].text[:-1]))
    told = modifies(source, end - 1)
    if (told and (shown or is_named(source, end, titled=titled))) or (shown and gap[-1].role == "of"):
        own = any(w.role == "topic" and not modifies(gap, i) for i, w in enumerate(gap))
        return not own and not any(_CONDITION.search(w.text) or TELLING.search(w.text) for w in gap)
    if gap[-1].role == "" and PERSON.search(gap[-1].text) and is_named(source, end - 1):  # a title
        begins = start == 0 or ends_unit(source, start)
        plain = begins and all(w.role in ("", "of") for w in gap)
        return plain and bool(claim[-1].tense) and not narrow(claim)
    return None


def _skips_modifier(
    gap: Sequence[Word], claim: Sequence[Word], at: int, *, loose: bool, own_topic: bool, opens: bool
) -> bool:
    """What is told of the noun or the verb behind it: an apposition, a modifying clause, examples, a way."""
    last, told = gap[-1], is_told(claim)
    counts = any(re.search(r"\d{2}", w.text) and not TIMES.search(w.text) for w in gap)
    if last.text.endswith("인") and not counts and (loose or told or (claim[-1].tense and at == 0)):
        return True
    if own_topic:
        return False
    clause = any(w.role for w in gap[:-1]) or last.written.endswith("던")
    if (MODIFYING.search(last.written) or modifies(gap, len(gap) - 1)) and len(gap) > 1 and clause:
        aim = last.text == "위한" and is_event(claim)  # what it is for
        return loose or told or aim or is_predicate(claim[at:])
    if last.text == "등" and not last.role:  # examples before what they are examples of
        return not any(w.role in ("subject", "predicate", "connective") for w in gap)
    if last.text == "결과" and not last.role:  # where a report that stays one comes from
        return at == 0 and any(_REPORTED.search(w.text) for w in claim)
    done = _LINKED.search(last.written) and any(w.role or TIMES.search(w.text) for w in gap[:-1])
    return bool(done) and opens and tells_done(claim)


def _skips_place(gap: Sequence[Word], claim: Sequence[Word], *, loose: bool) -> bool:
    """Where and when something happened, and by when it is planned."""
    told, event = is_told(claim), is_event(claim)
    placed = all(w.role in ("toward", "in", "at", "of", "") for w in gap) or (
        len(gap) > 2  # `새로 열린 회의에서`
        and bool(MODIFYING.search(gap[-2].written))
        and not any(w.role in ("topic", "predicate", "connective") for w in gap)
    )
    timed = all(TIMES.search(w.text) or w.text in _AFTER for w in gap)
    if gap[-1].role in ("until", "since"):
        return timed and (told or (event and gap[-1].role == "since"))
    ends = ("in", "at", "toward") if event and not _REPORTED.search(claim[-1].text) else ("in", "at")
    return (placed and gap[-1].role in ends and (loose or told or event)) or (
        timed and (loose or told or event)
    )


def _skips_clause(
    source: Sequence[Word], end: int, claim: Sequence[Word], at: int, gap: Sequence[Word]
) -> bool:
    """A first clause left out: before all of the claim, or between a shared topic and its second predicate."""
    if any(_CONDITION.search(w.text) for w in gap[:-1]):
        return False
    if at == 0:
        return not is_bound(source, end, claim)
    if any(w.role == "topic" and not modifies(gap, i) for i, w in enumerate(gap)):
        return False  # somebody else did the rest
    after = next((i + 1 for i in reversed(range(at)) if claim[i].verb), 0)
    own_words = [w for w in claim[after:at] if not (TIMES.search(w.text) and source[end - 1].linked)]
    shared = all(w.role in ("", "of", "topic", "subject") for w in own_words) and not any(
        TIMES.search(w.text) and not w.role for w in own_words
    )
    shared = shared and (not own_words or own_words[-1].role in ("topic", "subject"))
    shared = shared and sum(w.role in ("topic", "subject") for w in own_words) <= 1
    stop = next((i for i in range(end, len(source)) if source[i].verb), len(source) - 1)
    subjects = [
        i for i in range(end, stop) if source[i].role in ("topic", "subject") and not modifies(source, i)
    ]
    if subjects and subjects[-1] == stop - 1 and source[stop].text in ("되", "아니"):
        subjects.pop()  # what it became
    return shared and not subjects


def _moved(claim: Sequence[Word], source: Sequence[Word]) -> bool:
    """Whether the claim has the arguments of one clause of the source in another order, each with its particle."""
    spoken = [w for w in claim if w.role != "mark"]
    for start, clause, main in _clauses(source):
        if start and is_bound(source, start, spoken):
            continue
        places = _places(spoken, clause, main)
        if places is None:
            continue
        left = [w for i, w in enumerate(clause) if i not in set(places)]
        if all(w.role == "aside" or w.text in OPENERS for w in left) or (
            is_loose(spoken) and _dispensable(left)
        ):
            return True
    return False


def _dispensable(left: Sequence[Word]) -> bool:
    """Whether what a moved claim leaves out is only where and when."""
    clean = not is_story(left) and not any(GUARD.search(w.text) or "+" in w.role for w in left)
    limits = any(w.role in ("until", "since") or w.text in _BOUND for w in left)
    return clean and not limits and all(w.role in ("in", "at") or TIMES.search(w.text) for w in left)


def _clauses(source: Sequence[Word]) -> list[tuple[int, list[Word], Word | None]]:
    """Where each clause begins, its words, and the predicate whose tense it shares."""
    main = _final(source)
    found: list[tuple[int, list[Word], Word | None]] = []
    clause: list[Word] = []
    start = 0
    for i, word in enumerate(source):
        if word.role != "mark":
            clause.append(word)
        if word.verb:
            found += [] if is_of_another(source, i) else [(start, clause, main)]
            clause, start = [], i + 1
    return found


def _places(claim: Sequence[Word], clause: Sequence[Word], main: Word | None) -> list[int] | None:
    """For each word of the claim its place in the clause; None when one is missing or was torn from its noun."""
    used: list[int] = []
    one_subject = sum(w.role in ("topic", "subject") for w in clause) == 1
    for i, word in enumerate(claim):
        strict = [k for k, w in enumerate(clause) if k not in used and _same(word, w, main, exact=False)]
        strict = [
            k
            for k in strict
            if clause[k].role == word.role
            or word.verb
            or _timed(word, clause[k])
            or (one_subject and {word.role, clause[k].role} <= {"topic", "subject"})
        ]
        if i and _leans(claim[i - 1]):
            strict = [k for k in strict if k == used[-1] + 1]
        if not strict:
            return None
        used.append(strict[0])
    for before, after in zip(claim, used, strict=True):
        if _leans(before) and after + 1 not in used:
            return None
    return used if used and used[-1] == len(clause) - 1 else None


def _leans(word: Word) -> bool:
    """Whether the word belongs to the one behind it: it has no particle of its own, or the genitive."""
    return word.role in ("", "of", "with") and not TIMES.fullmatch(word.text)


def _voices(claim: Sequence[Word]) -> list[tuple[Word, ...]]:
    """The claim in the active voice: `A는 B로부터 기증받았다` as `B가 A에 기증했다`, `A가 지원되었다` as `A를
    지원했다`."""
    last = claim[-1]
    found: list[tuple[Word, ...]] = []
    if last.text.endswith("받") and len(last.text) > 2:
        for place in ("in", "to"):
            roles = {"topic": place, "subject": place, "from": "subject"}
            found.append(_recast(claim, roles, last.text[:-1] + "하"))
    if last.text.endswith("되") and len(last.text) > 2:
        found.append(_recast(claim, {"topic": "object", "subject": "object"}, last.text[:-1] + "하"))
    return found


def _recast(claim: Sequence[Word], roles: dict[str, str], verb: str) -> tuple[Word, ...]:
    nouns = [Word(w.text, roles.get(w.role, w.role), w.tense) for w in claim[:-1]]
    return (*nouns, Word(verb, claim[-1].role, claim[-1].tense))


def _copula(claim: Sequence[Word], source: Sequence[Word]) -> bool:
    """`외래종인 배스는 …` says that `배스는 외래종이다`."""
    topic = next((i for i, w in enumerate(claim) if w.role == "topic"), None)
    if topic is None or not claim[-1].text.endswith("이") or claim[-1].tense:
        return False
    subject = [w.text for w in claim[: topic + 1]]
    said = [w.text for w in claim[topic + 1 : -1]] + [claim[-1].text[:-1] + "인"]
    wanted = said + subject
    texts = [w.text for w in source[: len(wanted)]]
    return texts == wanted and source[len(wanted) - 1].role in ("topic", "subject")


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()
