"""Small files kept for an index: the last answer, chats, pictures. In the index's folder, or the user's own."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from rag.index_location import is_url, user_folder
from rag.text.paths import write_whole

LAST_ANSWER = "last-answer.json"
_LARGEST = 32 * 1024 * 1024  # bytes; an index that came from elsewhere may hold anything under these names


def write_state(index: str, name: str, value: object) -> Path | None:
    """Write `value` as `name` (such as `sessions/monday.json`) for the index, whole or not at all.

    Returns the path; None when neither the index's folder nor the user's can be written.
    """
    return write_state_bytes(
        index, name, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    )


def write_state_bytes(index: str, name: str, content: bytes) -> Path | None:
    """As `write_state`, for what is no JSON."""
    for folder in _folders(index):
        with contextlib.suppress(OSError):
            return write_whole(folder / name, content)
    return None


def read_state_file(index: str, name: str) -> Any:
    """What was kept as `name`, the newer one of both places; None when there is none that can be read."""
    for path in sorted((f / name for f in _folders(index) if (f / name).is_file()), key=_age):
        with contextlib.suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
            return json.loads(file.read(_LARGEST))
    return None


def state_file_names(index: str, folder: str) -> list[str]:
    """The names below `folder` (`sessions`), the newest first."""
    paths = [path for place in _folders(index) for path in (place / folder).glob("*.json")]
    return list(dict.fromkeys(f"{folder}/{path.name}" for path in sorted(paths, key=_age)))


def _folders(index: str) -> tuple[Path, ...]:
    own = user_folder(index)
    if is_url(index):
        return (own,)
    folder = Path(index)
    return (folder, own) if folder.is_dir() else (own,)


def _age(path: Path) -> float:
    """Seconds since the file was written, up to a constant: the newest comes first."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
