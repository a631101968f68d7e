"""The second opinion: pypdf reads what PDFium cannot open, or pages of which it gave too little."""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pypdf import PdfReader

T = TypeVar("T")
_PAGE_SECONDS = 10.0
_ALL_SECONDS = 30.0
_PATIENCE = 10
"""Pages without any gain after which pypdf is asked no more."""


class NotReadable(Exception):
    """pypdf cannot read the file either; `encrypted` when only the password is missing."""

    def __init__(self, message: str, *, encrypted: bool = False) -> None:
        super().__init__(message)
        self.encrypted = encrypted


class SecondOpinion:
    """One PDF through pypdf, opened when first asked, within a time of its own."""

    def __init__(self, path: Path, passwords: Sequence[str], *, seconds: float = _ALL_SECONDS) -> None:
        self._path, self._passwords = path, passwords
        self._left = seconds
        self._reader: PdfReader | None = None
        self._failures = 0
        self._hopeless = False

    @property
    def worth_asking(self) -> bool:
        """False once it has failed, or has not helped, or its time is used up."""
        return not self._hopeless and self._left > 0 and self._failures < _PATIENCE

    def page_count(self) -> int:
        """Number of pages. Raises NotReadable."""
        reader = self._opened()
        try:
            return self._timed(lambda: len(reader.pages), _ALL_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever a damaged file makes pypdf raise
            self._hopeless = True
            raise NotReadable(_plain_reason(error)) from None

    def text(self, number: int) -> str:
        """Text of physical page `number` (from 1), empty when pypdf cannot tell. Raises NotReadable."""
        reader = self._opened()
        try:
            return self._timed(lambda: reader.pages[number - 1].extract_text() or "", _PAGE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever a damaged page makes pypdf raise
            self._failures += 1
            return ""

    def helped(self, *, yes: bool) -> None:
        """Hear whether the last answer was the better one."""
        self._failures = 0 if yes else self._failures + 1

    def information(self) -> dict[str, str]:
        """Title and author, as far as they can be read."""
        try:
            found = self._timed(lambda: self._opened().metadata, _PAGE_SECONDS)
            return {"title": found.title or "", "author": found.author or ""} if found else {}
        except Exception:  # noqa: BLE001 - a title is not worth a file
            return {}

    def _opened(self) -> PdfReader:
        if self._reader is None:
            try:
                self._reader = self._timed(self._open, _ALL_SECONDS)
            except NotReadable:
                self._hopeless = True
                raise
            except Exception as error:  # noqa: BLE001 - whatever a damaged file makes pypdf raise
                self._hopeless = True
                raise NotReadable(_plain_reason(error)) from None
        return self._reader

    def _open(self) -> PdfReader:
        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        warnings.simplefilter("ignore")
        from pypdf import PdfReader

        reader = PdfReader(self._path)
        if reader.is_encrypted and not any(reader.decrypt(word) for word in ["", *self._passwords]):
            raise NotReadable("encrypted", encrypted=True)
        return reader

    def _timed(self, work: Callable[[], T], seconds: float) -> T:
        began = time.monotonic()
        try:
            with _alarm(min(seconds, max(0.1, self._left))):
                return work()
        finally:
            self._left -= time.monotonic() - began


class _TooSlow(Exception):
    pass


def _plain_reason(error: BaseException) -> str:
    if isinstance(error, _TooSlow):
        return "took too long"
    if isinstance(error, (MemoryError, RecursionError)):
        return "too deeply nested or too large"
    return type(error).__name__  # messages of pypdf may quote the file


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Interrupt Python code after `seconds`, where the system has such a timer."""
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not usable:
        yield
        return

    def ring(_signal: int, _frame: object) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
