"""Copying an index to another place, of whatever kind the two are: resumable, and checked at the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from rag import places
from rag.errors import UsageError
from rag.store import rows
from rag.store.index import Notify, open_index
from rag.store.snapshot import Snapshot
from rag.store.sql import Database
from rag.store.stored import StoredIndex
from rag.store.writer import IndexWriter
from rag.types import Document, Source

BATCH = 1000
"""Embeddings read and written at a time."""

T = TypeVar("T")
Track = Callable[[Sequence[T], str], Iterable[T]]
"""Yields the items one by one while showing how far it has come; the text says what is done."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an index holds, in numbers and as one checksum over every text, page, chunk and vector."""

    files: int
    pages: int
    chunks: int
    embeddings: int
    checksum: str


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did, and what both places hold now."""

    copied_files: int
    copied_embeddings: int
    origin: Contents
    target: Contents

    @property
    def same(self) -> bool:
        """Whether both hold the same."""
        return self.origin == self.target

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "same": self.same}


def copy_index(
    origin: str | Path,
    target: str | Path,
    *,
    track: Track[Any] = lambda items, _: items,
    notify: Notify | None = None,
) -> CopyReport:
    """Copy the ledger, pages, chunks and vectors of `origin`, and its whole embedding cache, to `target`.

    What the target has already is left out, so a second run goes on where the first one was stopped. Chunk ids
    are given anew, in the same order.

    Raises UsageError when the target holds files that the origin does not; IndexMismatch when it was made
    otherwise; IndexMissing, IndexLocked, IndexReadOnly.
    """
    with _opened(open_index(origin, notify=notify)) as old:
        made = open_index(target, create=old.spec, notify=notify)
        with _opened(made) as new, new.writer(on_wait=notify) as writer:
            _require_no_others(old.snapshot, writer.latest, str(target))
            embeddings = _copy_embeddings(old.database, writer, track)
            files = _copy_files(old.snapshot, writer, track)
            writer.publish()
            held = [
                _contents(old.database, old.snapshot, track),
                _contents(new.database, writer.latest, track),
            ]
    return CopyReport(files, embeddings, *held)


def _opened(index: Any) -> StoredIndex:
    assert isinstance(index, StoredIndex)
    return index


def _require_no_others(old: Snapshot, new: Snapshot, target: str) -> None:
    known = {source.file for source in old.ledger.sources()}
    others = [source.file for source in new.ledger.sources() if source.file not in known]
    if others:
        raise UsageError(
            f"{places.shown(target)} holds other files already ({len(others):,}, such as {others[0]}): copy to an "
            "empty place, or prune them first."
        )


# -- the embedding cache ------------------------------------------------------------------------------------


def _copy_embeddings(old: Database, writer: IndexWriter, track: Track[Any]) -> int:
    """Copy what the target lacks; the vectors stay as they are to the last bit. Returns how many."""
    copied = 0
    for name, dimension, number, count in _models(old):
        cache = writer.cache_of(name, dimension)
        batches = _embeddings(old, number)
        for _ in track(range(-(-count // BATCH)), f"embeddings of {name}"):
            copied += cache.insert_missing(next(batches, []))
    return copied


def _models(database: Database) -> list[tuple[str, int, int, int]]:
    """Name, dimension, number and how many embeddings, by name; models without any are left out."""
    found = database.rows(
        "SELECT m.embedding_id, m.dimension, m.id, count(*) FROM embedding_models m "
        "JOIN embeddings e ON e.model = m.id GROUP BY m.embedding_id, m.dimension, m.id ORDER BY m.embedding_id"
    )
    return [(str(name), int(dimension), int(number), int(count)) for name, dimension, number, count in found]


def _embeddings(database: Database, model: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """The digests and vectors of a model in the order of digests, a batch at a time."""
    last = b""
    while True:
        batch = database.rows(
            "SELECT digest, vector FROM embeddings WHERE model = ? AND digest > ? ORDER BY digest LIMIT ?",
            (model, last, BATCH),
        )
        if not batch:
            return
        yield [(bytes(digest), bytes(vector)) for digest, vector in batch]
        last = batch[-1][0]


# -- files --------------------------------------------------------------------------------------------------


def _copy_files(old: Snapshot, writer: IndexWriter, track: Track[Any]) -> int:
    """Copy files that the target lacks or has otherwise. Returns how many."""
    there = {entry.source.file: entry for entry in writer.latest.ledger.entries()}
    wanted = {entry.source.file: entry for entry in old.ledger.entries()}
    missing = [item for item in old.contents() if there.get(item[0].file) != wanted[item[0].file]]
    for source, content in track(missing, "files"):
        _copy_file(old, writer, source, content)
        writer.publish_if_due()
    return len(missing)


def _copy_file(old: Snapshot, writer: IndexWriter, source: Source, content: int | None) -> None:
    if content is None:
        writer.prune([source.file])  # of a failed file an earlier version would stay
        writer.put_source(source)
        return
    document, vectors = old.document(source, content)
    writer.put(document, vectors)


# -- checking -----------------------------------------------------------------------------------------------


def _contents(database: Database, snapshot: Snapshot, track: Track[Any]) -> Contents:
    """Count and digest everything that is copied, in an order that no kind of index decides."""
    digest = hashlib.sha256()
    files = pages = chunks = embeddings = 0
    for source, content in track(
        sorted(snapshot.contents(), key=lambda item: item[0].file), "checking files"
    ):
        document, vectors = (
            (Document(source, (), ()), None) if content is None else snapshot.document(source, content)
        )
        files, pages, chunks = files + 1, pages + len(document.pages), chunks + len(document.chunks)
        digest.update(json.dumps(_plain(document), ensure_ascii=True).encode())
        digest.update(b"" if vectors is None else vectors.astype("<f4").tobytes())
    for name, dimension, number, _ in _models(database):
        digest.update(f"{name} {dimension}".encode())
        for batch in _embeddings(database, number):
            embeddings += len(batch)
            digest.update(b"".join(key + vector for key, vector in batch))
    return Contents(files, pages, chunks, embeddings, digest.hexdigest())


def _plain(document: Document) -> list[Any]:
    return [
        rows.source_row(document.source),
        [rows.page_row(page) for page in document.pages],
        [rows.chunk_row(0, 0, chunk) for chunk in document.chunks],
    ]
