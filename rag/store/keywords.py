"""keywords/: BM25 over chunks and over pages, two Tantivy indexes derived from the database.

Chunks and pages are kept apart because BM25 weighs a term by how many documents of its kind hold it, and a
document by its length beside the average of its kind.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from rag.errors import IndexDamaged
from rag.store import stamps
from rag.store.best import best
from rag.store.snapshot import Allowed
from rag.store.stamps import KeywordStamp

FOLDER = "keywords"
Level = Literal["chunk", "page"]
LEVELS: tuple[Level, ...] = ("chunk", "page")

HEAP_BYTES = 64 * 2**20
MAX_TERMS = 64
"""Terms of a query that are searched for, the rarest first: a pasted page must not cost a scan."""

DIGITS = 5
"""To which scores are equal: they are sums in single precision."""

COMMIT_STEP = 2
"""How far Tantivy's number of a commit lies above that of the last operation in it, as of 0.27. Where it
differs, the stamp is written once more after the commit."""

_REMOVALS = 10
"""Tries to remove a folder in which another program may leave a file meanwhile."""

Entry = tuple[int, int, int, int, str, str]
"""content, key (chunk id or page number), first page, last page, the tokens joined by spaces,
the tokens of the beginning (of pages; empty for chunks)."""

Field = Literal["body", "head"]


class KeywordIndex:
    """One Tantivy index, on disk or in memory."""

    def __init__(self, index: Any, folder: Path | None = None, stamp: KeywordStamp | None = None) -> None:
        self._index = index
        self._schema = index.schema
        self._folder = folder
        self.stamp = stamp
        """What the last commit held; None for an index that was just made."""

    # -- opening --------------------------------------------------------------------------------------------

    @classmethod
    def in_memory(cls) -> KeywordIndex:
        """An empty index that is never written to disk."""
        return cls(_tantivy())

    @classmethod
    def create(cls, folder: Path) -> KeywordIndex:
        """An empty index in `folder`, whatever stood there before."""
        remove_tree(folder)
        folder.mkdir(parents=True)
        with damage():
            return cls(_tantivy(path=str(folder), reuse=False), folder)

    @classmethod
    def open(cls, folder: Path) -> KeywordIndex:
        """Open what is in `folder`. Raises FileNotFoundError, and IndexDamaged naming what is wrong."""
        check_folder(folder)
        return cls.open_unchecked(folder)

    @classmethod
    def open_unchecked(cls, folder: Path) -> KeywordIndex:
        """Open a folder of our own making. Raises IndexDamaged."""
        with damage():
            while True:
                number = stamps.committed(folder)
                index = _tantivy(path=str(folder), reuse=True)
                index.reload()
                # A writer may have committed while it was being opened.
                if stamps.committed(folder) == number:
                    return cls(index, folder, stamps.read(folder, number))

    # -- writing --------------------------------------------------------------------------------------------

    def update(self, removed: Sequence[int], added: Iterable[Entry], stamp: KeywordStamp) -> None:
        """Take out whole contents, put in entries, and commit. Raises OSError when the disk is full."""
        import tantivy

        with damage():
            writer = self._index.writer(heap_size=HEAP_BYTES, num_threads=1)
            try:
                # By query: delete_documents_by_term makes a signed term, which an unsigned field never matches.
                old = tantivy.Query.term_set_query(self._schema, "content", list(removed))
                last = writer.delete_documents_by_query(old)
                for content, key, first, last_page, body, head in added:
                    fields: dict[str, int | str] = {"content": content, "key": key}
                    fields |= {"first": first, "last": last_page}
                    fields |= {"body": body, "head": head}
                    last = writer.add_document(tantivy.Document.from_dict(fields, self._schema))
                self._commit(writer, last + COMMIT_STEP, stamp)
                writer.garbage_collect_files()
            finally:
                # Waits for the merges, so that no thread of Tantivy outlives the lock on the index.
                writer.wait_merging_threads()
            self._index.reload()

    def _commit(self, writer: Any, expected: int, stamp: KeywordStamp) -> None:
        if self._folder is None:
            writer.commit()
            return
        # Told beforehand, the stamp holds from the very moment at which Tantivy renames its own file.
        stamps.announce(self._folder, expected, stamp)
        done = writer.commit()
        if done != expected:
            stamps.announce(self._folder, done, stamp)

    # -- reading --------------------------------------------------------------------------------------------

    def keys(self) -> Iterator[tuple[int, int]]:
        """(content, key) of every entry; for the integrity check."""
        import tantivy

        with damage():
            searcher = self._index.searcher()
            total = max(int(searcher.num_docs), 1)
            found = searcher.search(tantivy.Query.all_query(), total, count=False).hits
            addresses = [address for _, address in found]
            contents = searcher.fast_field_values("content", addresses)
            keys = searcher.fast_field_values("key", addresses)
        yield from zip(map(int, contents), map(int, keys), strict=True)

    def search(
        self,
        terms: Mapping[str, float],
        k: int,
        allowed: Allowed | None,
        hidden: Allowed,
        field: Field = "body",
    ) -> list[tuple[int, int, float]]:
        """The `k` best by BM25 of one field as (content, key, score), best first, equal scores by content and key."""
        with damage():
            searcher = self._index.searcher()
            query = self._query(searcher, terms, allowed, hidden, field)
            if query is None or k <= 0:
                return []
            found = best(lambda limit: self._fetch(searcher, query, limit), k, DIGITS)
        return [(content, key, score) for (content, key), score in found]

    def _fetch(self, searcher: Any, query: Any, limit: int) -> list[tuple[float, tuple[int, int]]]:
        found = searcher.search(query, limit, count=False).hits
        addresses = [address for _, address in found]
        contents = searcher.fast_field_values("content", addresses)
        keys = searcher.fast_field_values("key", addresses)
        return [
            (score, (content, key)) for (score, _), content, key in zip(found, contents, keys, strict=True)
        ]

    def _query(
        self,
        searcher: Any,
        terms: Mapping[str, float],
        allowed: Allowed | None,
        hidden: Allowed,
        field: Field,
    ) -> Any:
        import tantivy

        query, occur = tantivy.Query, tantivy.Occur
        frequency = {term: searcher.doc_freq(field, term) for term in terms}
        rarest = sorted((count, term) for term, count in frequency.items() if count)[:MAX_TERMS]
        if not rarest:
            return None
        clauses = []
        for _, term in rarest:
            clause = query.term_query(self._schema, field, term, index_option="freq")
            weight = terms[term]
            clauses.append((occur.Should, clause if weight == 1.0 else query.boost_query(clause, weight)))
        words = query.boolean_query(clauses)
        conditions = [(occur.Must, query.const_score_query(part, 0.0)) for part in self._conditions(allowed)]
        if len(hidden.contents):
            conditions.append((occur.MustNot, self._contents(hidden)))
        return query.boolean_query([(occur.Must, words), *conditions]) if conditions else words

    def _conditions(self, allowed: Allowed | None) -> list[Any]:
        from tantivy import FieldType, Query

        if allowed is None:
            return []
        parts = [self._contents(allowed)]
        if allowed.last_page is not None:
            parts.append(
                Query.range_query(self._schema, "first", FieldType.Unsigned, None, allowed.last_page)
            )
        if allowed.first_page is not None:
            parts.append(
                Query.range_query(self._schema, "last", FieldType.Unsigned, allowed.first_page, None)
            )
        return parts

    def _contents(self, allowed: Allowed) -> Any:
        from tantivy import Query

        return Query.term_set_query(self._schema, "content", allowed.contents.tolist())


def _tantivy(**place: Any) -> Any:
    """An index whose readers move on only when told to.

    By itself Tantivy reloads in a thread of its own whenever meta.json changes: it would map files that are being
    replaced (a file cut short under a memory map ends the process) and put its lock into a folder that goes.
    """
    import tantivy

    index = tantivy.Index(_schema(), **place)
    index.config_reader("manual")
    return index


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("content", indexed=True, fast=True)
    for name in ("key", "first", "last"):
        builder.add_unsigned_field(name, fast=True)
    for name in ("body", "head"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


@contextmanager
def damage() -> Iterator[None]:
    """Tantivy reports a full disk, a broken file and a bug as ValueError or a Rust panic: tell them apart."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        text = str(error)
        if any(
            sign in text
            for sign in ("No space left", "File too large", "StorageFull", "code: 27", "code: 28")
        ):
            raise OSError(28, "No space left on device") from error
        raise IndexDamaged(f"Tantivy says: {text[:200]}") from error
    except BaseException as error:  # a panic derives from BaseException, so that `except Exception` misses it
        if type(error).__name__ != "PanicException":
            raise
        raise IndexDamaged(f"Tantivy gave up: {str(error)[:200]}") from error


def check_folder(folder: Path) -> None:
    """Raise FileNotFoundError or IndexDamaged unless `folder` is a real folder of plain files.

    A link in there would make Tantivy read, or its lock file overwrite, something outside the index.
    """
    for level in (folder.parent, folder):
        if level.is_symlink() or (level.exists() and not level.is_dir()):
            raise IndexDamaged(f"{level.name} is not a folder")
    if not (folder / "meta.json").is_symlink() and not (folder / "meta.json").exists():
        raise FileNotFoundError(folder / "meta.json")
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise IndexDamaged(f"{entry.name[:80]} is not a plain file")


def remove_tree(folder: Path) -> None:
    """Remove a folder, or the link that stands in its place (never what a link points to)."""
    for level in (folder.parent, folder):
        if level.is_symlink() or level.is_file():
            level.unlink()
    for left in reversed(range(_REMOVALS)):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:  # a reader of Tantivy's has just put its lock file there
            if error.errno != errno.ENOTEMPTY or not left:
                raise


def remove_quietly(folder: Path) -> None:
    """Remove an index that turned out to be damaged, where the folder may be written."""
    with suppress(OSError):
        remove_tree(folder)


def share_permissions(folder: Path) -> None:
    """Give the files that Tantivy makes for its owner alone the permissions that the other files have."""
    mask = os.umask(0)
    os.umask(mask)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                os.chmod(entry.path, 0o666 & ~mask)


def tokenizer() -> tuple[str, Callable[[str], list[str]]]:
    """The name of the keyword tokeniser in force, and its function."""
    from rag.text.keywords import TOKENISER_ID, indexed_tokens

    return TOKENISER_ID, indexed_tokens
