"""Drafting a question set from the pages of an index.

English sentences of a few common shapes become questions; the others are passed over, since a sentence with a gap is
nothing that a person asks. A Korean sentence keeps its order: the fact gives way to a question word and the ending to
an interrogative one, which is how Korean asks.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from rag.evaluation.json_prompt import load_prompt
from rag.evaluation.question_sets import Evidence, Question
from rag.text.facts import Fact, facts
from rag.text.language import language_of
from rag.text.matching import find_quote
from rag.text.sentences import sentences
from rag.types import Page

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


_SHORTEST, _LONGEST = {"en": 25, "ko": 12}, 260
_LEANS_BACK = re.compile(
    r"^(?:it|its|they|their|this|that|these|those|he|she|his|her|we|our|such|here|there|however|but|and|also|"
    r"in addition|the former|the latter)\b"
    r"|^(?:이는|이에|이를|이것|그|그는|그녀|그것|이들|또한|그러나|하지만|따라서|해당|위)\b",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^(?:[①-⑳•·▪-]|\(?[\d가-힣a-z]{1,2}[.)])\s*")
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
_LED_BY_DATE = re.compile(
    rf"^(?!.* (?:was|were) .* (?:was|were) ),? (?P<subject>(?:the |a |an )?{_SUBJECT}) (?P<be>was|were) "
    r"(?P<done>\w+(?:ed|en|ilt|old|ade|eld|ught)\b[^,;:]{0,80})$"
)
"""What follows the date in "In 1994, the company was listed"."""
_BY = re.compile(
    rf"^(?P<subject>{_SUBJECT}) (?P<be>was|were) (?P<done>(?:rais|reduc|lower|increas|cut|extend|shorten)\w*) by $"
)
_VERB = re.compile(rf"^(?P<subject>{_SUBJECT}) (?P<verb>{'|'.join(map(re.escape, _VERBS))}) $")
_COUNT = re.compile(rf"^(?P<subject>{_SUBJECT}) (?P<verb>{'|'.join(_COUNTED)}) $")
_MODAL = re.compile(
    rf"^(?P<subject>{_SUBJECT}) (?P<modal>may|can|must|should|will) (?P<verb>[a-z]+(?: [a-z]+)?) $"
)
_YEAR = re.compile(r"[12]\d{3}")
_SHARE = re.compile(r" (?:per ?cent|percentage points?)\b")
_NOUN = re.compile(
    r"^ (?P<noun>(?!(?:of|in|on|at|to|for|and|or)\b)[a-z]+(?: [a-z]+)?)"
    r"(?P<rest>(?: (?:in|on|at|for|during|by|to|of) .{2,80})?)$"
)
_REST = re.compile(r"^(?P<rest>(?: (?:in|for|on|at|during|by|per|of|from|than|compared) .{2,80})?)$")

_KOREAN_END = re.compile(r"(?P<stem>.*[가-힣])다$", re.DOTALL)
_COUNTER = re.compile(r"^(?P<digits>[\d,.]+)\s?(?P<unit>%|[가-힣A-Za-z]{1,3})$")
_DAY = re.compile(r"\d\s?(?:월|일에)")  # a day or a month without its year: a date, not an amount
_HANGUL = re.compile("[가-힣]")
_LONGEST_KOREAN = 60
"""Characters of a Korean question at most: longer sentences say several things."""
_CLAUSES = re.compile(
    r"[,;:“”‘’]|(?:[가-힣](?:고|며|지만|으나|어서|아서|므로|려면)|때문에)\s|^(?:다만|그래도|또|이때|그때|단)\b"
)
"""In a sentence of several clauses, or one that leans on another."""
_TOPIC = re.compile(r"[가-힣\w](?:은|는|이|가|에서는|에는)\s")
_PART_BEFORE = re.compile(r"(?:오전|오후|밤|낮|새벽|\d\s?시간?|인|[±~-]|\([^)]*)\s*$")
_PART_AFTER = re.compile(r"^\s?(?:시?\s?\d|부터|~)")
_COMPARED = re.compile(r"^\s?(?:[넘적많높낮작큰크]|이상|이하|미만)")
_AFTER_VOWEL = {"으로": "로", "이": "가", "은": "는", "을": "를", "과": "와"}
_PARTICLE = re.compile(r"(?:으로|[이은을과])(?=\s|되)")
_TELLS_TIME = re.compile("(?:에|에는|부터|까지)(?=\\s)")
_AFTER_WHEN = re.compile(r"^(?:에는|에)?(?=\s)")


@dataclass(frozen=True, slots=True)
class DraftQuestion:
    """A question with its answer and what it asks for."""

    question: str
    answer: str
    kind: str
    """`figure`, `date`, or `fact`."""
    sentence: str


def ask_about(sentence: str) -> DraftQuestion | None:
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
    return next((draft for draft in made if draft is not None), None)


def _is_asked(fact: Fact) -> bool:
    """Dates, and numbers in digits that are more than a lone one: list numbers and footnotes are not asked for."""
    written = any(character.isdigit() for character in fact.text)
    return written and (fact.kind == "date" or (fact.kind == "number" and len(fact.text.strip()) > 1))


def _english(text: str, fact: Fact) -> DraftQuestion | None:
    before, after, answer = text[: fact.start], text[fact.end :], fact.text
    if (share := _SHARE.match(after)) is not None:
        answer, after = answer + share[0], after[share.end() :]
    rest = _REST.match(after)
    dated = fact.kind == "date" or _YEAR.fullmatch(answer)
    if dated and rest and (found := _BE_DONE.match(before)):
        question = f"When {found['be']} {_lowered(found['subject'])} {found['done']}{rest['rest']}?"
    elif fact.kind == "number" and rest and (found := _BE.match(before)):
        question = f"What {found['be']} {_lowered(found['subject'])}{rest['rest']}?"
    elif dated and before in ("In ", "On ") and (found := _LED_BY_DATE.match(after)):
        question = f"When {found['be']} {_lowered(found['subject'])} {found['done']}?"
    elif fact.kind == "number" and rest and (found := _BY.match(before)):
        question = f"By how much {found['be']} {_lowered(found['subject'])} {found['done']}{rest['rest']}?"
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
    return DraftQuestion(question, answer, "date" if dated else "figure", text)


_COMMON_FIRST = frozenset(
    ["The", "A", "An", "Each", "Every", "All", "Some", "Most", "Its", "Their", "Total", "Net"]
)


def _lowered(subject: str) -> str:
    """The subject inside a question: its article loses the capital, a name keeps it."""
    first, _, rest = subject.partition(" ")
    common = first in _COMMON_FIRST
    return f"{first.lower()} {rest}" if common or first.endswith("ing") else subject


def _korean(text: str, fact: Fact) -> DraftQuestion | None:
    ending = _interrogative(text)
    if ending is None or fact.end > len(text) - 1:
        return None
    if fact.kind == "number" and _DAY.search(text[fact.start : fact.end + 2]):
        return None
    if len(text) > _LONGEST_KOREAN or _CLAUSES.search(text.replace(fact.text, "")):
        return None
    before, after = text[: fact.start], text[fact.end :]
    if not _TOPIC.search(before) or _PART_BEFORE.search(before):
        return None
    if _PART_AFTER.match(after) or _COMPARED.match(after):
        return None
    before, after = text[: fact.start], ending[fact.end :]
    if fact.kind == "date":
        question = f"{before}언제{_AFTER_WHEN.sub('', after, count=1)}"
    else:
        asked = _how_many(fact.text, after)
        question = f"{before}{asked}{_after_vowel(after) if asked == '얼마' else after}".replace(
            "얼마이었", "얼마였"
        )
    return DraftQuestion(f"{question}?", fact.text, "date" if fact.kind == "date" else "figure", text)


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
        return stem[:-1] + "인가요"
    # 한다, 된다, 준다: the final ㄴ of the verb gives way, 는다: the whole syllable
    if stem.endswith("는"):
        return stem[:-1] + "나요"
    if (ord(stem[-1]) - 0xAC00) % 28 == 4:
        return stem[:-1] + chr(ord(stem[-1]) - 4) + "나요"
    return stem + "나요"


_PAGE_CHARACTERS = 6000


def model_writer(model: BaseChatModel) -> Writer:
    """A writer that asks `model`; a question whose answer does not stand in its quote on the page is dropped."""
    template = load_prompt("make", ("page", "language"))

    def write(text: str) -> list[DraftQuestion]:
        language = "Korean" if language_of(text) == "ko" else "English"
        reply = template.ask(model, page=text[:_PAGE_CHARACTERS], language=language)
        if reply is None:
            return []
        question, answer, quote = (
            str(reply.get(name) or "").strip() for name in ("question", "answer", "quote")
        )
        if not question or not answer or find_quote(quote, text) is None or find_quote(answer, quote) is None:
            return []
        kinds = {fact.kind for fact in facts(answer)}
        kind = "date" if "date" in kinds else "figure" if "number" in kinds else "fact"
        return [DraftQuestion(question, answer, kind, quote)]

    return write


Writer = Callable[[str], list[DraftQuestion]]
"""Makes questions from the text of a page, none when it cannot."""

_FEWEST_CHARACTERS = 200  # a title page or a divider has nothing to ask about


def draft_questions(
    pages: Mapping[str, Sequence[Page]],
    count: int,
    *,
    unanswerable: float = 0.25,
    write: Writer | None = None,
    seed: int = 0,
) -> list[Question]:
    """Draft `count` questions over the pages of files, each with its gold page and the sentence it is from.

    A share `unanswerable` of them leaves the document out that holds the answer, so that declining is right.
    Documents take turns, so that a long one does not fill the set. Without `write` the questions are made by
    rule. Fewer come back when the pages hold no more.
    """
    choice = random.Random(seed)  # noqa: S311 - a sample that can be repeated, not a secret
    turns = [_of_file(file, list(own), write or _by_rule(choice), choice) for file, own in pages.items()]
    choice.shuffle(turns)
    drafted = _distinct(_in_turn(turns))
    found = list(islice(drafted, count))
    declined = round(len(found) * unanswerable) if len(pages) > 1 else 0
    made_unanswerable = set(choice.sample(range(len(found)), declined))
    return [
        _without_its_document(question, at) if at in made_unanswerable else replace(question, id=f"q{at:03d}")
        for at, question in enumerate(found, start=0)
    ]


def _of_file(file: str, pages: list[Page], write: Writer, choice: random.Random) -> Iterator[Question]:
    """The questions of a file: one of each page, then the next of each."""
    choice.shuffle(pages)

    def of_page(page: Page) -> Iterator[Question]:
        if page.status.searchable and len(page.text) >= _FEWEST_CHARACTERS:
            for draft in write(page.text):
                evidence = Evidence(file, page.number, draft.sentence)
                language = language_of(draft.question)
                yield Question(
                    "",
                    draft.question,
                    (draft.answer,),
                    evidence=(evidence,),
                    kind=draft.kind,
                    language=language,
                )

    yield from _in_turn([of_page(page) for page in pages])


def _by_rule(choice: random.Random) -> Writer:
    """The questions of the sentences of a page that yield one."""

    def write(text: str) -> list[DraftQuestion]:
        spans = sentences(text)
        choice.shuffle(spans)
        drafts = (ask_about(text[start:end]) for start, end in spans)
        return [draft for draft in drafts if draft is not None]

    return write


def _in_turn(turns: Iterable[Iterator[Question]]) -> Iterator[Question]:
    """One question of each file, then the next of each, until all are used up."""
    waiting = list(turns)
    while waiting:
        left = []
        for turn in waiting:
            question = next(turn, None)
            if question is not None:
                left.append(turn)
                yield question
        waiting = left


def _distinct(questions: Iterable[Question]) -> Iterator[Question]:
    seen: set[str] = set()
    for question in questions:
        if question.question not in seen:
            seen.add(question.question)
            yield question


def _without_its_document(question: Question, at: int) -> Question:
    return replace(
        question,
        id=f"u{at:03d}",
        answers=(),
        answerable=False,
        leave_out=tuple(e.file for e in question.evidence),
        evidence=(),
    )
