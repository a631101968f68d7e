"""File names as text (readable when their bytes are not UTF-8, stored so that the file can be found again), and files
written whole.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from rag.text.normalise import display_name
from rag.text.patterns import lazy_compile

_STORED_BYTE = lazy_compile(r"\\udc([89a-f][0-9a-f])")


def readable_name(path: Path) -> str:
    """A relative path with `/` as it is shown and stored.

    A part whose bytes are not UTF-8 is read as CP949, the code page of Korean archives, when that gives Hangul;
    otherwise each byte that cannot be read is written as `%B0`. Two paths can have the same readable name.
    """
    return display_name("/".join(_readable_part(part) for part in path.parts if part != "/"))


def stored_path(path: Path) -> str:
    """A path as valid Unicode; bytes that are not UTF-8 are written as `\\udcb0`. `path_of` reads it back."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def path_of(stored: str) -> Path:
    """The path that `stored_path` was given. A name that holds a literal `\\udcb0` is preferred when it exists."""
    if _STORED_BYTE.search(stored) and not os.path.lexists(stored):
        return Path(_STORED_BYTE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), stored))
    return Path(stored)


def is_on_disk(stored: str) -> bool:
    """Whether something is at a stored path, also when it may not be looked at: only what is surely gone is gone."""
    try:
        path_of(stored).lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return bool(stored)


def write_whole(path: Path, content: bytes) -> Path:
    """Write the file whole or not at all, making its folder: who reads the folder meanwhile sees no half of it.

    A link planted under the name is replaced, never followed. Returns the path. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.is_symlink():
        raise NotADirectoryError(str(path.parent))
    handle, beside = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    return path


def _readable_part(part: str) -> str:
    try:
        part.encode("utf-8")
        return part
    except UnicodeEncodeError:
        data = os.fsencode(part)
    try:
        korean = data.decode("cp949")
    except UnicodeDecodeError:
        korean = ""
    if any("가" <= character <= "힣" for character in korean):
        return korean
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in part)
