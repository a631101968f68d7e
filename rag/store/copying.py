"""Copying an index to another place, of whatever kind the two are: resumable, and checked at the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rag import index_location
from rag.errors import UsageError
from rag.store import rows
from rag.store.index import open_index
from rag.store.rows import Database
from rag.store.snapshot import GenerationRows
from rag.store.writer import IndexWriter, Notify
from rag.types import Document, DocumentRecord

BATCH = 1000
"""Embeddings read and written at a time."""

T = TypeVar("T")
Model = tuple[str, int, int, int]
"""Name, dimension, number in its database, and how many embeddings there are."""
Track = Callable[[Sequence[T], str], Iterable[T]]
"""Yields the items one by one while showing how far it has come; the text says what is done."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an index holds, in numbers and as one checksum over every text, page, chunk and vector.

    Of the target's embedding cache only what the origin has counts.
    """

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
    """Copy the documents, pages, chunks and vectors of `origin`, and its whole embedding cache, to `target`.

    What the target has already is left out, so a second run goes on where the first one was stopped. Both are read
    once more at the end, and files that are not the same are copied again. Chunk ids are given again, in the
    same order.

    Raises UsageError when the target holds files that the origin does not; IndexMismatch when it was made
    otherwise; IndexMissing, IndexLocked, IndexReadOnly.
    """
    with open_index(origin, notify=notify) as opened:
        old = opened.snapshot()
        with (
            open_index(target, create=old.spec, notify=notify) as new,
            new.writer(on_wait=notify) as writer,
        ):
            _require_no_others(old, writer.latest, str(target))
            embeddings = _copy_embeddings(old.database, writer, track)
            files = _copy_files(old, writer, track, _changed(old, writer.latest))
            writer.publish()
            wanted = _read(old, None, track)
            held = _read(writer.latest, None, track)
            differing = {file for file, digest in wanted.items() if held.get(file) != digest}
            if differing:  # an equal record over another content
                files += _copy_files(old, writer, track, differing)
                writer.publish()
                held |= _read(writer.latest, differing, track)
            models = _models(old.database)
            return CopyReport(
                files,
                embeddings,
                _contents(wanted, _cached(old.database, models)),
                _contents(held, _cached_of(new.database, old.database, models)),
            )


def _require_no_others(old: GenerationRows, new: GenerationRows, target: str) -> None:
    known = {record.file for record in old.documents()}
    others = [record.file for record in new.documents() if record.file not in known]
    if others:
        raise UsageError(
            f"{index_location.redacted(target)} holds other files already ({len(others):,}, such as {others[0]}): "
            "copy to an empty place, or prune them first."
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


def _models(database: Database) -> list[Model]:
    """By name; models without any embedding are left out."""
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


def _changed(old: GenerationRows, new: GenerationRows) -> set[str]:
    """The files that the target lacks or has otherwise, by their records and counts."""
    there = {entry.record.file: entry for entry in new.document_statuses()}
    return {entry.record.file for entry in old.document_statuses() if there.get(entry.record.file) != entry}


def _copy_files(old: GenerationRows, writer: IndexWriter, track: Track[Any], files: set[str]) -> int:
    """Copy these files. Returns how many."""
    wanted = [item for item in old.contents() if item[0].file in files]
    for record, content in track(wanted, "files"):
        _copy_file(old, writer, record, content)
        writer.publish_if_due()
    return len(wanted)


def _copy_file(old: GenerationRows, writer: IndexWriter, record: DocumentRecord, content: int | None) -> None:
    if content is None:
        writer.prune([record.file])  # of a failed file an earlier version would stay
        writer.put_record(record)
        return
    document, vectors = old.load_document(record, content)
    writer.put(document, vectors)


# -- checking -----------------------------------------------------------------------------------------------


class _File(NamedTuple):
    """What was read of a file, in numbers and as one checksum."""

    pages: int
    chunks: int
    digest: bytes


def _read(snapshot: GenerationRows, files: set[str] | None, track: Track[Any]) -> dict[str, _File]:
    """What is copied of each file, or of these files; in the order of names, which no kind of index
    decides."""
    wanted = [item for item in snapshot.contents() if files is None or item[0].file in files]
    found = {}
    for record, content in track(sorted(wanted, key=lambda item: item[0].file), "checking files"):
        document, vectors = (
            (Document(record, (), ()), None) if content is None else snapshot.load_document(record, content)
        )
        digest = hashlib.sha256(json.dumps(_as_list(document), ensure_ascii=True).encode())
        digest.update(b"" if vectors is None else vectors.astype("<f4").tobytes())
        found[record.file] = _File(len(document.pages), len(document.chunks), digest.digest())
    return found


def _contents(files: dict[str, _File], cached: Iterator[list[bytes]]) -> Contents:
    """Everything that is copied, from what was read of the files and the entries of the cache."""
    digest = hashlib.sha256(b"".join(files[file].digest for file in sorted(files)))
    embeddings = 0
    for batch in cached:
        embeddings += len(batch)
        digest.update(b"".join(batch))
    pages, chunks = sum(file.pages for file in files.values()), sum(file.chunks for file in files.values())
    return Contents(len(files), pages, chunks, embeddings, digest.hexdigest())


def _cached(database: Database, models: list[Model]) -> Iterator[list[bytes]]:
    """The entries of the embedding cache, each under its model."""
    for name, dimension, number, _ in models:
        for batch in _embeddings(database, number):
            yield [f"{name} {dimension} ".encode() + key + vector for key, vector in batch]


def _cached_of(new: Database, old: Database, models: list[Model]) -> Iterator[list[bytes]]:
    """Of the target's cache, the entries that the origin has, too: pruned files leave others, which are paid for."""
    there = {
        name: (int(number), int(dimension))
        for name, number, dimension in new.rows("SELECT embedding_id, id, dimension FROM embedding_models")
    }
    for name, _, number, _ in models:
        mine, dimension = there.get(name, (0, 0))
        for batch in _embeddings(old, number):
            marks = ", ".join("?" * len(batch))
            sql = f"SELECT digest, vector FROM embeddings WHERE model = ? AND digest IN ({marks})"
            found = new.rows(sql, (mine, *(key for key, _ in batch)))
            yield [
                f"{name} {dimension} ".encode() + key + vector
                for key, vector in sorted((bytes(key), bytes(vector)) for key, vector in found)
            ]


def _as_list(document: Document) -> list[Any]:
    return [
        rows.record_row(document.record),
        [rows.page_row(page) for page in document.pages],
        [rows.chunk_row(0, 0, chunk) for chunk in document.chunks],
        [rows.table_json(table) for table in document.tables],
    ]
