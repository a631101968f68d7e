"""Publishing: derived indexes follow the database, then readers are let in, then old rows are deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import IndexDamaged, IndexError_, IndexReadOnly
from rag.store import derive, generations, keywords, vectors
from rag.store.database import SqliteDatabase
from rag.store.index import Notify
from rag.store.keywords import KeywordIndex, Level
from rag.store.lock import ReaderLease
from rag.store.state import State, read_state
from rag.store.vectors import Stamp
from rag.store.writer import Publisher
from rag.types import Chunk, DocumentRecord, Page

COMPACT_SHARE = 0.1
"""Share of hidden entries above which the derived indexes are written once more without them."""


@dataclass(frozen=True)
class FolderPublisher(Publisher):
    """Brings an index from what is written to what is read. Used under the writer's lock only."""

    folder: Path
    database: SqliteDatabase
    lease: ReaderLease
    notify: Notify

    def source_added(self, identity: int, source: DocumentRecord) -> None:
        """Nothing: the derived indexes follow the rows when they are published."""

    def content_added(
        self, identity: int, pages: Sequence[Page], chunks: Sequence[tuple[int, Chunk]]
    ) -> None:
        """Nothing, as for `source_added`."""

    def publish(self, on_publish: Callable[[], object]) -> None:
        # Does little when there is nothing new and nothing to fix.
        state = read_state(self.database)
        if not generations.pending(self.database, state):
            self._bring(state, state.published, state.published, tidy=False)
        else:
            # Writes after this belong to the next generation, so that this number means one set of rows for
            # ever, also when this process is killed before the last step.
            with self.database.transaction():
                self.database.execute("UPDATE state SET working = working + 1")
            self._bring(state, state.published, state.working, tidy=False)
            tokeniser = keywords.tokenizer()[0]
            with self.database.transaction():
                self.database.execute(
                    "UPDATE state SET published = ?, spec = json_set(spec, '$.tokeniser', ?)",
                    (state.working, tokeniser),
                )
        on_publish()
        self._compact()
        self._purge()

    def mend(self, level: Level | None) -> None:
        """Bring one derived index (the vectors when `level` is None) up to what is published."""
        state = read_state(self.database)
        with self._disk_errors():
            target = self._target(state, state.published, state.published)
            if level is None:
                derive.update_vectors(target, self.folder)
            else:
                derive.update_keywords(target, self.folder, level)

    def _bring(self, state: State, base: int, generation: int, *, tidy: bool) -> None:
        """Make the derived indexes serve readers at both generations; `tidy`: and hold nothing older."""

        def serves(have: Stamp | None) -> bool:
            good = have is not None and have.serves(state.instance, generation)
            return good and have is not None and (not tidy or have.base >= base)

        with self._disk_errors():
            target = self._target(state, base, generation)
            have = self._vectors_stamp(state)
            if not serves(have):
                derive.update_vectors(target, self.folder)
                self._say_mended(state, have, self.folder / vectors.FILE)
            for level in keywords.LEVELS:
                have = self._keywords_stamp(level)
                if not serves(have):
                    derive.update_keywords(target, self.folder, level)
                    self._say_mended(state, have, derive.level_folder(self.folder, level))

    def _say_mended(self, state: State, had: Stamp | None, path: Path) -> None:
        if had is None and state.published > 0:
            self.notify(f"{path} was missing, damaged or of an older kind: made it anew from the database.")

    def _target(self, state: State, base: int, generation: int) -> derive.Target:
        stamp = Stamp(state.instance, base, generation)
        return derive.Target(self.database, state.spec.dimension, stamp, state.purged)

    def _vectors_stamp(self, state: State) -> Stamp | None:
        with contextlib.suppress(OSError, IndexDamaged):
            return derive.vectors_stamp(self.folder, state.spec.dimension)
        return None

    def _keywords_stamp(self, level: Level) -> Stamp | None:
        with contextlib.suppress(FileNotFoundError, IndexDamaged):
            made = KeywordIndex.open(derive.level_folder(self.folder, level)).stamp
            return made.stamp if made is not None and made.tokeniser == keywords.tokenizer()[0] else None
        return None

    def _compact(self) -> None:
        """After much was replaced: write the derived indexes without what no reader sees any more."""
        state = read_state(self.database)
        sql = "SELECT total(chunks), total(chunks) FILTER (WHERE removed <= ?) FROM contents"
        total, hidden = self.database.rows(sql, (state.published,))[0]
        if hidden > COMPACT_SHARE * total:
            self._bring(state, state.published, state.published, tidy=True)

    def _purge(self) -> None:
        """Delete rows that were removed before anything a reader or a derived index may still refer to."""
        state = read_state(self.database)
        stamps = [self._vectors_stamp(state), *(self._keywords_stamp(level) for level in keywords.LEVELS)]
        bound = min((stamp.base if stamp is not None else 0) for stamp in stamps)
        if not generations.removed_up_to(self.database, bound):
            return
        try:
            if self.lease.alone():
                self.database.atomically(lambda: generations.delete_removed(self.database, bound))
        finally:
            self.lease.share()

    def sweep(self) -> None:
        """Remove what killed writers left half-written."""
        for pattern in (f"{vectors.FILE}.*.tmp", "writer.json.*.tmp", "index.db.*.tmp*", "keywords/*/*.tmp"):
            for leftover in self.folder.glob(pattern):
                leftover.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise IndexReadOnly(f"{self.folder} may be read but not written ({error.strerror}).") from error
        except (OSError, RuntimeError) as error:
            raise IndexError_(
                f"the derived indexes in {self.folder} could not be written ({error}): free some disk space "
                "and run the same command again; everything finished so far is kept."
            ) from error
