"""Short ways to read one file and to run the whole ingest in tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ingest.discovery import discover
from ingest.options import ReadOptions
from ingest.pipeline import IngestOptions, ingest
from ingest.progress import IngestReport
from ingest.reading import Reading, ReadJob, read
from rag.settings import load_settings
from rag.store import open_index
from rag.types import Chunk, DocumentRecord, Page

DIMENSION = 16
Content = dict[str, tuple[DocumentRecord, list[Page], list[tuple[Chunk, bytes]]]]


def job(path: Path, **changes: object) -> ReadJob:
    """The job of reading a file, as the pipeline would make it."""
    (found,) = discover([path]).files
    return ReadJob(found.file, found.path, found.format, **changes)


def read_file(path: Path, **options: object) -> Reading:
    """Read one file in this process."""
    return read(job(path), ReadOptions(**options), lambda *_: None)


class HashEmbedder:
    """Vectors made of a hash of the text, in no time; remembers what it was asked for."""

    spec = id = "test:hash"
    dimension = DIMENSION
    paid = True

    def __init__(self, batch: int = 16, before: Callable[[int], None] = lambda _: None) -> None:
        self.batch, self.before = batch, before
        self.texts: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: Sequence[str], on_batch: Callable[..., None] | None = None) -> np.ndarray:
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        for start in range(0, len(texts), self.batch):
            part = list(range(start, min(start + self.batch, len(texts))))
            self.before(len(self.texts))
            vectors[part] = [vector_of(texts[place]) for place in part]
            self.texts += [texts[place] for place in part]
            if on_batch is not None:
                on_batch(part, vectors[part])
        return vectors


def vector_of(text: str) -> np.ndarray:
    """The vector that HashEmbedder gives a text, not yet of length 1."""
    return np.frombuffer(hashlib.sha256(text.encode()).digest()[:DIMENSION], np.uint8) - np.float32(127.5)


def run(
    folder: Path | Sequence[Path], index: Path, *, embedder: HashEmbedder | None = None, **options: object
) -> IngestReport:
    """Ingest a folder into an index with the hash embedder."""
    paths = [folder] if isinstance(folder, Path) else list(folder)
    settings = load_settings({"index": str(index), "workers": 1}, env={}, dotenv_path=None)
    return ingest(
        paths,
        settings=settings,
        options=IngestOptions(**options),
        embedder=embedder or HashEmbedder(),
    )


def content_of(index: Path | str) -> Content:
    """Everything that an index says, by file; chunk ids differ with the order in which files were finished."""
    found = {}
    with open_index(index) as opened:
        assert opened.verify() == []
        for source in opened.documents():
            pages = opened.pages(source.file)
            ids = sorted({c for page in pages for c in opened.chunks_of_page(source.file, page.number)})
            chunks = [
                (passage.text, passage.spans, passage.header, passage.heading, vector.tobytes())
                for passage, vector in zip(opened.passages(ids), opened.vectors(ids), strict=True)
            ]
            found[source.file] = (source, pages, chunks)
    return found
