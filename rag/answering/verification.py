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
from rag.messages import Language, message
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
    draft: Draft, passages: Sequence[Passage], pages: PageSource, *, language: Language = "en"
) -> CheckedDraft:
    """Every quote looked up and every sentence judged.

    `passages` are those the answerer was given, in the order of their numbers; `pages` the index they come from;
    `language` is that of the citations' notes.
    """
    library = PageTexts(pages, language)
    numbered: dict[tuple[object, ...], Citation] = {}
    judged = []
    for sentence in draft.sentences:
        own = tuple(_numbered(c, numbered) for c in _citations(sentence, passages, library))
        judged.append(_judge(sentence, own, passages, library))
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
        (*proof.notes, message("answer.withheld", language, withheld=withheld, all=len(proof.sentences))),
    )


def _numbered(citation: Citation, numbered: dict[tuple[object, ...], Citation]) -> Citation:
    """The citation with its number; the same words at the same place keep theirs."""
    key = (citation.file, citation.spans, citation.status, " ".join(citation.quote.split()))
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


def _judge(
    sentence: DraftSentence, citations: Sequence[Citation], passages: Sequence[Passage], library: PageTexts
) -> Sentence:
    numbers = tuple(dict.fromkeys(c.n for c in citations))
    proven = [c for c in citations if c.verified]
    if not proven:
        support = Support.WEAK if _plausible(sentence, passages) else Support.UNSUPPORTED
        return Sentence(sentence.text, numbers, support)
    grounds = QuotedContext(proven, passages, library)
    verbatim = grounds.repeated_by(sentence.text)
    missing = () if verbatim else grounds.missing_facts(sentence.text)
    derived = grounds.derived(sentence.text, missing)
    explained = bool(derived) or not missing
    follows = verbatim or (explained and grounds.follows(sentence.text, derived))
    sound = len(proven) == len(citations) and follows and not grounds.orders
    if sound and derived:
        return Sentence(sentence.text, numbers, Support.WEAK, derived=derived)
    return Sentence(sentence.text, numbers, Support.VERIFIED if sound else Support.WEAK, missing)


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
