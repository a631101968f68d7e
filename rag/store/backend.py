"""An open index over what keeps it: a folder or a PostgreSQL database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rag import index_location
from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexMismatch, IndexReadOnly, UsageError
from rag.store.folder import FolderBackend
from rag.store.postgres.location import driver, is_postgres
from rag.store.rows import WritableDatabase
from rag.store.snapshot import GenerationReader, Snapshot
from rag.store.spec import IndexSpec, IndexState, has_unpublished
from rag.store.writer import IndexWriter, Notify, Publisher

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings


class Backend(Protocol):
    """What keeps an index."""

    location: str
    """For people: without a password."""
    notify: Notify
    """Gets a sentence about everything that was repaired."""

    def state(self) -> IndexState:
        """The state that the database has now."""

    def read(self, *, prepare: bool) -> GenerationReader:
        """The newest published generation; `prepare`: ready to be searched at once."""

    def write(
        self, *, wait: bool | float, on_wait: Notify | None
    ) -> AbstractContextManager[tuple[WritableDatabase, Publisher]]:
        """The database for writing and what publishes it, under the lock of the one writer."""

    def faults(self) -> list[str]:
        """One sentence for each fault; an empty list when the index is sound. Reads everything."""

    def close(self) -> None:
        """Release files, connections and locks."""


class OpenIndex(Snapshot):
    """An open index. It reads as the newest snapshot that it gave, or else as the generation at opening.

    A program whose threads share an index takes a `snapshot()` for each question and reads only through that.
    """

    def __init__(self, backend: Backend, embeddings: Embeddings | None = None) -> None:
        self.embeddings: Callable[[], Embeddings | None] = lambda: embeddings
        """Gives what texts and questions are embedded with, for LangChain, which takes long to import."""
        self._backend = backend
        self._moving = threading.Lock()
        self._closed = False
        super().__init__(backend.location, backend.read(prepare=False))
        self._latest: Snapshot | None = None
        self._publish_leftovers()

    def snapshot(self) -> Snapshot:
        """The newest published generation, read-only and unchanging. The same object while nothing is published.

        Raises UsageError when the index is closed.
        """
        if self._closed:
            raise UsageError(f"The index {self.location} is closed: open it again with open_index.")
        with self._moving:
            state = self._backend.state()
            latest = self._latest
            if latest is None or (state.spec, state.published) != (latest.spec, latest.generation):
                unchanged = (state.spec, state.published) == (self.spec, self.generation)
                if not (unchanged and self._reader.prepare()):
                    super().__init__(self.location, self._backend.read(prepare=True))
                latest = self._latest = Snapshot(self.location, self._reader)
            return latest

    @contextmanager
    def writer(self, *, wait: bool | float = True, on_wait: Notify | None = None) -> Iterator[IndexWriter]:
        """The one writer; publishes at the end unless an error ends it. This index then reads what was published.

        wait: True (for ever), False (not at all) or seconds. Raises IndexLocked, IndexReadOnly.
        """
        with self._backend.write(wait=wait, on_wait=on_wait) as (database, publisher):
            writer = IndexWriter(database, publisher, self.snapshot)
            yield writer
            writer.publish()

    def verify(self) -> list[str]:
        """Compare the database and what is derived from it; one sentence for each fault, none when sound."""
        return self._backend.faults()

    def close(self) -> None:
        """Release files, connections and locks; snapshots of this index cannot be read afterwards."""
        self._closed = True
        self._backend.close()

    def _publish_leftovers(self) -> None:
        """Publish what a killed writer finished, unless a writer is at work or nothing can be written.

        What was published before can be read on a full disk, too; the next writer publishes the rest.
        """
        if not has_unpublished(self.database, self._backend.state()):
            return
        try:
            with self.writer(wait=False):
                pass
        except (IndexDamaged, IndexMismatch):
            raise
        except (IndexError_, OSError) as error:
            if not isinstance(error, (IndexLocked, IndexReadOnly)):
                self._backend.notify(f"What an interrupted run had finished is not published yet: {error}")
        else:
            self._backend.notify(f"Published what an interrupted run had finished in {self.location}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_backend(
    location: str | Path,
    *,
    create: IndexSpec | None = None,
    rebuild: bool = False,
    notify: Notify | None = None,
) -> Backend:
    """Open what keeps the index at `location`. See `rag.store.index.open_index`."""
    tell = notify or (lambda _: None)
    if "://" not in str(location):
        return FolderBackend.open(Path(location), create, rebuild=rebuild, notify=tell)
    if not is_postgres(location):
        raise UsageError(
            f"an index cannot be kept in {index_location.redacted(str(location))}: use a folder, for example "
            "--index .rag, or a database, for example --index postgresql://localhost/NAME."
        )
    driver()
    from rag.store.postgres.backend import PostgresBackend  # needs the extra

    return PostgresBackend.open(str(location), create, rebuild=rebuild, notify=tell)
