"""What an answerer claims, before anything of it is proven."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that the answerer says stand in a passage."""

    text: str
    passage: int | None = None
    """The number (from 1) under which the passage was given; None when the answerer named none."""
    page: int | None = None
    """The page the answerer named, when it named one; never believed, only compared."""


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A sentence of an answer with what the answerer cites for it."""

    text: str
    passages: tuple[int, ...] = ()
    """Every number cited, with or without a quote, in order, without repeats."""
    quotes: tuple[Quote, ...] = ()
    starts_line: bool = False
    """True when the reply had a line break before it (lists, tables, paragraphs)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that nobody has checked yet."""

    sentences: tuple[DraftSentence, ...] = ()
    declined: bool = False
    """The answerer itself says that the documents do not hold the answer."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader about how the reply had to be read."""
