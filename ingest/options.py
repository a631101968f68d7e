"""What a run is asked to do, beyond the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from rag.errors import UsageError
from rag.text.normalise import display_name
from rag.types import DocumentRecord


class Passwords:
    """Which passwords to try on which file. Its text form shows none of them."""

    __slots__ = ("_by_pattern", "_for_all")

    def __init__(self, for_all: Sequence[str] = (), by_pattern: Sequence[tuple[str, str]] = ()) -> None:
        self._for_all = tuple(for_all)
        self._by_pattern = tuple(by_pattern)

    @classmethod
    def load(cls, given: Sequence[str] = (), file: str | Path | None = None) -> Passwords:
        """Passwords given by hand, tried on every file, and those of a file of `pattern: password` lines.

        Empty lines and lines that begin with # are skipped. Raises UsageError, which names the line and not
        what is in it.
        """
        if file is None:
            return cls(given)
        try:
            lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"The password file {file} cannot be read: it must be UTF-8 text.") from None
        pairs: list[tuple[str, str]] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            pattern, colon, password = line.partition(": ")
            if not colon or not pattern.strip() or not password:
                raise UsageError(f"{file}:{number}: a line must read `pattern: password`.")
            pairs.append((display_name(pattern.strip()), password))
        return cls(given, pairs)

    def for_file(self, name: str) -> tuple[str, ...]:
        """The passwords to try on the file with this relative name, most specific first."""
        last = name.rpartition("/")[2]
        named = [
            password
            for pattern, password in self._by_pattern
            if fnmatchcase(name, pattern) or fnmatchcase(last, pattern)
        ]
        return tuple(dict.fromkeys([*named, *self._for_all]))

    def __repr__(self) -> str:
        return f"<Passwords: {len(self._for_all) + len(self._by_pattern)}>"


MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is read and split, and what it may cost."""

    seconds: float = 120.0
    """A file that shows no new page for this long has hung. A file as a whole may take this plus
    `seconds_per_page` for every page."""
    seconds_per_page: float = 0.5
    ocr_seconds: float = 60.0
    """For one page read by OCR."""
    memory_mib: int = 2048
    """Resident memory of one reader process."""
    max_pages: int = 20_000
    max_characters: int = 100_000_000
    keep_hidden_text: bool = False
    ocr: bool = False
    ocr_languages: str = "kor+eng"
    """Tesseract reads Korean badly when English comes first; English it reads as well either way."""
    chunk_tokens: int = 220
    chunk_overlap: int = 0

    def deadline(self, pages: int) -> float:
        """Seconds a file may take in all once it has shown that it has `pages` pages."""
        return self.seconds + pages * (self.ocr_seconds if self.ocr else self.seconds_per_page)


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What a run is asked to do, beyond the settings."""

    globs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    retry: bool = False
    """Read again what could not be read before, although it has not changed."""
    rebuild: bool = False
    """Begin with an empty index; embeddings that were paid for are kept."""
    prune: bool = False
    """Take files that vanished from the folder out of the index."""
    dry_run: bool = False
    """Say what would be done and cost; change nothing."""
    passwords: Passwords = field(default_factory=Passwords)
    read: ReadOptions = field(default_factory=ReadOptions)
    """Limits and the way of reading. Its chunk sizes are replaced by those of the settings or the index."""
    names_of: tuple[DocumentRecord, ...] = ()
    """Documents of another index, whose names are taken over for the same paths."""
    wait: bool | float = True
    """Whether, or for how many seconds, to wait for another process that writes the index."""
