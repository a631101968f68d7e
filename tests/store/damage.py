"""Changing the files of an index as a copy from elsewhere would: put in place whole, never under somebody's feet.

A process that has just opened the index may still map the old file for a moment, in a thread of Tantivy's that
nothing waits for; cutting the file short in place would end that process, and no index is changed this way.
"""

from __future__ import annotations

import os
from pathlib import Path


def put_in_place(path: Path, content: bytes) -> None:
    """Replace the file at `path` by one with this content."""
    beside = path.parent.parent / f"{path.name}.beside"
    beside.write_bytes(content)
    os.replace(beside, path)
