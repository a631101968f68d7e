"""keywords/: BM25 over chunks and over pages, two Tantivy indexes derived from the database.

Chunks and pages are kept apart because BM25 weighs a term by how many documents of its kind hold it, and a
document by its length beside the average of its kind. Each generation has a folder of its own, `keywords/N`, which
never changes once it is complete. The next one starts from hard links to its files, so that an update costs what
changed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import tantivy

from rag.errors import IndexDamaged
from rag.store.rows import Selection
from rag.store.vectors import Stamp, sync_folder, top_scores
from rag.text import keywords as text_keywords

FOLDER = "keywords"
Level = Literal["chunk", "page"]
LEVELS: tuple[Level, ...] = ("chunk", "page")
KeywordField = Literal["chunk", "page", "head"]
"""What a search looks at: chunks with their headers, pages, or the beginnings of pages."""
HEAD_CHARACTERS = 400
"""Length of a page's beginning, which is searched on its own because titles and table headings are there."""

HEAP_BYTES = 64 * 2**20
MAX_TERMS = 64
"""Terms of a query that are searched for, the rarest first: a pasted page must not cost a scan."""

DIGITS = 5
"""Digits to which scores are compared: they are sums in single precision."""

STAMP_FILE = "stamp.json"
_STAMP_BYTES = 4096
_REMOVALS = 10
"""Attempts to remove a folder in which another program may leave a file meanwhile."""

Entry = tuple[int, int, int, int, str, str]
"""content, key (chunk id or page number), first page, last page, the tokens joined by spaces,
the tokens of the beginning (of pages; empty for chunks)."""


def tokeniser_id() -> str:
    """The name of the tokeniser in force."""
    return text_keywords.TOKENISER_ID


def chunk_entry(content: int, chunk: int, first: int, last: int, text: str) -> Entry:
    """The entry of a chunk, whose text begins with its header."""
    return content, chunk, max(first, 0), max(last, 0), _joined(text), ""


def page_entry(content: int, number: int, text: str, headers: Sequence[tuple[int, int]]) -> Entry:
    """The entry of a page; `headers` are the character ranges of its running headers and footers."""
    return content, number, number, number, _joined(text), _joined(page_head(text, headers))


def _joined(text: str) -> str:
    return " ".join(text_keywords.indexed_tokens(text))


def page_head(text: str, headers: Sequence[tuple[int, int]]) -> str:
    """The beginning of a page, where its title is, without running headers: every page has those."""
    parts, at = [], 0
    for start, end in sorted(headers):
        parts.append(text[at:start])
        at = max(at, end)
    return "".join([*parts, text[at:]]).lstrip()[:HEAD_CHARACTERS]


@dataclass(frozen=True, slots=True)
class KeywordStamp:
    """Which generation a keyword index holds, and the tokeniser that made its tokens."""

    instance: str
    generation: int
    tokeniser: str

    @classmethod
    def of(cls, stamp: Stamp) -> KeywordStamp:
        """The stamp of an index made now."""
        return cls(stamp.instance, stamp.generation, tokeniser_id())


def read_stamp(folder: Path) -> KeywordStamp:
    """The stamp in the folder of a generation. Raises FileNotFoundError and IndexDamaged."""
    check_folder(folder)
    try:
        with (folder / STAMP_FILE).open("rb") as file:
            fields = json.loads(file.read(_STAMP_BYTES))
        return KeywordStamp(str(fields["instance"]), int(fields["generation"]), str(fields["tokeniser"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise IndexDamaged("it does not record which generation it holds") from error


class KeywordIndex:
    """The two Tantivy indexes of one generation, on disk or in memory."""

    def __init__(self, indexes: Mapping[Level, Any], folder: Path | None = None) -> None:
        self._indexes = indexes
        self._folder = folder

    @classmethod
    def in_memory(cls) -> KeywordIndex:
        """An empty index that is never written to disk."""
        return cls({level: _tantivy() for level in LEVELS})

    @classmethod
    def create(cls, folder: Path, start: Path | None = None) -> KeywordIndex:
        """An index in the new `folder`: empty, or with what the index in `start` holds."""
        remove_tree(folder)
        folder.mkdir(parents=True)
        for level in LEVELS:
            (folder / f"{level}s").mkdir()
            if start is not None:
                _link_files(start / f"{level}s", folder / f"{level}s")
        with tantivy_errors():
            reuse = start is not None
            return cls({v: _tantivy(path=str(folder / f"{v}s"), reuse=reuse) for v in LEVELS}, folder)

    @classmethod
    def open(cls, folder: Path) -> KeywordIndex:
        """Open the complete index in `folder`. Raises FileNotFoundError and IndexDamaged."""
        check_folder(folder)
        for level in LEVELS:
            check_folder(folder / f"{level}s", complete="meta.json")
        links: Path | None = None
        if not all(os.access(folder / f"{level}s", os.W_OK) for level in LEVELS):
            # Tantivy makes a lock file even for reading; links in a folder of our own let it, and copy nothing.
            links = Path(tempfile.mkdtemp(prefix="pagequote-"))
            for level in LEVELS:
                (links / f"{level}s").mkdir()
                _link_files(folder / f"{level}s", links / f"{level}s", symbolic=True)
        with tantivy_errors():
            place = links or folder
            opened = cls({v: _tantivy(path=str(place / f"{v}s"), reuse=True) for v in LEVELS}, folder)
            if links is not None:
                weakref.finalize(opened, shutil.rmtree, links, ignore_errors=True)
            for index in opened._indexes.values():
                index.reload()
            return opened

    # -- writing --------------------------------------------------------------------------------------------

    def update(self, removed: Sequence[int], added: Mapping[Level, Iterable[Entry]]) -> None:
        """Take out whole contents, put in entries, and commit. Raises OSError when the disk is full."""
        for level, index in self._indexes.items():
            with tantivy_errors():
                writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
                try:
                    # By query: delete_documents_by_term makes a signed term, which an unsigned field never matches.
                    old = tantivy.Query.term_set_query(index.schema, "content", list(removed))
                    writer.delete_documents_by_query(old)
                    for content, key, first, last, body, head in added[level]:
                        fields: dict[str, int | str] = {"content": content, "key": key, "first": first}
                        fields |= {"last": last, "body": body, "head": head}
                        writer.add_document(tantivy.Document.from_dict(fields, index.schema))
                    writer.commit()
                    writer.garbage_collect_files()
                finally:
                    # Waits for the merges, so that no thread of Tantivy outlives the lock on the index.
                    writer.wait_merging_threads()
                index.reload()

    def complete(self, stamp: KeywordStamp) -> None:
        """Record which generation the folder holds, as the last step of making it."""
        assert self._folder is not None
        for level in LEVELS:
            _share_permissions(self._folder / f"{level}s")
        with (self._folder / STAMP_FILE).open("x", encoding="utf-8") as file:
            json.dump(asdict(stamp), file)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._folder)

    # -- reading --------------------------------------------------------------------------------------------

    def keys(self, level: Level) -> Iterator[tuple[int, int]]:
        """(content, key) of every entry; for the integrity check."""
        with tantivy_errors():
            searcher = self._indexes[level].searcher()
            total = max(int(searcher.num_docs), 1)
            found = _keys_of(searcher, searcher.search(tantivy.Query.all_query(), total, count=False).hits)
        yield from (key for _, key in found)

    def search(
        self, field: KeywordField, weights: Mapping[str, float], k: int, selection: Selection | None
    ) -> list[tuple[int, int, float]]:
        """The `k` best by BM25 of one field as (content, key, score), best first, equal scores by content and key."""
        index = self._indexes["chunk" if field == "chunk" else "page"]
        with tantivy_errors():
            searcher = index.searcher()
            text = "head" if field == "head" else "body"
            query = _query(searcher, index.schema, text, weights, selection)
            if query is None or k <= 0:
                return []

            def fetch(limit: int) -> list[tuple[float, tuple[int, int]]]:
                return _keys_of(searcher, searcher.search(query, limit, count=False).hits)

            found = top_scores(fetch, k, DIGITS)
        return [(content, key, score) for (content, key), score in found]


def _keys_of(searcher: Any, hits: Sequence[tuple[float, Any]]) -> list[tuple[float, tuple[int, int]]]:
    addresses = [address for _, address in hits]
    contents = searcher.fast_field_values("content", addresses)
    keys = searcher.fast_field_values("key", addresses)
    return [
        (score, (int(content), int(key)))
        for (score, _), content, key in zip(hits, contents, keys, strict=True)
    ]


def _query(
    searcher: Any, schema: Any, field: str, weights: Mapping[str, float], selection: Selection | None
) -> Any:
    query, occur = tantivy.Query, tantivy.Occur
    frequency = {term: searcher.doc_freq(field, term) for term in weights}
    rarest = sorted((count, term) for term, count in frequency.items() if count)[:MAX_TERMS]
    if not rarest:
        return None
    clauses = []
    for _, term in rarest:
        clause = query.term_query(schema, field, term, index_option="freq")
        weight = weights[term]
        clauses.append((occur.Should, clause if weight == 1.0 else query.boost_query(clause, weight)))
    words = query.boolean_query(clauses)
    if selection is None:
        return words
    parts = [query.term_set_query(schema, "content", selection.contents.tolist())]
    unsigned = tantivy.FieldType.Unsigned
    if selection.last_page is not None:
        parts.append(query.range_query(schema, "first", unsigned, None, selection.last_page))
    if selection.first_page is not None:
        parts.append(query.range_query(schema, "last", unsigned, selection.first_page, None))
    conditions = [(occur.Must, query.const_score_query(part, 0.0)) for part in parts]
    return query.boolean_query([(occur.Must, words), *conditions])


def _tantivy(**place: Any) -> Any:
    """An index whose readers move on only when told to.

    Tantivy by itself reloads in a thread of its own whenever meta.json changes: it would map files that are being
    replaced (a file cut short under a memory map ends the process) and put its lock into a folder that goes.
    """
    index = tantivy.Index(_schema(), **place)
    index.config_reader("manual")
    return index


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("content", indexed=True, fast=True)
    for name in ("key", "first", "last"):
        builder.add_unsigned_field(name, fast=True)
    for name in ("body", "head"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


@contextmanager
def tantivy_errors() -> Iterator[None]:
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


def check_folder(folder: Path, *, complete: str = STAMP_FILE) -> None:
    """Raise FileNotFoundError or IndexDamaged unless `folder` is a real folder of plain files and folders.

    A link in there would make Tantivy read, or its lock file overwrite, something outside the index. `complete` names
    the file without which it was never completed.
    """
    for level in (folder.parent, folder):
        if level.is_symlink() or (level.exists() and not level.is_dir()):
            raise IndexDamaged(f"{level.name} is not a folder")
    if not (folder / complete).is_symlink() and not (folder / complete).exists():
        raise FileNotFoundError(folder / complete)
    with os.scandir(folder) as entries:
        for entry in entries:
            inner = complete == STAMP_FILE and entry.is_dir(follow_symlinks=False)
            if not inner and not entry.is_file(follow_symlinks=False):
                raise IndexDamaged(f"{entry.name[:80]} is not a plain file")


def _link_files(source: Path, target: Path, *, symbolic: bool = False) -> None:
    """Put the files of a Tantivy index into `target`: links to those that never change, copies of the others."""
    for file in source.iterdir():
        if file.name in ("meta.json", ".managed.json"):
            shutil.copyfile(file, target / file.name)
        elif symbolic and not file.name.startswith("."):
            (target / file.name).symlink_to(file.absolute())
        elif not file.name.startswith("."):
            try:
                os.link(file, target / file.name)
            except OSError:  # a file system without hard links
                shutil.copyfile(file, target / file.name)


def remove_tree(folder: Path) -> None:
    """Remove a folder, or the link or file in its place (never what a link points to)."""
    for level in (folder.parent, folder):
        if level.is_symlink() or (level.exists() and not level.is_dir()):
            level.unlink()
    for left in reversed(range(_REMOVALS)):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:  # a reader of Tantivy's has just put its lock file there
            if error.errno != errno.ENOTEMPTY or not left:
                raise


def _share_permissions(folder: Path) -> None:
    """Give the files that Tantivy makes for its owner alone the permissions that the other files have."""
    mask = os.umask(0)
    os.umask(mask)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mode & 0o777 != 0o666 & ~mask:
                os.chmod(entry.path, 0o666 & ~mask)
