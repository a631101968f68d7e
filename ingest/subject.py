"""What a document is and when it is about: its title, its metadata, and the header its chunks are embedded with.

A chunk of a report seldom says whose report it is. The header says so in words: the file's name, the title, the
period, the heading, and for the rest of a table its column heads. It is embedded and searched, never quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ingest.chunking import Piece
from ingest.clean.blocks import BlockKind
from ingest.clean.document import CleanDocument
from ingest.discovery import Format
from ingest.raw import RawDocument
from rag.text.language import language_of
from rag.types import Chunk

_SEPARATORS = re.compile(r"[_\-+.]+|(?<=[a-z가-힣])(?=[A-Z])|(?<=[A-Za-z가-힣])(?=(?:19|20)\d\d(?!\d))")
_QUARTER_YEAR = re.compile(r"((?:19|20)\d\d)(?=[QH]\d)")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_PERIOD = re.compile(
    r"(?<!\d)((?:19|20)\d\d)\s?[-_ ]?(?:(Q[1-4]|H[12])|([1-4])\s?분기)|(?<![A-Za-z0-9])(Q[1-4])[-_ ]?((?:19|20)\d\d)"
)
_UNTITLED = re.compile(
    r"^(?:untitled|document\d*|microsoft word|제목 ?없음|powerpoint|presentation\d*|slide \d+|about:blank|print)\b"
    r"|\.(?:docx?|hwpx?|pdf|xlsx?|pptx?|indd|qxd|html?|tex|dvi|ps)$|^[\w-]{24,}$|^(?:https?|file):|^\W*$",
    re.IGNORECASE,
)
_LONGEST_TITLE = 120
_LONGEST_OPENING = 160
_LONGEST_HEADING = 120
_OPENING_LINES = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document is and when it is about."""

    title: str
    metadata: Mapping[str, str]
    name: str
    """The file's name in words."""
    opening: str
    """The first lines of the first page with text."""


def subject_of(file: str, kind: Format, raw: RawDocument, document: CleanDocument) -> Subject:
    """Title, metadata and what else names the document called `file` in the index."""
    path = PurePosixPath(file)
    # `ACME_2023Q2_10-Q` in words is `ACME 2023 Q2 10 Q`
    name = " ".join(_QUARTER_YEAR.sub(r"\1 ", _SEPARATORS.sub(" ", path.stem)).split())
    title = _title(raw.title, document) or name
    opening = _opening(document, title)
    sample = " ".join(page.page.text[:2000] for page in document.pages[:3])
    found = {
        "folder": "" if str(path.parent) == "." else str(path.parent),
        "format": kind.value,
        "title": title,
        "author": raw.author[:_LONGEST_TITLE],
        "period": _period(path.stem) or _period(title) or _period(opening),
        "language": language_of(sample),
        "created": raw.created,
    }
    return Subject(title, {key: value for key, value in found.items() if value}, name, opening)


def with_header(piece: Piece, subject: Subject) -> Chunk:
    """The chunk with the header it is embedded with."""
    parts = [subject.name]
    if not _says(subject.name, subject.title):
        parts.append(subject.title)
    if piece.chunk.page > 1 and not _says(" ".join(parts), subject.opening):
        parts.append(subject.opening)
    heading = piece.chunk.heading[:_LONGEST_HEADING]
    if heading and not piece.chunk.text.startswith(heading[:40]) and not _says(" ".join(parts), heading):
        parts.append(heading)
    if piece.table_head:
        parts.append(piece.table_head)
    return replace(piece.chunk, header="\n".join(parts))


def _title(stated: str, document: CleanDocument) -> str:
    """The title the file states when it is one, else the first heading of its first pages."""
    stated = " ".join(stated.split())[:_LONGEST_TITLE]
    if len(stated) > 3 and not _UNTITLED.search(stated):
        return stated
    for clean in document.pages[:2]:
        for block in clean.blocks[:12]:
            if block.kind is BlockKind.HEADING:
                return clean.page.text[block.start : block.end][:_LONGEST_TITLE]
    return ""


def _opening(document: CleanDocument, title: str) -> str:
    """The first lines of running text, of the first page that has any."""
    for clean in document.pages[:5]:
        texts = (
            clean.page.text[block.start : block.end]
            for block in clean.blocks
            if block.kind is not BlockKind.HEADER_FOOTER
        )
        lines = [text for text in texts if sum(map(str.isalpha, text)) > 3 and not _says(title, text)]
        if lines:
            return " ".join(lines[:_OPENING_LINES])[:_LONGEST_OPENING]
    return ""


def _period(text: str) -> str:
    """`2023`, `2023 Q2` or `2022-2023`, when a text names it."""
    match = _PERIOD.search(text)
    if match:
        year = match[1] or match[5]
        part = match[2] or match[4] or f"Q{match[3]}"
        return f"{year} {part.upper()}"
    years = sorted(set(_YEAR.findall(text)))
    if not years:
        return ""
    return years[0] if len(years) == 1 else f"{years[0]}-{years[-1]}"


def _says(text: str, other: str) -> bool:
    """Whether every word of `other` stands in `text` already."""
    words = set(text.casefold().split())
    return all(word in words for word in other.casefold().split())
