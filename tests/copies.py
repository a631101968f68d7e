"""A copy of the index that all tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

LEFT_BY_READERS = ("last-answer.json*", "sessions", ".*.tmp", "*.lock")
"""Others ask the shared index meanwhile: what that leaves, or is just being written, is not part of a copy."""


def copy_index(index: Path, to: Path) -> Path:
    """The index as it was made, in the folder `to`, free to be written."""
    return Path(shutil.copytree(index, to, ignore=shutil.ignore_patterns(*LEFT_BY_READERS)))
