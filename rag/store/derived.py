"""The derived files of one generation: finding, opening, writing and checking them.

`vectors.faiss` holds the published generation; the one that is being published is beside it as `vectors.faiss.N`
until the database says N. `keywords/N` is the folder of generation N. So a reader of any published generation finds
files that hold exactly that one, or knows that they are missing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.store import keywords, vectors
from rag.store.database import SqliteDatabase
from rag.store.keywords import KeywordIndex, KeywordStamp, Level
from rag.store.rows import Vectors
from rag.store.spec import IndexState
from rag.store.vectors import Stamp

BATCH = 8192
_ATTEMPTS = 3
"""Looks at the two names of the vectors file, because a writer may rename one to the other in between."""
_EMBEDDINGS = "JOIN chunks c ON c.content = t.id JOIN embeddings e ON e.id = c.embedding"


@dataclass(frozen=True, slots=True)
class DerivedFiles:
    """What is derived from generation `stamp.generation` of the database, in `folder`."""

    folder: Path
    database: SqliteDatabase
    dimension: int
    stamp: Stamp
    purged: int
    """Contents removed up to this generation are deleted: files older than that cannot be updated."""

    @classmethod
    def of(cls, folder: Path, database: SqliteDatabase, state: IndexState, generation: int) -> DerivedFiles:
        stamp = Stamp(state.instance, generation)
        return cls(folder, database, state.spec.dimension, stamp, state.purged)

    @property
    def vectors_path(self) -> Path:
        return self.folder / vectors.FILE

    @property
    def next_vectors_path(self) -> Path:
        """Where the vectors are until the generation is published."""
        return self.folder / f"{vectors.FILE}.{self.stamp.generation}"

    @property
    def keywords_path(self) -> Path:
        return self.folder / keywords.FOLDER / str(self.stamp.generation)

    # -- opening --------------------------------------------------------------------------------------------

    def open_vectors(self) -> Any:
        """The FAISS index. Raises OSError and IndexDamaged naming what is wrong."""
        for _ in range(_ATTEMPTS):
            for path in (self.vectors_path, self.next_vectors_path):
                with contextlib.suppress(OSError, IndexDamaged):
                    if vectors.read_stamp(path, self.dimension) == self.stamp:
                        index = vectors.load(path, mapped=True)
                        # A writer may have put another file in place between the two looks at it.
                        if vectors.read_stamp(path, self.dimension) == self.stamp:
                            return index
        vectors.read_stamp(self.vectors_path, self.dimension)
        raise IndexDamaged("does not belong to this generation of the database")

    def open_keywords(self) -> KeywordIndex:
        """The keyword index. Raises OSError and IndexDamaged naming what is wrong."""
        stamp = keywords.read_stamp(self.keywords_path)
        wanted = KeywordStamp.of(self.stamp)
        if stamp != wanted:
            if stamp.tokeniser != wanted.tokeniser and stamp.instance == wanted.instance:
                raise IndexDamaged("was made with another tokeniser")
            raise IndexDamaged("does not belong to this generation of the database")
        return KeywordIndex.open(self.keywords_path)

    # -- writing --------------------------------------------------------------------------------------------

    def write_vectors(self) -> None:
        """Write the vectors beside their place, starting from those in place when they can be trusted."""
        have = None
        with contextlib.suppress(OSError, IndexDamaged):
            have = vectors.read_stamp(self.vectors_path, self.dimension)
        index = None
        if have is not None and self._reachable_from(have.instance, have.generation):
            index = self._updated_vectors(have.generation)
        if index is None:
            index = self.build_vectors()
        vectors.write(index, self.next_vectors_path, self.stamp)

    def switch_vectors(self) -> None:
        """Put the vectors that were written into their place; nothing when they are there already."""
        if self.next_vectors_path.exists():
            os.replace(self.next_vectors_path, self.vectors_path)
            vectors.sync_folder(self.folder)

    def write_keywords(self) -> None:
        """Make the folder of the generation, starting from an older one that can be trusted."""
        beside = self.keywords_path.with_suffix(".tmp")
        start = self._newest_keywords()
        try:
            if start is None:
                raise FileNotFoundError
            index = KeywordIndex.create(beside, start)
            self._update_keywords(index, since=int(start.name))
        except (FileNotFoundError, IndexDamaged):
            index = KeywordIndex.create(beside)
            self._update_keywords(index, since=0)
        index.complete(KeywordStamp.of(self.stamp))
        keywords.remove_tree(self.keywords_path)
        os.replace(beside, self.keywords_path)
        vectors.sync_folder(self.keywords_path.parent)

    def clean(self) -> None:
        """Remove the files of other generations and what killed writers left; what cannot go yet goes next time."""
        for path in self.folder.glob(f"{vectors.FILE}.*"):
            if path != self.next_vectors_path:
                with contextlib.suppress(OSError):
                    path.unlink()
        parent = self.keywords_path.parent
        if parent.is_dir() and not parent.is_symlink():
            for path in parent.iterdir():
                if path != self.keywords_path:
                    with contextlib.suppress(OSError):
                        keywords.remove_tree(path)

    # -- from the rows --------------------------------------------------------------------------------------

    def build_vectors(self) -> Any:
        """The FAISS index of the generation, made in memory from the rows alone."""
        count = self._chunks()
        lists = vectors.lists_for(count, self.dimension)
        if not lists:
            index = vectors.new_flat(self.dimension)
            self._add_vectors(index, since=0)
            return index
        step = max(count // (lists * vectors.SAMPLE_PER_LIST), 1)
        rows = self._added(0, "e.vector", f"{_EMBEDDINGS} AND c.id % {step} = 0", "t.id, c.ordinal")
        sample = self._table([row[0] for row in rows])
        index = vectors.new_inverted(sample, lists)
        self._add_vectors(index, since=0)
        vectors.calibrate(index, sample)
        return index

    def build_keywords(self) -> KeywordIndex:
        """The keyword index of the generation, made in memory from the rows alone."""
        index = KeywordIndex.in_memory()
        self._update_keywords(index, since=0)
        return index

    def _reachable_from(self, instance: str, generation: int) -> bool:
        """True when the rows still tell how this generation differs from an earlier one."""
        same = instance == self.stamp.instance
        return same and self.purged <= generation <= self.stamp.generation

    def _newest_keywords(self) -> Path | None:
        wanted, found = KeywordStamp.of(self.stamp), []
        with contextlib.suppress(OSError):
            for path in self.keywords_path.parent.iterdir():
                with contextlib.suppress(OSError, IndexDamaged):
                    stamp = keywords.read_stamp(path)
                    known = self._reachable_from(stamp.instance, stamp.generation)
                    if known and stamp.tokeniser == wanted.tokeniser and path.name == str(stamp.generation):
                        KeywordIndex.open(path)
                        found.append(path)
        return max(found, key=lambda path: int(path.name), default=None)

    def _updated_vectors(self, since: int) -> Any:
        """The index in place brought up to this generation; None when it has outgrown its kind."""
        import faiss

        index = vectors.load(self.vectors_path, mapped=False)
        if not vectors.suits(index, self._chunks(), self.dimension):
            return None
        removed = self._removed(since)
        if removed:
            ids = np.concatenate([np.arange(first, last + 1) for _, first, last in removed])
            index.remove_ids(faiss.IDSelectorBatch(ids.astype(np.int64)))
        self._add_vectors(index, since)
        return index

    def _add_vectors(self, index: Any, since: int) -> None:
        for ids, table in self._vectors(since):
            index.add_with_ids(table, ids)

    def _update_keywords(self, index: KeywordIndex, since: int) -> None:
        chunks = (
            keywords.chunk_entry(content, chunk, first, last, f"{header}\n{text}" if header else text)
            for content, chunk, first, last, header, text in self._added(
                since,
                "t.id, c.id, c.page, c.page_end, c.header, c.text",
                "JOIN chunks c ON c.content = t.id",
                "t.id, c.ordinal",
            )
        )
        pages = (
            keywords.page_entry(content, number, text, json.loads(headers))
            for content, number, text, headers in self._added(
                since,
                "t.id, p.number, p.text, p.furniture",
                # A page without text would only weigh down the average length.
                "JOIN pages p ON p.content = t.id AND p.text != ''",
                "t.id, p.number",
            )
        )
        removed = [content for content, _, _ in self._removed(since)] if since else []
        index.update(removed, {"chunk": chunks, "page": pages})

    def _removed(self, since: int) -> list[tuple[int, int, int]]:
        """(content, first chunk, last chunk) of what generation `since` holds and this one does not."""
        found = self.database.rows(
            "SELECT id, first_chunk, last_chunk FROM contents WHERE added <= :since AND removed > :since "
            "AND removed <= :now",
            {"since": since, "now": self.stamp.generation},
        )
        return [(content, first, last) for content, first, last in found]

    def _added(self, since: int, columns: str, joins: str, order: str) -> Iterator[tuple[Any, ...]]:
        """Rows of the contents of this generation that were added after generation `since`."""
        return self.database.stream(
            f"SELECT {columns} FROM contents t {joins} WHERE t.added > :since AND t.added <= :now "
            f"AND (t.removed IS NULL OR t.removed > :now) ORDER BY {order}",
            {"since": since, "now": self.stamp.generation},
        )

    def _chunks(self) -> int:
        sql = "SELECT coalesce(sum(chunks), 0) FROM contents WHERE added <= ? AND (removed IS NULL OR removed > ?)"
        return int(self.database.rows(sql, (self.stamp.generation, self.stamp.generation))[0][0])

    def _vectors(self, since: int) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """Ids and embeddings of the chunks added after `since`, by id, a batch at a time."""
        rows = self._added(since, "c.id, e.vector", _EMBEDDINGS, "t.id, c.ordinal")
        while batch := list(islice(rows, BATCH)):
            yield np.array([row[0] for row in batch], dtype=np.int64), self._table([row[1] for row in batch])

    def _table(self, blobs: list[bytes]) -> Vectors:
        with self.database.readable_errors():
            table = np.frombuffer(b"".join(blobs), dtype=np.float32)
            if table.size != len(blobs) * self.dimension:
                raise IndexDamaged("a stored embedding has another dimension than the index")
        return table.reshape(len(blobs), self.dimension)

    # -- checking -------------------------------------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """One sentence for each way in which the files differ from the rows. Reads everything."""
        try:
            index = self.open_vectors()
        except (OSError, IndexDamaged) as error:
            yield f"{self.vectors_path}: {error}"
        else:
            if fault := self._vector_fault(*vectors.entries(index)):
                yield f"{self.vectors_path}: {fault}"
        try:
            found = self.open_keywords()
            keys = {level: sorted(found.keys(level)) for level in keywords.LEVELS}
        except (OSError, IndexDamaged) as error:
            yield f"{self.keywords_path}: {error}"
            return
        for level in keywords.LEVELS:
            if keys[level] != sorted(self._expected_keys(level)):
                yield f"{self.keywords_path}: holds other {level}s than the database"

    def _vector_fault(self, ids: NDArray[np.int64], table: Vectors) -> str | None:
        at = 0
        for wanted, vectors_wanted in self._vectors(0):
            upto = at + len(wanted)
            if not np.array_equal(ids[at:upto], wanted):
                break
            if not np.array_equal(table[at:upto], vectors_wanted):
                return "holds other vectors than the database"
            at = upto
        return None if at == len(ids) == self._chunks() else "holds other chunks than the database"

    def _expected_keys(self, level: Level) -> list[tuple[Any, ...]]:
        if level == "chunk":
            return list(self._added(0, "t.id, c.id", "JOIN chunks c ON c.content = t.id", "c.id"))
        joins = "JOIN pages p ON p.content = t.id AND p.text != ''"
        return list(self._added(0, "t.id, p.number", joins, "t.id, p.number"))
