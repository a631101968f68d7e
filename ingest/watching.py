"""Keeps an index up to date with folders: every change on the disk leads to a run of `ingest`.

A run compares the whole folder with the index, so that nothing depends on which events were seen: after a restart, a
kill or a lost event the next run finds what there is to do. A renamed file costs nothing, a changed one only itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.discovery import discover
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.progress import IngestProgress, IngestReport
from rag.errors import BudgetReached, MissingExtra, RagError
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider

QUIET = 400
"""Milliseconds without a change after which a burst of changes is over."""
LONGEST_BURST = 5_000
"""Milliseconds after which a burst that does not end is taken in as far as it is."""
TICK = 500
"""Milliseconds between looks at whether to stop."""
LOOK_AGAIN = 60.0
"""Seconds without a change after which the folders are compared anyway: network drives tell of no changes, and what a
model's server refused is tried again."""


def watch(
    paths: Sequence[str | Path],
    *,
    settings: Settings,
    options: IngestOptions,
    stop: threading.Event,
    progress: IngestProgress,
    failed: Callable[[RagError], None],
    embedder: EmbeddingProvider | None = None,
) -> Iterator[IngestReport]:
    """Bring the index up to date now and after every change, until `stop`; a report for each run that did something.

    Files that are gone leave the index, except when all are: then a drive is missing rather than its files. `failed`
    gets the error of a run; the next change is another try. `embedder` is as in `ingest`.

    Raises UsageError for a path that does not exist at the beginning, MissingExtra, BudgetReached.
    """
    try:
        from watchfiles import watch as changes
    except ImportError:
        raise MissingExtra("watchfiles", "watch", "Watching folders") from None
    own = settings.folder.resolve()

    def is_ours(_change: object, path: str) -> bool:
        return own != Path(path) and own not in Path(path).parents

    batches = changes(
        *paths,
        watch_filter=is_ours,
        debounce=LONGEST_BURST,
        step=QUIET,
        stop_event=stop,
        rust_timeout=TICK,
        yield_on_timeout=True,
        raise_interrupt=True,
    )
    next(batches, None)  # from here on changes are seen, also those made during a run
    first, looked = True, 0.0
    while not stop.is_set():
        try:
            found = discover(paths, globs=options.globs, excludes=options.excludes, skip=[settings.folder])
            chosen = replace(options, prune=any(file.problem is None for file in found.files))
            report = ingest(paths, settings=settings, options=chosen, progress=progress, embedder=embedder)
            if report.files or report.renamed or report.pruned:
                yield report
        except BudgetReached:
            raise
        except RagError as error:
            if first:
                raise
            failed(error)
        first, looked = False, time.monotonic()
        for batch in batches:
            if batch or time.monotonic() - looked > LOOK_AGAIN:
                break
