"""The built-in answerer: no model, only the sentences of the documents that answer the question, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rag.answering.addressed import addresses_model
from rag.answering.candidates import LEADERS, Candidate, candidates, items_after, steps_around
from rag.answering.citations import PageSource
from rag.answering.identity import named
from rag.answering.markers import Quote
from rag.answering.measures import SPELLED, SPELLED_KO
from rag.answering.question import LABELLED, AnswerKind, QuestionAnalysis, analyse, holds_kind, tells_time
from rag.answering.ranking import (
    IN_FRONT,
    Ranked,
    held,
    rank,
    term_weights,
)
from rag.answering.reply import Draft, DraftSentence
from rag.answering.table_answers import answer_from_row, answer_from_tables
from rag.answering.table_questions import Wanted, table_question_of
from rag.answering.tables import Place, Tables, label_tokens, places_of
from rag.text.figures import years_in
from rag.text.keywords import keyword_tokens
from rag.text.patterns import lazy_compile
from rag.text.quantities import dates
from rag.text.sentences import sentences
from rag.types import NearSentence, Passage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbedTokens

SENTENCE_MARGIN = 0.12
"""Share of the question's terms by which a sentence must hold more than a cell's headers to be preferred to it."""
COMPUTED_MARGIN = 0.35
"""The same for a computed figure and a sentence that says nothing of a change."""
_CHANGES = lazy_compile(
    r"\b(?:increas|decreas|declin|reduc)\w+|\b(?:grew|rose|fell|dropped)\b|증가|감소|늘었|줄었|올랐|내렸",
    re.IGNORECASE,
)
_MARK = lazy_compile(
    r"^\s*\(\w{1,2}\)\s|\[\d{1,3}\]|\b(?:notes?|items?|sections?|levels?|part)\s\d+|주석\s?\d+", re.IGNORECASE
)
_NOTE = lazy_compile(r"\((?:주\s?)?\w{1,2}\)|주\s?\d{1,2}\)|[*†‡]{1,3}")
"""The mark of a note, behind the label of a row and in front of the note."""
_IN_WORDS = lazy_compile(rf"\b(?:no|none|nil|zero|{SPELLED})\b|없|{SPELLED_KO}", re.IGNORECASE)
"""An amount in words, and that it is nothing."""
_BRACKETS = lazy_compile(r"\([^()]*\)")
_YEAR = lazy_compile(r"(?<!\d)(?:19|20)\d\d(?![\d,])")
_CAPTION = lazy_compile(
    r"\b(?:tables?|follow\w*|below)\b.*[::]$|(?:다음|아래|표).*[::]$", re.IGNORECASE | re.DOTALL
)
NEAREST = 3
"""Sentences that are shown with a declined question."""
SAME = 0.8
"""Share of common words (Jaccard) from which two sentences say the same."""
MAX_SENTENCES = 3
"""Sentences of an answer at most, when the question asks for several things."""
LEANS_ON = 300
"""Characters of the sentence before that are shown at most with one that leans on it."""
_LEANS = lazy_compile(
    r"[\"'“‘(]*(?:(?:it|its|they|their|them|this|these|those|he|she|his|her|him|there|such|both|neither"
    r"|the (?:former|latter"
    r"|same|other|others))\b(?! (?:is|are|was|were) (?:no|a|an|the|also)\b.*\bthat\b)"
    r"|(?:그|이|해당|그녀|그들|이들|이것|그것|이곳|그곳"
    r"|여기|거기|이때|그때|당시|둘 다|양쪽)(?=[은는이가을를의에도과와\s])"
    r"|(?:이는|그는|이를|그를|이에|이후|그 뒤|그 후|따라서|그래서|그러나|하지만|또한)(?=[\s,]))",
    re.IGNORECASE,
)
"""Words with which a sentence begins that says nothing without the one before it."""
_OF_TERM = lazy_compile(
    r"(?:the |its )?(?:default|initial|allowed|valid|possible|maximum|minimum)\b|the values?\b"
    r"|(?:기본|초기|최대|최소|허용)\s?값",
    re.IGNORECASE,
)
"""How a sentence begins that tells a value of the term that its paragraph explains."""
_DEPENDS = lazy_compile(
    r"\b(?:this|that) way\b|\bin (?:this|that|such a) (?:case|mode|event)\b|[이그] 경우|이런 경우|[이그]렇게 하면"
    r"|\bthis (?:\w+ )?(?:does|shall) not apply\b|그러하지 아니하|그렇지 (?:아니하|않)",
    re.IGNORECASE,
)
"""Words by which a sentence holds only under the condition that the one before it tells."""
_PROVISO = lazy_compile(
    r"다만[,\s]|단,|(?:however, )?this (?:\w+ )?(?:does|shall) not apply\b|the only exceptions?\b|exceptions?:",
    re.IGNORECASE,
)
"""How the sentence begins that says to what the one before it does not apply."""
_SEVERAL = lazy_compile(
    r"\bwhat are\b|\bwhich\s(?:\w+\s)?\w+s\s(?:are|were|do|did|can|have)\b|\b(?:list|name)\b.*\b(?:all|the|two"
    r"|three|four|some)\b"
    r"|\ball (?:of )?the\b|\b(?:steps|reasons|conditions|requirements|differences|kinds|types|examples|items"
    r"|parts)\b|\bboth\b"
    r"|\b(?:what|which) (?:two|three|four|five|other)\b|무엇무엇|어떤 (?:것들?|종류)|종류|목록"
    r"|모두|전부|각각|나열|가지는|절차|조건들?은|차이|사람들은",
    re.IGNORECASE,
)
"""Questions for several things."""
WITHIN = 4.0
"""Log-odds by which a further sentence may be less likely to answer than the first: one to 55. Of the questions about
Korean and English Wikipedia pages two in five then get one sentence, and one in 200 loses the answer by it."""


def answer(
    question: str,
    passages: Sequence[Passage],
    *,
    embed_tokens: EmbedTokens | None = None,
    pages: PageSource | None = None,
    tables: Tables | None = None,
    max_sentences: int | None = None,
) -> Draft:
    """The sentence of the passages that answers, quoting itself; more when the question asks for several things.

    A sentence that leans on the one before it ("It was ...") is quoted with that; one that opens a list comes with
    the list. Further ones are none much less likely than the first, at most `max_sentences` in all when it is given.

    `embed_tokens` gives the vectors of tokens in context; without it the choice rests on words alone. With `pages`, a
    sentence that its file says on an earlier page too is quoted from there. With `tables`, a question for a cell of
    one is answered with that cell. The draft is declined when the passages hold no sentence at all.
    """
    ranked = rank(analyse(question), candidates(passages), passages, embed_tokens=embed_tokens)
    return draft(question, passages, ranked, pages, tables, max_sentences)


def draft(
    question: str,
    passages: Sequence[Passage],
    ranked: Sequence[Ranked],
    pages: PageSource | None = None,
    tables: Tables | None = None,
    max_sentences: int | None = None,
) -> Draft:
    """`answer` from sentences of the passages that are ranked already."""
    if tables is not None and pages is not None:
        found = [one.candidate for one in ranked]
        ranked = eligible(question, passages, pages, tables, ranked)
        cells = _cells(question, passages, found, [one.candidate for one in ranked], tables, pages)
        if cells is not None:
            return cells
    defined = bool(ranked) and ranked[0].features.says > 0
    several = MAX_SENTENCES if asks_for_several(question) and not defined else 1
    ranked = [one for one in ranked if not addresses_model(one.candidate.text)] or ranked
    chosen = choose(ranked, several if max_sentences is None else max_sentences)
    if len(chosen) == 1 and is_of_words(chosen[0].text) and tables is not None and pages is not None:
        row = answer_from_row(chosen[0].text, chosen[0].file, passages, tables, pages)
        if row is not None and not row.draft.declined:
            return row.draft
    kind = analyse(question).kind
    written = [sentence for candidate in chosen for sentence in _sentences(candidate, pages, kind)]
    return Draft(tuple(written), declined=not chosen)


def eligible(
    question: str, passages: Sequence[Passage], pages: PageSource, tables: Tables, ranked: Sequence[Ranked]
) -> list[Ranked]:
    """The sentences that can answer beside the tables of the passages' pages, in order.

    No header does, no row of figures says who, why or how, and without a figure nothing answers one for an amount.
    """
    kept, prose = apart_from_tables([one.candidate for one in ranked], tables, pages)
    asked, places = table_question_of(question), places_of(passages, tables)
    if asked is None:
        kept = [one for one in kept if one in prose or is_of_words(one.text)] or kept
        ranked = [one for one in ranked if one.candidate in kept]
        return list(_with_note_in_front(question, ranked, places, pages))
    if asked.wanted is Wanted.ITEM:
        kept = prose  # no row tells, without the others, that it is the largest
    if asked.asks_amount and places and ranked:
        least = ranked[0].score - WITHIN
        ranked = [r for r in ranked if r.score >= least and states_figure(r.candidate.text, asked.years)]
    return [one for one in ranked if one.candidate in kept]


def _with_note_in_front(
    question: str, ranked: Sequence[Ranked], places: Sequence[Place], pages: PageSource
) -> Sequence[Ranked]:
    """The sentences, first the note to the table row that the question names, unless the likeliest names it, too."""
    said = frozenset(keyword_tokens(question))
    named: list[tuple[frozenset[str], str, str]] = []
    for place in places:
        page = pages.page(place.file, place.table.page)
        for row in place.table.rows if page is not None else ():
            assert page is not None
            label = frozenset(label_tokens(_NOTE.sub(" ", row.label)))
            mark = _NOTE.search(page.text, row.start, row.cells[0].start) if row.cells else None
            if mark is not None and label and label <= said:
                named.append((label, place.file, mark[0]))
    if not named or not ranked:
        return ranked
    label, file, note = max(named, key=lambda one: len(one[0]))
    if label <= ranked[0].candidate.tokens and not is_note(ranked[0].candidate.text):
        return ranked
    front = [r for r in ranked if r.candidate.file == file and r.candidate.text.startswith(note)][:1]
    return [*front, *(r for r in ranked if r not in front)]


def is_of_words(text: str) -> bool:
    """Whether less than a third of the words of a table's row have a figure."""
    words = text.split()
    return 3 * sum(any(map(str.isdecimal, word)) for word in words) < len(words)


def is_note(text: str) -> bool:
    """Whether a sentence is a note to a table, which its mark names and hardly a word of the question."""
    return _NOTE.match(text) is not None


def states_figure(text: str, years: Sequence[str] = ()) -> bool:
    """Whether a text has a number beside dates and note marks, and is not about other years than the given ones."""
    text = _MARK.sub(" ", text)
    own = set(years_in(_BRACKETS.sub(" ", text))) - named(text).compared
    if years and own and not set(years_in(text)) & set(years):
        return False
    for date in reversed(dates(text)):
        text = f"{text[: date.start]} {text[date.end :]}"
    return any(map(str.isdecimal, _YEAR.sub(" ", text))) or _IN_WORDS.search(text) is not None


def asks_for_several(question: str) -> bool:
    """Whether more than one sentence may be needed: the question asks for a list or for several things."""
    return _SEVERAL.search(question) is not None


def _cells(
    question: str,
    passages: Sequence[Passage],
    found: Sequence[Candidate],
    may_answer: Sequence[Candidate],
    tables: Tables,
    pages: PageSource,
) -> Draft | None:
    """The answer from table cells, unless a sentence of the text clearly fits the question better or a name is asked
    for, which is a label."""
    analysed = analyse(question)
    asks_label = analysed.kind is AnswerKind.TERM
    looked_up = None if asks_label else answer_from_tables(question, passages, tables, pages)
    if looked_up is None or looked_up.draft.declined:
        return None
    told = " ".join(sentence.text for sentence in looked_up.draft.sentences)
    if analysed.kind is AnswerKind.DATE and not tells_time(told):
        return None
    computed = any(sentence.derived for sentence in looked_up.draft.sentences)
    share = _share(analysed, looked_up.headers, found)

    def fitting(candidate: Candidate) -> bool:
        margin = COMPUTED_MARGIN if computed and not _CHANGES.search(candidate.text) else SENTENCE_MARGIN
        return _share(analysed, candidate.tokens, found, candidate.text) > share + margin

    prose = apart_from_tables(may_answer, tables, pages)[1]
    if looked_up.certain or looked_up.exact or not any(map(fitting, prose)):
        return looked_up.draft
    return None


def apart_from_tables(
    found: Sequence[Candidate], tables: Tables, pages: PageSource
) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates without headers and group lines of tables, and of these the ones that are in no table."""
    kept: list[Candidate] = []
    prose: list[Candidate] = []
    for candidate in found:
        kind = _kind_of(candidate, tables, pages)
        kept += [candidate] if kind != "header" else []
        prose += [candidate] if kind == "prose" else []
    return kept or list(found), prose


def _kind_of(candidate: Candidate, tables: Tables, pages: PageSource) -> str:
    """`row`, `header` (of a table, what announces one, or a line of a table of contents) or `prose`."""
    if LEADERS.search(candidate.text) or _CAPTION.search(candidate.text):
        return "header"
    words = "".join(candidate.text.split())
    announces = words.endswith((":", "：")) and not items_after(candidate)
    passage = candidate.passage
    for number in range(passage.page, passage.page_end + 1):
        page = pages.page(passage.file, number)
        for table in tables.tables(passage.file, number) if page is not None else ():
            assert page is not None
            if announces:
                return "header"
            rows = ["".join(page.text[row.start : row.end].split()) for row in table.rows]
            inside = sum(row in words for row in rows if row)
            if words in "".join(page.text[table.start : table.end].split()):
                part = any(words in row and len(words) > len(row) // 2 for row in rows)
                return "row" if inside or part else "header"
            if inside > 1 and "".join(page.text[table.start : table.rows[0].start].split()) in words:
                return "row"  # with what stands above the table
    return "prose"


def _share(
    question: QuestionAnalysis, tokens: frozenset[str], found: Sequence[Candidate], text: str | None = None
) -> float:
    """Share (0 to 1) of the question's terms among the tokens; 0 for a text without the kind of thing asked for."""
    if text is not None and (not holds_kind(question, text) or not states_figure(text)):
        return 0.0
    return sum(held(term_weights(question, found), tokens, question.alike).values())


def choose(ranked: Sequence[Ranked], count: int) -> list[Candidate]:
    """The best candidates that differ, at most `count`, none much less likely than the first to answer.

    Of sentences that say the same in one file it is the earliest page's. Documents repeat themselves (a summary, a
    later chapter); where a thing is said first is where it belongs.
    """
    chosen: list[Candidate] = []
    for candidate, score in ((r.candidate, r.score) for r in ranked[:IN_FRONT]):
        same = next((i for i, other in enumerate(chosen) if _alike(other, candidate)), None)
        if same is None:
            likely = score >= ranked[0].score - WITHIN
            chosen += [candidate] if likely and len(chosen) < count else []
        elif candidate.file == chosen[same].file and candidate.passage.page < chosen[same].passage.page:
            chosen[same] = candidate
    return chosen


def _alike(a: Candidate, b: Candidate) -> bool:
    return len(a.tokens & b.tokens) >= SAME * len(a.tokens | b.tokens)


def nearest(ranked: Sequence[Ranked], passages: Sequence[Passage]) -> tuple[NearSentence, ...]:
    """The likeliest sentences of different passages; the passages themselves where none were ranked."""
    found = [NearSentence(one.candidate.passage, _with_antecedent(one.candidate)) for one in ranked]
    found += [NearSentence(passage, passage.text) for passage in passages]
    by_passage: dict[int, NearSentence] = {}
    for near in found:
        by_passage.setdefault(near.passage.chunk_id, near)
    return tuple(by_passage.values())[:NEAREST]


def _sentences(candidate: Candidate, pages: PageSource | None, kind: AnswerKind) -> Iterator[DraftSentence]:
    """The candidate with what it leans on or explains, as one quote, and the items of its list.

    When it is asked how something is done, one of several steps comes with the others.
    """
    if kind is AnswerKind.MANNER and (steps := steps_around(candidate)):
        yield from (_quoting(step, candidate, None) for step in steps)
        return
    page = _first_page(candidate, pages) if pages is not None else None
    whole = _with_label(candidate) if kind in LABELLED else _with_antecedent(candidate)
    yield _quoting(whole + _proviso(candidate), candidate, page)
    for item in items_after(candidate):
        yield _quoting(item, candidate, None)


def _quoting(quote: str, candidate: Candidate, page: int | None) -> DraftSentence:
    number = candidate.rank + 1
    return DraftSentence(" ".join(quote.split()), (number,), (Quote(quote, number, page),), starts_line=True)


def _with_label(candidate: Candidate) -> str:
    """The sentence, after the term that it explains when it stands right below it; else with what it leans on."""
    text, start, label = candidate.passage.text, candidate.start, candidate.label
    named = label.startswith("-") or (label and " " not in label)  # a line of words is a heading
    begin = text.rfind(label, 0, start) if named else -1
    if begin < 0 or text[begin + len(label) : start].strip():
        return _with_antecedent(candidate)
    return text[begin : start + len(candidate.text)]


def _with_antecedent(candidate: Candidate) -> str:
    """The sentence, after the one before it when it leans on that and that is no heading."""
    text, start, before = candidate.passage.text, candidate.start, candidate.context
    end = start + len(candidate.text)
    if candidate.label and _OF_TERM.match(candidate.text) and end - candidate.explained <= LEANS_ON:
        return text[candidate.explained : end]
    leans = _LEANS.match(candidate.text) or _DEPENDS.search(candidate.text)
    if not before or not leans or len(before) > LEANS_ON or not _ends(before):
        return candidate.text
    begin = text.rfind(before, 0, start)
    near = begin >= 0 and not text[begin + len(before) : start].strip()
    return text[begin:end] if near else candidate.text


def _proviso(candidate: Candidate) -> str:
    """The sentence after it, with the space before, when it says to what the rule does not apply; else ""."""
    following = candidate.passage.text[candidate.start + len(candidate.text) :].partition("\n\n")[0]
    found = next(iter(sentences(following)), None)
    if found is None or found[1] > LEANS_ON or not _PROVISO.match(following, found[0]):
        return ""
    return following[: found[1]]


def _ends(sentence: str) -> bool:
    return sentence.rstrip("\"'”’)]」』").endswith((".", "!", "。", "다"))


def _first_page(candidate: Candidate, pages: PageSource) -> int | None:
    """The first page of the file with the sentence, when it lies before the passage."""
    sentence = "".join(candidate.text.split())
    before = (p for p in pages.pages(candidate.file) if p.number < candidate.passage.page)
    return next((p.number for p in before if sentence in "".join(p.text.split())), None)
