"""The texts that keyword search looks at: a chunk with its header, a page, and a page's beginning."""

from __future__ import annotations

from collections.abc import Sequence

HEAD_CHARACTERS = 400
"""Length of a page's beginning, which is searched on its own: titles and table headings stand there."""


def chunk_body(header: str, text: str) -> str:
    """A chunk as it is searched."""
    return f"{header}\n{text}" if header else text


def page_head(text: str, furniture: Sequence[tuple[int, int]]) -> str:
    """The beginning of a page, where its title stands, without running headers: every page has those."""
    kept, at = [], 0
    for start, end in sorted(furniture):
        kept.append(text[at:start])
        at = max(at, end)
    return "".join([*kept, text[at:]]).lstrip()[:HEAD_CHARACTERS]
