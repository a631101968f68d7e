"""What a run has to do, found out before it does anything: new, changed, renamed, vanished, unchanged files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ingest.discovery import Discovery, FoundFile
from ingest.naming import unique_names
from ingest.options import Passwords, ReadOptions
from rag.text.paths import is_on_disk, stored_path
from rag.types import DocumentRecord, Page, Status

OCR_TRIED = "OCR found no text"


def read_again(
    source: DocumentRecord,
    *,
    retry: bool,
    options: ReadOptions,
    passwords: Passwords,
    pages_of: Callable[[str], Iterable[Page]],
) -> bool:
    """Whether a file whose bytes have not changed is read again.

    Transient failures always are. What is final for these bytes is tried again when asked to, or when this
    run brings what was missing: a password, OCR, or the wish to keep hidden text.
    """
    if source.status in (Status.FAILED, Status.REMOVED, Status.UNREADABLE):
        return True
    if retry and (source.status is not Status.OK or source.reason):
        return True
    if source.status is Status.UNSUPPORTED:
        return "pip install" in source.reason  # it may have been installed since
    if source.status is Status.ENCRYPTED:
        return bool(passwords.for_file(source.file))
    if options.keep_hidden_text and ("left out" in source.reason or source.status is Status.HIDDEN_TEXT):
        return True
    if options.ocr and (source.status is Status.SCANNED or Status.SCANNED.value in source.reason):
        return any(p.status is Status.SCANNED and OCR_TRIED not in p.reason for p in pages_of(source.file))
    return False


_BLOCK = 1 << 20
_HASHERS = 4


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file on disk whose bytes are known."""

    found: FoundFile
    content_hash: str

    def source(self, status: Status, reason: str = "", like: DocumentRecord | None = None) -> DocumentRecord:
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
    """The same bytes with another time or place: only the row changes."""
    renamed: list[tuple[DocumentRecord, KnownFile]] = field(default_factory=list)
    superseded: list[DocumentRecord] = field(default_factory=list)
    """Rows of files that were moved and are read again under their new names."""
    rejected: list[KnownFile] = field(default_factory=list)
    """Unsupported or unreadable; known without reading."""
    vanished: list[DocumentRecord] = field(default_factory=list)

    @property
    def bytes_to_read(self) -> int:
        """Sum of the sizes of the files to read."""
        return sum(known.found.size for known in self.read)


def make_plan(
    discovery: Discovery,
    records: Sequence[DocumentRecord],
    again: Callable[[DocumentRecord], bool],
    *,
    rebuild: bool = False,
    names_of: Sequence[DocumentRecord] = (),
) -> IngestPlan:
    """Compare the files found with the records. `again(source)` says whether an unchanged file is read anyway."""
    by_file = {} if rebuild else {source.file: source for source in records}
    files = unique_names(discovery.files, (*by_file.values(), *names_of))
    plan = IngestPlan()
    vanished = [] if rebuild else _vanished(discovery, files, records)
    unknown: list[FoundFile] = []
    for found in files:
        source = by_file.get(found.file)
        if found.problem is not None:
            _reject(plan, found, source)
        elif source is not None and _same_stat(found, source):
            known = KnownFile(found, source.content_hash)
            _keep(plan, known, source, again)
        else:
            unknown.append(found)
    gone = {source.content_hash: source for source in vanished if source.content_hash}
    for known in _hashed(plan, unknown):
        _place(plan, known, by_file.get(known.found.file), gone, again)
    moved = {source.file for source in [*plan.superseded, *(old for old, _ in plan.renamed)]}
    plan.vanished = [source for source in vanished if source.file not in moved]
    return plan


def _place(
    plan: IngestPlan,
    known: KnownFile,
    source: DocumentRecord | None,
    gone: dict[str, DocumentRecord],
    again: Callable[[DocumentRecord], bool],
) -> None:
    if source is not None and source.content_hash == known.content_hash:
        _keep(plan, known, source, again)
    elif source is None and known.content_hash in gone:
        old = gone.pop(known.content_hash)
        if again(old):
            plan.read.append(known)
            plan.superseded.append(old)
        else:
            plan.renamed.append((old, known))
    else:
        plan.read.append(known)


def _keep(
    plan: IngestPlan, known: KnownFile, source: DocumentRecord, again: Callable[[DocumentRecord], bool]
) -> None:
    row = known.source(source.status, source.reason, source)
    if again(source):
        plan.read.append(known)
    elif row == source:
        plan.unchanged.append(source)
    else:
        plan.touched.append((source, known))


def _reject(plan: IngestPlan, found: FoundFile, source: DocumentRecord | None) -> None:
    known = KnownFile(found, "")
    assert found.problem is not None
    row = known.source(found.problem, found.reason)
    if source is not None and source == row:
        plan.unchanged.append(source)
    else:
        plan.rejected.append(known)


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


def _same_stat(found: FoundFile, source: DocumentRecord) -> bool:
    """Whether the file need not be hashed: nobody touched it where it was last read."""
    here = (stored_path(found.path), found.size, found.mtime_ns)
    return bool(source.content_hash) and here == (source.path, source.size, source.mtime_ns)


def _vanished(
    discovery: Discovery, files: Sequence[FoundFile], records: Sequence[DocumentRecord]
) -> list[DocumentRecord]:
    """Files of the index below the given paths that are no longer on the disk, or are there under another name."""
    found = {f.file for f in files}
    here = {stored_path(f.path) for f in files}
    return [
        source
        for source in records
        if source.file not in found
        and any(_below(source.path, stored_path(root)) for root in discovery.roots)
        and (source.path in here or not is_on_disk(source.path))
    ]


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
