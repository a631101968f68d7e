"""What `--where` may ask for, and the SQL that turns it into the contents or chunks it allows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from rag.errors import UsageError
from rag.store.rows import Database

_PAGES = re.compile(r"(\d{1,9})?(-)?(\d{1,9})?\Z")
_FORMS = (
    "`file=GLOB`, `folder=NAME`, `page=3` or `page=3-10`, `format=pdf`, "
    "or a metadata field such as `year=2023`"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on passages. The parts are joined by AND, several globs or values of one key by OR."""

    files: tuple[str, ...] = ()
    """Globs (`*`, `?`, `[...]`) over the file's relative path; `*` crosses `/`, and a pattern without `/`
    may also match the file's name alone."""
    folders: tuple[str, ...] = ()
    """Folders, themselves and all below them."""
    first_page: int | None = None
    last_page: int | None = None
    metadata: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For each key the values it may have, compared without regard to case."""
    also: tuple[Filter, ...] = ()
    """Further filters that must hold, too; their pages do not count (see `and_also`)."""

    @classmethod
    def parse(cls, conditions: Sequence[str]) -> Filter | None:
        """Read the `KEY=VALUE` strings of `--where`. None when there are none; raises UsageError."""
        files: list[str] = []
        folders: list[str] = []
        pages: tuple[int | None, int | None] = (None, None)
        metadata: dict[str, list[str]] = {}
        for condition in conditions:
            key, equals, value = (
                unicodedata.normalize("NFC", part).strip() for part in condition.partition("=")
            )
            if not equals or not key or not value:
                raise UsageError(f"--where {condition!r} is not understood: use {_FORMS}.")
            if key == "file":
                files.append(value)
            elif key == "folder":
                folders.append(value.strip("/").removeprefix("./"))
            elif key in ("page", "pages"):
                if pages != (None, None):
                    raise UsageError(f"--where {condition!r} gives the pages a second time: use one range.")
                pages = _page_range(condition, value)
            else:
                metadata.setdefault(key, []).append(value)
        if not conditions:
            return None
        values = tuple((key, tuple(options)) for key, options in sorted(metadata.items()))
        return cls(tuple(files), tuple(folders), pages[0], pages[1], values)

    def and_also(self, other: Filter | None) -> Filter:
        """The filter that allows what both allow."""
        if other is None or other.empty:
            return self
        firsts = [page for page in (self.first_page, other.first_page) if page is not None]
        lasts = [page for page in (self.last_page, other.last_page) if page is not None]
        return replace(
            self,
            first_page=max(firsts, default=None),
            last_page=min(lasts, default=None),
            also=(*self.also, replace(other, first_page=None, last_page=None)),
        )

    def __str__(self) -> str:
        """The conditions as `parse` reads them, with blanks between."""
        parts = [f"file={glob}" for glob in self.files] + [f"folder={folder}" for folder in self.folders]
        if self.by_page:
            first, last = self.first_page or "", self.last_page or ""
            parts.append(f"page={first}" if first == last else f"page={first}-{last}")
        parts += [f"{key}={value}" for key, values in self.metadata for value in values]
        parts += [str(other) for other in self.also if not other.empty]
        return " ".join(parts)

    @property
    def empty(self) -> bool:
        """True when it allows everything."""
        return self == Filter()

    @property
    def by_page(self) -> bool:
        """True when it chooses among the pages of a file."""
        return self.first_page is not None or self.last_page is not None

    def source_condition(self, database: Database, prefix: str = "") -> tuple[str, dict[str, Any]]:
        """SQL over `sources s` (without the pages) and its parameters, whose names begin with `prefix`;
        `1 = 1` when there is no condition."""
        parameters: dict[str, Any] = {}
        groups = []
        for letter, globs in (("f", self._file_globs()), ("d", self._folder_globs())):
            bound = {f"{prefix}{letter}{number}": database.glob(glob) for number, glob in enumerate(globs)}
            if bound:
                terms = (database.matches_glob("s.file", name) for name in bound)
                groups.append("(" + " OR ".join(terms) + ")")
                parameters |= bound
        for number, (key, options) in enumerate(self.metadata):
            values = {f"{prefix}m{number}_{n}": option.casefold() for n, option in enumerate(options)}
            groups.append(database.has_field(f"{prefix}k{number}", list(values)))
            parameters |= {f"{prefix}k{number}": key, **values}
        for number, other in enumerate(self.also):
            condition, values = other.source_condition(database, f"{prefix}a{number}_")
            groups.append(f"({condition})")
            parameters |= values
        return " AND ".join(groups) or "1 = 1", parameters

    def _file_globs(self) -> list[str]:
        return [form for glob in self.files for form in ((glob,) if "/" in glob else (glob, f"*/{glob}"))]

    def _folder_globs(self) -> list[str]:
        return [f"{_literal_glob(folder)}/*" for folder in self.folders if folder not in ("", ".")]


def _page_range(condition: str, value: str) -> tuple[int | None, int | None]:
    match = _PAGES.match(value.replace(" ", ""))
    if match is None or not (match[1] or match[3]):
        raise UsageError(
            f"--where {condition!r} is not a page or a range of pages: use page=3, page=3-10 or page=3-."
        )
    first = int(match[1]) if match[1] else None
    last = int(match[3]) if match[3] else (None if match[2] else first)
    if first is not None and last is not None and last < first:
        raise UsageError(f"--where {condition!r} ends before it begins: use page={last}-{first}.")
    return first, last


def _literal_glob(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def all_of(*sources: Sequence[str]) -> Filter | None:
    """The filter under which the conditions of each source hold: those of `--where`, and a question's own.

    None when there are no conditions; raises UsageError.
    """
    filters = [found for conditions in sources if (found := Filter.parse(conditions)) is not None]
    return reduce(Filter.and_also, filters) if filters else None
