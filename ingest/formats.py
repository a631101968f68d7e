"""Which files can be read, by name and by their first bytes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class Format(StrEnum):
    PDF = "pdf"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"
    DOCX = "docx"
    UNSUPPORTED = "unsupported"


_BY_SUFFIX = {
    ".pdf": Format.PDF,
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xhtml": Format.HTML,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".docx": Format.DOCX,
}
_MEND = {
    ".doc": "save it as DOCX or PDF",
    ".hwp": "save it as PDF",
    ".hwpx": "save it as PDF",
    ".rtf": "save it as DOCX or PDF",
    ".odt": "save it as DOCX or PDF",
    ".ppt": "save it as PDF",
    ".pptx": "save it as PDF",
    ".xls": "save it as CSV",
    ".xlsx": "save it as CSV",
}
# The header may stand anywhere in the first 1,024 bytes (PDF 1.7 reference, appendix H, note 13).
_PDF_HEADER_WITHIN = 1024


def format_of(path: Path) -> Format:
    """The format of a file, by its suffix; a PDF under any other name is recognised by its header.

    Raises OSError when the file cannot be opened.
    """
    known = _BY_SUFFIX.get(path.suffix.lower())
    if known is not None:
        return known
    with path.open("rb") as file:
        return Format.PDF if b"%PDF-" in file.read(_PDF_HEADER_WITHIN) else Format.UNSUPPORTED


def why_unsupported(path: Path) -> str:
    """One phrase for the ledger: what the file is, and the way round where there is one."""
    suffix = path.suffix.lower()
    mend = _MEND.get(suffix)
    kind = f"{suffix} files are not read" if suffix else "no known file type"
    return f"{kind}: {mend}" if mend else kind
