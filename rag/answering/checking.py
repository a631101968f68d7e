"""Check sentences from anywhere against the index, by the code that checks an answer's.

    claim = Claim("The bridge opened in 1931.", quotes=(ClaimQuote("was opened to traffic on 24 October 1931"),))
    checked = check_claim(claim, index, search)
    checked.sentence.support, checked.sentence.basis

A claim may bring quotes; without any, the sentences of the documents that say most of it are tried in turn.
`claims_of` reads the sentences of any text with the words that they put between quotation marks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag.answering.citations import PageSource, PageTexts, check_quote
from rag.answering.entailment import coverage
from rag.answering.markers import Quote
from rag.answering.reply import Draft, DraftSentence
from rag.answering.second_check import Checker
from rag.answering.tables import Tables
from rag.answering.verification import check_draft
from rag.errors import UsageError
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences as split_sentences
from rag.types import Citation, Passage, Sentence, Span, Support

TRIED = 6
"""Sentences of the documents that a claim without quotes is compared with; below the third it hardly ever follows."""
LIKE = 0.4
"""Share of a claim's words that such a sentence must hold."""

LONGEST_QUOTE = 4_000
"""Characters between two quotation marks; more is an unclosed mark."""
_QUOTATION = lazy_compile(
    "|".join(
        rf"{opening}((?:(?!\n\s*\n)[^{opening}{closing}]){{3,{LONGEST_QUOTE}}}){closing}"
        for opening, closing in ("“”", "«»", "「」", "『』")
    )
    + rf'|(?<!\w)"((?:(?!\n\s*\n)[^"]){{3,{LONGEST_QUOTE}}})"'
)

Search = Callable[[str], Sequence[Passage]]


@dataclass(frozen=True, slots=True)
class ClaimQuote:
    """Words that a claim is said to rest on."""

    quote: str
    file: str = ""
    """Relative to the ingested folder; empty when it is not known."""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence to be checked."""

    sentence: str
    quotes: tuple[ClaimQuote, ...] = ()
    question: str = ""
    """What the sentence answers, when it is a fragment."""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim with the verdict on it."""

    claim: Claim
    sentence: Sentence
    citations: tuple[Citation, ...]
    quotes: tuple[Citation, ...] = ()
    """Of `check_cited`: what became of each quote of the claim, in their order, numbered from 1."""


def claims_of(text: str) -> list[Claim]:
    """The sentences of a text as claims, each with what it quotes; a quotation is never cut in two.

    A quotation is two or more words between quotation marks: a single word is a name or a term.
    """
    quotes = [match for match in _QUOTATION.finditer(text) if len(match[match.lastindex or 0].split()) > 1]
    ranges: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        if ranges and any(q.start() < start < q.end() for q in quotes):
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return [
        Claim(
            " ".join(text[start:end].split()),
            tuple(
                ClaimQuote(" ".join(q[q.lastindex or 0].split())) for q in quotes if start <= q.start() < end
            ),
            id=str(number),
        )
        for number, (start, end) in enumerate(ranges, 1)
    ]


def check_cited(
    claims: Iterable[Claim],
    pages: PageSource,
    search: Search,
    tables: Tables | None = None,
    checker: Checker | None = None,
) -> Iterator[Checked]:
    """The verdict on each claim of a text, and on each of its quotes.

    A sentence that its own quotes do not cover, though all of them are found, is checked as one without quotes.
    """
    library = PageTexts(pages)
    for claim in claims:
        checked = check_claim(claim, pages, search, tables, checker)
        quotes: list[Citation] = []
        for number, quote in enumerate(claim.quotes, 1):
            passages = list(_quoted_passages((quote,), pages, search))
            named = _number(quote, passages)
            given = Quote(quote.quote, named, quote.page if named else None)
            quotes.append(replace(check_quote(given, passages, library), n=number))
        if quotes and checked.sentence.support is not Support.VERIFIED and all(q.verified for q in quotes):
            other = check_claim(replace(claim, quotes=()), pages, search, tables, checker)
            if other.sentence.support is Support.VERIFIED:
                checked = replace(other, claim=claim)
        yield replace(checked, quotes=tuple(quotes))


def check_claim(
    claim: Claim,
    pages: PageSource,
    search: Search,
    tables: Tables | None = None,
    checker: Checker | None = None,
) -> Checked:
    """The verdict on a claim. `search` finds passages for a text; it is asked only when quotes do not say where.
    With `tables`, the figures of a table are compared with their headers; `checker` is asked what rules leave open.
    """
    if claim.quotes:
        passages = list(_quoted_passages(claim.quotes, pages, search))
        quotes = tuple(
            Quote(q.quote, _number(q, passages), q.page if _number(q, passages) else None)
            for q in claim.quotes
        )
        return _checked(claim, quotes, passages, pages, tables, checker)
    return _best(claim, pages, search, tables, checker)


def _checked(
    claim: Claim,
    quotes: tuple[Quote, ...],
    passages: Sequence[Passage],
    pages: PageSource,
    tables: Tables | None,
    checker: Checker | None,
) -> Checked:
    numbers = tuple(dict.fromkeys(q.passage for q in quotes if q.passage is not None))
    draft = Draft((DraftSentence(" ".join(claim.sentence.split()), numbers, quotes),))
    checked = check_draft(draft, passages, pages, question=claim.question, tables=tables, checker=checker)
    return Checked(claim, checked.sentences[0], checked.citations)


def _quoted_passages(quotes: Sequence[ClaimQuote], pages: PageSource, search: Search) -> Iterator[Passage]:
    """The page that each quote names, and what is found for quotes that name none."""
    for quote in quotes:
        page = pages.page(quote.file, quote.page) if quote.file and quote.page is not None else None
        known = [page] if page is not None else list(pages.pages(quote.file)) if quote.file else []
        if known:  # without a page, the whole file is what is cited
            first, last = known[0].number, known[-1].number
            spans = tuple(Span(one.number, 0, len(one.text)) for one in known)
            yield Passage(-first, quote.file, first, last, "\n".join(one.text for one in known), spans)
        else:
            yield from search(quote.quote)


def _number(quote: ClaimQuote, passages: Sequence[Passage]) -> int | None:
    """The passage (from 1) that a quote names."""
    for i, passage in enumerate(passages, 1):
        if quote.file == passage.file and quote.page in (None, passage.page):
            return i
    return None


def _best(
    claim: Claim, pages: PageSource, search: Search, tables: Tables | None, checker: Checker | None
) -> Checked:
    """The verdict by the sentence of the documents that supports the claim best.

    The second checker is asked about the nearest sentence alone, and only when rules accept none.
    """
    passages = list(search(f"{claim.question} {claim.sentence}".strip()))
    found = []
    for number, passage in enumerate(passages, 1):
        for start, end in split_sentences(passage.text):
            sentence = passage.text[start:end]
            found.append((coverage(claim.sentence, sentence), -number, sentence))
    nearest: tuple[Quote, ...] = ()
    for share, number, sentence in sorted(found, reverse=True)[:TRIED]:
        if share < LIKE:
            break
        quotes = (Quote(sentence, -number),)
        checked = _checked(claim, quotes, passages, pages, tables, None)
        if checked.sentence.support is Support.VERIFIED:
            return checked
        nearest = nearest or quotes
    if nearest:
        return _checked(claim, nearest, passages, pages, tables, checker)
    return Checked(claim, Sentence(claim.sentence, (), Support.UNSUPPORTED, reason="nothing_like_it"), ())


def claims_from(forms: Iterable[Any]) -> list[Claim]:
    """Quotes as other programs send them, a text or `{"quote", "file", "page"}`, each as a claim of its own.

    Raises UsageError, naming the number (from 1), when one cannot be read.
    """
    claims = []
    for number, form in enumerate(forms, 1):
        try:
            claims.append(replace(_claim({"sentence": _words_of(form), "quotes": [form]}), id=str(number)))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f"Quote {number} cannot be read: give a text, or `quote` with `file` and `page`."
            ) from None
    return claims


def _words_of(form: Any) -> str:
    words = form if isinstance(form, str) else form["quote"]
    if not isinstance(words, str) or not words.strip():
        raise TypeError(words)
    return words


def read_claims(path: str | Path) -> list[Claim]:
    """The claims of a JSON Lines file: `{"id", "sentence", "quotes": [{"quote", "file", "page"}], "question"}`.

    Raises UsageError, naming the line, when one cannot be read.
    """
    claims = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            try:
                claims.append(_claim(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UsageError(
                    f"{path}, line {number}: a claim is an object with `sentence` and, if you like, `id`, `quotes`"
                    " and `question`."
                ) from None
    return claims


def _claim(form: Any) -> Claim:
    quotes = tuple(
        ClaimQuote(q, "")
        if isinstance(q, str)
        else ClaimQuote(str(q["quote"]), str(q.get("file") or ""), _page(q))
        for q in form.get("quotes") or ()
    )
    identity = form.get("id")
    sentence = form["sentence"]
    if not isinstance(sentence, str):
        raise TypeError(sentence)
    return Claim(
        sentence, quotes, str(form.get("question") or ""), None if identity is None else str(identity)
    )


def _page(form: Any) -> int | None:
    page = form.get("page")
    return None if page is None else int(page)
