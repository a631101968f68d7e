"""The ledger's rules: which outcomes are final for a file's bytes, and when a file is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ingest.limits import ReadOptions
from ingest.passwords import Passwords
from rag.types import Page, Source, Status

FAILURES = frozenset(
    {Status.ENCRYPTED, Status.TOO_LARGE, Status.TIMED_OUT, Status.DAMAGED, Status.UNREADABLE, Status.FAILED}
)
"""Outcomes that make a run one that was done in part; a scan or an empty file is read correctly."""

OCR_TRIED = "OCR found no text"


def read_again(
    source: Source,
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
