"""What a run has to do, found out before it does anything: new, changed, renamed, vanished, unchanged files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ingest.discovery import Discovery, FoundFile, unique_names
from ingest.options import IngestOptions
from ingest.visibility import LEFT_OUT
from rag.text.paths import is_on_disk, stored_path
from rag.types import DocumentRecord, Page, Status

OCR_TRIED = "OCR found no text"


_BLOCK = 1 << 20
_HASHERS = 4
PagesOf = Callable[[str], Iterable[Page]]
"""The pages of a document of the index, by its name."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file on disk whose bytes are known."""

    found: FoundFile
    content_hash: str

    def record(self, status: Status, reason: str = "", like: DocumentRecord | None = None) -> DocumentRecord:
        """A record for it; title and metadata are those of `like`."""
        found = self.found
        base = like or DocumentRecord(found.file, "", "", 0, 0, status)
        return replace(
            base,
            file=found.file,
            path=stored_path(found.path),
            content_hash=self.content_hash,
            size=found.size,
            mtime_ns=found.mtime_ns,
            status=status,
            reason=reason,
        )


@dataclass(slots=True)
class IngestPlan:
    """What is to be done. Every file found is in exactly one of the lists."""

    read: list[KnownFile] = field(default_factory=list)
    unchanged: list[DocumentRecord] = field(default_factory=list)
    touched: list[tuple[DocumentRecord, KnownFile]] = field(default_factory=list)
    """The same bytes with another time or place: only the record changes."""
    renamed: list[tuple[DocumentRecord, KnownFile]] = field(default_factory=list)
    superseded: list[DocumentRecord] = field(default_factory=list)
    """Records of files that were moved and are read again under their new names."""
    rejected: list[KnownFile] = field(default_factory=list)
    """Unsupported or unreadable; known without reading."""
    vanished: list[DocumentRecord] = field(default_factory=list)


def make_plan(
    discovery: Discovery, records: Sequence[DocumentRecord], options: IngestOptions, pages_of: PagesOf
) -> IngestPlan:
    """Compare the files found with the records of the index."""
    by_file = {} if options.rebuild else {record.file: record for record in records}
    files = unique_names(discovery.files, (*by_file.values(), *options.names_of))
    plan = IngestPlan()
    vanished = [] if options.rebuild else _vanished(discovery, files, records)
    unknown: list[FoundFile] = []
    for found in files:
        record = by_file.get(found.file)
        if found.problem is not None:
            rejected = KnownFile(found, "")
            if record is not None and record == rejected.record(found.problem, found.reason):
                plan.unchanged.append(record)
            else:
                plan.rejected.append(rejected)
        elif record is not None and _is_untouched(found, record):
            _known(
                plan, KnownFile(found, record.content_hash), record, _read_again(record, options, pages_of)
            )
        else:
            unknown.append(found)
    gone = {record.content_hash: record for record in vanished if record.content_hash}
    for known in _hashed(plan, unknown):
        record = by_file.get(known.found.file)
        if record is not None and record.content_hash == known.content_hash:
            _known(plan, known, record, _read_again(record, options, pages_of))
        elif record is not None or known.content_hash not in gone:
            plan.read.append(known)
        elif _read_again(old := gone.pop(known.content_hash), options, pages_of):
            plan.read.append(known)
            plan.superseded.append(old)
        else:
            plan.renamed.append((old, known))
    moved = {record.file for record in [*plan.superseded, *(old for old, _ in plan.renamed)]}
    plan.vanished = [record for record in vanished if record.file not in moved]
    return plan


def _known(plan: IngestPlan, known: KnownFile, record: DocumentRecord, again: bool) -> None:
    """Sort in a file whose bytes the index has under its name; `again`: it is read anyway."""
    if again:
        plan.read.append(known)
    elif known.record(record.status, record.reason, record) == record:
        plan.unchanged.append(record)
    else:
        plan.touched.append((record, known))


def _read_again(record: DocumentRecord, options: IngestOptions, pages_of: PagesOf) -> bool:
    """Whether a file whose bytes have not changed is read again.

    Transient failures always are. What is final for these bytes is tried again when asked to, or when this
    run brings what was missing: a password, OCR, or the wish to keep hidden text.
    """
    status = record.status
    if status in (Status.FAILED, Status.REMOVED, Status.UNREADABLE):
        return True
    if options.retry and (status is not Status.OK or record.reason):
        return True
    if status is Status.UNSUPPORTED:
        return "pip install" in record.reason  # it may have been installed since
    if status is Status.ENCRYPTED:
        return bool(options.passwords.for_file(record.file))
    if options.read.keep_hidden_text and (LEFT_OUT in record.reason or status is Status.HIDDEN_TEXT):
        return True
    if options.read.ocr and (status is Status.SCANNED or Status.SCANNED.value in record.reason):
        return any(p.status is Status.SCANNED and OCR_TRIED not in p.reason for p in pages_of(record.file))
    return False


def _hashed(plan: IngestPlan, files: Iterable[FoundFile]) -> list[KnownFile]:
    """The files with their hashes; what cannot be read goes to the rejected."""
    files = list(files)
    known: list[KnownFile] = []
    if not files:
        return known
    with ThreadPoolExecutor(min(_HASHERS, len(files))) as pool:
        for found, digest in zip(files, pool.map(_hash, files), strict=True):
            if digest is None:
                problem = replace(found, problem=Status.UNREADABLE, reason="cannot be read")
                plan.rejected.append(KnownFile(problem, ""))
            else:
                known.append(KnownFile(found, digest))
    return known


def _hash(found: FoundFile) -> str | None:
    digest = hashlib.sha256()
    try:
        with found.path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def _is_untouched(found: FoundFile, record: DocumentRecord) -> bool:
    """Whether the file need not be hashed: nobody touched it where it was last read."""
    here = (stored_path(found.path), found.size, found.mtime_ns)
    return bool(record.content_hash) and here == (record.path, record.size, record.mtime_ns)


def _vanished(
    discovery: Discovery, files: Sequence[FoundFile], records: Sequence[DocumentRecord]
) -> list[DocumentRecord]:
    """Files of the index below the given paths that are no longer on the disk, or are there under another name."""
    found = {f.file for f in files}
    here = {stored_path(f.path) for f in files}
    roots = [stored_path(root) for root in discovery.roots]
    return [
        record
        for record in records
        if record.file not in found
        and any(record.path == root or record.path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)
        and (record.path in here or not is_on_disk(record.path))
    ]
