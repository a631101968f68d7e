"""Saved answers that can be verified again later, without a model.

A saved answer (`rag ask --save FILE`) is JSON: the question, the answer's sentences, each quote with the hash of the
page text it was found in, and the fingerprints of the template and the model. `verify_saved_answer` looks every quote
up in the index as it is now and checks every sentence again; nothing that the file says about itself is believed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from rag.answering.citations import PageSource, PageTexts, check_quote, page_hash
from rag.answering.markers import Quote
from rag.answering.originals import CurrentPages
from rag.answering.reply import Draft, DraftSentence
from rag.answering.tables import Tables
from rag.answering.verification import CheckedDraft, check_draft
from rag.errors import UsageError
from rag.types import Answer, Citation, Derived, Passage, QuoteStatus, Span, Support

FORMAT: Final = "pagequote-answer/1"
LARGEST = 16 * 1024 * 1024
"""Bytes; a larger file is no saved answer."""


@dataclass(frozen=True, slots=True)
class SavedCitation:
    """A quote and where it was found."""

    n: int
    file: str
    page: int
    quote: str
    status: QuoteStatus
    page_hash: str
    spans: tuple[Span, ...] = ()
    title: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class SavedSentence:
    """A sentence and what the check said of it."""

    text: str
    citations: tuple[int, ...]
    support: Support
    derived: tuple[Derived, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """A saved answer."""

    question: str
    answered: bool
    answer: str
    sentences: tuple[SavedSentence, ...]
    citations: tuple[SavedCitation, ...]
    model: str
    prompt: str
    evidence_score: float
    saved: str
    """When, as ISO 8601 in UTC."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """What the answer depended on: `prompt`, `model`, `embeddings`, ... as hashes or identities."""
    reason: str = ""
    confidence: float | None = None
    format: Literal["pagequote-answer/1"] = FORMAT


class CitationOutcome(StrEnum):
    """What has become of a quote since it was saved."""

    VERIFIED = "proven"
    """It stands where it stood; the page has not changed."""
    EDITED = "page edited"
    """The page has changed; the quote still stands on it."""
    MOVED = "moved"
    """It stands on another page now."""
    GONE = "gone"
    """The page is there, its words have changed: the quote no longer stands in the file."""
    REMOVED = "page removed"
    """The index has no such page, and no other page of the file holds the quote."""
    OUTDATED = "document changed or gone"
    """The document on the disk is not the one that was indexed."""
    UNVERIFIED = "was not proven"
    """It was not verified when the answer was saved, and is not now."""

    @property
    def stands(self) -> bool:
        """Whether the quote is verified today."""
        return self in (CitationOutcome.VERIFIED, CitationOutcome.EDITED, CitationOutcome.MOVED)

    @property
    def stale(self) -> bool:
        """Whether an edited or removed page has touched the quote."""
        return self in (
            CitationOutcome.EDITED,
            CitationOutcome.MOVED,
            CitationOutcome.GONE,
            CitationOutcome.REMOVED,
            CitationOutcome.OUTDATED,
        )


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """One citation, looked up again."""

    saved: SavedCitation
    outcome: CitationOutcome
    page: int
    """The page it stands on today; the saved one when it stands nowhere."""


@dataclass(frozen=True, slots=True)
class Verification:
    """A saved answer, checked again."""

    answer: SavedAnswer
    checks: tuple[CitationCheck, ...]
    checked: CheckedDraft
    """The answer checked against the index as it is now."""

    @property
    def weakened(self) -> tuple[str, ...]:
        """Sentences that the saved answer calls verified, or derived, and that no longer are."""
        pairs = zip(self.answer.sentences, self.checked.sentences, strict=True)
        return tuple(
            old.text
            for old, now in pairs
            if now.support is not Support.VERIFIED
            and (old.support is Support.VERIFIED or (old.derived and not now.derived))
        )

    @property
    def stale(self) -> tuple[CitationCheck, ...]:
        """The citations that an edited or removed page has touched."""
        return tuple(check for check in self.checks if check.outcome.stale)

    @property
    def holds(self) -> bool:
        """Whether every quote that was verified still is, and every sentence that was verified or derived."""
        lost = any(
            not c.outcome.stands and c.saved.status in (QuoteStatus.FOUND, QuoteStatus.MOVED)
            for c in self.checks
        )
        return not lost and not self.weakened


def saved_answer_of(answer: Answer, *, fingerprints: dict[str, str] | None = None) -> SavedAnswer:
    """An answer to be saved, dated now."""
    passages = {passage.chunk_id: passage for passage in answer.passages}
    return SavedAnswer(
        question=answer.question,
        answered=answer.answered,
        answer=answer.text,
        sentences=tuple(SavedSentence(s.text, s.citations, s.support, s.derived) for s in answer.sentences),
        citations=tuple(_saved(c, passages) for c in answer.citations),
        model=answer.model,
        prompt=answer.prompt,
        evidence_score=answer.evidence_score,
        confidence=answer.confidence,
        saved=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprints=dict(fingerprints or {}),
        reason=answer.reason,
    )


def _saved(citation: Citation, passages: dict[int, Passage]) -> SavedCitation:
    passage = passages.get(citation.chunk_id) if citation.chunk_id is not None else None
    return SavedCitation(
        n=citation.n,
        file=citation.file,
        page=citation.page,
        quote=citation.quote,
        status=citation.status,
        page_hash=citation.page_hash,
        spans=citation.spans,
        title=passage.title if passage else "",
        heading=passage.heading if passage else "",
    )


def write_saved_answer(answer: SavedAnswer, path: str | Path) -> None:
    """Write a saved answer as JSON (UTF-8), replacing the file."""
    text = json.dumps(asdict(answer), ensure_ascii=False, indent=2)
    Path(path).write_text(text + "\n", encoding="utf-8", errors="replace")


def read_saved_answer(path: str | Path) -> SavedAnswer:
    """The saved answer in a file. Raises UsageError, naming the file, when it is not one."""
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large to be a saved answer.")
        return TypeAdapter(SavedAnswer).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{path} is not an answer saved by `rag ask --save`: {place}: {first['msg']}."
        ) from error


def verify_saved_answer(answer: SavedAnswer, pages: PageSource, tables: Tables | None = None) -> Verification:
    """Look every quote up again in the index `pages` and check every sentence again, figures of `tables` as well.

    With `CurrentPages(index)` nothing in a document that is gone or has changed counts.
    """
    passages = [_passage(citation) for citation in answer.citations]
    places = {citation.n: i for i, citation in enumerate(answer.citations, 1)}
    quotes = [Quote(c.quote, i) for i, c in enumerate(answer.citations, 1)]
    sentences = tuple(
        DraftSentence(s.text, numbers, tuple(quotes[i - 1] for i in numbers))
        for s in answer.sentences
        for numbers in [tuple(places[n] for n in s.citations if n in places)]
    )
    library = PageTexts(pages)
    looked_up = [check_quote(quote, passages, library) for quote in quotes]
    outdated = pages.outdated if isinstance(pages, CurrentPages) else ()
    checks = tuple(
        _check(s, now, pages, outdated) for s, now in zip(answer.citations, looked_up, strict=True)
    )
    checked = check_draft(Draft(sentences), passages, pages, question=answer.question, tables=tables)
    open_then = {s.text for s in answer.sentences if s.support is not Support.VERIFIED}
    kept = tuple(  # what was beside the question then is so still
        replace(s, support=Support.WEAK, basis=None, reason="not_told_by_code")
        if s.support is Support.VERIFIED and s.text in open_then
        else s
        for s in checked.sentences
    )
    return Verification(answer, checks, replace(checked, sentences=kept))


def _passage(citation: SavedCitation) -> Passage:
    """The page of a citation, as if it had been retrieved."""
    return Passage(
        chunk_id=-citation.n,
        file=citation.file,
        page=citation.page,
        page_end=citation.page,
        text="",
        spans=citation.spans,
        title=citation.title,
        heading=citation.heading,
    )


def _check(saved: SavedCitation, now: Citation, pages: PageSource, outdated: Sequence[str]) -> CitationCheck:
    page = pages.page(saved.file, saved.page)
    if now.verified and (now.file, now.page) == (saved.file, saved.page):
        same = page_hash(page) == saved.page_hash
        return CitationCheck(saved, CitationOutcome.VERIFIED if same else CitationOutcome.EDITED, now.page)
    if now.verified:
        return CitationCheck(saved, CitationOutcome.MOVED, now.page)
    if saved.file in outdated:
        return CitationCheck(saved, CitationOutcome.OUTDATED, saved.page)
    if saved.status not in (QuoteStatus.FOUND, QuoteStatus.MOVED):
        return CitationCheck(saved, CitationOutcome.UNVERIFIED, saved.page)
    return CitationCheck(saved, CitationOutcome.REMOVED if page is None else CitationOutcome.GONE, saved.page)
