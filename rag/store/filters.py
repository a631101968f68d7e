"""What `--where` may ask for, and the SQL that turns it into the contents or chunks it allows."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from rag.errors import UsageError
from rag.store.rows import Database

_PAGES = re.compile(r"(\d{1,9})?(-)?(\d{1,9})?\Z")
_LONGEST = 2_000
"""Characters of one condition: more than any path, far below the 50,000 at which SQLite refuses a pattern."""
_MOST_KEYS = 50
"""Metadata fields in one filter: documents have about seven, and SQLite nests at most 1,000 conditions."""
_KEYS = ("file", "folder", "page")
STANDARD_FIELDS = ("folder", "format", "title", "author", "period", "language", "created")
"""Fields that ingest writes for documents that state them: asking for one that no document has is no mistake."""
_FORMS = (
    "`file=GLOB`, `folder=NAME`, `page=3` or `page=3-10`, `format=pdf`, "
    "or a metadata field such as `period=2023`"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on passages. The parts are joined by AND, several globs or values of one key by OR."""

    files: tuple[str, ...] = ()
    """Globs (`*`, `?`, `[...]`) over the file's relative path; `*` crosses `/`, and a pattern without `/`
    may also match the file's name alone. A pattern that is the exact name of a document selects that document
    alone; a leading `./` stands for the folder that was ingested, so that `./a.pdf` is not `2023/a.pdf`."""
    folders: tuple[str, ...] = ()
    """Folders, themselves and all below them."""
    first_page: int | None = None
    last_page: int | None = None
    metadata: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For each key the values it may have, compared without regard to case."""
    also: tuple[Filter, ...] = ()
    """Further filters that must hold, too; their pages do not count (see `and_also`)."""
    documents: tuple[str, ...] | None = None
    """Exact names of the only documents that are searched; None for all."""
    without: tuple[str, ...] = ()
    """Exact names of documents that are not searched."""

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
            if len(condition) > _LONGEST:
                raise UsageError(f"--where {condition[:40]!r}... is longer than {_LONGEST:,} characters.")
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
        if len(metadata) > _MOST_KEYS:
            raise UsageError(f"--where names {len(metadata)} metadata fields: the most is {_MOST_KEYS}.")
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
        parts += [f"file=./{literal_glob(name)}" for name in self.documents or ()]
        return " ".join(parts)

    @property
    def empty(self) -> bool:
        """True when it allows everything."""
        return self == Filter()

    @property
    def by_page(self) -> bool:
        """True when it chooses among the pages of a file."""
        return self.first_page is not None or self.last_page is not None

    @property
    def plain_names(self) -> tuple[str, ...]:
        """The patterns that may be exact names of documents."""
        own = tuple(glob for glob in self.files if not glob.startswith("./"))
        return own + tuple(name for other in self.also for name in other.plain_names)

    def source_condition(
        self, database: Database, exact: Collection[str] = (), prefix: str = ""
    ) -> tuple[str, dict[str, Any]]:
        """SQL over `sources s` (without the pages) and its parameters; `1 = 1` when there is no condition.

        exact: those of `plain_names` that are names of documents. prefix: what the parameters' names begin with.
        """
        parameters: dict[str, Any] = {}
        groups = []
        folders = [f"{literal_glob(folder)}/*" for folder in self.folders if folder not in ("", ".")]
        for name, globs in (("files", self._file_globs(exact)), ("folders", folders)):
            if globs:
                groups.append(database.matches_glob("s.file", prefix + name))
                parameters[prefix + name] = database.globs(globs)
        if self.documents is not None:
            groups.append(database.one_of("s.file", f"{prefix}documents", "text"))
            parameters[f"{prefix}documents"] = database.array(self.documents)
        if self.without:
            groups.append(f"NOT {database.one_of('s.file', f'{prefix}without', 'text')}")
            parameters[f"{prefix}without"] = database.array(self.without)
        for number, (key, options) in enumerate(self.metadata):
            groups.append(database.has_field(f"{prefix}k{number}", f"{prefix}m{number}"))
            parameters[f"{prefix}k{number}"] = key
            parameters[f"{prefix}m{number}"] = database.array([option.casefold() for option in options])
        for number, other in enumerate(self.also):
            condition, values = other.source_condition(database, exact, f"{prefix}a{number}_")
            groups.append(f"({condition})")
            parameters |= values
        return " AND ".join(groups) or "1 = 1", parameters

    def _file_globs(self, exact: Collection[str]) -> list[str]:
        found: list[str] = []
        for glob in self.files:
            if glob.startswith("./"):
                found.append(glob[2:])
            elif glob in exact:
                found.append(literal_glob(glob))
            else:
                found += [glob] if "/" in glob else [glob, f"*/{glob}"]
        return found


Where = Mapping[str, object] | Sequence[str] | str | Filter | None
"""Conditions as programs write them: `{"folder": "reports"}`, `["folder=reports"]`, `"folder=reports"`, a filter."""


def conditions_of(where: Where) -> tuple[str, ...] | Filter | None:
    """Conditions in any of their forms as `--where` writes them; a filter as it is, None when there are none.

    Raises UsageError for anything else.
    """
    if where is None or isinstance(where, Filter):
        return where
    if isinstance(where, str):
        return (where,) if where else None
    if isinstance(where, Mapping):
        values = {key: value if isinstance(value, list | tuple) else [value] for key, value in where.items()}
        return tuple(f"{key}={one}" for key, options in values.items() for one in options) or None
    if isinstance(where, list | tuple) and all(isinstance(condition, str) for condition in where):
        return tuple(where) or None
    raise UsageError("`where` is KEY=VALUE, a list of such conditions, or a map from key to value.")


def as_filter(where: Where) -> Filter | None:
    """The filter for conditions in any form. Raises UsageError for one that cannot be read."""
    conditions = conditions_of(where)
    return Filter.parse(conditions) if isinstance(conditions, tuple) else conditions


def unknown_field(key: str) -> UsageError:
    """The error for a metadata field that no document has."""
    near = difflib.get_close_matches(key.casefold(), (*_KEYS, *STANDARD_FIELDS), 1)
    hint = f"did you mean `{near[0]}`" if near else f"use {_FORMS}"
    return UsageError(f"--where {key}=...: no document has a field {key!r}: {hint}.")


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


def literal_glob(text: str) -> str:
    """A name as the glob that matches it alone."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def all_of(*sources: Sequence[str]) -> Filter | None:
    """The filter under which the conditions of each source hold: those of `--where`, and a question's own.

    None when there are no conditions; raises UsageError.
    """
    filters = [found for conditions in sources if (found := Filter.parse(conditions)) is not None]
    return reduce(Filter.and_also, filters) if filters else None
