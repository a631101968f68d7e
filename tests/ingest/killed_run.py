"""An ingest in a process of its own, for tests that kill it: `killed_run.py FOLDER INDEX LOG`.

Every text that the embedder is paid for is written to LOG before its vector is handed over.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tests.ingest.support import HashEmbedder, run

BATCH = 4


class LoggedEmbedder(HashEmbedder):
    """Slow enough to be killed between two batches, and leaves a trace of each."""

    def __init__(self, log: Path) -> None:
        super().__init__(BATCH)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def embed(self, texts, on_batch=None):  # type: ignore[no-untyped-def]
        def logged(places, vectors):  # type: ignore[no-untyped-def]
            os.write(self._log, "".join(json.dumps(texts[p]) + "\n" for p in places).encode())
            time.sleep(0.01)
            on_batch(places, vectors)

        return super().embed(texts, logged)


if __name__ == "__main__":
    folder, index, log = sys.argv[1:]
    run(Path(folder), index, embedder=LoggedEmbedder(Path(log)))
