"""Reads a whole PDF: PDFium page by page, pypdf where that is not enough, OCR for scans when asked."""

from __future__ import annotations

import ctypes
import logging
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.clean.lines import plain, readable_count, unreadable_share
from ingest.options import ReadOptions
from ingest.pdf.fonts import FontJudge
from ingest.pdf.pages import FEW, PageStatistics, read_page
from ingest.plan import OCR_TRIED
from ingest.raw import Line, RawDocument, RawPage
from ingest.tables.finder import carry_over
from rag.types import Status

if TYPE_CHECKING:
    from pypdf import PdfReader


T = TypeVar("T")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_PAGE_SECONDS = 10.0
_ALL_SECONDS = 30.0
_PATIENCE = 10
"""Pages without any gain after which pypdf is asked no more."""


class NotReadable(Exception):
    """pypdf cannot read the file either; `encrypted` when only the password is missing."""

    def __init__(self, message: str, *, encrypted: bool = False) -> None:
        super().__init__(message)
        self.encrypted = encrypted


class PypdfReader:
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


_GARBLED = 0.3
_SYMBOLS = 0.5
_BETTER = 1.2
_FEW_SYMBOLS = 20
_WORDS = 0.2
"""Letters of words for each symbol: a listing has more, a font without a character map hardly any."""
_STAMP = 16
"""A scan may bear a stamped page number as text; so few characters do not make it readable."""
_SYMBOL = re.compile(r"[^\w\s.\-–—|·•…]|_")
_WORD = re.compile(r"(?<![^\W_])(?=[^\W\d_]*[aeiouyAEIOUY])[A-Za-z]{3,}(?![^\W_])|[가-힣]{2,}|[^\W\d_]{4,}")
_WORD_CHARACTER = re.compile(r"[^\W_]")
_MANY_SHAPES = 40
_SMALL = 3
"""Pages of a document that is asked about twice whenever a page says little: it costs nothing there."""
_LARGEST_REPAIRED = 200_000_000
_CATALOGUE = re.compile(rb"(?<!\d)(\d{1,9}) 0 obj[^>]{0,400}?/Type\s*/Catalog")

Tell = Callable[[str, int], None]
"""Hears of ("pages", how many there are), ("page", how many were read) and ("stage", 0 or 1 for pypdf)."""


def read_pdf(
    path: Path,
    *,
    passwords: Sequence[str],
    options: ReadOptions,
    tell: Tell,
    use_pdfium: bool = True,
    use_pypdf: bool = True,
) -> RawDocument:
    """Read a PDF. Never raises for what is wrong with the file: the document's status and reason say it.

    `use_pdfium` and `use_pypdf` leave a reader out that crashed or hung on this file before.
    """
    second = PypdfReader(path, passwords) if use_pypdf else None
    failure = "PDFium crashed on it"
    if use_pdfium:
        try:
            document = _open(path, passwords)
        except pdfium.PdfiumError as error:
            failure = _why_not_opened(error)
        else:
            with document:
                return _read_with_pdfium(document, second, options, tell)
    if second is None:
        return RawDocument(status=Status.DAMAGED, reason=failure)
    return _read_with_pypdf(second, failure, options, tell)


def _open(path: Path, passwords: Sequence[str]) -> pdfium.PdfDocument:
    source: Any = path
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:  # PDFium takes names in UTF-8 only
        source = path.read_bytes()
    try:
        return _open_with(source, passwords)
    except pdfium.PdfiumError as error:
        repaired = None if "assword" in str(error) else _with_trailer(path)
        if repaired is None:
            raise
        return _open_with(repaired, passwords)


def _open_with(source: Any, passwords: Sequence[str]) -> pdfium.PdfDocument:
    """Raises the last PdfiumError when no password opens it."""
    for password in passwords:
        with suppress(pdfium.PdfiumError):
            return pdfium.PdfDocument(source, password=password)
    return pdfium.PdfDocument(source)


def _with_trailer(path: Path) -> bytes | None:
    """The bytes of a file that was cut off, with a new trailer that names its catalogue when that is left."""
    if path.stat().st_size > _LARGEST_REPAIRED:
        return None
    data = path.read_bytes()
    found = _CATALOGUE.findall(data) if data[:1024].find(b"%PDF-") >= 0 else []
    return data + b"\ntrailer\n<</Root %s 0 R>>\nstartxref\n0\n%%%%EOF" % found[-1] if found else None


def _why_not_opened(error: pdfium.PdfiumError) -> str:
    message = str(error)
    if "assword" in message:
        return "encrypted"
    if "security" in message.lower():
        return "encrypted in a way that is not supported"
    return "not a PDF, or its structure is damaged"


def _read_with_pdfium(
    document: pdfium.PdfDocument, second: PypdfReader | None, options: ReadOptions, tell: Tell
) -> RawDocument:
    count = len(document)
    tell("pages", count)
    if count > options.max_pages:
        return _too_many_pages(count, options)
    read = RawDocument()
    characters = 0
    fonts = FontJudge()
    for number in range(1, count + 1):
        page = _page(document, number, fonts, second, options, tell)
        if read.pages:
            carry_over(read.pages[-1], page)
        read.pages.append(page)
        characters += page.characters
        if characters > options.max_characters:
            reason = f"more than {options.max_characters:,} characters"
            return RawDocument(status=Status.TOO_LARGE, reason=reason)
        tell("page", number)
    _describe(document, read)
    return read


def _page(
    document: pdfium.PdfDocument,
    number: int,
    fonts: FontJudge,
    second: PypdfReader | None,
    options: ReadOptions,
    tell: Tell,
) -> RawPage:
    try:
        view = read_page(document, number, fonts, keep_hidden=options.keep_hidden_text)
    except pdfium.PdfiumError:
        page = RawPage(number, status=Status.DAMAGED, reason="the page cannot be loaded")
        _improve(page, second, tell, force=True)
        return page
    _judge(view)
    page = view.page
    promising = view.drawn_characters > view.visible or page.status is Status.GARBLED
    small = len(document) <= _SMALL
    if view.visible < FEW and (promising or small) and not page.note:
        _improve(page, second, tell, force=False)
    if options.ocr and page.status is Status.SCANNED:
        _recognise(document, page, options)
    return page


def _judge(view: PageStatistics) -> None:
    """Set the status of a page by what it says and shows."""
    page, objects = view.page, view.objects
    if view.visible == 0 and page.note:
        page.status, page.reason = Status.HIDDEN_TEXT, page.note
    elif objects.scan and view.visible < _STAMP:
        stamp = f", only {view.visible} characters of text" if view.visible else ""
        page.status, page.reason = Status.SCANNED, f"a picture{stamp}"
    elif view.visible == 0:
        shapes = objects.shapes > _MANY_SHAPES
        page.status = Status.EMPTY
        page.reason = "drawn shapes, no text" if shapes else "no text"
    elif _is_garbled("".join(line.text for line in page.lines)):
        page.status, page.reason = Status.GARBLED, "its fonts do not say which letters they draw"


def _is_garbled(text: str) -> bool:
    """Whether a page is mostly characters by mistake: unreadable ones, or symbols with few words between them."""
    if unreadable_share(text) > _GARBLED:
        return True
    symbols = len(_SYMBOL.findall(text))
    if symbols < _FEW_SYMBOLS or symbols <= _SYMBOLS * (symbols + len(_WORD_CHARACTER.findall(text))):
        return False
    return sum(map(len, _WORD.findall(text))) < _WORDS * symbols


def _improve(page: RawPage, second: PypdfReader | None, tell: Tell, *, force: bool) -> None:
    """Take pypdf's text when it is clearly more, or when there is no other."""
    if second is None or not second.worth_asking:
        return
    tell("stage", 1)
    try:
        text = _LINE_ENDS.sub("\n", second.text(page.number))
    except NotReadable:
        return
    finally:
        tell("stage", 0)
    mine, theirs = sum(readable_count(line.text) for line in page.lines), readable_count(text)
    better = theirs > 0 and (force or theirs >= _BETTER * mine) and not _is_garbled(text)
    second.helped(yes=better)
    page.characters = max(page.characters, len(text))
    if better:
        page.lines = [Line(row) for row in text.splitlines() if plain(row)]
        page.status, page.reason = Status.OK, ""


def _recognise(document: pdfium.PdfDocument, page: RawPage, options: ReadOptions) -> None:
    from ingest.pdf.ocr import OcrFailed, read_scan

    scan = document.get_page(page.number - 1)
    try:
        lines = read_scan(scan, languages=options.ocr_languages, seconds=options.ocr_seconds)
    except OcrFailed as error:
        page.reason = f"OCR failed: {error}"
        return
    finally:
        scan.close()
    if not lines:
        page.reason = f"a picture; {OCR_TRIED}"
        return
    page.lines = lines
    page.characters = sum(len(line.text) for line in lines)
    page.status, page.reason = Status.OCR, "read by OCR"


def _read_with_pypdf(second: PypdfReader, failure: str, options: ReadOptions, tell: Tell) -> RawDocument:
    tell("stage", 1)
    try:
        count = second.page_count()
    except NotReadable as error:
        if error.encrypted or failure.startswith("encrypted"):
            return RawDocument(status=Status.ENCRYPTED, reason="needs a password: give it with --password")
        return RawDocument(status=Status.DAMAGED, reason=failure)
    tell("pages", count)
    if count > options.max_pages:
        return _too_many_pages(count, options)
    read = RawDocument()
    for number in range(1, count + 1):
        page = RawPage(number, status=Status.DAMAGED, reason="the page cannot be read")
        if second.worth_asking:
            page.status, page.reason = Status.EMPTY, "no text"
            _improve(page, second, tell, force=True)
            tell("stage", 1)
        read.pages.append(page)
        tell("page", number)
    found = second.information()
    read.title, read.author = found.get("title", ""), found.get("author", "")
    if not any(page.status.searchable for page in read.pages):
        read.status, read.reason = Status.DAMAGED, failure
    return read


def _too_many_pages(count: int, options: ReadOptions) -> RawDocument:
    return RawDocument(status=Status.TOO_LARGE, reason=f"{count:,} pages, more than {options.max_pages:,}")


def _describe(document: pdfium.PdfDocument, read: RawDocument) -> None:
    read.title = _information(document, "Title")
    read.author = _information(document, "Author")
    created = _information(document, "CreationDate").removeprefix("D:")
    if len(created) >= 8 and created[:8].isdigit():
        read.created = f"{created[:4]}-{created[4:6]}-{created[6:8]}"


def _information(document: pdfium.PdfDocument, key: str) -> str:
    length = c.FPDF_GetMetaText(document, key.encode(), None, 0)
    if not 2 < length < 4096:
        return ""
    buffer = ctypes.create_string_buffer(length)
    c.FPDF_GetMetaText(document, key.encode(), buffer, length)
    return plain(buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0"))
