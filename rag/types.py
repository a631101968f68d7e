"""The values that travel between the layers: frozen, with no behaviour but what follows from the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Status(StrEnum):
    """What became of a file or a page. Only `OK` and `OCR` can be searched."""

    OK = "ok"
    OCR = "ocr"
    EMPTY = "empty"
    SCANNED = "scanned"
    GARBLED = "garbled"
    HIDDEN_TEXT = "hidden text"
    ENCRYPTED = "encrypted"
    TOO_LARGE = "too large"
    TIMED_OUT = "timed out"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    FAILED = "failed"
    """Read, but not embedded: a provider failed. Transient; the next run tries again."""
    REMOVED = "removed"
    """Seen by an earlier run, no longer in the folder; still searchable until pruned."""

    @property
    def searchable(self) -> bool:
        return self in (Status.OK, Status.OCR, Status.REMOVED)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) of the stored text of physical page `page` (from 1)."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page as stored: the cleaned text that quotes are looked up in, and what became of the page."""

    number: int
    text: str
    status: Status = Status.OK
    reason: str = ""
    label: str = ""
    """The printed page label, when the document carries one that differs from the number."""
    characters: int = 0
    """Characters extracted before cleaning."""
    headers_footers: tuple[tuple[int, int], ...] = ()
    """Character ranges of `text` that are running headers or footers: kept for quotes, left out of chunks."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document, ready to be embedded."""

    ordinal: int
    """Position within the document, from 0."""
    spans: tuple[Span, ...]
    """Where `text` stands, in reading order; more than one when it crosses pages or skips headers and footers."""
    text: str
    """The quotable text."""
    header: str = ""
    """Context for the embedding and the keyword index (title, subject, heading); never quoted."""
    heading: str = ""
    """The section heading it stands under."""
    tokens: int = 0

    @property
    def page(self) -> int:
        return self.spans[0].page

    @property
    def page_end(self) -> int:
        return self.spans[-1].page

    @property
    def indexed_text(self) -> str:
        """What is embedded and put into the keyword index."""
        return f"{self.header}\n{self.text}" if self.header else self.text


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table that holds a value."""

    column: int
    """Index (from 0) of its column in `Table.columns`."""
    text: str
    start: int
    """Characters `start` to `end` (exclusive) of the page's text are the cell."""
    end: int
    box: tuple[float, float, float, float] | None = None
    """Left, bottom, right, top in points on the page as it is read; None for formats without a layout."""
    name: str = ""
    """Its name in a spreadsheet (`Budget!C14`)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, characters `start` to `end` (exclusive) of the page's text."""

    path: tuple[str, ...]
    """Its header path: the groups of rows that it is in, outermost first, then its own label."""
    start: int
    end: int
    cells: tuple[Cell, ...]
    name: str = ""
    """In a spreadsheet the name of its first cell (`Budget!A14`)."""

    @property
    def label(self) -> str:
        return self.path[-1] if self.path else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page, with the headers that tell what each cell is."""

    page: int
    title: str
    """What stands above it: a caption, a heading or the sentence that introduces it."""
    unit: str
    """The unit or scale that it states for its figures, as written ("in millions", "백만원")."""
    columns: tuple[tuple[str, ...], ...]
    """The header path of each column, outermost first; empty for a column without one."""
    rows: tuple[Row, ...]
    start: int
    """Characters `start` to `end` (exclusive) of the page's text are the table with its headers."""
    end: int


@dataclass(frozen=True, slots=True)
class CellReference:
    """The cell that a citation stands on: its value as printed, and the headers of its row and column."""

    value: str
    row: tuple[str, ...]
    column: tuple[str, ...]
    unit: str = ""
    name: str = ""
    """Its name in a spreadsheet (`Budget!C14`)."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A file as the index knows it."""

    file: str
    """Path relative to the folder that was ingested, with `/`, composed (NFC)."""
    path: str
    """Absolute path when it was last read."""
    content_hash: str
    """SHA-256 of the bytes, in hexadecimal; empty when the file could not be read."""
    size: int
    mtime_ns: int
    status: Status
    reason: str = ""
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Anything `--where key=value` may filter by: folder, format, author, period, language."""


@dataclass(frozen=True, slots=True)
class Document:
    """A finished file: what one transaction writes."""

    record: DocumentRecord
    pages: tuple[Page, ...]
    chunks: tuple[Chunk, ...]
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk, with where it stands and why it was found."""

    chunk_id: int
    file: str
    page: int
    page_end: int
    text: str
    spans: tuple[Span, ...]
    score: float = 0.0
    page_label: str = ""
    heading: str = ""
    header: str = ""
    title: str = ""
    dense_rank: int | None = None
    """Rank (from 1) by the embedding alone; None when it was not among the candidates."""
    keyword_rank: int | None = None
    similarity: float | None = None
    """Cosine of question and chunk, when it was computed."""
    routed: bool = False
    """True when the question names this document."""
    rerank_score: float | None = None
    """The reranker's rating, when one read the passage; the order then follows it, not `score`."""
    ocr: bool = False


class QuoteStatus(StrEnum):
    FOUND = "found"
    MOVED = "found elsewhere"
    ALTERED = "altered"
    MISSING = "not found"


class Support(StrEnum):
    """How well a sentence of an answer is backed by verified quotes."""

    VERIFIED = "verified"
    WEAK = "weak"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered reference of an answer to a page."""

    n: int
    file: str
    page: int
    quote: str
    """The words of the page when found; otherwise what the model claimed."""
    status: QuoteStatus
    spans: tuple[Span, ...] = ()
    page_label: str = ""
    claimed_page: int | None = None
    claimed_file: str = ""
    note: str = ""
    """A sentence for the reader when the citation was corrected or the quote differs."""
    difference: tuple[tuple[str, str, str], ...] = ()
    """For an altered quote: (operation, claimed words, words of the page)."""
    chunk_id: int | None = None
    ocr: bool = False
    page_hash: str = ""
    """SHA-256 of the stored page text, so that a saved answer can tell an edited page."""
    cell: CellReference | None = None
    """The table cell that was quoted, with its headers."""

    @property
    def verified(self) -> bool:
        return self.status in (QuoteStatus.FOUND, QuoteStatus.MOVED)


@dataclass(frozen=True, slots=True)
class Derived:
    """A figure of an answer that stands on no page but is computed from figures of the verified quotes."""

    figure: str
    """As the sentence writes it."""
    operation: str
    """`sum`, `difference`, `ratio`, `percentage`, `percentage change`, `average`, `count`, `rounding` or
    `conversion`."""
    operands: tuple[str, ...]
    """The figures (or listed things) of the quotes, as written there."""
    formula: str
    """For the reader: `1,577 − 1,412 = 165`."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer."""

    text: str
    citations: tuple[int, ...]
    support: Support
    unsupported_facts: tuple[str, ...] = ()
    """Figures, dates and names of the sentence that stand in no cited evidence."""
    derived: tuple[Derived, ...] = ()
    """Figures that are computed. Such a sentence is weak: all else in it is checked, these need a reader's eye."""
    basis: Literal["quoted", "entailed"] | None = None
    """Of a verified sentence: whether it is the page's own words, whole or shortened, or follows from them."""
    reason: str = ""
    """A code for why the support is what it is, such as `quoted`, `facts_missing` or `no_quote_found`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens billed and their price. An unknown price is None, never 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    calls: int = 0
    cached_calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
            self.calls + other.calls,
            self.cached_calls + other.cached_calls,
        )


@dataclass(frozen=True, slots=True)
class NearSentence:
    """The likeliest sentence of a passage: shown with a declined question, and not taken for its answer."""

    passage: Passage
    text: str


EVIDENCE_LEVELS = (0.5, 0.9)
"""Confidence, or the evidence score where there is none, from which the evidence is called medium and high."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What `ask` returns.

        answer = pipeline.ask("What is the sample volume of the Tarn 340?")
        pages = {citation.n: (citation.file, citation.page) for citation in answer.citations}
        for sentence in answer.sentences:  # none when it was declined, which `reason` explains
            print(sentence.text, sentence.support.value, [pages[n] for n in sentence.citations])

    `[n]` in a text stands for the citation with that `n`.
    """

    question: str
    answered: bool
    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    model: str
    prompt: str
    usage: Usage
    seconds: Mapping[str, float]
    """Wall time by stage: retrieve, generate, verify, total."""
    evidence_score: float
    """From 0 to 1: how sure the tool is that the documents hold the answer."""
    confidence: float | None = None
    """From 0 to 1: how sure the built-in answerer is that its sentence answers; None of a model's answer."""
    reason: str = ""
    """Why it was declined, when it was."""
    nearest: tuple[NearSentence, ...] = ()
    """What came nearest, when it was declined: a sentence of a passage each, the likeliest first."""
    standalone_question: str = ""
    """The question that was searched for, when the chat history changed it."""
    notes: tuple[str, ...] = ()
    """Sentences the reader should see: fewer passages packed, part of the folder not searchable."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "answered" if self.answered else "abstained"

    @property
    def evidence_level(self) -> str:
        """The confidence, or the evidence score, as a word: `low`, `medium` or `high` (right nine times in ten)."""
        medium, high = EVIDENCE_LEVELS
        sure = self.evidence_score if self.confidence is None else self.confidence
        return "high" if sure >= high else "medium" if sure >= medium else "low"

    @property
    def verified(self) -> bool:
        """Whether a sentence is verified, or computed from verified figures; else a warning is shown."""
        return any(
            sentence.support is Support.VERIFIED or (sentence.derived and not sentence.unsupported_facts)
            for sentence in self.sentences
        )
