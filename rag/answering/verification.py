"""Decide for every sentence of a draft whether proven quotes back it.

A sentence is *verified* when it cites at least one quote, every quote it cites was found, none of them is an order to
the model, and it follows from what stands around the quotes (`rag.answering.entailment`). It is *weak* when a quote
was proven but something of this is missing, or when the passage it names at least holds its facts and words, and
*unsupported* otherwise. A sentence in which only figures are missing that are computed from those of its quotes is
weak, too, and says how they come about (`rag.answering.derivation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answering.citations import PageSource, PageTexts, check_quote
from rag.answering.entailment import QuotedContext, coverage, same_polarity
from rag.answering.reply import Draft, DraftSentence, Quote
from rag.answering.table_check import TableVerdict, check, quoted_rows
from rag.answering.tables import Tables
from rag.answering.wording import Language, say
from rag.text.facts import FactText, facts, supported
from rag.text.keywords import STOP_WORDS
from rag.text.sentences import sentences as split_sentences
from rag.types import Citation, Passage, Sentence, Support

ATTACHED = 0.8
"""Share of a sentence's words that a sentence of the cited passage must hold to be quoted for it."""
UNCITED = 0.9
"""The same, when the answerer did not even name a passage."""
TELLING = 3
"""Distinct words that a sentence without any citation must have, unless it states a fact, to be quoted for: one or
two words stand somewhere in most passages."""
PLAUSIBLE = 0.5
"""Share of a sentence's words that a passage cited without words must hold for the sentence to be weak."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft after the proof."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    """Numbered from 1 in the order in which the sentences cite them."""
    text: str
    """The sentences as one text, line breaks as the answerer made them, without citation numbers."""
    notes: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether at least one sentence is verified."""
        return any(sentence.support is Support.VERIFIED for sentence in self.sentences)


def check_draft(
    draft: Draft,
    passages: Sequence[Passage],
    pages: PageSource,
    *,
    language: Language = "en",
    question: str = "",
    tables: Tables | None = None,
) -> CheckedDraft:
    """Every quote looked up and every sentence judged.

    `passages` are those the answerer was given, in the order of their numbers; `pages` the index they come from;
    `language` is that of the citations' notes. With `tables`, the figures of a quoted table are compared with their
    headers, by what the sentence and the `question` say.
    """
    library = PageTexts(pages, language)
    numbered: dict[tuple[object, ...], Citation] = {}
    judged = []
    for sentence in draft.sentences:
        found = list(_citations(sentence, passages, library))
        verdict = _table_verdict(sentence, question, found, tables)
        if verdict is not None:
            found = _with_cells(found, verdict, language)
        own = tuple(_numbered(c, numbered) for c in found)
        judged.append(_judge(sentence, own, passages, library, verdict))
    return CheckedDraft(tuple(judged), tuple(numbered.values()), _joined(draft.sentences), draft.notes)


def strict(proof: CheckedDraft, *, language: Language = "en") -> CheckedDraft:
    """The proof without what is not verified: sentences, and citations that no sentence needs any more."""
    kept = [s for s in proof.sentences if s.support is Support.VERIFIED]
    withheld = len(proof.sentences) - len(kept)
    if not withheld:
        return proof
    order = {n: i for i, n in enumerate(dict.fromkeys(n for s in kept for n in s.citations), 1)}
    by_number = {c.n: c for c in proof.citations}
    return CheckedDraft(
        tuple(replace(s, citations=tuple(order[n] for n in s.citations)) for s in kept),
        tuple(replace(by_number[n], n=i) for n, i in order.items()),
        " ".join(s.text for s in kept),
        (*proof.notes, say("withheld", language, withheld=withheld, all=len(proof.sentences))),
    )


def _numbered(citation: Citation, numbered: dict[tuple[object, ...], Citation]) -> Citation:
    """The citation with its number; the same words at the same place keep theirs."""
    key = (citation.file, citation.spans, citation.status, " ".join(citation.quote.split()), citation.cell)
    if key not in numbered:
        numbered[key] = replace(citation, n=len(numbered) + 1)
    return numbered[key]


def _citations(
    sentence: DraftSentence, passages: Sequence[Passage], library: PageTexts
) -> Iterator[Citation]:
    """The verdict on each quote of the sentence, and on the passages that it cites without words."""
    for quote in sentence.quotes:
        yield check_quote(quote, passages, library)
    quoted = {quote.passage for quote in sentence.quotes}
    for number in sentence.passages:
        if number not in quoted:
            cited = [(number, passages[number - 1])] if number <= len(passages) else []
            quote = _best_quote(sentence.text, cited, ATTACHED) or Quote("", number)
            yield check_quote(quote, passages, library)
    if not sentence.quotes and not sentence.passages and _tells(sentence.text):
        found = _best_quote(sentence.text, list(enumerate(passages, 1)), UNCITED)
        if found is not None:
            yield check_quote(found, passages, library)


def _tells(text: str) -> bool:
    """Whether the sentence says enough for a passage that holds it to be more than chance."""
    words = set(_WORD.findall(text.casefold())) - STOP_WORDS
    return len(words) >= TELLING or bool(facts(text))


def _best_quote(text: str, passages: Sequence[tuple[int, Passage]], enough: float) -> Quote | None:
    """The sentence of the passages that says what `text` says, when one holds all its facts and words enough."""
    wanted = facts(text)
    best: tuple[float, Quote] | None = None
    for number, passage in passages:
        for start, end in split_sentences(passage.text):
            candidate = passage.text[start:end]
            covered = coverage(text, candidate)
            if covered < enough or (best is not None and covered <= best[0]):
                continue
            evidence = FactText(candidate)
            if all(supported(fact, evidence) for fact in wanted) and same_polarity(text, candidate):
                best = covered, Quote(candidate, number)
    return best[1] if best else None


def _table_verdict(
    sentence: DraftSentence, question: str, citations: Sequence[Citation], tables: Tables | None
) -> TableVerdict | None:
    """What the stored tables say of a sentence that quotes their rows; None when it quotes none."""
    if tables is None or any(citation.cell is not None for citation in citations):
        return None
    quoted = quoted_rows([citation for citation in citations if citation.verified], tables)
    return check(sentence.text, question, quoted) if quoted else None


def _with_cells(citations: Sequence[Citation], verdict: TableVerdict, language: Language) -> list[Citation]:
    """The citations with the cells that were found for them, or with what the page has instead."""
    note = ""
    if verdict.faults:
        fault = verdict.faults[0]
        note = say(
            f"table_{fault.kind}", language, figure=fault.figure, value=fault.value, header=fault.header
        )
    found: list[Citation] = []
    for citation in citations:
        cells = [cell for quoted, cell in verdict.cells if quoted is citation]
        found += [replace(citation, cell=cell) for cell in dict.fromkeys(cells)] or [
            replace(citation, note=citation.note or note)
        ]
    return found


def _judge(
    sentence: DraftSentence,
    citations: Sequence[Citation],
    passages: Sequence[Passage],
    library: PageTexts,
    verdict: TableVerdict | None = None,
) -> Sentence:
    numbers = tuple(dict.fromkeys(c.n for c in citations))
    proven = [c for c in citations if c.verified]
    if not proven:
        support = Support.WEAK if _plausible(sentence, passages) else Support.UNSUPPORTED
        return Sentence(sentence.text, numbers, support)
    looked_up = _looked_up(sentence, proven, citations)
    if looked_up is not None:
        return Sentence(sentence.text, numbers, looked_up, derived=sentence.derived)
    grounds = QuotedContext(proven, passages, library)
    if verdict is not None and not verdict.unbound and (verdict.cells or verdict.faults):
        return _by_headers(sentence, numbers, grounds, verdict, whole=len(proven) == len(citations))
    verbatim = grounds.repeated_by(sentence.text)
    missing = () if verbatim else grounds.missing_facts(sentence.text)
    derived = grounds.derived(sentence.text, missing)
    explained = bool(derived) or not missing
    follows = verbatim or (explained and grounds.follows(sentence.text, derived))
    sound = len(proven) == len(citations) and follows and not grounds.orders
    sound = sound and (verdict is None or not verdict.faults)
    if sound and derived:
        return Sentence(sentence.text, numbers, Support.WEAK, derived=derived)
    return Sentence(sentence.text, numbers, Support.VERIFIED if sound else Support.WEAK, missing)


def _by_headers(
    sentence: DraftSentence,
    numbers: tuple[int, ...],
    grounds: QuotedContext,
    verdict: TableVerdict,
    *,
    whole: bool,
) -> Sentence:
    """The verdict on a sentence all of whose figures are cells of the quoted rows.

    Its other facts must stand in the headers, if not at the quotes. A bare row says nothing of its columns.
    """
    headers = FactText(verdict.headers)
    beyond = set(grounds.missing_facts(sentence.text))
    missing = tuple(
        fact.text for fact in facts(sentence.text) if fact.text in beyond and not supported(fact, headers)
    )
    bare = grounds.repeated_by(sentence.text) and len(verdict.cells) + len(verdict.faults) > 1
    same = same_polarity(sentence.text, f"{verdict.headers} {' '.join(c.quote for c in grounds.citations)}")
    sound = whole and not verdict.faults and not missing and same and not bare and not grounds.orders
    return Sentence(sentence.text, numbers, Support.VERIFIED if sound else Support.WEAK, missing)


def _looked_up(
    sentence: DraftSentence, proven: Sequence[Citation], citations: Sequence[Citation]
) -> Support | None:
    """The verdict on a sentence that the answerer made of cells; None for another one.

    The cells were read from the index with their headers, so what is to be proven is that each quoted row still holds
    its cell. A computed figure is weak: the reader should look at its formula.
    """
    cells = [citation.cell for citation in citations if citation.cell is not None]
    if not cells or len(cells) != len(citations):
        return None
    sound = len(proven) == len(citations) and all(
        c.cell is not None and _squeezed(c.cell.value) in _squeezed(c.quote) for c in proven
    )
    return Support.VERIFIED if sound and not sentence.derived else Support.WEAK


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _plausible(sentence: DraftSentence, passages: Sequence[Passage]) -> bool:
    """Whether a passage that is cited without words holds the facts and most words of the sentence."""
    if sentence.quotes:
        return False
    cited = [passages[n - 1] for n in sentence.passages if 0 < n <= len(passages)]
    text = "\n".join(f"{passage.title} {passage.text}" for passage in cited)
    evidence = FactText(text)
    held = all(supported(fact, evidence) for fact in facts(sentence.text))
    return bool(cited) and held and coverage(sentence.text, text) >= PLAUSIBLE


def _joined(sentences: Sequence[DraftSentence]) -> str:
    text = ""
    for sentence in sentences:
        text += ("\n" if sentence.starts_line else " ") if text else ""
        text += sentence.text
    return text
