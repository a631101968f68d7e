"""`rag watch` with the hash embedder, as a process for tests that kill it: `watched_run.py FOLDER INDEX`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from ingest.options import IngestOptions
from ingest.progress import IngestReport, NoProgress
from ingest.watching import watch
from rag.settings import load_settings
from tests.ingest.support import HashEmbedder


def watched(
    folder: Path, index: Path, stop: threading.Event, embedder: HashEmbedder, on_report: object
) -> None:
    """Watch until `stop`; `on_report` gets each report."""
    settings = load_settings({"index": str(index), "workers": 1}, env={}, dotenv_path=None)
    reports = watch(
        [folder], settings=settings, options=IngestOptions(), stop=stop, progress=NoProgress(),
        failed=lambda error: print(error, file=sys.stderr), embedder=embedder,
    )  # fmt: skip
    for report in reports:
        assert isinstance(report, IngestReport)
        on_report(report)  # type: ignore[operator]


if __name__ == "__main__":
    watched(Path(sys.argv[1]), Path(sys.argv[2]), threading.Event(), HashEmbedder(), lambda _: None)
