"""Gives every file found the name it is cited by: unique in the index, the same in every run, and readable."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest.discovery import FoundFile
from rag.text.paths import is_on_disk, readable_name, stored_path
from rag.types import DocumentRecord

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
