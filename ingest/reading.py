"""Reads one file from bytes on disk to pages and chunks: what a reader process does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.chunking import split
from ingest.clean.document import CleanDocument, clean
from ingest.discovery import Format, unsupported_reason
from ingest.options import ReadOptions
from ingest.pdf.document import Tell, read_pdf
from ingest.raw import RawDocument
from ingest.readers.archive import ArchiveNotReadable
from ingest.readers.docx import read_docx
from ingest.readers.hwp import read_hwp
from ingest.readers.hwpx import read_hwpx
from ingest.readers.pptx import read_pptx
from ingest.readers.text import read_text_file
from ingest.readers.xlsx import read_xlsx
from ingest.subject import subject_of, with_header
from rag.types import Chunk, Page, Status, Table

_PAGES_NAMED = 8
_OFFICE = {
    Format.DOCX: read_docx,
    Format.XLSX: read_xlsx,
    Format.PPTX: read_pptx,
    Format.HWPX: read_hwpx,
    Format.HWP: read_hwp,
}


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A file to read."""

    file: str
    path: Path
    format: Format
    passwords: tuple[str, ...] = field(default=(), repr=False)
    use_pdfium: bool = True
    use_pypdf: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a file."""

    status: Status
    reason: str = ""
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    tables: tuple[Table, ...] = ()


def read(job: ReadJob, options: ReadOptions, tell: Tell) -> Reading:
    """Read, clean and split a file. Whatever is wrong with it becomes a status and a reason."""
    try:
        raw = _raw(job, options, tell)
    except OSError as error:
        return Reading(Status.UNREADABLE, error.strerror or "cannot be read")
    except ArchiveNotReadable as error:
        return Reading(error.status, str(error))
    except (ValueError, RecursionError) as error:
        return Reading(Status.DAMAGED, str(error) or "cannot be understood")
    if raw.status is not Status.OK and not raw.pages:
        return Reading(raw.status, raw.reason)
    return _finish(job, raw, options)


def _raw(job: ReadJob, options: ReadOptions, tell: Tell) -> RawDocument:
    if job.format is Format.PDF:
        return read_pdf(
            job.path,
            passwords=job.passwords,
            options=options,
            tell=tell,
            use_pdfium=job.use_pdfium,
            use_pypdf=job.use_pypdf,
        )
    if job.format is Format.UNSUPPORTED:
        return RawDocument(status=Status.UNSUPPORTED, reason=unsupported_reason(job.path))
    if not job.path.stat().st_size:
        return RawDocument(status=Status.EMPTY, reason="the file is empty")
    if job.format in _OFFICE:
        return _OFFICE[job.format](job.path, options)
    return read_text_file(job.path, job.format, options)


def _finish(job: ReadJob, raw: RawDocument, options: ReadOptions) -> Reading:
    document = clean(raw.pages, headers_footers=job.format is Format.PDF)
    subject = subject_of(job.file, job.format, raw, document)
    searchable = CleanDocument(
        tuple(page for page in document.pages if page.page.status.searchable), document.joiner
    )
    pieces = split(searchable, limit=options.chunk_tokens, overlap=options.chunk_overlap)
    pages = tuple(page.page for page in document.pages)
    status, reason = summarise(pages)
    if raw.status is not Status.OK:
        status, reason = raw.status, raw.reason
    return Reading(
        status,
        reason,
        subject.title,
        subject.metadata,
        pages,
        tuple(with_header(piece, subject) for piece in pieces),
        tuple(table for page in searchable.pages for table in page.tables),
    )


def summarise(pages: Sequence[Page]) -> tuple[Status, str]:
    """Status and reason of a file, from those of its pages."""
    if not pages:
        return Status.EMPTY, "no pages"
    by_status = Counter(page.status for page in pages)
    reasons = [
        _share(pages, status, count) for status, count in by_status.most_common() if status is not Status.OK
    ]
    notes = [page for page in pages if page.status is Status.OK and page.reason]
    if by_status[Status.OK] or by_status[Status.OCR]:
        status = Status.OK if by_status[Status.OK] else Status.OCR
        reasons = [] if status is Status.OCR and len(by_status) == 1 else reasons
        return status, "; ".join([*reasons, *_notes(notes, len(pages))])
    status = max(by_status, key=lambda s: (by_status[s], s is not Status.EMPTY))
    if len(by_status) == 1:
        texts = Counter(page.reason for page in pages if page.reason)
        return status, texts.most_common(1)[0][0] if texts else ""
    return status, "; ".join(reasons)


def _share(pages: Sequence[Page], status: Status, count: int) -> str:
    numbers = [page.number for page in pages if page.status is status]
    return f"{count} of {len(pages)} pages {status.value} ({_numbers(numbers)})"


def _notes(pages: Sequence[Page], total: int) -> list[str]:
    """Remarks on searchable pages: the same kind of remark once, with its pages."""
    kinds: dict[str, list[Page]] = {}
    remarks = [(page, remark) for page in pages for remark in page.reason.split("; ")]
    for page, remark in remarks:
        kinds.setdefault(remark.partition(":")[0], []).append(replace(page, reason=remark))
    texts: list[str] = []
    for kind, found in kinds.items():
        details = Counter(page.reason.partition("(")[2].rstrip(")") for page in found)
        detail = f": {', '.join(text for text, _ in details.most_common(3))}" if any(details) else ""
        where = (
            f" on {len(found)} of {total} pages ({_numbers([p.number for p in found])})" if total > 1 else ""
        )
        texts.append(f"{kind}{where}{detail}")
    return texts


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_PAGES_NAMED]))
    return f"p. {shown}, ..." if len(numbers) > _PAGES_NAMED else f"p. {shown}"
