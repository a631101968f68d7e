"""The words of a question that an answer may hold, without those that only ask: "how long", "받을 수 있나요"."""

from __future__ import annotations

import re

from rag.answering.asked_forms import GIVEN
from rag.text.keywords import has_search_terms, query_terms
from rag.text.language import is_particle, without_particle
from rag.text.patterns import lazy_compile

_ASKING = lazy_compile(
    r"\bhow\s(?:many|much|long|old|far|tall|big|large|small|high|low|often|fast|wide|deep|heavy|early|late|soon|hot"
    r"|cold|warm"
    r"|loud|thick|well|exactly)\b|\b(?:what|which)\s(?:(?:is|was|were|are)\sthe\s)?(?:kinds?|types?|sorts?)\sof\b"
    r"|\b(?:what|which)\s(?:happens|happened)\b|\b(?:am|are|is)\s(?:i|we|you)\s(?:allowed|able)\sto\b"
    r"|\b(?:do\s(?:i|we|you)\s)?(?:have|need|want|like)\sto\b|\bmay\b(?!\s\d)"
    r"|\bunless (?:i|you|we) (?:say|set|specify|choose|change|give)\b.*$|\bby default\b"
    rf"|\bunless {GIVEN} otherwise\b|\bunless otherwise {GIVEN}\b|\b(?:is|are)(?: not|n['’]t)? {GIVEN}(?=\sin\b|\W*$)"
    r"|\b(?:if|when) (?:i|you|we) (?:say|set|specify|choose|change|give) (?:nothing|no \w+)"
    r"|^(?:please\s)?(?:tell me|show me|explain|describe|name|list)\b"
    r"|\b(?:which|what)\s(?:command[- ]line\s)?(?:option|flag|switch|parameter|setting|shortcut)s?\b"
    r"|(?:어떤|어느|무슨)\s(?:옵션|설정|단축키)(?=[을를이가은는으에\s])",
    re.IGNORECASE,
)
"""Words that ask and that an answer does not repeat."""
_KOREAN_ENDING = lazy_compile(
    r"(?:(?:(?:하|되)(?:였|었)|[하되있없했됐할될]|(?<![가-힣])[가-힣])?(?:나요|까요|는가)"
    r"|[가-힣](?:니까|가요|은가|인가|던가|을까|일까|지요|래요|데요|냐|ㅂ니까)|(?:이?예|이?에|어|아|여|해|돼|와|워)요"
    r"|[죠니나까]|이?다|무엇|뭔가요|뭐)(?=\s*[?？.!]*\s*$)"
)
"""The ending of a Korean question, with a stem of one syllable: 지우나요 keeps 지우, 받나요 and 합니까 nothing."""
_OF_VERBS = ("나요", "까요", "는가")
"""Those before which a stem is left: 지우."""
_KOREAN_IDLE = lazy_compile(
    r"(?<!\S)(?:[그이저](?:것|곳|때)?|[그이저][건게거]|거기|여기)(?:은|는|이|가|을|를|에|에서|에는|도|의)?(?=\s)|(?<!\S)(?:수|[가-힣]?(?:할|될)|해야"
    r"|[가-힣]{1,2}야|[하되](?:는|면|게|도록|려면|려고)|있는|없는|있|없|했|됐|되었|하였|것|건|거|게|때|중|등|및|또는|혹시|정확히"
    r"|알려|알고|대해|대한|대해서|위해|통해|관련|[가-힣]{1,2}도(?=\s(?:되|됩|괜찮))|주세요|주십시오|(?:싶|않)[가-힣]{0,3}|아예|너무)"
    r"(?=[?？.!\s]|$)|(?<!\S)(?:있|없|되|하|합|됩|했|됐|좋|괜찮)[가-힣]{0,4}(?=\s*[?？.!]*\s*$)"
)
"""Auxiliary words of Korean questions: 할 수 있나요, 해야 하나요, 해도 되나요."""
_KOREAN_VERB = lazy_compile(
    r"(?:많|높|낮|좋|같|놓|받|넣|찾|읽|먹|입|앉|짧|얇|넓|좁|젊|늙|작|남|죽|믿|싶)(?:은|을|는|고|지|게|아|어|이|기|으면)"
    r"|[뜨두치가오보쓰사내타자하되끄켜나주](?:면|려면|려고)|[가-힣]{1,3}(?:으면|려면|려고|면서|아서|어서)"
    r"|[개명번권대장](?:의|이)"
)
"""Verbs and counters that a reader is not told as missing words."""
_KOREAN_COUNT = lazy_compile(
    r"(?<!\S)며칠\S{0,3}|(?<!\S)(?:돈|값)[이은을]\s(?=얼마)|(?<!\S)(?:최소|최대)한?(?=\s(?:몇|며칠))"
)
"""What asks for a count or an amount, and that no answer repeats."""
_KOREAN_CLAUSE = lazy_compile(
    r"(?<=[가-힣])(?:으?려면|으면|하면|되면|으?려고|[아어여]서)(?=\s)|(?<!\S)[하되]려면(?=\s)"
)
"""The ending of the clause before: 뽑으면, 나르려면."""
_HANGUL = lazy_compile("[가-힣]")


def names_subject(question: str) -> bool:
    """Whether a question names something to look for, beside the words that only ask and count ("몇 명인가요?")."""
    bare = _bare(question)
    return has_search_terms(bare) and any(len(term) > 1 for term in query_terms(bare))


def _bare(question: str) -> str:
    """A question without the words that only ask."""
    for idle in (_ASKING, _KOREAN_COUNT, _KOREAN_IDLE, _KOREAN_ENDING, _KOREAN_CLAUSE):
        question = idle.sub(" ", question)
    return question


def plain_word(word: str) -> str:
    """A word of a question as the reader is told it: 정년은 gives 정년, 출시되었나요 gives 출시, 받나요 nothing."""
    bare = word.strip("?!.,'\"“”‘’()[]？！")
    if not _HANGUL.search(bare):
        return bare
    ending = _KOREAN_ENDING.search(bare)
    if _KOREAN_VERB.fullmatch(bare) or (ending and ending[0] in _OF_VERBS):
        return ""
    if len(bare) == 2 and bare[1] in "을를의로":
        return bare[0]
    noun = without_particle(bare)
    if noun != bare and not noun.endswith(("하", "되", "시키")):
        return noun
    stems = [bare[:i] for i in range(2, len(bare)) if is_particle(bare[i:])]
    stem = stems[0] if stems else _KOREAN_ENDING.sub("", bare)
    return stem if stem == bare or len(stem) > 1 else ""


def asked_terms(question: str) -> dict[str, float]:
    """The search terms of a question without the words that only ask: "how long", "what kind of", "받을 수 있나요".

    A text that answers need not hold them. When nothing else is there, they are kept.
    """
    bare = _bare(question)
    terms = query_terms(bare) if has_search_terms(bare) else {}
    every = query_terms(question)
    return {term: max(weight, every.get(term, 0.0)) for term, weight in terms.items()} or every
