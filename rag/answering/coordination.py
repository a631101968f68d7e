"""The simpler statements that an English sentence makes: each of its coordinated verbs, and what stands in an aside.

There is no parser. A verb is told by its form: a past tense, a verb that is finite by itself ("is", "has", "may"), or
a present in "s" beside another. What stands before the first verb is kept as it is for the others, so that a wrong
guess makes a sentence that nobody claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, takewhile

from rag.answering import rewrites as words
from rag.answering.english_words import DATED, PUNCTUATION, adjuncts, is_past, time_end

SUBJECT_WORDS = 8
"""Longest subject (in words) of an aside: longer ones hold a verb of their own."""
ENDING = words.word_set("until till when where than")
"""Conditions that end the clause they are in, and say nothing of the next."""
_MOST_VERBS = 4
"""Coordinated verbs of which all choices are made."""
_DOWNWARD = words.NEGATIONS | words.word_set("few fewer less little only exactly")
"""Words behind which a part of a series does not hold because the whole does: `no ship sank and rose`."""
_OPENERS = words.RELATIVES | words.word_set("that because if unless whether although though while whereas")
_ENDS = words.word_set("until till before after since once than as")
"""Words behind which a clause begins when a verb follows."""
_NAMED = words.word_set("called named known described")
"""Verbs that report nothing with a name behind them."""
_SHARED = words.word_set("be been was were is are has have had")
_JOINS = words.word_set("and but yet")


def statements(tokens: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What the sentence says, itself first: without the aside behind its subject, the aside alone, and with some of
    the verbs that a subject has."""
    found = []
    for whole in (tokens, *_apart(tokens)):
        found.append(whole)
        for start, end in _segments(whole):
            found += _choices(whole, start, end)
    return list(dict.fromkeys(found))


def clause_start(tokens: Sequence[str], start: int) -> int:
    """Where the clause begins that the token `start` is in: behind a semicolon, or ", and" and the like."""
    for i in range(start - 1, 0, -1):
        joins = tokens[i] in ("and", "but", "while", "whereas") and tokens[i - 1] == ","
        if tokens[i] == ";" or joins:
            return i + 1
    return 0


def is_reported(tokens: Sequence[str]) -> bool:
    """Whether a clause behind a mark says whose words the sentence is: `, a witness said on Monday`."""
    for i, mark in enumerate(tokens):
        if mark not in PUNCTUATION:
            continue
        unit = list(takewhile(lambda token: token not in PUNCTUATION, tokens[i + 1 :]))
        times = [a for a, b in adjuncts(unit) if b == len(unit)]
        said = unit[: times[0]] if times else unit
        other = (words.RELATIVES | words.CLAUSE_OPENERS | {"that"}) & {*said}
        named = {'"', "“"} & {*tokens[i + 1 + len(unit) :][:1]}  # `, also called "the Rock"`
        if len(said) > 1 and said[-1] in words.ATTRIBUTIONS and not (other or named):
            return True
    return False


def _apart(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """`X, which has a port, lies in Y` as `X, which has a port` and `X lies in Y`; an apposition likewise."""
    if tokens.count(",") < 2:
        return
    first = tokens.index(",")
    second = tokens.index(",", first + 1)
    subject, aside, rest = tokens[:first], tokens[first + 1 : second], tokens[second + 1 :]
    if not 0 < len(subject) <= SUBJECT_WORDS or len(aside) < 2 or not rest:
        return
    verbal = any(_kind(t) in ("finite", "past") for t in subject[1:])
    if (
        verbal
        or words.GUARDS & {*subject}
        or subject[0] in words.PREPOSITIONS
        or not _verb_behind(tokens, second + 1)
        or is_reported((",", *aside))
    ):
        return
    manner = aside[0] in words.ADVERBS | {"first", "long"} or (
        aside[0].endswith("ly") and aside[0] not in words.GUARDS
    )
    told = aside[0] in ("who", "which", "a", "an", "former") or is_past(aside[1 if manner else 0])
    if told:
        yield (*subject, ",", *aside)
        yield (*subject, *rest)
    elif aside[0] == "with" and not words.GUARDS & {*aside} and any(is_past(t) for t in rest):
        yield (*subject, *rest)


def _segments(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The ranges of the clauses that a semicolon, or a comma with a conjunction or a relative, parts."""
    start = 0
    for i, word in enumerate(tokens):
        behind = tokens[i + 1] if i + 1 < len(tokens) else ""
        clause = behind in _OPENERS or (behind in _JOINS and not _verb_behind(tokens, i + 2))
        if word == ";" or (word == "," and clause):
            yield start, i
            start = i + 1 + (word == ",")
    yield start, len(tokens)


def _choices(tokens: tuple[str, ...], start: int, end: int) -> Iterator[tuple[str, ...]]:
    """The sentence with only some of the coordinated verbs of the clause from `start` to `end`."""
    first = _first_verb(tokens, start, end)
    if first is None or _DOWNWARD & {*tokens[start:first]}:
        return
    stem = first
    while stem > start + 1 and (tokens[stem - 1].endswith("ly") or tokens[stem - 1] in words.GUARDS):
        stem -= 1
    for passive in (True, False):
        parts = _predicates(tokens, stem, first, end, passive=passive)
        if not 1 < len(parts) <= _MOST_VERBS:
            continue
        conditional = words.CONDITIONS & {*parts[-1][1]}  # it may hold of all of them
        for size in range(1, len(parts)):
            for chosen in combinations(range(len(parts)), size):
                if conditional and chosen[-1] != len(parts) - 1:
                    continue
                kept = [parts[k] for k in chosen]
                head = tokens[:first] if chosen[0] == 0 else tokens[:stem]
                said = [*kept[0][0], *kept[0][1]]
                for place, (_, part) in enumerate(kept[1:], 2):
                    said += ["and" if place == len(kept) else ",", *part]
                yield (*head, *said, *tokens[end:])


def _predicates(
    tokens: tuple[str, ...], stem: int, first: int, end: int, *, passive: bool
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The coordinated verbs from `first` on: of each the auxiliaries that it shares, and itself with what follows it.

    A second verb that may be a participle or a past tense is taken for the former if `passive`.
    """
    main = _main_verb(tokens, first, end)
    guarded = bool((words.GUARDS - words.MODALS) & {*tokens[stem:main]})
    parts: list[tuple[tuple[str, ...], tuple[str, ...]]] = [((), tokens[first:end])]
    begins = first
    for at in range(main + 1, end):
        behind = _verb_behind(tokens, at + 1) if tokens[at] in _JOINS | {","} else 0
        if not behind or behind >= end or _blocked(tokens, begins, at, first, main):
            continue
        if tokens[at] == "," and not _JOINS & {*tokens[behind:end]}:
            continue  # no series without its "and"
        bare = _kind(tokens[behind]) == "present" and {",", "and"} & {*tokens[behind + 1 : behind + 2]}
        last = tokens.index("and", behind) + 1 if "and" in tokens[behind : end - 1] else behind
        if bare and {_kind(tokens[first]), _kind(tokens[last])} != {"present"}:
            continue  # "is income plus interest, taxes and rent"
        ways = _shares(tokens, first, main, behind)
        if "to" in tokens[main:at]:  # "was asked to pay and left", "was to be rebuilt and opened"
            ways -= {True} | ({False} if "be" in tokens[main:at] else set())
        if (
            "then" in tokens[at : behind + 2]
            and _kind(tokens[first]) != "past"
            and tokens[first] not in words.BE_PAST
        ):
            continue  # when that is so
        own = tokens[at] != "and" or tokens[at - 1] == "," or tokens[behind] in words.FINITE
        shared = passive if passive in ways else not passive
        if not ways or (guarded and (shared or not own)):
            continue
        if _kind(tokens[behind]) == "past" and _has_finite(tokens[behind + 1 : end]):
            return []  # "ships built in A and registered in B were sold"
        auxiliary, before = parts.pop()
        lead = [t for t in tokens[at + 1 : behind] if t not in words.CONNECTIVES | {","}]
        before = before[: at - end]
        parts.append((auxiliary, before[:-1] if before[-1:] == (",",) else before))
        parts.append((tokens[first:main] if shared else (), (*lead, *tokens[behind:end])))
        begins = behind
    return parts


def _has_finite(tokens: Sequence[str]) -> bool:
    """Whether a finite verb follows before a conjunction, a comma, or a clause."""
    stop = next(
        (i for i, t in enumerate(tokens) if t in _JOINS | _OPENERS | _ENDS | PUNCTUATION), len(tokens)
    )
    return any(_kind(t) == "finite" for t in tokens[:stop])


def _kind(token: str) -> str:
    """The form of a verb: `finite`, `past` (or a participle), `present` in "s"; "" of other words."""
    if token in words.FINITE or (token in words.PAST and token not in words.PARTICIPLES):
        return "finite"
    if is_past(token):
        return "past"
    in_s = token.isalpha() and len(token) > 3 and token.endswith("s") and not token.endswith("ss")
    return "present" if in_s else ""


def _first_verb(tokens: Sequence[str], start: int, end: int) -> int | None:
    """The verb of the clause, behind a phrase in front and no participle of its subject."""
    opens = tokens[start : start + 1]
    fronts = words.PREPOSITIONS | words.SUBORDINATORS | _OPENERS | {"like", "unlike"}
    leads = bool(opens) and (opens[0] in fronts or is_past(opens[0]))
    if leads and opens[0] not in ("who", "which") and "," in tokens[start:end]:
        start += tokens[start:end].index(",") + 1
    verbs = [
        i
        for i in range(start, end)
        if i and _kind(tokens[i]) and tokens[i - 1] not in words.ARTICLES | {"to", ","}
    ]
    join = next((i for i in range(start, end) if tokens[i] in _JOINS and _verb_behind(tokens, i + 1)), end)
    strong = [i for i in verbs if i < join and _kind(tokens[i]) != "present"] or verbs
    finite = any(_kind(tokens[i]) != "present" for i in verbs)
    if finite and _kind(tokens[strong[0]]) == "present" and tokens[strong[0] + 1] in (",", "and"):
        return None  # "cars, trucks and buses were": plural nouns
    for place, i in enumerate(strong):
        behind = strong[place + 1] if place + 1 < len(strong) else end
        told = _kind(tokens[i]) == "past" and behind < join and not {",", *_OPENERS} & {*tokens[i:behind]}
        if told and tokens[i - 1] not in words.word_set("he she it they"):
            continue  # "the bridge built in 1764 collapsed"
        subordinate = (words.SUBORDINATORS | _OPENERS) - {"who", "which", "as"} & {*tokens[start:i]}
        return None if subordinate or i >= join else i
    return None


def _main_verb(tokens: Sequence[str], first: int, end: int) -> int:
    """The verb behind its auxiliaries: `built` in `has also been built`."""
    at = first
    while at + 1 < end and tokens[at] in words.FINITE | _SHARED | {"not"}:
        behind = at + 1
        while behind + 1 < end and (
            tokens[behind].endswith("ly") or tokens[behind] in words.ADVERBS | {"first"}
        ):
            behind += 1
        modal = tokens[at] in words.MODALS and tokens[behind].isalpha()
        if not (tokens[behind] in _SHARED | {"not"} or is_past(tokens[behind]) or modal):
            break
        at = behind
    return at


def _verb_behind(tokens: Sequence[str], at: int) -> int:
    """Where a verb stands at `at`, or behind adverbs, a phrase of time or one between commas there; 0 without one."""
    while at < len(tokens):
        dated = 1 if tokens[at] in DATED else 2 if tuple(tokens[at : at + 2]) == ("as", "of") else 0
        aside = tokens[at] == "," and "," in tokens[at + 1 : at + SUBJECT_WORDS]
        if tokens[at] in words.ADVERBS | words.CONNECTIVES - _JOINS or (
            tokens[at].endswith("ly") and tokens[at] not in words.GUARDS
        ):
            at += 1
        elif dated and time_end(tokens, at + dated) > at + dated:
            at = time_end(tokens, at + dated)
        elif aside and tokens[at - 1] in _JOINS and tokens[at + 1] in words.PREPOSITIONS:
            at += 2 + tokens[at + 1 :].index(",")
        else:
            break
    return at if at < len(tokens) and (_kind(tokens[at]) or tokens[at] == "first") else 0


def _shares(tokens: Sequence[str], first: int, main: int, second: int) -> set[bool]:
    """Whether the second verb shares the auxiliaries of the first; empty when it is no verb of the same subject."""
    second += tokens[second] == "first"
    behind = (*tokens[second:], "", "")[:2]
    one, other = _kind(tokens[first]), _kind(behind[0])
    if behind[0] in words.FINITE or (other == "finite" and one != "present"):
        return {False}
    if tokens[first] not in words.FINITE | _SHARED:
        return {False} if one == other or (one == "finite" and other == "past") else set()
    if other == "past":
        passive = (
            {True} if is_past(tokens[main]) and main > first and behind[1] not in words.ARTICLES else set()
        )
        return passive | ({False} if tokens[first] in words.BE_PAST | {"had"} else set())
    return {False} if other == "present" and tokens[first] in ("is", "has") else set()


def _blocked(tokens: Sequence[str], begins: int, at: int, first: int, main: int) -> bool:
    """Whether the verb behind `at` may belong to a clause that began behind the verb before it."""
    between = tokens[begins + 1 : at]
    openers = [t for t in between if t in _OPENERS]
    predicate = tokens[first] in words.COPULAS and not is_past(tokens[main])
    if openers and not (openers in (["who"], ["which"], ["that"]) and predicate):
        return True  # of "was a botanist who taught and wrote" both readings say the same
    reported = zip(tokens[begins:at], tokens[begins + 1 : at + 1], strict=True)
    plain = words.PREPOSITIONS | {"to", "as"}  # "is found in", "was considered to be"
    if any(a in words.ATTRIBUTIONS - _NAMED and b not in plain for a, b in reported):
        return True
    ends = next((i for i, t in enumerate(between) if t in _ENDS), len(between))
    return (
        any(_kind(t) in ("finite", "past") for t in between[ends:])
        or PUNCTUATION - {","} & {*between} != frozenset()
    )
