"""The process that ingests for the page: reads one job from standard input, writes its progress line by line.

A process of its own keeps the page quick for those who ask, and can be ended at any moment: what is finished is in
the index, and the next run goes on from there. Run as `python -m rag.ui.ingest_process`.
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

from ingest.options import Passwords
from ingest.pipeline import IngestOptions, ingest
from ingest.progress import FileResult, IngestReport, ProgressCounts
from rag.errors import RagError
from rag.settings import Settings, load_settings

if TYPE_CHECKING:
    from rag.settings import Settings

_EVERY = 0.25
"""Seconds between two lines of progress."""


class EventWriter:
    """Writes what happens as JSON, one object a line."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._last = 0.0
        self._writing = threading.Lock()

    def started(self, tally: ProgressCounts) -> None:
        """The plan is made."""
        self._progress(tally)

    def advanced(self, tally: ProgressCounts) -> None:
        """Pages were read or chunks embedded."""
        if time.monotonic() - self._last >= _EVERY:
            self._progress(tally)

    def finished(self, result: FileResult, tally: ProgressCounts) -> None:
        """A file is done, well or not."""
        self.write({"file": result.file, "status": result.status.value, "reason": result.reason})
        self._progress(tally)

    def note(self, message: str) -> None:
        """One sentence for the visitor."""
        self.write({"note": message})

    def _progress(self, tally: ProgressCounts) -> None:
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
        self.write({"tally": {name: getattr(tally, name) for name in names}})

    def write(self, event: dict[str, Any]) -> None:
        """One line, at once."""
        with self._writing:
            self._out.write(json.dumps(event, ensure_ascii=True) + "\n")
            self._out.flush()


def main() -> int:
    """Do the job; 0 when it was done, also with files that failed."""
    out = _claim_output()
    job = json.loads(sys.stdin.readline())
    _stop_with_parent()
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
    _log_usage(settings, report)
    events.write({"report": report.as_dict()})
    return 0


def _claim_output() -> IO[str]:
    """Standard output for events alone: whatever a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return out


def _stop_with_parent() -> None:
    """The pipe to the page closes when the page's process ends, however it ends."""

    def watch() -> None:
        with suppress(OSError, ValueError):
            sys.stdin.read()
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


def _log_usage(settings: Settings, report: IngestReport) -> None:
    """The cost of the embeddings, in the usage log beside that of the questions."""
    from rag.store import open_index
    from rag.usage.log import FILE_NAME, UsageLog
    from rag.usage.meter import UsageTotal

    if report.usage.calls:
        with suppress(RagError, OSError), open_index(settings.index) as opened:
            usage = UsageTotal()
            usage.add(opened.spec.embedding_model, report.usage, estimated=False)
            UsageLog(settings.folder / FILE_NAME).record("ui", usage)


if __name__ == "__main__":
    raise SystemExit(main())
