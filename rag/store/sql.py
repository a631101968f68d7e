"""The database of an index as the store sees it: SQL that every kind shares, and the words each spells its own way.

Statements take their values as `?` or as `:name`. `GLOB`, lists of numbers and the like differ; for those the
store asks the database, which gives a piece of SQL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

Parameters = Sequence[Any] | dict[str, Any]
T = TypeVar("T")


class Database(ABC):
    """An open database, safe to use from several threads."""

    writable: bool

    @abstractmethod
    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    @abstractmethod
    def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run one statement."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""

    @abstractmethod
    def atomically(self, work: Callable[[], T]) -> T:
        """Do `work` in one transaction: all of it happens, or nothing. It may be called a second time."""

    @abstractmethod
    def readable_errors(self) -> AbstractContextManager[None]:
        """Turn the database's errors, and rows that do not decode, into one sentence about this database."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    # -- what is spelt differently --------------------------------------------------------------------------

    @abstractmethod
    def one_of(self, column: str, name: str) -> str:
        """SQL: the column is one of the numbers bound as `:name`."""

    @abstractmethod
    def numbers(self, values: Sequence[int]) -> object:
        """Numbers as they are bound for `one_of`."""

    @abstractmethod
    def one_of_texts(self, column: str, name: str) -> str:
        """SQL: the column is one of the texts bound as `:name`."""

    @abstractmethod
    def texts(self, values: Sequence[str]) -> object:
        """Texts as they are bound for `one_of_texts` and `has_field`."""

    @abstractmethod
    def matches_glob(self, column: str, name: str) -> str:
        """SQL: the column matches one of the patterns bound as `:name`."""

    @abstractmethod
    def globs(self, patterns: Sequence[str]) -> object:
        """Globs (`*`, `?`, `[...]`) as they are bound for `matches_glob`."""

    @abstractmethod
    def has_field(self, key: str, values: str | None = None) -> str:
        """SQL: the metadata of `sources s` has the key bound as `:key`, with one of the texts bound as `:values`.

        The values are case-folded. Without `values` any value will do.
        """

    @abstractmethod
    def page_list(self, name: str) -> str:
        """SQL: a table with the columns file and page from JSON `[[file, page], ...]` bound as `:name`."""

    @abstractmethod
    def new_chunk_ids(self, count: int) -> int:
        """The first of `count` chunk ids in a row that were never given before."""
