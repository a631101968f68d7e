"""Bringing the two derived indexes up to the database: only what changed when that is known, else all."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.store import dense, keywords, stamps, vectors
from rag.store.database import SqliteDatabase, readable_errors
from rag.store.fields import chunk_body, page_head
from rag.store.keywords import KeywordIndex, Level
from rag.store.rows import Vectors
from rag.store.stamps import KeywordStamp
from rag.store.vectors import Stamp

BATCH = 8192


@dataclass(frozen=True, slots=True)
class Target:
    """What a derived index should hold: contents of `database` that the stamp covers."""

    database: SqliteDatabase
    dimension: int
    stamp: Stamp
    purged: int
    """Contents removed up to this generation are deleted: an index older than that cannot be brought up."""

    def reachable_from(self, have: Stamp) -> bool:
        """True when the difference between `have` and this target is known."""
        same = have.instance == self.stamp.instance
        return (
            same and self.purged <= have.base <= self.stamp.base and have.generation <= self.stamp.generation
        )

    def removed_since(self, have: Stamp) -> list[tuple[int, int, int]]:
        """(content, first chunk, last chunk) of what an index stamped `have` holds and no longer should."""
        found = self.database.rows(
            "SELECT id, first_chunk, last_chunk FROM contents WHERE added <= :have AND removed > :since "
            "AND removed <= :base",
            {"have": have.generation, "since": have.base, "base": self.stamp.base},
        )
        return [tuple(row) for row in found]

    def chunks(self) -> int:
        """How many chunks the target has."""
        sql = "SELECT coalesce(sum(chunks), 0) FROM contents WHERE added <= ? AND (removed IS NULL OR removed > ?)"
        return int(self.database.rows(sql, (self.stamp.generation, self.stamp.base))[0][0])

    def select_added(self, since: int, columns: str, joins: str, order: str) -> Iterator[tuple[Any, ...]]:
        """Rows of the contents that were added after generation `since` and belong to the target."""
        return self.database.stream(
            f"SELECT {columns} FROM contents t {joins} WHERE t.added > :since AND t.added <= :until "
            f"AND (t.removed IS NULL OR t.removed > :base) ORDER BY {order}",
            {"since": since, "until": self.stamp.generation, "base": self.stamp.base},
        )


_EMBEDDINGS = "JOIN chunks c ON c.content = t.id JOIN embeddings e ON e.id = c.embedding"


# -- vectors ------------------------------------------------------------------------------------------------


def vectors_stamp(folder: Path, dimension: int) -> Stamp:
    """The stamp of the file on disk. Raises FileNotFoundError and IndexDamaged."""
    return vectors.read_stamp(folder / vectors.FILE, dimension)


def update_vectors(target: Target, folder: Path) -> None:
    """Write vectors.faiss for the target, starting from the file there when it can be trusted."""
    have = None
    with contextlib.suppress(OSError, IndexDamaged):
        have = vectors_stamp(folder, target.dimension)
    if have is not None and not target.reachable_from(have):
        have = None
    if have == target.stamp:
        return
    index = None if have is None else _advance(target, folder, have)
    if index is None:
        index = build_vectors(target)
    vectors.write(index, folder / vectors.FILE, target.stamp)


def build_vectors(target: Target) -> Any:
    """The index of the target, made in memory from the database alone."""
    lists = dense.lists_for(target.chunks(), target.dimension)
    if not lists:
        index = dense.new_flat(target.dimension)
        _add_vectors(target, index, since=0)
        return index
    sample = _sample(target, lists * dense.SAMPLE_PER_LIST)
    index = dense.new_inverted(sample, lists)
    _add_vectors(target, index, since=0)
    dense.calibrate(index, sample)
    return index


def _sample(target: Target, size: int) -> Vectors:
    """About `size` vectors from all over the index."""
    step = max(target.chunks() // size, 1)
    rows = target.select_added(0, "e.vector", f"{_EMBEDDINGS} AND c.id % {step} = 0", "t.id, c.ordinal")
    return _table(target, [row[0] for row in rows])


def _advance(target: Target, folder: Path, have: Stamp) -> Any:
    """The index on disk brought up to the target; None when it has outgrown its kind."""
    import faiss

    index = vectors.load(folder / vectors.FILE, mapped=False)
    if not dense.suits(index, target.chunks(), target.dimension):
        return None
    removed = target.removed_since(have)
    if removed:
        gone = np.concatenate([np.arange(first, last + 1) for _, first, last in removed])
        index.remove_ids(faiss.IDSelectorBatch(gone.astype(np.int64)))
    _add_vectors(target, index, since=have.generation)
    return index


def _add_vectors(target: Target, index: Any, since: int) -> None:
    for ids, table in stored_vectors(target, since):
        index.add_with_ids(table, ids)


def stored_vectors(target: Target, since: int = 0) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Ids and embeddings of the target's chunks that were added after `since`, by id, a batch at a time."""
    rows = target.select_added(since, "c.id, e.vector", _EMBEDDINGS, "t.id, c.ordinal")
    while batch := list(islice(rows, BATCH)):
        yield np.array([row[0] for row in batch], dtype=np.int64), _table(target, [row[1] for row in batch])


def _table(target: Target, blobs: list[bytes]) -> Vectors:
    with readable_errors(target.database.path):
        table = np.frombuffer(b"".join(blobs), dtype=np.float32)
        if table.size != len(blobs) * target.dimension:
            raise IndexDamaged("a stored embedding has another dimension than the index")
    return table.reshape(len(blobs), target.dimension)


# -- keywords -----------------------------------------------------------------------------------------------


def level_folder(folder: Path, level: Level) -> Path:
    """Where the keyword index of a level stands."""
    return folder / keywords.FOLDER / f"{level}s"


def update_keywords(target: Target, folder: Path, level: Level) -> None:
    """Commit the target to the keyword index on disk, starting from what is there when it can be trusted."""
    tokeniser, _ = keywords.tokenizer()
    place = level_folder(folder, level)
    try:
        index = KeywordIndex.open(place)
        have = index.stamp
        if have is None or have.tokeniser != tokeniser or not target.reachable_from(have.stamp):
            raise IndexDamaged("it cannot be brought up to date")
        if have.stamp == target.stamp:
            return
        _update(target, index, level, have.stamp)
    except (FileNotFoundError, IndexDamaged):
        index = KeywordIndex.create(place)
        _update(target, index, level, None)
    keywords.share_permissions(place)


def build_keywords(target: Target, level: Level) -> KeywordIndex:
    """The index of the target, made in memory from the database alone."""
    index = KeywordIndex.in_memory()
    _update(target, index, level, None)
    return index


def _update(target: Target, index: KeywordIndex, level: Level, have: Stamp | None) -> None:
    removed = [] if have is None else [content for content, _, _ in target.removed_since(have)]
    since = 0 if have is None else have.generation
    entries = _chunk_entries(target, since) if level == "chunk" else _page_entries(target, since)
    index.update(removed, entries, KeywordStamp(target.stamp, keywords.tokenizer()[0]))


def _chunk_entries(target: Target, since: int) -> Iterator[keywords.Entry]:
    _, tokens = keywords.tokenizer()
    columns = "t.id, c.id, c.page, c.page_end, c.header, c.text"
    rows = target.select_added(since, columns, "JOIN chunks c ON c.content = t.id", "t.id, c.ordinal")
    for content, chunk, first, last, header, text in rows:
        body = " ".join(tokens(chunk_body(header, text)))
        yield content, chunk, max(first, 0), max(last, 0), body, ""


def _page_entries(target: Target, since: int) -> Iterator[keywords.Entry]:
    _, tokens = keywords.tokenizer()
    joins = "JOIN pages p ON p.content = t.id"
    columns = "t.id, p.number, p.text, p.furniture"
    for content, number, text, furniture in target.select_added(since, columns, joins, "t.id, p.number"):
        # A page without text would only weigh down the average length.
        if text:
            head = " ".join(tokens(page_head(text, json.loads(furniture))))
            yield content, number, number, number, " ".join(tokens(text)), head


def open_unwritable(place: Path) -> tuple[KeywordIndex, tempfile.TemporaryDirectory[str]]:
    """Open a keyword index in a folder that may not be written.

    Tantivy makes a lock file even for reading; links in a folder of our own let it, and copy nothing.
    Raises FileNotFoundError and IndexDamaged.
    """
    keywords.check_folder(place)
    links = tempfile.TemporaryDirectory(prefix="pagequote-")
    try:
        for file in place.iterdir():
            if file.name in ("meta.json", ".managed.json", stamps.FILE):
                shutil.copy(file, Path(links.name) / file.name)
            elif not file.name.startswith("."):
                (Path(links.name) / file.name).symlink_to(file.absolute())
        return KeywordIndex.open_unchecked(Path(links.name)), links
    except BaseException:
        links.cleanup()
        raise
