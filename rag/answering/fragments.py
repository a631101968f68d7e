"""Whether a fragment such as "1957" answers its question out of a sentence: fragment and question judged together.

The fragment must stand in the sentence word for word, every telling word of the question must stand there beside it,
in the same clause, and the fragment must be of the kind that is asked for (a time for "when", a figure for "how
many"). A sentence that denies, guesses or restricts where the question does not answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering import korean_words
from rag.answering import rewrites as words
from rag.answering.alignment import Basis
from rag.answering.english_words import Source, is_past, tokenize
from rag.text.keywords import STOP_WORDS
from rag.text.language import language_of
from rag.text.patterns import lazy_compile

SHORT = 6
"""Words from which a sentence is understood without its question."""
_ASKING = frozenset(
    [
        "who",
        "whom",
        "whose",
        "what",
        "which",
        "when",
        "where",
        "why",
        "how",
        "many",
        "much",
        "long",
        "old",
        "far",
        "often",
        "does",
        "did",
        "do",
    ]
)
_AUXILIARIES = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "has",
        "have",
        "had",
        "of",
        "in",
        "on",
        "at",
        "to",
        "the",
        "a",
        "an",
        "by",
        "for",
        "from",
        "with",
        "and",
        "or",
        "it",
    ]
)
_TIME = lazy_compile(
    r"@|[12]\d{3}|\d{1,2}(?:st|nd|rd|th)|january|february|march|april|may|june|july|august|september|october"
    r"|november|december|century|spring|summer|autumn|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_KO_ASKING = lazy_compile(
    "(?:무엇|무슨|누구|누가|어디|언제|어느|어떤|얼마|왜|몇|뭐)|(?:인가요?|입니까|나요|습니까|은가요?|는가|까요?)$"
)
_KO_GUARDS = lazy_compile(r"않|못|없|제외|면\s|경우|다고|라고|약 |추정|예정")
_PIECES = lazy_compile(r"(?<=[고며])[,\s]\s*|(?<=지만)[,\s]\s*|(?<=으나)[,\s]\s*|(?<=[가-힣]로),\s*")
_KO_ROLES = (
    (lazy_compile("누가|누구가|무엇이|어디가"), lazy_compile("[이가은는]")),
    (lazy_compile("누구를|무엇을|어디를"), lazy_compile("[을를은는]")),
    (lazy_compile("누구에게|어디에(?!서)"), lazy_compile("에")),
    (lazy_compile("누구로부터|어디로부터|누구에게서"), lazy_compile("으?로부터|에게서")),
    (lazy_compile("어디에서|어디서"), lazy_compile("에서")),
    (lazy_compile("어디로"), lazy_compile("으?로")),
)
_KO_TIME = lazy_compile(r"\d+\s?(?:년|월|일|시|분|세기)|오전|오후")
_KO_DATE = lazy_compile(r"\d+년(?:\s?\d+월)?(?:\s?\d+일)?|\d+월(?:\s?\d+일)?")
_KO_FIGURE = lazy_compile(r"(\d+(?:\.\d+)?)")
_KO_COUNT = lazy_compile(r"(\d+(?:\.\d+)?)\s?([가-힣℃%]|$)")
"""A figure with the first letter of what it counts."""
_SUFFIX = lazy_compile(r"(?:ing|ed|es|s|d)$")


def answers(fragment: str, question: str, sentence: str) -> Basis | None:
    """`quoted` when the fragment, read as the answer to the question, says what the sentence says; else None."""
    if not question.strip() or not fragment.strip(" ."):
        return None
    if language_of(question) == "ko":
        return _answers_korean(fragment, question, sentence)
    return _answers_english(fragment, question, sentence)


def _answers_english(fragment: str, question: str, sentence: str) -> Basis | None:
    said, asked, source = tokenize(fragment), tokenize(question), Source(tuple(tokenize(sentence)))
    said = [t for t in said if t not in ",;:()"]
    place = _contiguous(said, source.tokens)
    if place is None or not _right_kind(said, fragment, asked, source.tokens, place):
        return None
    telling = [t for t in asked if t[0].isalnum() or t[0] == "@"]
    telling = [t for t in telling if t not in _ASKING and t not in _AUXILIARIES and t not in STOP_WORDS]
    if _after_which(asked):
        telling = telling[1:]
    counted = asked[:2] == ["how", "many"] and len(asked) > 2 and asked[2] in said
    telling = [t for t in telling if not counted or t != asked[2]]
    found = [_place(t, source.tokens, place) for t in telling]
    places = [p for p in found if p is not None]
    if not telling or len(places) < len(found) or not _near(asked, place, places, source):
        return None
    clause = source.clauses[place[0]]
    return (
        None
        if _guarded(source, clause, {*asked, *said}) or not _role(asked, place, places, source)
        else "quoted"
    )


def _near(asked: Sequence[str], place: tuple[int, int], places: Sequence[int], source: Source) -> bool:
    """Whether fragment and question meet: in one clause, no other verb between them, nor for a count a figure."""
    clause, tokens = source.clauses[place[0]], source.tokens
    verbs = [p for p in places if is_past(tokens[p])]
    if asked[0] != "why" and any(source.clauses[p] != clause for p in verbs):
        return False
    if asked[0] != "why" and not any(source.clauses[p] == clause for p in places):
        return False
    nearest = min(places, key=lambda p: min(abs(p - place[0]), abs(p - place[1])))
    between = range(min(nearest, place[1]), max(nearest, place[0]))
    if any(is_past(tokens[i]) and tokens[i] not in words.COPULAS and i not in places for i in between):
        return False
    low, high = min(*places, place[0]), max(*places, place[1])
    counts = [
        i
        for i in range(low, high)
        if tokens[i][0].isdigit() and not place[0] <= i < place[1] and i not in places
    ]
    if asked[0] != "how" or asked[1:2] not in (["many"], ["much"]):
        return True
    noun = asked[2] if asked[1] == "many" and len(asked) > 2 else ""
    named = not noun or noun in tokens[place[0] : place[1] + 2]
    return named and not counts


def _after_which(asked: Sequence[str]) -> bool:
    """Whether the word behind the question word only names the kind of answer: `which countries`, `what year`."""
    return (
        asked[0] in ("which", "what") and len(asked) > 1 and asked[1] not in words.COPULAS | {"did", "does"}
    )


def _contiguous(said: Sequence[str], source: Sequence[str]) -> tuple[int, int] | None:
    """Where the fragment stands in the source; a leading preposition or article may be its own."""
    for drop in (0, 1):
        part = list(said[drop:])
        if part and (not drop or said[0] in words.ARTICLES | words.PREPOSITIONS):
            for i in range(len(source) - len(part) + 1):
                if list(source[i : i + len(part)]) == part:
                    return i, i + len(part)
    return None


def _right_kind(
    said: Sequence[str], fragment: str, asked: Sequence[str], source: Sequence[str], place: tuple[int, int]
) -> bool:
    """Whether the fragment is of the kind that the question asks for."""
    first = asked[0] if asked else ""
    figure = any(t[0].isdigit() for t in said)
    if first == "when" or asked[:2] == ["what", "year"] or asked[:2] == ["which", "year"]:
        return any(_TIME.match(t) for t in said)
    if first == "how":
        return figure if len(asked) > 1 and asked[1] in ("many", "much", "long", "old", "far") else False
    if first == "who":  # what follows the name may be the rest of the sentence
        stop = words.PREPOSITIONS - {"of"} | {"and", "who"}
        name = said[: next((i for i, t in enumerate(said) if t in stop or is_past(t)), len(said))]
        return fragment.strip()[:1].isupper() and bool(name) and not any(t[0].isdigit() for t in name)
    if first == "where":
        return any(
            t in words.PREPOSITIONS
            for t in (said[0], source[max(place[0] - 1, 0)], source[max(place[0] - 2, 0)])
        )
    if first == "why":
        return bool({"because", "since", "to"} & {said[0], source[max(place[0] - 1, 0)]})
    return first in ("what", "which")


def _place(token: str, source: Sequence[str], taken: tuple[int, int]) -> int | None:
    """Where a word of the question stands in the source, in whatever form, outside the fragment."""
    stem = _stem(token)
    best = None
    for i, other in enumerate(source):
        if taken[0] <= i < taken[1]:
            continue
        if (
            other == token
            or (len(stem) >= 3 and _stem(other) == stem)
            or words.PARTICIPLES.get(other) == token
        ):
            return i
        if frozenset((other, token)) in words.SYNONYMS:
            best = i
    return best


def _stem(token: str) -> str:
    return _SUFFIX.sub("", token).rstrip("e")


def _role(asked: Sequence[str], place: tuple[int, int], places: Sequence[int], source: Source) -> bool:
    """Whether the fragment is the subject where the question asks for one: `who attacked Israel`."""
    if asked[0] not in ("who", "what", "which"):
        return True
    verb = next((p for p in places if is_past(source.tokens[p])), None)
    inverted = {"did", "does"} & set(asked)
    if verb is None or inverted or asked[1] in words.COPULAS:
        asks_object = bool(inverted) and verb is not None and place[0] > verb
        return asks_object or (verb is None and not inverted)
    passive = source.tokens[max(place[0] - 1, 0)] == "by" and place[0] > verb
    return passive or place[1] <= verb


def _guarded(source: Source, clause: int, known: set[str]) -> bool:
    """Whether the clause denies, guesses or restricts where question and fragment do not."""
    inside = {t for t, number in zip(source.tokens, source.clauses, strict=True) if number == clause}
    guards = words.NEGATIONS | words.CONDITIONS | words.HEDGES | words.ATTRIBUTIONS
    guards -= (
        {"when", "where", "until", "expected", "must", "can", "will", "may"}
        if known & words.HEDGES
        else {"when", "where"}
    )
    return bool(guards & inside - known)


def _answers_korean(fragment: str, question: str, sentence: str) -> Basis | None:
    bare = re.sub(r"(?:입니다|이다|이에요|예요)$", "", _bare(fragment).rstrip("."))
    piece = next((p for p in _PIECES.split(sentence) if bare and bare in _bare(p)), None)
    if piece is None or bare in _bare(question) or not _korean_kind(bare, question):
        return None
    text = _bare(piece)
    at = text.find(bare)
    if bare[0].isdigit() and not _one_count(piece, bare):
        return None
    asked = [w for w in korean_words.words_of(question) if w.role != "mark"]
    telling = [w for w in asked if not _KO_ASKING.search(w.text + ("가" if w.role == "subject" else ""))]
    held = [w for w in telling if w.text in text]
    first = _bare(_PIECES.split(sentence)[0])
    shared = all(w.role in ("topic", "", "of") and w.text in first for w in telling if w not in held)
    guarded = _KO_GUARDS.search(piece) and not _KO_GUARDS.search(question)
    return (
        "quoted"
        if held and shared and not guarded and _korean_role(text[at + len(bare) :], question)
        else None
    )


def _one_count(piece: str, bare: str) -> bool:
    """Whether no other figure of the piece counts the same thing as that of the fragment: `12가지 가운데 5가지`."""
    counts = _KO_COUNT.findall(_KO_DATE.sub("", korean_words.figures(piece)))
    figure = _KO_COUNT.match(bare) or _KO_FIGURE.match(bare)
    own = figure[1] if figure is not None else ""
    nouns = {noun for count, noun in counts if count == own}
    dated = _KO_TIME.search(bare) is not None and not nouns
    return dated or (len(nouns) == 1 and not any(noun in nouns for count, noun in counts if count != own))


def _korean_role(behind: str, question: str) -> bool:
    """Whether the particle behind the fragment is the one that the question word has."""
    for asking, particles in _KO_ROLES:
        if asking.search(question):
            return bool(particles.match(behind))
    return True


def _bare(text: str) -> str:
    return "".join(korean_words.figures(text).split())


def _korean_kind(bare: str, question: str) -> bool:
    if "언제" in question:
        return bool(_KO_TIME.search(bare))
    if re.search(r"몇|얼마", question):
        return any(c.isdigit() for c in bare)
    return True
