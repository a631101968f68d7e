"""Decide for every sentence of a draft whether quotes that were found support it.

A sentence is *verified* when it cites at least one quote, every quote it cites was found, none of them is an order to
the model, and it is the words of the sentence quoted (`basis` "quoted") or a strict alignment shows that it follows
from it ("entailed", see `rag.answering.entailment`), or a second checker says so where no rule forbids it. It is
*weak* when code cannot tell: the quote stands beside it for the reader. It is *unsupported* when no quote was found
for it, when it states what the quotes do not hold, or when a quote says the opposite (`rag.answering.contradiction`).
A sentence in which only figures are missing that are computed from those of its quotes is weak, too, and says how
they come about (`rag.answering.derivation`).

Of the figures of a stored table the headers decide (`rag.answering.table_check`): a sentence whose figures are cells
of the quoted rows is verified when their headers agree with it, and weak when one of them does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from rag.answering.alignment import Basis
from rag.answering.citations import PageSource, PageTexts, check_quote, located
from rag.answering.entailment import QuotedContext, coverage, same_polarity
from rag.answering.fragments import answers
from rag.answering.quoting import FOUNDED, PLAUSIBLE, nearest, quotes_of
from rag.answering.reply import Draft, DraftSentence
from rag.answering.second_check import Checker, Pair, is_phrase, vetoed
from rag.answering.table_check import TableVerdict, check, quoted_rows
from rag.answering.tables import Tables
from rag.messages import Language, message
from rag.text.facts import FactText, facts, supported
from rag.types import Citation, Passage, Sentence, Support

LIKELY = 2
"""Sentences, of those ranked for the question, of which a verified sentence must quote one to answer it. The sentence
with the answer is one of two for 94 % of questions about articles and 86 % of those about the sample; a third adds
none and a fourth 2 % of them. The passages of a question have 20 to 45, and a model that errs quotes any."""
FAR_NEARER = 0.3
"""Share of a sentence's words by which another sentence must hold more of it than the cited one to be cited instead:
the words by which a claim and the sentence next to the right one usually differ."""


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft with the verdict on each sentence and quote."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    """Numbered from 1 in the order in which the sentences cite them; cells of one row share a number."""
    text: str
    """The sentences as one text, line breaks as the answerer made them, without citation numbers."""
    notes: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
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
    checker: Checker | None = None,
    likely: Sequence[Sequence[str]] = (),
) -> CheckedDraft:
    """Every quote looked up and every sentence judged.

    `passages` are those the answerer was given, in the order of their numbers; `pages` the index they come from;
    `language` is that of the citations' notes; `question` what the draft answers: a fragment is judged with it.
    With `tables`, the figures of a quoted table row are compared with their headers. `checker` is asked about the
    sentences that rules leave open. `likely`, when given, are for each part of the question the sentences of the
    passages that are likeliest to answer it, the likeliest first: see `LIKELY`.
    """
    library = PageTexts(pages, language)
    numbered: dict[tuple[object, ...], Citation] = {}
    judged: list[tuple[Sentence, list[Citation]]] = []
    open_pairs: dict[int, Pair] = {}
    kept = _without_repeats(draft.sentences)
    repaired = 0
    for sentence in kept:
        context = _Context(sentence, passages, library, question, language, tables, likely)
        verdict, citations = context.judged()
        if verdict.support is not Support.VERIFIED and verdict.reason not in (
            "speaks_to_the_model",
            "derived",
        ):
            better = context.repaired(verdict, citations)
            verdict, citations = better or (verdict, citations)
            repaired += better is not None and all(c.verified for c in citations)
        repaired += verdict.reason == "repaired" and not (sentence.quotes or sentence.passages)
        if checker is not None and (pair := context.left_open(verdict, citations)) is not None:
            open_pairs[len(judged)] = pair
        judged.append((verdict, [located(c, library, tables) for c in citations]))
    for i in _approved(open_pairs, checker, question):
        verdict = replace(judged[i][0], support=Support.VERIFIED, basis="entailed", reason="checked_by_model")
        judged[i] = verdict, judged[i][1]
    sentences = tuple(
        replace(verdict, citations=tuple(dict.fromkeys(_numbered(c, numbered).n for c in citations)))
        for verdict, citations in judged
    )
    notes = (*draft.notes, *([message("answer.repaired", language, count=repaired)] if repaired else []))
    checked = CheckedDraft(sentences, tuple(numbered.values()), _joined(kept), notes)
    return _on_question(checked, _first(likely, LIKELY), language)


def _approved(pairs: Mapping[int, Pair], checker: Checker | None, question: str) -> list[int]:
    """The places of the pairs to which the second checker says yes."""
    if checker is None or not pairs:
        return []
    return [i for i, yes in zip(pairs, checker(list(pairs.values()), question), strict=True) if yes]


def _without_repeats(sentences: Sequence[DraftSentence]) -> list[DraftSentence]:
    """The sentences without those that an earlier one says word for word; it gets their citations."""
    kept: dict[str, DraftSentence] = {}
    for sentence in sentences:
        first = kept.setdefault("".join(sentence.text.split()).casefold(), sentence)
        if first is not sentence:
            passages = tuple(dict.fromkeys((*first.passages, *sentence.passages)))
            quotes = tuple(dict.fromkeys((*first.quotes, *sentence.quotes)))
            kept["".join(sentence.text.split()).casefold()] = replace(first, passages=passages, quotes=quotes)
    return list(kept.values())


def _on_question(checked: CheckedDraft, likely: Sequence[str], language: Language) -> CheckedDraft:
    """The draft with nothing verified when no verified sentence quotes one of the sentences `likely` to answer.

    What a page says word for word is true, and yet no answer when it is about something else.
    """
    shown = [s for s in checked.sentences if s.support is Support.VERIFIED]
    quotes = [c.quote for c in checked.citations if any(c.n in s.citations for s in shown)]
    if not shown or not likely or quotes_one_of(quotes, likely):
        return checked
    sentences = tuple(
        replace(s, support=Support.WEAK, basis=None, reason="beside_question") if s in shown else s
        for s in checked.sentences
    )
    notes = (*checked.notes, message("answer.beside_question", language))
    return replace(checked, sentences=sentences, notes=notes)


def _first(likely: Sequence[Sequence[str]], number: int) -> list[str]:
    """The first sentences of each ranking, the first of all rankings first."""
    fronts = zip_longest(*(ranking[:number] for ranking in likely))
    return [text for front in fronts for text in front if text is not None]


def quotes_one_of(quotes: Sequence[str], sentences: Sequence[str]) -> bool:
    """Whether one of the quotes is one of the sentences, or a part of it, or holds it."""
    texts = [_squeezed(text) for text in sentences]
    return any(text in quote or quote in text for quote in map(_squeezed, quotes) for text in texts if quote)


def strict(checked: CheckedDraft, *, language: Language = "en") -> CheckedDraft:
    """The draft without what is not verified: sentences, and citations that no sentence needs any more."""
    kept = [s for s in checked.sentences if s.support is Support.VERIFIED]
    withheld = len(checked.sentences) - len(kept)
    if not withheld:
        return checked
    order = {n: i for i, n in enumerate(dict.fromkeys(n for s in kept for n in s.citations), 1)}
    cited = sorted((c for c in checked.citations if c.n in order), key=lambda c: order[c.n])
    return CheckedDraft(
        tuple(replace(s, citations=tuple(order[n] for n in s.citations)) for s in kept),
        tuple(replace(c, n=order[c.n]) for c in cited),
        " ".join(s.text for s in kept),
        (*checked.notes, message("answer.withheld", language, withheld=withheld, all=len(checked.sentences))),
    )


def _numbered(citation: Citation, numbered: dict[tuple[object, ...], Citation]) -> Citation:
    """The citation with its number; the same words at the same place keep theirs, also for other cells of a row."""
    quote = (citation.file, citation.spans, citation.status, " ".join(citation.quote.split()))
    key = (*quote, citation.page_label, citation.cell)
    if key not in numbered:
        same = (c.n for (*of, label, _), c in numbered.items() if (*of, label) == key[:-1])
        number = max((c.n for c in numbered.values()), default=0) + 1
        numbered[key] = replace(citation, n=next(same, number))
    return numbered[key]


@dataclass(frozen=True, slots=True)
class _Context:
    """A sentence of a draft with all that it is judged by."""

    sentence: DraftSentence
    passages: Sequence[Passage]
    library: PageTexts
    question: str
    language: Language
    tables: Tables | None
    likely: Sequence[Sequence[str]]

    def judged(self) -> tuple[Sentence, list[Citation]]:
        """The verdict on the sentence as it was cited."""
        text = self.sentence.text
        found = quotes_of(self.sentence, self.passages, self.question, _first(self.likely, LIKELY))
        citations = [check_quote(quote, self.passages, self.library) for quote in found]
        verified = [c for c in citations if c.verified]
        if not verified:
            support = Support.WEAK if _plausible(self.sentence, self.passages) else Support.UNSUPPORTED
            return Sentence(text, (), support, reason="no_quote_found"), citations
        context = QuotedContext(verified, self.passages, self.library)
        if context.orders:
            return Sentence(text, (), Support.WEAK, reason="speaks_to_the_model"), citations
        if any(c.cell is not None for c in citations):
            return _looked_up(self.sentence, citations), citations
        whole = len(verified) == len(citations)
        verdict = self._table_verdict(verified)
        if verdict is not None:
            citations = _with_cells(citations, verdict, self.language)
        basis = self._basis(context, verdict)
        if basis is None and verdict is not None and verdict.decides:
            return Sentence(text, (), Support.WEAK, reason="table_headers"), citations
        if basis is None:
            return self._unclear(context), citations
        if self._uncited:
            if answers(text, self.question, context.cited_text) is None:
                return Sentence(text, (), Support.WEAK, reason="not_cited"), citations
            return Sentence(text, (), Support.VERIFIED, basis=basis, reason="repaired"), citations
        if not whole:
            return Sentence(text, (), Support.WEAK, reason="a_quote_not_found"), citations
        return Sentence(text, (), Support.VERIFIED, basis=basis, reason=basis), citations

    @property
    def _uncited(self) -> bool:
        return not self.sentence.quotes and not self.sentence.passages

    def _unclear(self, context: QuotedContext) -> Sentence:
        """The verdict when no rule decides; a sentence that cites nothing must at least have all its facts."""
        unclear = _unclear(self.sentence.text, context, self.question)
        missing = self._uncited and unclear.unsupported_facts
        return replace(unclear, support=Support.UNSUPPORTED) if missing else unclear

    def left_open(self, verdict: Sentence, citations: Sequence[Citation]) -> Pair | None:
        """The sentence with what it cites, when no rule decides; None when one does, or not all quotes were found."""
        if verdict.reason != "not_told_by_code" or not all(c.verified for c in citations):
            return None
        if self._uncited and not is_phrase(self.sentence.text):
            return None  # copied off the question; a phrase is checked as the answer to it
        quote = QuotedContext(citations, self.passages, self.library).cited_text
        return None if vetoed(self.sentence.text, quote, self.question) else (self.sentence.text, quote)

    def _table_verdict(self, verified: Sequence[Citation]) -> TableVerdict | None:
        """What the stored tables say of a sentence that quotes their rows; None when it quotes none."""
        quoted = quoted_rows(verified, self.tables) if self.tables is not None else []
        return check(self.sentence.text, self.question, quoted) if quoted else None

    def _basis(self, context: QuotedContext, verdict: TableVerdict | None) -> Basis | None:
        text = self.sentence.text
        if verdict is not None and verdict.decides:
            return _by_headers(text, context, verdict)
        return "quoted" if context.repeated_by(text) else context.basis(text, self.question)

    def repaired(
        self, verdict: Sentence, citations: Sequence[Citation]
    ) -> tuple[Sentence, list[Citation]] | None:
        """The verdict by another sentence of the passages, when one supports what the cited ones do not.

        When none does, the nearest sentence is put beside the claim to be read: next to quotes that were not found,
        and in place of a quote that says far less of the claim.
        """
        if self._uncited:
            return None
        candidates = nearest(self.sentence, self.passages)
        near = [check_quote(quote, self.passages, self.library) for quote in candidates]
        for citation in near:
            context = QuotedContext([citation], self.passages, self.library)
            table = self._table_verdict([citation])
            basis = None if context.orders else self._basis(context, table)
            if basis is not None:
                right = Sentence(self.sentence.text, (), Support.VERIFIED, basis=basis, reason="repaired")
                return right, [citation] if table is None else _with_cells([citation], table, self.language)
        if not near:
            return None
        context = QuotedContext(near[:1], self.passages, self.library)
        found = any(c.verified for c in citations)
        if context.orders or (found and not self._far_nearer(verdict, citations, context)):
            return None
        nearer = _unclear(self.sentence.text, context, self.question)
        if nearer.unsupported_facts and not found:
            nearer = replace(nearer, support=Support.UNSUPPORTED)
        return nearer, [near[0]] if found else [*citations, near[0]]

    def _far_nearer(self, verdict: Sentence, citations: Sequence[Citation], nearest: QuotedContext) -> bool:
        """Whether a sentence says far more of the claim than the one that was cited for it by a wrong number."""
        if verdict.reason not in ("not_told_by_code", "facts_missing", "other_words"):
            return False
        cited = QuotedContext([c for c in citations if c.verified], self.passages, self.library)
        text = self.sentence.text
        return coverage(text, nearest.cited_text) >= coverage(text, cited.cited_text) + FAR_NEARER


def _with_cells(citations: Sequence[Citation], verdict: TableVerdict, language: Language) -> list[Citation]:
    """The citations with the cells that were found for them, or with a note on what the page has instead."""
    note = ""
    if verdict.faults:
        fault = verdict.faults[0]
        note = message(f"answer.table_{fault.kind}", language, value=fault.value, header=fault.header)
    found: list[Citation] = []
    for citation in citations:
        cells = dict.fromkeys(cell for quoted, cell in verdict.cells if quoted is citation)
        found += [replace(citation, cell=cell) for cell in cells] or [
            replace(citation, note=citation.note or note)
        ]
    return found


def _by_headers(text: str, context: QuotedContext, verdict: TableVerdict) -> Basis | None:
    """How a sentence about table figures follows from the quoted rows and their headers; None when it does not.

    Its other facts must be in the headers, if not in the quotes. A bare row does not say which figure is which.
    """
    if verdict.faults:
        return None
    repeated = context.repeated_by(text)
    headers = FactText(verdict.headers)
    beyond = set(context.missing_facts(text))
    missing = [fact for fact in facts(text) if fact.text in beyond and not supported(fact, headers)]
    said = f"{verdict.headers} {' '.join(c.quote for c in context.citations)}"
    if missing or not same_polarity(text, said) or (repeated and len(verdict.cells) > 1):
        return None
    return "quoted" if repeated else "entailed"


def _looked_up(sentence: DraftSentence, citations: Sequence[Citation]) -> Sentence:
    """The verdict on a sentence that the answerer made of cells.

    The cells were read from the index with their headers, so what is checked is that each quoted row still holds
    its cell. A computed figure is weak: the reader should look at its formula.
    """
    held = all(
        c.verified and c.cell is not None and _squeezed(c.cell.value) in _squeezed(c.quote) for c in citations
    )
    if held and not sentence.derived:
        return Sentence(sentence.text, (), Support.VERIFIED, basis="entailed", reason="entailed")
    reason = "derived" if held else "a_quote_not_found"
    return Sentence(sentence.text, (), Support.WEAK, derived=sentence.derived, reason=reason)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _unclear(text: str, grounds: QuotedContext, question: str) -> Sentence:
    """A sentence that the alignment does not accept: left to the reader, unfounded, or contradicted."""
    missing = grounds.missing_facts(text)
    derived = grounds.derived(text, missing)
    if derived and grounds.wording(text, derived) >= PLAUSIBLE:
        return Sentence(text, (), Support.WEAK, derived=derived, reason="derived")
    if grounds.contradicts(text, question):
        return Sentence(text, (), Support.UNSUPPORTED, missing, reason="contradicted")
    same = grounds.same_language(text)
    if same and grounds.wording(text) < FOUNDED:
        return Sentence(text, (), Support.UNSUPPORTED, missing, reason="other_words")
    return Sentence(
        text, (), Support.WEAK, missing, reason="facts_missing" if missing else "not_told_by_code"
    )


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
