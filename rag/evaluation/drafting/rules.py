"""Questions out of sentences by rule: a sentence with a figure or a date becomes the question it answers.

English sentences of a few common shapes become real questions; the others become "which figure completes
...". A Korean sentence keeps its order: the fact gives way to a question word and the ending to an
interrogative one, which is how Korean asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.text.facts import Fact, facts
from rag.text.language import language_of

_SHORTEST, _LONGEST = {"en": 25, "ko": 12}, 260
_LEANS_BACK = re.compile(
    r"^(?:it|its|they|their|this|that|these|those|he|she|his|her|we|our|such|here|there|however|but|and|also|"
    r"in addition|the former|the latter)\b"
    r"|^(?:이는|이에|이를|이것|그|그는|그녀|그것|이들|또한|그러나|하지만|따라서|해당|위)\b",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^(?:[①-⑳•·▪-]|\(?[\d가-힣a-z]{1,2}[.)])\s*")
_FEWEST_WORDS = 8  # a gap in a shorter sentence could be anything
_VERBS = {
    "totalled": "total", "totaled": "total", "reached": "reach", "cost": "cost", "exceeded": "exceed",
    "rose to": "rise to", "fell to": "fall to", "grew to": "grow to", "increased to": "increase to",
    "decreased to": "decrease to", "dropped to": "drop to", "declined to": "decline to",
    "amounted to": "amount to", "came to": "come to", "began in": "begin", "opened in": "open",
    "started in": "start", "ended in": "end",
}  # fmt: skip
_COUNTED = {
    "has": "does", "have": "do", "had": "did", "employs": "does", "employed": "did", "carried": "did",
    "sold": "did", "holds": "does", "held": "did", "received": "did", "recorded": "did", "counted": "did",
}  # fmt: skip
_BASE_FORM = {
    "has": "have", "had": "have", "employs": "employ", "employed": "employ", "carried": "carry", "sold": "sell",
    "holds": "hold", "held": "hold", "received": "receive", "recorded": "record", "counted": "count",
}  # fmt: skip
_SUBJECT = (
    r"(?!(?:At|In|On|For|By|After|Before|During|From|With|Since|When|If|As|Under|Between|Until|To|While|Where)\b)"
    r"[^,;:()]{3,80}?(?<! may)(?<! can)(?<! must)(?<! will)(?<! should)(?<! not)(?<! to)(?<! and)"
)
_BE = re.compile(rf"^(?P<subject>{_SUBJECT}) (?P<be>was|is|were|are) $")
_BE_DONE = re.compile(
    rf"^(?P<subject>{_SUBJECT}) (?P<be>was|were|is|are) "
    rf"(?P<done>\w+(?:ed|en|ilt|old|ade|eld|ught)\b[^,;]{{0,60}}?) (?:in|on|at|by|since) $"
)
_VERB = re.compile(rf"^(?P<subject>{_SUBJECT}) (?P<verb>{'|'.join(map(re.escape, _VERBS))}) $")
_COUNT = re.compile(rf"^(?P<subject>{_SUBJECT}) (?P<verb>{'|'.join(_COUNTED)}) $")
_MODAL = re.compile(
    rf"^(?P<subject>{_SUBJECT}) (?P<modal>may|can|must|should|will) (?P<verb>[a-z]+(?: [a-z]+)?) $"
)
_YEAR = re.compile(r"[12]\d{3}")
_NOUN = re.compile(r"^ (?P<noun>[a-z]+(?: [a-z]+)?)(?P<rest>(?: (?:in|on|at|for|during|by|to|of) .{2,80})?)$")
_REST = re.compile(r"^(?P<rest>(?: (?:in|for|on|at|during|by|per|of|from|than|compared) .{2,80})?)$")

_KOREAN_END = re.compile(r"(?P<stem>.*[가-힣])다$", re.DOTALL)
_COUNTER = re.compile(r"^(?P<digits>[\d,.]+)\s?(?P<unit>%|[가-힣A-Za-z]{1,3})$")
_DAY = re.compile(r"\d\s?(?:월|일에)")  # a day or a month without its year: a date, not an amount
_HANGUL = re.compile("[가-힣]")
_AFTER_VOWEL = {"으로": "로", "이": "가", "은": "는", "을": "를", "과": "와"}
_PARTICLE = re.compile(r"(?:으로|[이은을과])(?=\s|되)")
_TELLS_TIME = re.compile("(?:에|에는|부터|까지)(?=\\s)")
_AFTER_WHEN = re.compile(r"^(?:에는|에)?(?=\s)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with its answer and what it asks for."""

    question: str
    answer: str
    kind: str
    """`figure`, `date`, or `cloze` when the sentence itself had to be quoted."""
    sentence: str


def ask_about(sentence: str) -> Draft | None:
    """The question that a sentence answers; None when it holds no fact or cannot stand alone."""
    text = _LIST_MARK.sub("", " ".join(sentence.split()))
    language = language_of(text)
    if not _SHORTEST.get(language, _LONGEST) <= len(text) < _LONGEST:
        return None
    if text[-1] not in ".다" or _LEANS_BACK.match(text):
        return None
    stripped = text.rstrip(".")
    candidates = [fact for fact in facts(stripped) if _is_asked(fact)]
    if language == "ko":
        # what a Korean sentence is about to say stands last; a date is asked for only where it tells a time
        figures = [fact for fact in reversed(candidates) if fact.kind == "number"]
        times = [f for f in candidates if f.kind == "date" and _TELLS_TIME.match(stripped[f.end :])]
        made = (_korean(stripped, fact) for fact in (*figures, *times))
        return next((draft for draft in made if draft is not None), None)
    if not candidates or not text[0].isupper():
        return None
    made = (_english(stripped, fact) for fact in candidates)
    cloze = _cloze(stripped, candidates[-1]) if len(stripped.split()) >= _FEWEST_WORDS else None
    return next((draft for draft in made if draft is not None), cloze)


def _is_asked(fact: Fact) -> bool:
    """Dates, and numbers in digits that are more than a lone one: list numbers and footnotes are not asked for."""
    written = any(character.isdigit() for character in fact.text)
    return written and (fact.kind == "date" or (fact.kind == "number" and len(fact.text.strip()) > 1))


def _english(text: str, fact: Fact) -> Draft | None:
    before, after = text[: fact.start], text[fact.end :]
    rest = _REST.match(after)
    if fact.kind == "date" and rest and (found := _BE_DONE.match(before)):
        question = f"When {found['be']} {_lowered(found['subject'])} {found['done']}{rest['rest']}?"
    elif fact.kind == "number" and rest and (found := _BE.match(before)):
        question = f"What {found['be']} {_lowered(found['subject'])}{rest['rest']}?"
    elif rest and (found := _VERB.match(before)):
        word = "When" if found["verb"].endswith(" in") else "What"
        question = f"{word} did {_lowered(found['subject'])} {_VERBS[found['verb']]}{rest['rest']}?"
    elif fact.kind == "number" and (noun := _NOUN.match(after)) and (found := _COUNT.match(before)):
        verb = found["verb"]
        base = _BASE_FORM.get(verb, verb)
        asked = f"{_COUNTED[verb]} {_lowered(found['subject'])} {base}"
        question = f"How many {noun['noun']} {asked}{noun['rest']}?"
    elif fact.kind == "number" and (noun := _NOUN.match(after)) and (found := _MODAL.match(before)):
        asked = f"{found['modal']} {_lowered(found['subject'])} {found['verb']}"
        question = f"How many {noun['noun']} {asked}{noun['rest']}?"
    else:
        return None
    return Draft(question, fact.text, _kind(fact), text)


def _cloze(text: str, fact: Fact) -> Draft:
    word = "date" if fact.kind == "date" else "year" if _YEAR.fullmatch(fact.text) else "figure"
    blank = f"{text[: fact.start]}____{text[fact.end :]}"
    return Draft(f"Which {word} completes this sentence: “{blank}.”", fact.text, "cloze", text)


def _lowered(subject: str) -> str:
    """The subject inside a question: its article loses the capital, a name keeps it."""
    first, _, rest = subject.partition(" ")
    common = first in (
        "The",
        "A",
        "An",
        "Each",
        "Every",
        "All",
        "Some",
        "Most",
        "Its",
        "Their",
        "Total",
        "Net",
    )
    return f"{first.lower()} {rest}" if common or first.endswith("ing") else subject


def _korean(text: str, fact: Fact) -> Draft | None:
    ending = _interrogative(text)
    if ending is None or fact.end > len(text) - 1:
        return None
    if fact.kind == "number" and _DAY.search(text[fact.start : fact.end + 2]):
        return None
    before, after = text[: fact.start], ending[fact.end :]
    if fact.kind == "date":
        question = f"{before}언제{_AFTER_WHEN.sub('', after, count=1)}"
    else:
        asked = _how_many(fact.text, after)
        question = f"{before}{asked}{_after_vowel(after) if asked == '얼마' else after}"
    return Draft(f"{question}?", fact.text, _kind(fact), text)


def _how_many(figure: str, after: str) -> str:
    """The question word for a figure with its unit: `412명` is 몇 명, `3억 원` is 얼마."""
    found = _COUNTER.match(figure)
    if found and found["unit"] != "원":
        return "며칠" if found["unit"] == "일" else f"몇 {found['unit']}"
    return "몇 " if figure.replace(",", "").isdecimal() and _HANGUL.match(after) else "얼마"


def _after_vowel(text: str) -> str:
    """A particle that stood after a consonant, as it stands after 얼마."""
    found = _PARTICLE.match(text)
    return _AFTER_VOWEL[found[0]] + text[found.end() :] if found else text


def _interrogative(text: str) -> str | None:
    """The sentence with its declarative ending turned into a question; None for other endings."""
    found = _KOREAN_END.match(text)
    if found is None:
        return None
    stem = found["stem"]
    if stem.endswith("니"):
        return stem + "까"
    if stem.endswith("이"):
        return stem[:-1] + "인가"
    if stem.endswith(("는", "ㄴ")):
        return stem + "가"
    # 한다, 된다, 준다: the final ㄴ of the verb becomes a syllable of its own
    if (ord(stem[-1]) - 0xAC00) % 28 == 4:
        return stem[:-1] + chr(ord(stem[-1]) - 4) + "는가"
    return stem + "는가"


def _kind(fact: Fact) -> str:
    return "date" if fact.kind == "date" else "figure"
