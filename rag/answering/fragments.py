"""Whether a fragment such as "1957" answers its question out of a sentence: fragment and question judged together.

The fragment must stand in the sentence word for word, every telling word of the question must stand there beside it,
in the same clause, and the fragment must be of the kind that is asked for (a time for "when", a figure for "how
many"). A sentence that denies, guesses or restricts where the question does not answers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rag.answering import fragments_korean
from rag.answering import rewrites as words
from rag.answering.alignment import Basis
from rag.answering.english_words import DATED, PUNCTUATION, YEAR, Source, is_past, tokenize
from rag.text.keywords import STOP_WORDS
from rag.text.language import language_of
from rag.text.patterns import lazy_compile

SHORT = 6
"""Words from which a sentence is understood without its question."""
_ASKING = words.word_set(
    "who whom whose what which when where why how many much long old far often does did do"
)
_AUXILIARIES = words.word_set(
    "is are was were be been has have had of in on at to the a an by for from with and or it"
)
_QUESTION_WORDS = words.word_set("who whom what which when where why how")
_KIND_WORDS = words.word_set("name term type kind sort currently")
"""Words of a question that name no more than the kind of its answer."""
_DO = words.word_set("did does do")
_MEASURES = words.word_set("many much long old far")
_PLACING = words.word_set("in on at near to from into under over along beside between across off via")
_EMPTY = words.CONNECTIVES | words.ADVERBS | words.PREPOSITIONS | words.word_set("of such however")
_NAMING = words.word_set("called known named termed")
_LINKING = (
    words.ARTICLES
    | words.COPULAS
    | PUNCTUATION
    | words.word_set("as of 's called known named termed has have")
)
"""Words between a noun and what is said of it."""
_FIGURES = words.word_set(
    "year years number numbers percentage percent % share rate amount date day month price figure version size age"
)
"""Kinds of answer that are figures."""
_LINKS = words.COPULAS | words.word_set("it he she they did")
"""Words that a reply may say beside those of its question."""
_LONGEST_KIND = 5
"""Words of a question up to its verb among which the last one names the kind of answer: `what modern company`."""
_LONGEST_TITLE = 4
"""Words before a name among which the "by" of its passive stands: `by the cartoonist`."""
_TIME = lazy_compile(
    r"@|[12]\d{3}|\d{1,2}(?:st|nd|rd|th)|january|february|march|april|may|june|july|august|september|october"
    r"|november|december|century|spring|summer|autumn|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_SUFFIX = lazy_compile(r"(?:ing|ed|es|s|d)$")


def answers(fragment: str, question: str, sentence: str) -> Basis | None:
    """`quoted` when the fragment, read as the answer to the question, says what the sentence says; else None."""
    if not question.strip() or not fragment.strip(" ."):
        return None
    if language_of(question) == "ko":
        if fragments_korean.answers(fragment, question, sentence):
            return "quoted"
        rest = fragments_korean.restated(fragment, question)
        return "entailed" if rest and fragments_korean.answers(rest, question, sentence) else None
    if _answers_english(fragment, question, sentence):
        return "quoted"
    rest = _restated(fragment, question)
    return "entailed" if rest and _answers_english(rest, question, sentence) else None


def _restated(reply: str, question: str) -> str:
    """What a reply adds to the words of its question, which it says again in their order; else nothing.

    `in 1992` of `Modest Mouse was formed in 1992.`, the answer to `When was Modest Mouse formed?`
    """
    asked = tokenize(question)
    added: list[int] = []
    order: list[int] = []
    spoken = reply.split()
    for i, word in enumerate(spoken):
        tokens = [t for t in tokenize(word) if t not in PUNCTUATION]
        places = [_place(t, asked, (0, 0)) for t in tokens]
        if all(p is not None or t in words.ARTICLES | _LINKS for t, p in zip(tokens, places, strict=True)):
            told = [p for t, p in zip(tokens, places, strict=True) if p is not None and t not in _AUXILIARIES]
            order += told
        else:
            added.append(i)
    together = bool(added) and added[-1] - added[0] < len(added) + 1
    if not together or not order or order != sorted(order):
        return ""
    return " ".join(spoken[added[0] : added[-1] + 1])


def is_fragment(claim: str) -> bool:
    """Whether an English claim is a few words without a verb that could make a sentence of them."""
    said = tokenize(claim)
    return len(said) < SHORT and not any(t in words.FINITE or is_past(t) for t in said)


def _answers_english(fragment: str, question: str, sentence: str) -> bool:
    said = [t for t in tokenize(fragment) if t not in PUNCTUATION]
    asked, source = _question_first(tokenize(question)), Source(tuple(tokenize(sentence)))
    leading = _leading(tokenize(question))
    if not asked or all(t in STOP_WORDS or t in _EMPTY or t in asked for t in said):
        return False  # the question's own words answer nothing
    telling = _telling(asked, said)
    for place in _contiguous(said, source.tokens):
        found = [_place(t, source.tokens, place) for t in telling]
        places = [p for p in found if p is not None]
        if (
            places
            and len(places) == len(found)
            and _right_kind(said, asked, source.tokens, place)
            and _near(asked, place, places, source)
            and not _guarded(source, source.clauses[place[0]], {*asked, *said})
            and _role(asked, place, places, source)
            and _only_time(asked, place, places, source)
            and (not leading or _asks_time(asked) or leading in _led_by(place, source.tokens))
        ):
            return True
    return False


def _question_first(asked: Sequence[str]) -> list[str]:
    """The question from its question word on, with what is before that behind it: `in 1785 who wrote it`."""
    at = next((i for i, t in enumerate(asked) if t in _QUESTION_WORDS), None)
    if at is None:
        return []
    before = [*asked[:at]]
    if before and before[-1] in words.PREPOSITIONS | {"of"}:
        before.pop()
    return [*asked[at:], *before]


def _leading(asked: Sequence[str]) -> str:
    """The preposition of the question word: `from` in `from which company` and in `which company is it from`."""
    at = next((i for i, t in enumerate(asked) if t in _QUESTION_WORDS), 0)
    near = [*asked[max(at - 1, 0) : at], *asked[-1:]]
    return next((t for t in near if t in words.PREPOSITIONS | {"of"}), "")


def _led_by(place: tuple[int, int], tokens: Sequence[str]) -> Sequence[str]:
    """The words by which a noun may be led: its own first one, and those before it."""
    return tokens[max(place[0] - _LONGEST_TITLE, 0) : place[0] + 1]


def _telling(asked: Sequence[str], said: Sequence[str]) -> list[str]:
    """The words of the question that the sentence must hold beside the fragment."""
    idle = _ASKING | _AUXILIARIES | STOP_WORDS | _KIND_WORDS | words.APPROXIMATORS | words.ADVERBS
    kind = _kind_noun(asked)
    counted = asked[:2] == ["how", "many"]
    return [
        t
        for i, t in enumerate(asked)
        if (t[0].isalnum() or t[0] == "@")
        and t not in idle
        and not (kind is not None and i in kind)
        and not (counted and i == 2 and t in said)
    ]


def _kind_noun(asked: Sequence[str]) -> range | None:
    """Where the question names only the kind of answer: `countries` in `which two countries`."""
    if asked[0] not in ("which", "what") or len(asked) < 2 or asked[1] in words.FINITE | _DO:
        return None
    end = next((i for i, t in enumerate(asked) if i and (t in words.FINITE | _DO or is_past(t))), 2)
    if end == 1 or (asked[2:3] and asked[2] in words.ARTICLES):
        return None  # a verb: `what limits the output`
    at = end - 1 if end <= _LONGEST_KIND else 1
    first = at - 1 if at > 1 and asked[at - 1].isdigit() else at
    return range(first, at + 1)


def _only_time(asked: Sequence[str], place: tuple[int, int], places: Sequence[int], source: Source) -> bool:
    """Whether no other time of the clause may be meant: the fragment's is the only one, or alone next to the verb."""
    if not _asks_time(asked):
        return True
    tokens, clause = source.tokens, source.clauses[place[0]]
    others = [
        i
        for i, t in enumerate(tokens)
        if (t[0] == "@" or YEAR.fullmatch(t))
        and source.clauses[i] == clause
        and not place[0] <= i < place[1]
        and t not in asked
    ]
    told = {tokens[i] for i in places}
    return not others or (
        _beside(place[0], tokens, told) and not any(_beside(i, tokens, told) for i in others)
    )


def _beside(at: int, tokens: Sequence[str], told: set[str]) -> bool:
    """Whether a word of the question is right before a phrase of time."""
    while at and (tokens[at - 1] in DATED | words.ARTICLES | {"and", "to"} or YEAR.fullmatch(tokens[at - 1])):
        at -= 1
    return bool(told & {*tokens[max(at - 1, 0) : at]})


def _asks_time(asked: Sequence[str]) -> bool:
    return asked[0] == "when" or (asked[0] in ("what", "which") and asked[1:2] in (["year"], ["years"]))


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
    spoken = words.COPULAS | ({"had", "did"} if {"had", "has", "have", "do", "did"} & {*asked} else set())
    spoken |= _NAMING if {"name", "term", *_NAMING} & {*asked} else set()
    if any(is_past(tokens[i]) and tokens[i] not in spoken and i not in places for i in between):
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


def _contiguous(said: Sequence[str], source: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the fragment stands in the source, marks aside; a leading preposition or article may be new."""
    spoken = [i for i, t in enumerate(source) if t not in PUNCTUATION]
    for drop in (0, 1):
        part = list(said[drop:])
        if not part or (drop and said[0] not in words.ARTICLES | words.PREPOSITIONS):
            continue
        for k in range(len(spoken) - len(part) + 1):
            if [source[i] for i in spoken[k : k + len(part)]] != part:
                continue
            before = source[spoken[k - 1]] if k else ""
            if not (drop and said[0] in words.PREPOSITIONS and before in words.PREPOSITIONS | {"of"}):
                yield spoken[k], spoken[k + len(part) - 1] + 1


def _right_kind(
    said: Sequence[str], asked: Sequence[str], source: Sequence[str], place: tuple[int, int]
) -> bool:
    """Whether the fragment is of the kind that the question asks for."""
    first = asked[0]
    timed = any(_TIME.match(t) for t in said)
    figure = any(t[0].isdigit() for t in said)
    if _asks_time(asked):
        return timed
    if first == "how":
        often = asked[1:2] == ["often"] and bool({"every", "times", "daily", "yearly"} & {*said})
        return often or (figure if asked[1:2] and asked[1] in _MEASURES else False)
    if first == "who":  # what follows the name may be the rest of the sentence
        stop = words.PREPOSITIONS - {"of"} | {"and", "who"}
        name = said[: next((i for i, t in enumerate(said) if t in stop or is_past(t)), len(said))]
        return bool(name) and not any(t[0].isdigit() for t in name)
    if first == "where":
        near = (said[0], source[max(place[0] - 1, 0)], source[max(place[0] - 2, 0)])
        return bool(_PLACING & {*near}) and not timed
    if first == "why":
        return bool({"because", "since", "to"} & {said[0], source[max(place[0] - 1, 0)]})
    kind = _kind_noun(asked)
    counted = kind is None or asked[kind[-1]] in _FIGURES
    return first in ("what", "which") and (counted or not all(t[0].isdigit() for t in said))


def _place(token: str, source: Sequence[str], taken: tuple[int, int]) -> int | None:
    """Where a word of the question stands in the source, in whatever form, outside the fragment."""
    stem = _stem(token)
    best = None
    for i, other in enumerate(source):
        if taken[0] <= i < taken[1]:
            continue
        forms = {words.PARTICIPLES.get(other), words.BASES.get(token), words.BASES.get(other)}
        past = words.BASES.get(token, token)
        if (
            other in (token, past)
            or (len(stem) >= 3 and _stem(other) == stem)
            or token in forms
            or words.PARTICIPLES.get(other) == past
        ):
            return i
        if frozenset((other, token)) in words.SYNONYMS:
            best = i
    return best


def _stem(token: str) -> str:
    return _SUFFIX.sub("", token).rstrip("e")


def _role(asked: Sequence[str], place: tuple[int, int], places: Sequence[int], source: Source) -> bool:
    """Whether the fragment has the part in the sentence that the question word has: `who attacked Israel`."""
    if asked[0] not in ("who", "whom", "what", "which"):
        return True
    tokens, helped = source.tokens, bool({"did", "does", "do"} & {*asked})
    spoken = {"has", "have", "had"} & {*asked} if not helped else set()
    found = [p for p in places if is_past(tokens[p])]
    found += [
        i for i, t in enumerate(tokens) if t in spoken and source.clauses[i] == source.clauses[place[0]]
    ]
    verb = min(found, default=None)
    if helped or (verb is not None and _has_subject(asked)):
        return verb is not None and place[0] > verb
    if verb is None or _describes(asked):
        return _linked(place, places, tokens)
    if place[1] <= verb:
        return _is_subject(tokens[place[1] : verb])
    return place[0] > verb and _by_agent(tokens[: place[0]])


def _has_subject(asked: Sequence[str]) -> bool:
    """Whether something stands between the question's copula and its verb: `what are rotors mounted on`."""
    at = next((i for i, t in enumerate(asked) if t in words.COPULAS), None)
    verb = next((i for i, t in enumerate(asked) if is_past(t) and t not in words.COPULAS), None)
    if at is None or verb is None:
        return False
    stranded = asked[-1] in words.PREPOSITIONS or asked[verb] in _NAMING
    return stranded and bool({*asked[at + 1 : verb]} - words.ARTICLES - words.ADVERBS)


def _describes(asked: Sequence[str]) -> bool:
    """Whether the question's verb only describes its noun: `who was the leader ennobled by the king`."""
    return asked[1:2] != [] and asked[1] in words.COPULAS and asked[2:3] != [] and asked[2] in words.ARTICLES


def _linked(place: tuple[int, int], places: Sequence[int], tokens: Sequence[str]) -> bool:
    """Whether only a copula, a comma or the like is between the fragment and what the question says of it."""
    nearest = min(places, key=lambda p: min(abs(p - place[0]), abs(p - place[1])))
    between = tokens[min(nearest + 1, place[1]) : max(nearest, place[0])]
    return all(t in _LINKING or t in words.ADVERBS for t in between)


def _is_subject(between: Sequence[str]) -> bool:
    """Whether what is between a noun and its verb leaves it the subject: adverbs, auxiliaries, an apposition."""
    if between and between[0] in (",", "(") and between[-1] in (",", ")") and len(between) > 1:
        return True
    rest = {t for t in between if not t.endswith("ly")}
    return not rest - words.FINITE - words.ADVERBS - {"been", "had", "often", "also", "first"}


def _by_agent(before: Sequence[str]) -> bool:
    """Whether a noun is the agent of a passive: `by cartoonist` right before its name."""
    for word in reversed(before[-_LONGEST_TITLE:]):
        if word == "by":
            return True
        if word in words.PREPOSITIONS | PUNCTUATION | {"and", "of"} or is_past(word):
            return False
    return False


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
