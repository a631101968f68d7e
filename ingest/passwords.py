"""Passwords for encrypted files: held in memory, handed to a reader through a pipe, and shown nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from rag.errors import UsageError
from rag.text.normalise import display_name


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
