"""What the words of a Korean sentence do in it, and what kind of claim a sentence makes.

A claim that reports what happened is true also without its where and when; one that counts, ranks or denies is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rag.answering.korean_words import Word
from rag.answering.rewrites import word_set
from rag.text.patterns import lazy_compile

TIMES = lazy_compile(
    r"^(?:오늘|어제|이날|최근|지난|즉시|곧|곧바로|이미|직접)$|[\d#.]+(?:년|월|일|시|분|초|세기|년대|개월)|오전|오후|당시|전날|다음날|이튿날|연말|연초|올해|지난해|작년|전년|이듬해|주말|평일"
)
IF = r"(?<![전화표측정반방국평단냉장도노벽겉양])면"
"""Pattern of the ending of a condition; the 면 of nouns such as 화면 and 측면 is none."""
GUARD = lazy_compile(
    rf"(?:{IF}|때|때에|때에는|때는|경우|경우에|경우에는|않|못|없|아니)$|^한$|^안$|^내$|이내$|범위에?서?$|한도|조건|전제|제외|외에|다만|단지|만약|만일|대부분|대다수|모든|모두|전체"
    r"|(?<![가-힣])전부|일부|^약$|대략|거의|최소|최대|적어도|이상|이하|미만|초과|가량|정도|쯤|주로|대체로|보통|가끔|항상|아마|추정|예상|예정"
    r"|계획|가능|따르면|의하면|라고|다고|주장|한때|\+only|than$|of$|별로|결코|전혀|과반|^뺀$|^이외$|^외$"
)
TELLING = lazy_compile(r"예정|계획|라고|다고|주장|따르면|의하면|한때|가능")
"""Guards that say how sure something is, and nothing of when and where it is so."""
_RANK = lazy_compile(r"^(?:가장|처음|유일한?|첫|마지막)$|^최(?:초|고|대|소|다|장|연소|고령)")
"""What something is the only or first one of depends on all that is said of it."""
MODIFYING = lazy_compile(
    r"(?:어긋나|일어나|나타나|벗어나|늘어나|끝나)는$|^(?:사|오|가|나오|보|쓰|다니|지나|흐르|열리|속하|불리|쓰이|이끄|만드|다루)는$|(?:있|없|하|되|받|않|이라|다|당하|시키|맡|갖|넘|걸리|이르|따르)는$|던$|[가-힣](?:한|된|인|은|진|친)$"
)
"""Endings of the verb of a clause that modifies the noun behind it; some nouns end so, too, and stand alone."""
_ARGUING = word_set("object subject in at toward from as by to")
"""Particles behind which a word in -ㄴ is a verb that modifies, as in `길을 만든 사람`."""
_AS_LONG = lazy_compile(r"(?:있|없|않|하|되|이)는$")
"""Verbs behind which 한 is a limit and no determiner."""
_LONGEST_NAME = 5
"""Words of a name with its title, and syllables of its last word."""
PERSON = lazy_compile(
    r"(?:주인공|감독|교수|대표|의원|총재|총리|대통령|배우|선수|후보|박사|할머니|할아버지|할매|소년|소녀|남학생|여학생|형사|어부|왕자|공주"
    r"|[가-힣](?:학자|기자|작가|화가|가수|의사|판사|검사|시장|장관|차관|부장|사장|회장|과장|선장|교장|총장|원장|단장|대장|관장|소장|청장|국장|팀장|위원장|주무관|경찰관|시인|건축가|음악가|정치인|연구원))$"
    r"|^(?:작가|화가|기자|가수|의사|시인|시장|장관|차관|군인|왕)$"
)
"""What a person is called before the name."""
_COMMON = lazy_compile(
    r"(?:[원자들회사장생등단측팀부과국실처청서층용금법비점율률씨]|가족|모임|협회|노조|출신)$"
)
"""Ends of nouns that are no names."""
_FICTION = lazy_compile(
    r"(?:영화|소설|드라마|만화|게임|전설|신화|설화|동화|연극|희곡|꿈|이야기|작품|원작|최종회|마지막회|시리즈|뮤지컬|오페라|웹툰"
    r"|우화|서사시|기억|상상|가설|시나리오|전승)속?$|^\d+부$"
)
"""Worlds in which something happens that did not happen in this one."""
_OUTLOOK = lazy_compile(r"(?:시각|관점|입장|견해)$")
"""Whose eyes something is so in: `내각의 시각에서`."""
AFTERWARDS = word_set("뒤 후 다음 직후 이래")
_STATES = lazy_compile(r"(?:있|없|이|많|적|높|낮|크|작|길|짧)$")
"""Predicates that report no event: where and when such a thing was so is part of what is said."""
_PLAN = lazy_compile(r"^(?:예정|계획|방침)이$")
_DENYING = lazy_compile(r"(?:부인|부정|거부|거절|금지|반박|제한|면제)[하되]$|^막(?:히)?$")
"""Verbs of which less is said when more is said of their object: who denies that A did it denies no deed."""
_REPORTS = lazy_compile(r"[라다]고$")
_EXCEPTING = word_set("제외하 빼 빼놓")
"""Stems of verbs that except something from what follows."""
_UNREAL = lazy_compile(r"[가-힣]려던$|^싶|^(?:생각|마음|작정|심산|속셈)이$|^(?:척|체|뻔)하?$")
"""Words of a plan, a wish or a pretence."""
_SAYING = word_set("말 제안 요구 요청 명령 지시 권고 주장 의견 결의 약속 통보 소문 지적 비판 의혹 법안 취지")
"""Nouns behind a verb in -자는, -라는 or -다는, which tell what was said."""
_WISH = lazy_compile(r"^(?:원하|바라|거부하|거절하|희망하|포기하|꺼리|두려워하|요구하|요청하|촉구하)$")
"""Verbs of what is wanted, or not."""


def ends_unit(source: Sequence[Word], at: int) -> bool:
    """Whether a phrase or clause ends before the word `at`."""
    word = source[at - 1]
    return word.role not in ("", "of", "with") or modifies(source, at - 1) or bool(TIMES.search(word.text))


def is_named(source: Sequence[Word], at: int, *, titled: bool = False) -> bool:
    """Whether a person is named from the word `at` on, with a title before or behind the name.

    What modifies a name tells of its bearer and restricts nothing.
    """
    head = next(
        (i for i in range(at, min(at + _LONGEST_NAME, len(source))) if source[i].role not in ("", "aside")),
        None,
    )
    if head is None or source[head].verb:
        return False
    if source[head].text == "씨":
        return True
    titled = titled or any(PERSON.search(w.text) for w in source[at:head])
    return titled and 1 < len(source[head].text) <= _LONGEST_NAME and not _COMMON.search(source[head].text)


def modifies(source: Sequence[Word], at: int) -> bool:
    """Whether the word is the verb of a clause that modifies the noun behind it."""
    word, before = source[at], source[at - 1].role if at else ""
    if MODIFYING.search(word.written):
        return True
    if word.role == "" and word.text.endswith("는"):
        return True  # a verb: behind a consonant no particle
    in_n = unicodedata.normalize("NFD", word.text)[-1:] == "\u11ab"
    return (word.role == "" and in_n and before in _ARGUING) or (
        word.role == "topic" and before in ("object", "subject")
    )


def is_loose(claim: Sequence[Word]) -> bool:
    """Whether the claim reports something that happened, without figures or degrees that depend on where and when."""
    figures = any(re.search(r"\d", w.text) and not TIMES.search(w.text) for w in claim)
    going = claim[-1].text == "있" and len(claim) > 1 and claim[-2].role == "connective"  # 높아지고 있다
    allowed = any(re.search(r"^수$|야$|[할될갈올]$", w.text) for w in claim)
    named = is_named(claim, 0) and not allowed  # what a person does, and not what such persons do
    return (claim[-1].tense == "past" or going or named) and not figures and not narrow(claim)


def is_told(claim: Sequence[Word]) -> bool:
    """Whether the claim tells of a plan or of what somebody said, which it was also without when and where."""
    rest = [w for w in claim if not TELLING.search(w.text)]
    told = len(rest) < len(claim) or any(w.role == "connective" and w.text.endswith("겠다") for w in claim)
    planned = bool(_PLAN.search(claim[-1].text))
    return told and (claim[-1].tense == "past" or planned) and not narrow(rest)


def narrow(claim: Sequence[Word]) -> bool:
    """Whether the claim counts or denies, so that it depends on all that the sentence says beside it."""
    limits = zip(
        ("", *(w.written for w in claim)), claim, strict=False
    )  # "한" is "a", but "as long as" behind a verb
    said = [w for before, w in limits if w.text != "한" or _AS_LONG.search(before)]
    guards = (GUARD.search(_REPORTS.sub("", w.text)) for w in said)
    return (
        any(guards)
        or bool(claim and _DENYING.search(claim[-1].text))
        or any(_RANK.search(w.text) or "%" in w.text for w in claim)
    )


def is_event(claim: Sequence[Word]) -> bool:
    """Whether the claim reports an event, which stays true without when and where also when it holds figures."""
    last = claim[-1]
    ranked = any(re.search(r"\d(?:위|등|번째)", w.text) for w in claim)
    return last.tense == "past" and not _STATES.search(last.text) and not ranked and not narrow(claim)


def is_inner(source: Sequence[Word], at: int) -> bool:
    """Whether the clause that ends at `at` may belong to a noun behind it: `침입해 돈을 훔친 혐의`."""
    ahead = (
        i
        for i in range(at + 1, len(source))
        if source[i].role == "mark" or source[i].verb or modifies(source, i)
    )
    stop = next(ahead, at)
    after = source[min(stop + 1, len(source) - 1)].text in AFTERWARDS | {"끝"}  # 흐른 뒤
    return source[at].linked and not (source[stop].verb or source[stop].role == "mark" or after)


def is_of_another(source: Sequence[Word], at: int) -> bool:
    """Whether the verb in -고 may say no more than the one behind it, which is part of a plan, a wish or a noun."""
    rest = [w for w in source[at + 1 :] if w.role != "mark"]
    bare = not source[at].tense and not source[at].text.endswith("이")
    return is_inner(source, at) or (bare and any(_is_unreal(rest, i) for i in range(len(rest))))


def _is_unreal(rest: Sequence[Word], at: int) -> bool:
    """Whether a word makes what is before it part of a plan, a wish, a report or a failure: `떠나려던 계획`."""
    word, behind = rest[at].written, rest[at + 1].text if at + 1 < len(rest) else ""
    return (
        _UNREAL.search(word) is not None
        or (word.endswith(("자는", "라는", "다는", "냐는")) and behind in _SAYING)
        or (word.endswith("는") and behind == "데" and at + 2 == len(rest) - 1)
        or (word.endswith(("지", "지는")) and behind in ("못하", "않"))
        or behind in ("혐의", "의혹")
        or (behind == "것" and rest[at + 1].role == "toward")
        or (word == "수" and behind == "없게")
        or (word.endswith("야") and behind in ("하", "되"))
        or (word.endswith(("기를", "기")) and _WISH.search(behind) is not None)
    )


def is_bound(source: Sequence[Word], start: int, claim: Sequence[Word]) -> bool:
    """Whether the clause from `start` on holds only with the one before it, which excepts something from it or, in a
    rule, says what must be so first or of whom it holds."""
    before = source[start - 1]
    ahead = next((i for i in range(start, len(source)) if source[i].verb or modifies(source, i)), start)
    rule = not claim[-1].tense and not tells_done(claim)
    if before.text in _EXCEPTING or (rule and (before.linked or modifies(source, ahead))):
        return True
    if is_story(source[:start]):
        return True
    last = max((i + 1 for i in range(start - 1) if source[i].role == "connective"), default=0)
    opens = next((i for i in range(last, start) if source[i].role in ("topic", "subject", "object")), last)
    places = [w for w in source[last:opens] if w.role in ("in", "at", "to") or w.text == "때"]
    timed = is_event(claim) and all(TIMES.search(w.text) for w in places)
    own = any(w.role in ("in", "at", "to") for w in claim)
    return bool(places) and not (own or timed or is_loose(claim))  # "유럽에서는 매출이 줄고 이익이 5% 늘었다"


def is_story(words: Sequence[Word]) -> bool:
    """Whether words say that something is so in a story or in somebody's eyes: `영화에서`, `설화 속에서`."""
    for before, word in zip((None, *words), words, strict=False):
        place = before.text if before and word.text == "속" and before.role in ("", "of") else word.text
        if word.role in ("in", "at") and _FICTION.search(place):
            return True
        if word.role == "at" and _OUTLOOK.search(place):
            return True
    return False


def tells_done(claim: Sequence[Word]) -> bool:
    """Whether the claim tells what was done or is planned, and not what one may or must do."""
    planned = bool(_PLAN.search(claim[-1].text))
    allowed = any(re.search(r"^수$|야$", w.text) for w in claim)
    return (
        (planned or claim[-1].tense == "past")
        and not allowed
        and not narrow([w for w in claim if not TELLING.search(w.text) and w.role != "until"])
    )


def is_predicate(rest: Sequence[Word]) -> bool:
    """Whether the rest of the claim is what its subject is: `대한제국의 무관이다`."""
    plain = all(w.role in ("", "of") and not re.search(r"\d", w.text) for w in rest[:-1])
    ranked = any(_RANK.search(w.text) for w in rest)
    return (
        plain
        and rest[-1].text.endswith("이")
        and not ranked
        and not narrow([w for w in rest if w.role != "of"])
    )
