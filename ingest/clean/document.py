"""Cleans a whole document: raw lines in, page texts with their blocks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.clean.blocks import Block, Kind, breaks_between_words, build_blocks
from ingest.clean.characters import plain
from ingest.clean.furniture import find_furniture
from ingest.clean.headings import HeadingRule
from ingest.clean.joining import Joiner
from ingest.raw import Line, RawPage
from rag.text.normalise import SOFT_HYPHENS
from rag.types import Page


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A block of a page: characters `start` to `end` (exclusive) of the page's text."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CleanPage:
    """A page as it will be stored, with its blocks in reading order."""

    page: Page
    blocks: tuple[TextBlock, ...]


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """All pages, and the joiner that learned how this document spaces its words."""

    pages: tuple[CleanPage, ...]
    joiner: Joiner


def clean(pages: Sequence[RawPage], *, furniture: bool = True) -> CleanDocument:
    """Normalise characters, mark furniture, join lines to paragraphs, and write out the text of every page.

    `furniture=False` is for formats without printed pages.
    """
    for page in pages:
        for line in page.lines:
            line.text = plain(line.text)
        page.lines = [line for line in page.lines if line.text]
    edges = find_furniture(pages) if furniture else {}
    body = [_body(page, edges.get(page.number, set())) for page in pages]
    rule = HeadingRule(line for lines in body for line in lines)
    blocks = [build_blocks(lines, rule) for lines in body]
    joiner = Joiner(lambda: (line.text for lines in body for line in lines))
    words_kept = breaks_between_words(blocks)
    written = [
        _write(page, found, edges.get(page.number, set()), joiner, words_kept=words_kept)
        for page, found in zip(pages, blocks, strict=True)
    ]
    return CleanDocument(tuple(written), joiner)


def _body(page: RawPage, furniture: set[int]) -> list[Line]:
    return [line for position, line in enumerate(page.lines) if position not in furniture]


def _write(
    page: RawPage, blocks: list[Block], furniture: set[int], joiner: Joiner, *, words_kept: bool
) -> CleanPage:
    heads, feet = _furniture_blocks(page, furniture)
    parts: list[str] = []
    placed: list[TextBlock] = []
    length = 0
    for block in [*heads, *blocks, *feet]:
        text = _join_lines(block, joiner, words_kept=words_kept)
        if not text:
            continue
        if parts:
            separator = "\n\n" if block.gap else "\n"
            parts.append(separator)
            length += len(separator)
        parts.append(text)
        placed.append(TextBlock(block.kind, length, length + len(text)))
        length += len(text)
    stored = Page(
        number=page.number,
        text="".join(parts),
        status=page.status,
        reason=page.reason or page.note,
        label=page.label,
        characters=page.characters,
        furniture=tuple((b.start, b.end) for b in placed if b.kind is Kind.FURNITURE),
    )
    return CleanPage(stored, tuple(placed))


def _furniture_blocks(page: RawPage, furniture: set[int]) -> tuple[list[Block], list[Block]]:
    """Headers from the top down, footers likewise; what was drawn last may stand at the top."""
    lines = [page.lines[position] for position in sorted(furniture)]
    if all(line.placed for line in lines) and page.height > 0:
        lines.sort(key=lambda line: -line.middle)
        heads = [line for line in lines if line.middle > page.height / 2]
    else:
        half = len(page.lines) / 2
        heads = [page.lines[position] for position in sorted(furniture) if position < half]
    feet = [line for line in lines if line not in heads]
    head_blocks = [Block(Kind.FURNITURE, [line]) for line in heads]
    foot_blocks = [Block(Kind.FURNITURE, [line], gap=place == 0) for place, line in enumerate(feet)]
    return head_blocks, foot_blocks


def _join_lines(block: Block, joiner: Joiner, *, words_kept: bool) -> str:
    text = ""
    for line in block.lines:
        text = joiner.join(text, line.text, words_kept=words_kept) if text else line.text
    return text.rstrip(SOFT_HYPHENS) if len(block.lines) else text
