"""The process that draws one page: reads what to draw from standard input, writes the marks and a PNG.

Standard output is a line of JSON with the boxes of the marks, then the PNG.

A page of an untrusted PDF can take any memory and time, or crash the library that draws it; here that costs this
process alone. Run as `python -m rag.ui.draw_process`.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from rag.errors import RagError
from rag.rendering.pages import draw_page

MEMORY_MIB = 2048
"""Address space; a page that needs more is not drawn."""
SECONDS = 20
"""Processor time; the caller also stops waiting."""
CANNOT = 3
"""Exit code when the page cannot be drawn; standard error says why."""


def main() -> int:
    """Draw the page of the job."""
    job = json.loads(sys.stdin.buffer.read())
    _limit()
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


def _limit() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB * 2**20, MEMORY_MIB * 2**20))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    raise SystemExit(main())
