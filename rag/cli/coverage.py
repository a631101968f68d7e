"""What of the folder an answer could not draw on, said with the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rag.cli.messages import Language, say

if TYPE_CHECKING:
    from rag.store import Index
    from rag.types import Answer


def with_coverage(answer: Answer, index: Index, language: Language) -> Answer:
    """The answer with a note when files or pages of the folder are not searchable."""
    note = coverage_note(index, language)
    return replace(answer, notes=(*answer.notes, note)) if note else answer


def coverage_note(index: Index, language: Language) -> str:
    """One sentence about what cannot be searched; empty when everything can."""
    totals = index.counts()
    files = sum(count for status, count in totals.files.items() if not status.searchable)
    pages = totals.pages - totals.searchable_pages
    if not files and not pages:
        return ""
    values = {
        "files": files,
        "all_files": sum(totals.files.values()),
        "pages": pages,
        "all_pages": totals.pages,
    }
    key = "not_searchable" if files and pages else "files_not_searchable" if files else "pages_not_searchable"
    return say(key, language, **values)
