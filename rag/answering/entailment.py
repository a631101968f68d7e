"""Whether a sentence follows from the sentences that its verified quotes are in.

Words that merely occur nearby prove nothing. A sentence is `quoted` when it is the page's words, whole or shortened
without losing a condition, and `entailed` when a strict alignment finds it to be a safe rewrite of them
(`rag.answering.alignment`, its Korean counterpart, and `rag.answering.fragments` for a fragment and its question).
Everything else is for the reader to judge; figures that stand nowhere near the quotes speak against it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answering import alignment, alignment_korean
from rag.answering.addressed import addresses_model
from rag.answering.alignment import Basis
from rag.answering.citations import PageTexts
from rag.answering.contradiction import contradiction
from rag.answering.derivation import derive, without
from rag.answering.fragments import answers, is_fragment
from rag.text.facts import Fact, FactText, facts, supported
from rag.text.keywords import keyword_tokens, query_terms
from rag.text.language import language_of
from rag.text.patterns import lazy_compile
from rag.text.quantities import SCALE_WORDS, numbers
from rag.types import Citation, Derived, Page, Passage, Span

_HYPHENATED = lazy_compile(r"(?<=[a-z])-\n\s*(?=[a-z])")
_OPEN_QUOTE = lazy_compile(r"^[^\"“”]*\w[^\"“”]*[\"“][^\"”]*$")
"""A sentence that begins with whose words follow, and ends before they do."""
_STEM = 5
_STEM_WEIGHT = 0.7
_PARTS = lazy_compile(
    r";\s+|,\s+(?:and|but|while|whereas)\s+(?=(?:[A-Z]|the |a |an |in |on |it |they |he |she |\d))"
)
"""Where a sentence of several clauses is cut, each of which may follow from another quote."""
_SHORT_TITLE = 3
"""Words up to which a quoted title may be told from its words alone."""
_ROW_FIGURES = 2
"""Figures from which a line may be a table's row, whose dates stand in the header."""
_ROW_DIGITS = 0.15
"""And the share of digits among its characters."""

# Korean answers are polite where documents are not: 개통되었습니다 says what 개통되었다 and 개통된 say.
_ENDING = lazy_compile(
    r"(?<=[가-힣])(?:하였|되었|이었|하|되|이|했|됐|었|았|였)?"
    r"(?:습니다|입니다|합니다|됩니다|니다|었다|았다|였다|했다|한다|된다|이다|다|어요|아요|해요|예요|요)(?=[^\w]|$)"
)
_NEGATION = lazy_compile(
    r"\b(?:not|no|never|nor|none|neither|nobody|nothing|without|cannot)\b|n['’]t\b"
    r"|않|아니|못하|못한|못했|못할|없(?:다|었|는|이|음|으|습|어|던|고)|(?<![가-힣])안\s",
    re.IGNORECASE,
)


def coverage(text: str, evidence: str) -> float:
    """Share (0 to 1) of the words of `text` that stand in `evidence`; another form of a word counts less."""
    terms = query_terms(_ENDING.sub(" ", text))
    held = frozenset(keyword_tokens(evidence))
    stems = {token[:_STEM] for token in held if len(token) >= _STEM}
    got = 0.0
    for term, weight in terms.items():
        stem = len(term) >= _STEM and term[:_STEM] in stems
        got += weight if term in held else weight * _STEM_WEIGHT * stem
    return got / (sum(terms.values()) or 1.0)


def same_polarity(text: str, evidence: str) -> bool:
    """Whether both deny something or neither does."""
    return bool(_NEGATION.search(text)) == bool(_NEGATION.search(evidence))


@dataclass(frozen=True)
class QuotedContext:
    """The verified quotes of one sentence and the words around them."""

    citations: Sequence[Citation]
    passages: Sequence[Passage]
    library: PageTexts

    def repeated_by(self, text: str) -> bool:
        """Whether `text` is a whole quote, word for word."""
        return _bare(text) in {_bare(citation.quote) for citation in self.citations}

    @property
    def orders(self) -> bool:
        """Whether a quote stands in or beside a sentence that tells the model what to say."""
        return addresses_model(self._near)

    def missing_facts(self, text: str) -> tuple[str, ...]:
        """The facts of `text` that stand neither around the quotes nor, if names, on their pages."""
        return tuple(fact.text for fact in facts(text) if not self._holds(fact))

    def derived(self, text: str, missing: Sequence[str]) -> tuple[Derived, ...]:
        """How the figures `missing` are computed from those of the quotes; empty unless all of them are."""
        if not missing:
            return ()
        found = derive(text, missing, [c.quote for c in self.citations], frozenset(self._around.scales))
        return found if {one.figure for one in found} >= set(missing) else ()

    def basis(self, text: str, question: str = "") -> Basis | None:
        """How `text` follows from one of the cited sentences, or its clauses from several; None when unclear."""
        whole = self._basis(text, question)
        if whole is not None:
            return whole
        parts = [part for part in _PARTS.split(text) if part.strip()]
        if len(parts) > 1 and all(self._basis(part, "") for part in parts):
            return "entailed"
        return None

    def _basis(self, text: str, question: str) -> Basis | None:
        found = {basis_of(text, sentence, before, question) for sentence, before in self._cited}
        return "quoted" if "quoted" in found else "entailed" if "entailed" in found else None

    def contradicts(self, text: str, question: str = "") -> bool:
        """Whether one of the cited sentences says the opposite of `text`, which follows from none of them."""
        return any(contradiction(text, sentence, before, question) for sentence, before in self._cited)

    def same_language(self, text: str) -> bool:
        """Whether words can agree at all."""
        return language_of(text) == language_of(self._near)

    def wording(self, text: str, derived: Sequence[Derived] = ()) -> float:
        """Share (0 to 1) of the words of `text` that stand around the quotes; those of a derivation do not count."""
        evidence = f"{self._titles}\n{self._near}"
        return coverage(without(text, derived, evidence), evidence)

    def _holds(self, fact: Fact) -> bool:
        if fact.kind in ("number", "date"):
            return supported(fact, self._around)
        if _bare(fact.text) in _bare(self._page.text):
            return True
        if fact.kind == "title" and len(fact.text.split()) > _SHORT_TITLE:
            # The words of a long quotation stand on many pages; only their order makes it one.
            return False
        return supported(fact, self._page)

    @cached_property
    def _around(self) -> FactText:
        """What figures and dates are looked up in."""
        scales = [
            page.text[a:b]
            for file, page in self._pages
            for a, b in self.library.sentences(file, page.number)
            if SCALE_WORDS.search(page.text, a, b)
        ]
        rows = [page.text for _, page in self._pages if self._is_row]
        return FactText("\n".join([self._near, *scales, *rows]))

    @cached_property
    def _page(self) -> FactText:
        return FactText("\n".join([self._titles, *(page.text for _, page in self._pages)]))

    @cached_property
    def _near(self) -> str:
        """The sentences that the quotes touch and their neighbours."""
        return "\n".join(
            text for c in self.citations for span in c.spans for text in self._sentences_at(c.file, span, 1)
        )

    @cached_property
    def _titles(self) -> str:
        files = {citation.file for citation in self.citations}
        return "\n".join(f"{p.title} {p.heading}" for p in self.passages if p.file in files)

    @cached_property
    def _cited(self) -> list[tuple[str, str]]:
        """Each sentence that a quote touches, with the one before it; a quote over several also as a whole."""
        found: list[tuple[str, str]] = []
        for citation in self.citations:
            touched: list[str] = []
            for span in citation.spans:
                sentences = self._sentences_at(citation.file, span, 0)
                earlier = self._before(citation.file, span)
                found += zip(sentences, [earlier, *sentences], strict=False)
                touched += sentences
            if len(touched) > 1:
                found.append((" ".join(dict.fromkeys(touched)), ""))
        return list(dict.fromkeys(found))

    def _before(self, file: str, span: Span) -> str:
        """The sentence before the first one that a span touches."""
        page = self.library.page(file, span.page)
        before = [r for r in self.library.sentences(file, span.page) if r[1] <= span.start]
        return page.text[before[-1][0] : before[-1][1]] if page is not None and before else ""

    @property
    def cited_text(self) -> str:
        """The sentences that the quotes touch."""
        found = dict.fromkeys(sentence for sentence, _ in self._cited)
        return "\n".join(one for one in found if not any(other != one and other in one for other in found))

    @cached_property
    def _is_row(self) -> bool:
        """Whether a quote stands in a line of figures, which only mean something with the table's header."""
        lines = [t for c in self.citations for span in c.spans for t in self._sentences_at(c.file, span, 0)]
        return any(
            len(numbers(line)) >= _ROW_FIGURES and sum(c.isdigit() for c in line) > _ROW_DIGITS * len(line)
            for line in lines
        )

    @cached_property
    def _pages(self) -> list[tuple[str, Page]]:
        places = dict.fromkeys((c.file, span.page) for c in self.citations for span in c.spans)
        found = [(file, self.library.page(file, number)) for file, number in places]
        return [(file, page) for file, page in found if page is not None]

    def _sentences_at(self, file: str, span: Span, around: int) -> list[str]:
        """The sentences that a span touches, with so many neighbours on each side."""
        page = self.library.page(file, span.page)
        ranges = self.library.sentences(file, span.page)
        touched = [i for i, (a, b) in enumerate(ranges) if a < span.end and b > span.start]
        if page is None or not touched:
            return []
        low, high = max(touched[0] - around, 0), touched[-1] + around + 1
        return [page.text[a:b] for a, b in ranges[low:high]]


def basis_of(claim: str, sentence: str, before: str = "", question: str = "") -> Basis | None:
    """How the claim follows from one sentence of a page; None when that cannot be told.

    `before` is the sentence before it, `question` what the claim answers when it is a fragment.
    """
    if language_of(claim) != language_of(sentence) and not question:
        return None
    sentence = _HYPHENATED.sub("", sentence)
    if _OPEN_QUOTE.match(sentence) and claim.split()[:1] != sentence.split()[:1]:
        return None  # somebody's words without whose they are
    found: Basis | None
    if language_of(sentence) == "ko":
        found = alignment_korean.follows(claim, sentence)
    elif question and is_fragment(claim) and _bare(claim) != _bare(sentence):
        found = None  # a noun without its verb says nothing without its question
    else:
        found = alignment.follows(claim, sentence, before, question)
    return found or answers(claim, question, sentence)


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()
