"""Forms that an answer has when its question asks for a default, for who made something, or for a name of a kind.

A sentence about the right setting that only describes it does not say what it is by default; one about the right
program without a name does not say who wrote it; a question for a file is answered with the path of one.
"""

from __future__ import annotations

import re

from rag.text.patterns import lazy_compile

_SET = "(?:say|set|specify|choose|change|give)"
GIVEN = "(?:given|set|specified|configured|defined|chosen|told|stated)"
"""What is done to a value that does not come from a default."""
_NOT_GIVEN = (
    rf"\b(?:if|when) no\s[^.;?]{{1,40}}\b(?:is|are) {GIVEN}\b"
    rf"|\b(?:if|when)\s[^.;?]{{1,40}}\b(?:is|are)(?: not|n['’]t) {GIVEN}\b"
    r"|\b(?:if|when)\s[^.;?]{1,40}\b(?:is|are) (?:unset|omitted|missing|left (?:out|empty|blank))\b"
    rf"|\bunless {GIVEN} otherwise\b|\bunless otherwise {GIVEN}\b"
    r"|(?:설정|지정|선택|변경)(?:을|이)?\s?(?:안 하면|없으면)"
)
"""Conditions under which a default holds, as questions and documents tell them."""
_ASKS_DEFAULT = lazy_compile(
    r"\b(?:what|which|how\s(?:many|much|long|often|far|big|large|high))\b.*\bdefaults?\b"
    rf"|\bunless (?:i|you|we) (?:\w+ )?{_SET}\b"
    rf"|\b(?:if|when) (?:i|you|we) (?:(?:do not|don['’]t|never) {_SET}(?: it| any\w*)?"
    rf"|{_SET} (?:nothing|no \w+))[?.,\s]*$"
    rf"|기본\s?값|기본(?:적)?으로|(?:설정|지정|선택|변경|정)하지 않으면|{_NOT_GIVEN}",
    re.IGNORECASE,
)
_STATES_DEFAULT = lazy_compile(
    r"\bdefaults?(?:\s(?:\w+ )?(?:value|setting|size|port))?(?:\s(?:is|are|to|of|being)\b|\s?[:=]|\s(?=[\d\"'“‘]))"
    r"|\b(?:is|are|the)\sdefault\b(?!\s\w+ (?:in|of|for|may|can))|\bby default\b|\bdefault\)"
    r"|\b(?:unless|if|when)\b[^.;]{0,40}\b(?:not (?:set|given|specified|defined|present)|unset|omitted|otherwise"
    r"|missing)\b"
    r"|\bunless\b[^.;]{0,40}\b(?:set|given|specified|indicated|changed)\b|\bnone is (?:set|given|specified)\b"
    rf"|기본\s?값[은이]|기본\s?값\s?[:=(]|기본(?:적)?으로|(?:설정|지정|선택|변경|정)하지 않으면|{_NOT_GIVEN}",
    re.IGNORECASE,
)
_DEED = (
    r"(?:wrote|written|authors?|creat\w+|invent\w+|design\w+|buil[dt]\w*|found(?:ed|ers?)|develop\w+|made|makers?"
    r"|compos\w+|paint\w+|direct(?:ed|ors?)|produced?|producers?|drew|drawn|engineers?|architects?|by)"
)
_ASKS_MAKER = lazy_compile(
    r"\bwho\s(?:\w+\s)?(?:wrote|created|invented|designed|built|founded|developed|made|composed|painted|directed"
    r"|produced|drew)\b"
    r"|\bwho\b.*\b(?:authors?|creators?|inventors?|designers?|founders?|developers?|makers?)\b"
    r"|\b(?:written|created|invented|designed|built|founded|developed|made) by who\w*"
    r"|(?:누가|누구)\S*\s(?:\S+\s)?(?:만들|개발|제작|작성|설계|창시|저술|지었|썼|그렸|건설|세웠|발명|설립|창립|작곡)",
    re.IGNORECASE,
)
_NAME = lazy_compile(
    r"(?<![.!?:]\s)(?<!^)(?<![\w-])[A-Z][a-z]+[\w'’-]*"
    r"|^\W*[A-Z][a-z]+\s(?:(?:[A-Z][\w.'’-]*|(?:de|van|von|of|and|has|had|was|is|who|also|then|first|later|,)\s?)\s?)*"
    rf"{_DEED}\b",
)
"""A name in an English sentence; of its first words only those before what somebody made."""
_MADE_KO = lazy_compile(
    r"만들(?!어[지진집졌])|만든|개발|제작|작성|설계|창시|저술|저자|지은|지었|썼|쓴|그렸|그린|건설|건립|세운|세웠|발명|설립|창립|창설|작곡|작사|창작|고안|의해|기획|제안"
)
_HANGUL = lazy_compile("[가-힣]")
LATIN_END = "(?![A-Za-z0-9_])"
"""The end of a word in Latin letters, also before a Korean particle: Enter를, pumpd.conf에."""
_TERM_FORMS = (
    (
        lazy_compile(r"\b(?:files?|folder|director(?:y|ies))\b|파일|폴더|디렉터리", re.IGNORECASE),
        lazy_compile(rf"(?<![\w/])[~.]?/\w[\w./-]+|\b[\w-]+\.[a-z]{{2,6}}(?!\.){LATIN_END}|\$\w+/"),
    ),
    (
        lazy_compile(r"\b(?:options?|flag|switch)\b|옵션", re.IGNORECASE),
        lazy_compile(
            rf"(?<!\S)--?[A-Za-z][\w-]*|\b[a-z]+(?:[_-][a-z]+)+{LATIN_END}|\b[a-z][\w./-]*=[\w./-]+|[\"“'‘]\w+[\"”'’]"
        ),
    ),
    (
        lazy_compile(r"\b(?:key|shortcut)\b|단축\s?키|(?<![가-힣])키(?![가-힣]{2})", re.IGNORECASE),
        lazy_compile(
            r"\b(?:Ctrl|Alt|Shift|Esc|Enter|Return|Tab|Delete|Space|Home|End|Insert|Backspace|Caps\s?Lock"
            rf"|Page\s?(?:Up|Down)|Command|F\d{{1,2}}){LATIN_END}|\^\w|\bC-\w|[가-힣\w]+\s?키"
        ),
    ),
    (
        lazy_compile(r"명령"),
        lazy_compile(
            r"\b[A-Za-z][\w.+-]*(?=[\"”'’]?(?:\s[^\s가-힣]+)?[\"”'’]?\s?명령)|[\"“'‘][\w.-]+[\"”'’]"
        ),
    ),
    (
        lazy_compile(r"\bvariable\b|변수", re.IGNORECASE),
        lazy_compile(rf"\$\w+|\b[A-Z][A-Z0-9_]{{2,}}{LATIN_END}|\b\w+_\w+\b"),
    ),
)
"""What is asked for by its name, and the form of such names."""


_DESCRIBES = lazy_compile(
    r"\b(?:defin|specif|determin|control|describ|indicat|configur|set|tell)\w*\s(?:the\s\w+\s)?"
    r"(?:where|when|how\s(?:many|much|long|often|far))\b"
    r"|(?:어디|언제|얼마나|며칠|몇)[^.]*(?:는지|을지|할지)[를을]?\s?(?:정|지정|결정|설정|설명)",
    re.IGNORECASE,
)


def only_describes(sentence: str) -> bool:
    """Whether a sentence says that something tells where, when or how much, and not where, when or how much."""
    return bool(_DESCRIBES.search(sentence))


def asks_default(question: str) -> bool:
    """Whether a question asks what holds when nothing is set."""
    return bool(_ASKS_DEFAULT.search(question))


def states_default(sentence: str) -> bool:
    """Whether a sentence says what holds when nothing is set."""
    return bool(_STATES_DEFAULT.search(sentence))


def asks_maker(question: str) -> bool:
    """Whether a question asks who made, wrote or founded something."""
    return bool(_ASKS_MAKER.search(question))


def names_maker(sentence: str) -> bool:
    """Whether a sentence may say who made something: it has a name, or in Korean a word for making."""
    return bool((_MADE_KO if _HANGUL.search(sentence) else _NAME).search(sentence))


def forms_of_term(question: str) -> list[re.Pattern[str]]:
    """The forms that the name asked for may have; none when the question does not say what kind of name."""
    return [form for asks, form in _TERM_FORMS if asks.search(question)]
