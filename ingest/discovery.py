"""Finds the documents below the given paths, and gives each the name it is cited by.

The walk is recursive, without hidden files, and safe against symlink loops. A name is unique in the index, the same
in every run, and readable.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from rag.errors import UsageError
from rag.text.normalise import display_name
from rag.text.paths import is_on_disk, readable_name, stored_path
from rag.types import DocumentRecord, Status


class Format(StrEnum):
    PDF = "pdf"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    HWPX = "hwpx"
    HWP = "hwp"
    UNSUPPORTED = "unsupported"


_BY_SUFFIX = {
    ".pdf": Format.PDF,
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xhtml": Format.HTML,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".docx": Format.DOCX,
    ".docm": Format.DOCX,
    ".xlsx": Format.XLSX,
    ".xlsm": Format.XLSX,
    ".pptx": Format.PPTX,
    ".pptm": Format.PPTX,
    ".ppsx": Format.PPTX,
    ".hwpx": Format.HWPX,
    ".hwp": Format.HWP,
}
_SAVE_AS = {
    ".doc": "DOCX or PDF",
    ".rtf": "DOCX or PDF",
    ".odt": "DOCX or PDF",
    ".ppt": "PPTX or PDF",
    ".xls": "XLSX",
    ".xlsb": "XLSX",
    ".ods": "XLSX",
    ".odp": "PPTX or PDF",
}
_OWN_FOLDERS = ("index.db", "run.json")
"""Files by which a folder is one that this program wrote: an index, a run of an evaluation."""
_OWN_FILE = (b'"pagequote-answer/', b'"pagequote-session/')
_LARGEST_OWN = 16 * 1024 * 1024
# The header may stand anywhere in the first 1,024 bytes (PDF 1.7 reference, appendix H, note 13).
_PDF_HEADER_WITHIN = 1024


def format_of(path: Path) -> Format:
    """The format of a file, by its suffix; a PDF under any other name is recognised by its header.

    Raises OSError when the file cannot be opened.
    """
    known = _BY_SUFFIX.get(path.suffix.lower())
    if known is not None:
        return known
    with path.open("rb") as file:
        return Format.PDF if b"%PDF-" in file.read(_PDF_HEADER_WITHIN) else Format.UNSUPPORTED


def unsupported_reason(path: Path) -> str:
    """One phrase for the ingest report: what the file is, and the format to save it in where there is one."""
    suffix = path.suffix.lower()
    other = _SAVE_AS.get(suffix)
    kind = f"{suffix} files are not read" if suffix else "no known file type"
    return f"{kind}: save it as {other}" if other else kind


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file on disk, before it is read."""

    file: str
    """Its readable path relative to its root, with `/`, composed. `unique_names` makes it the name it is cited by."""
    path: Path
    root: Path
    size: int
    mtime_ns: int
    format: Format
    problem: Status | None = None
    """UNSUPPORTED or UNREADABLE when that is known before reading."""
    reason: str = ""


@dataclass(slots=True)
class Discovery:
    """What a walk found."""

    files: list[FoundFile] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Folders that could not be entered, one sentence each."""


def discover(
    paths: Sequence[str | Path],
    *,
    globs: Sequence[str] = (),
    excludes: Sequence[str] = (),
    skip: Sequence[Path] = (),
) -> Discovery:
    """Walk `paths` (folders and files) and list every file that is not hidden, by name within its root.

    `globs` keep only files whose relative name, or last component, matches one of them; `excludes` drop files
    and folders the same way. `skip` are folders never entered, such as the index itself. Symlinked folders
    are followed, each real folder once. A file reached by several names counts once. Saved answers, exported
    sessions, indexes and runs of an evaluation that lie in a folder are no documents and are left out.

    Raises UsageError when a path does not exist.
    """
    found = Discovery()
    seen: set[tuple[int, int]] = set()
    walk = _Walk(tuple(globs), tuple(excludes), {s.resolve() for s in skip}, found.notes)
    for given in paths:
        root = Path(given)
        if _is_missing(root):
            raise UsageError(f"{given} does not exist: give a folder or a file.")
        top = root if os.path.isdir(root) else root.parent
        found.roots.append(_absolute(root))
        for path in walk.files(root):
            file = _describe(path, top)
            identity = _identity(path)
            if file is None or identity in seen:
                continue
            if identity is not None:
                seen.add(identity)
            found.files.append(file)
    return found


class _Walk:
    """Lists files. `os.path.isdir` says False where `Path.is_dir` raises for want of permissions."""

    def __init__(
        self, globs: tuple[str, ...], excludes: tuple[str, ...], skip: set[Path], notes: list[str]
    ) -> None:
        self._globs, self._excludes, self._skip, self._notes = globs, excludes, skip, notes
        self._entered: set[tuple[int, int]] = set()

    def files(self, root: Path) -> Iterator[Path]:
        if not os.path.isdir(root):
            yield root  # named by hand: neither globs nor the rule about hidden files apply
            return
        pending = [root]
        while pending:
            folder = pending.pop()
            if not self._enter(folder):
                continue
            folders: list[Path] = []
            for path in self._children(folder):
                name = readable_name(path.relative_to(root))
                if path.name.startswith((".", "~$")) or _matches(name, self._excludes):
                    continue
                if os.path.isdir(path):
                    if not any(os.path.isfile(path / own) for own in _OWN_FOLDERS):
                        folders.append(path)
                elif (not self._globs or _matches(name, self._globs)) and not _is_own(path):
                    yield path
            pending.extend(reversed(folders))

    def _enter(self, folder: Path) -> bool:
        """Whether this real folder is entered for the first time (a loop of symlinks comes back to one)."""
        key = _identity(folder)
        if key is None or key in self._entered or folder.resolve() in self._skip:
            return False
        self._entered.add(key)
        return True

    def _children(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir(), key=lambda p: p.name)
        except OSError as error:
            self._notes.append(f"The folder {folder} could not be read: {error.strerror}.")
            return []


def _is_own(path: Path) -> bool:
    """Whether a file is a saved answer, or an exported session."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return "session.json" in archive.namelist() and _OWN_FILE[1] in archive.read("session.json")
        if suffix != ".json" or path.stat().st_size > _LARGEST_OWN:
            return False
        content = path.read_bytes()
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        return False
    return any(mark in content for mark in _OWN_FILE)


def _describe(path: Path, top: Path) -> FoundFile | None:
    """The file as found, or None for what is not a regular file (a socket, a device, a dangling link)."""
    name = readable_name(path.relative_to(top))
    try:
        stat = path.stat()
        if not path.is_file():
            return None
        kind = format_of(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or "cannot be opened"
        return FoundFile(name, _absolute(path), top, 0, 0, Format.UNSUPPORTED, Status.UNREADABLE, reason)
    problem, reason = (
        (Status.UNSUPPORTED, unsupported_reason(path)) if kind is Format.UNSUPPORTED else (None, "")
    )
    return FoundFile(name, _absolute(path), top, stat.st_size, stat.st_mtime_ns, kind, problem, reason)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a relative name, or its last component, matches; a leading `**/` may be empty."""
    last = name.rpartition("/")[2]
    for given in patterns:
        pattern = display_name(given).removeprefix("./").rstrip("/")
        if fnmatchcase(name, pattern) or fnmatchcase(last, pattern):
            return True
        if pattern.startswith("**/") and fnmatchcase(name, pattern[3:]):
            return True
    return False


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None for what may not be looked at, and for a link that leads to itself."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


_DIGEST_LENGTH = 8
"""Hexadecimal digits that tell apart two paths whose readable names are equal: enough for any folder."""


def unique_names(files: Sequence[FoundFile], sources: Sequence[DocumentRecord] = ()) -> list[FoundFile]:
    """The files with their names, in the order given. `sources` are the documents of the index.

    A path that the index holds keeps its name. Any other takes its path relative to its root; when another file
    bears that name, as many parent folders as needed come in front of it, and a digest of the path as the last
    resort. A name is free again once the file that bore it is gone from the disk.
    """
    by_path = {source.path: source.file for source in sources if "\ufffd" not in source.file}
    names = {stored_path(file.path): by_path.get(stored_path(file.path), "") for file in files}
    taken = {name for name in names.values() if name}
    taken |= {s.file for s in sources if s.path not in names and is_on_disk(s.path)}
    named: list[FoundFile] = []
    for file in files:
        name = names[stored_path(file.path)] or next(n for n in _candidates(file) if n not in taken)
        taken.add(name)
        named.append(replace(file, file=name))
    return named


def _candidates(file: FoundFile) -> Iterator[str]:
    """Names for a file, best first; the last is unique."""
    top = Path(os.path.abspath(file.root))
    relative = file.path.relative_to(top)
    for folder in (top, *top.parents):
        name = readable_name(file.path.relative_to(folder))
        if name:
            yield name
    last = PurePosixPath(readable_name(relative) or "file")
    digest = hashlib.sha256(os.fsencode(file.path)).hexdigest()[:_DIGEST_LENGTH]
    yield str(last.with_name(f"{last.stem}~{digest}{last.suffix}"))
