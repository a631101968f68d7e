"""Stores files from visitors: limited in size and kind, under names that are harmless to a file system."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from rag.errors import UsageError
from rag.rendering.safe import safe_text
from rag.text.paths import write_whole

KINDS = ("pdf", "docx", "pptx", "xlsx", "hwpx", "hwp", "md", "txt", "html", "htm", "csv")
MIB = 1024 * 1024
_LONGEST = 150  # bytes of a name in UTF-8; file systems allow 255, and a suffix or a number may be added
_RESERVED = re.compile(r'[<>:"|?*\\/]')
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_SIGNATURES = {"pdf": b"%PDF-"} | dict.fromkeys(("docx", "pptx", "xlsx", "hwpx"), b"PK\x03\x04")
_HEAD = 1024
_naming = threading.Lock()


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An upload as it was stored."""

    path: Path
    new: bool
    """False when the same bytes were there already under this name."""


def safe_name(given: str) -> str:
    """A plain file name in place of whatever a browser sent; letters of any language stay.

    Raises UsageError when the kind is not among `KINDS`, or nothing is left of the name.
    """
    given = given.encode("utf-8", "replace").decode()  # a lone surrogate is no name for a file
    name = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    name = _RESERVED.sub("_", safe_text(name).replace("\n", " ").replace("\t", " "))
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix.lower() not in KINDS:
        raise UsageError(f"{_shown(given)} is not taken: upload {', '.join(k.upper() for k in KINDS)} files.")
    stem = stem.strip(". ")
    if not stem:
        raise UsageError(f"{_shown(given)} has no name: give it one and upload it again.")
    if _DEVICES.match(stem):
        stem = f"_{stem}"
    return f"{_cut(stem, _LONGEST)}.{suffix.lower()}"


def store(folder: Path, given_name: str, content: bytes, *, largest: int, replace: str = "") -> StoredUpload:
    """Store `content` in `folder`; a different file of that name stays, and the new one gets a number.

    largest: in bytes. replace: the name of an upload of the same kind that it takes the place of.
    Raises UsageError for what is not taken.
    """
    name = safe_name(given_name)
    _check(name, given_name, content, largest)
    with _naming:
        if replace:
            if name.rpartition(".")[2] != replace.rpartition(".")[2] or safe_name(replace) != replace:
                raise UsageError(
                    f"{_shown(given_name)} cannot replace {replace}: upload a file of the same kind."
                )
            return StoredUpload(write_whole(folder / replace, content), new=True)
        folder.mkdir(parents=True, exist_ok=True)
        path, taken = _free(folder, name, content)
        if taken:
            return StoredUpload(path, new=False)
        write_whole(path, content)
    return StoredUpload(path, new=True)


def discard(folder: Path, path: str) -> bool:
    """Delete an uploaded file; anything outside `folder` is left alone. True when it was deleted."""
    target = Path(os.path.abspath(path))
    # the parent is resolved and the file is not: a link is removed, what it points to stays
    if target.parent.resolve() != folder.resolve():
        return False
    with contextlib.suppress(OSError):
        target.unlink()
        return True
    return False


def _check(name: str, given: str, content: bytes, largest: int) -> None:
    if len(content) > largest:
        raise UsageError(f"{_shown(given)} is larger than {largest // MIB} MB, the most that is taken.")
    if not content:
        raise UsageError(f"{_shown(given)} is empty.")
    signature = _SIGNATURES.get(name.rpartition(".")[2])
    if signature is not None and signature not in content[:_HEAD]:
        raise UsageError(f"{_shown(given)} is not what its name says: its first bytes are of another kind.")


def _free(folder: Path, name: str, content: bytes) -> tuple[Path, bool]:
    """Where to put the content, and whether it is there already."""
    stem, _, suffix = name.rpartition(".")
    number = 1
    path = folder / name
    while os.path.lexists(path):
        if path.is_file() and not path.is_symlink() and _same(path, content):
            return path, True
        number += 1
        path = folder / f"{stem} ({number}).{suffix}"
    return path, False


def _same(path: Path, content: bytes) -> bool:
    if path.stat().st_size != len(content):
        return False
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore").rstrip(". ")


def _shown(given: str) -> str:
    return _cut(safe_text(given).strip(), _LONGEST) or "The file"
