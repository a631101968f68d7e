"""The processes that the page starts: one ingests, one draws a page. Each reads one job as JSON from standard input.

    python -m rag.ui.processes ingest|draw

An ingest in a process of its own keeps the page quick for those who ask, and can be ended at any moment: what is
finished is in the index, and the next run goes on from there. A page of an untrusted PDF can take any memory and
time, or crash the library that draws it; that costs this process alone. Each imports what it needs when it starts:
drawing a page must not wait for the ingest's packages.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from rag.errors import RagError

if TYPE_CHECKING:
    from ingest.progress import FileResult, ProgressCounts

_EVERY = 0.25
"""Seconds between two lines of progress."""
MEMORY_MIB = 2048
"""Address space of drawing; a page that needs more is not drawn."""
SECONDS = 20
"""Processor time of drawing; the caller also stops waiting."""
CANNOT = 3
"""Exit code when the page cannot be drawn; standard error says why."""


class EventWriter:
    """Writes what happens as JSON, one object a line."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._last = 0.0
        self._writing = threading.Lock()

    def started(self, counts: ProgressCounts) -> None:
        """The plan is made."""
        self._progress(counts)

    def advanced(self, counts: ProgressCounts) -> None:
        """Pages were read or chunks embedded."""
        if time.monotonic() - self._last >= _EVERY:
            self._progress(counts)

    def finished(self, result: FileResult, counts: ProgressCounts) -> None:
        """A file is done, well or not."""
        self.write({"file": result.file, "status": result.status.value, "reason": result.reason})
        self._progress(counts)

    def note(self, message: str) -> None:
        """One sentence for the visitor."""
        self.write({"note": message})

    def _progress(self, counts: ProgressCounts) -> None:
        self._last = time.monotonic()
        names = (
            "files",
            "files_done",
            "pages",
            "chunks",
            "chunks_done",
            "cost_usd",
            "fraction",
            "seconds_left",
        )
        self.write({"counts": {name: getattr(counts, name) for name in names}})

    def write(self, event: dict[str, Any]) -> None:
        """One line, at once."""
        with self._writing:
            self._out.write(json.dumps(event, ensure_ascii=True) + "\n")
            self._out.flush()


def run_ingest() -> int:
    """Ingest what the job names and write what happens; 0 when it was done, also with files that failed."""
    from ingest.options import Passwords
    from ingest.pipeline import IngestOptions, ingest
    from rag.settings import load_settings
    from rag.store import open_index
    from rag.usage.log import FILE_NAME, UsageLog
    from rag.usage.meter import UsageTotal

    # standard output is for events alone: whatever a library prints goes to standard error
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    events = EventWriter(out)
    settings = load_settings(job["flags"])
    if settings.offline:
        from rag.providers.offline import enable_offline

        enable_offline()
    try:
        options = IngestOptions(
            retry=bool(job.get("retry")),
            passwords=Passwords(by_pattern=[(name, word) for name, word in job.get("passwords", ())]),
        )
        report = ingest(job["paths"], settings=settings, options=options, progress=events)
    except RagError as error:
        events.write({"error": str(error), "kind": type(error).__name__})
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    if report.usage.calls:  # the cost of the embeddings, in the usage log beside that of the questions
        with suppress(RagError, OSError), open_index(settings.index) as opened:
            usage = UsageTotal()
            usage.add(opened.spec.embedding_model, report.usage, estimated=False)
            UsageLog(settings.folder / FILE_NAME).record("ui", usage)
    events.write({"report": report.as_dict()})
    return 0


def _stop_with_parent() -> None:
    """The pipe to the page closes when the page's process ends, however it ends."""
    with suppress(OSError, ValueError):
        sys.stdin.read()
    signal.raise_signal(signal.SIGINT)


def draw() -> int:
    """Draw the page of the job; standard output is a line of JSON with the boxes of the marks, then the PNG."""
    from rag.rendering.pages import draw_page

    job = json.loads(sys.stdin.buffer.read())
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB * 2**20, MEMORY_MIB * 2**20))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        picture = draw_page(
            job["path"],
            job["page"],
            job["quotes"],
            scale=job["scale"],
            crop=job["crop"],
            passwords=job["passwords"],
        )
    except (RagError, MemoryError) as error:
        reason = str(error) or "The page takes too much memory to be drawn."
        sys.stderr.buffer.write(reason.encode("utf-8", "replace"))
        return CANNOT
    sys.stdout.buffer.write(json.dumps(picture.boxes).encode() + b"\n" + picture.png)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_ingest() if sys.argv[1] == "ingest" else draw())
