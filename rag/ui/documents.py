"""Documents on their way into the index: uploads are stored, ingests run in the background.

Uploads are limited in size and kind and get names that are harmless to a file system. Ingests run one after the
other, each in a process that can be watched and cancelled.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

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
_FINISHED = 20
"""Finished jobs that are remembered, so that their outcome can be read."""
_GRACE = 10.0
"""Seconds that a cancelled job has to finish what it is writing."""
_naming = threading.Lock()


# -- uploads ------------------------------------------------------------------------------------------------------


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


def store_upload(
    folder: Path, given_name: str, content: bytes, *, largest: int, replace: str = ""
) -> StoredUpload:
    """Store `content` in `folder`; a different file of that name stays, and the new one gets a number.

    largest: in bytes. replace: the name of an upload of the same kind that it takes the place of.
    Raises UsageError for what is not taken.
    """
    name = safe_name(given_name)
    if len(content) > largest:
        raise UsageError(f"{_shown(given_name)} is larger than {largest // MIB} MB, the most that is taken.")
    if not content:
        raise UsageError(f"{_shown(given_name)} is empty.")
    signature = _SIGNATURES.get(name.rpartition(".")[2])
    if signature is not None and signature not in content[:_HEAD]:
        raise UsageError(
            f"{_shown(given_name)} is not what its name says: its first bytes are of another kind."
        )
    with _naming:
        if replace:
            if name.rpartition(".")[2] != replace.rpartition(".")[2] or safe_name(replace) != replace:
                raise UsageError(
                    f"{_shown(given_name)} cannot replace {replace}: upload a file of the same kind."
                )
            return StoredUpload(write_whole(folder / replace, content), new=True)
        folder.mkdir(parents=True, exist_ok=True)
        stem, _, suffix = name.rpartition(".")
        path, number = folder / name, 1
        while os.path.lexists(path):
            same_size = path.is_file() and not path.is_symlink() and path.stat().st_size == len(content)
            if same_size and path.read_bytes() == content:
                return StoredUpload(path, new=False)
            number += 1
            path = folder / f"{stem} ({number}).{suffix}"
        write_whole(path, content)
    return StoredUpload(path, new=True)


def discard_upload(folder: Path, path: str) -> bool:
    """Delete an uploaded file; anything outside `folder` is left alone. True when it was deleted."""
    target = Path(os.path.abspath(path))
    # the parent is resolved and the file is not: a link is removed, what it points to stays
    if target.parent.resolve() != folder.resolve():
        return False
    with suppress(OSError):
        target.unlink()
        return True
    return False


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore").rstrip(". ")


def _shown(given: str) -> str:
    return _cut(safe_text(given).strip(), _LONGEST) or "The file"


# -- ingests ------------------------------------------------------------------------------------------------------


class JobState(StrEnum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True)
class IngestJob:
    """One ingest: its paths, and how far it is. Read it at any time."""

    id: int
    label: str
    paths: tuple[str, ...]
    retry: bool = False
    passwords: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Patterns of file names with the password to try on them; never written down."""
    state: JobState = JobState.WAITING
    counts: Mapping[str, Any] = field(default_factory=dict)
    """The last `ingest.progress.ProgressCounts` that was reported, by field."""
    files: list[tuple[str, str, str]] = field(default_factory=list)
    """(file, status, reason) of what is finished."""
    notes: list[str] = field(default_factory=list)
    report: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    error_kind: str = ""
    """Name of the error's class."""

    @property
    def active(self) -> bool:
        return self.state in (JobState.WAITING, JobState.RUNNING)

    @property
    def fraction(self) -> float:
        """From 0 to 1: how much is done."""
        return min(max(float(self.counts.get("fraction") or 0.0), 0.0), 1.0)


class IngestQueue:
    """The queue of ingests of one index; one runs at a time, since an index has one writer."""

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self._flags = dict(flags)
        self._ids = count(1)
        self._all: list[IngestJob] = []
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._running: IngestJob | None = None
        threading.Thread(target=self._serve, name="rag-ui-ingest", daemon=True).start()
        atexit.register(self.stop)

    def submit(
        self,
        label: str,
        paths: Sequence[str],
        *,
        retry: bool = False,
        passwords: tuple[tuple[str, str], ...] = (),
    ) -> IngestJob:
        """Queue an ingest of `paths`. One that waits for the same paths already is returned instead."""
        with self._changed:
            for job in self._all:
                if job.state is JobState.WAITING and (job.paths, job.retry, job.passwords) == (
                    tuple(paths),
                    retry,
                    passwords,
                ):
                    return job
            job = IngestJob(next(self._ids), label, tuple(paths), retry, passwords)
            finished = [one for one in self._all if not one.active]
            for old in finished[: max(len(finished) - _FINISHED, 0)]:
                self._all.remove(old)
            self._all.append(job)
            self._changed.notify_all()
            return job

    def all(self) -> list[IngestJob]:
        """The newest first."""
        with self._changed:
            return list(reversed(self._all))

    def newest(self) -> list[IngestJob]:
        """The newest first; of several ingests of the same files the newest alone."""
        return list({job.label: job for job in reversed(self.all())}.values())[::-1]

    def handled_since(self, job: IngestJob) -> set[str]:
        """The files that later ingests than `job` have dealt with, or were begun for."""
        later = [one for one in self.all() if one.id > job.id]
        return {one.label for one in later} | {file for one in later for file, _, _ in one.files}

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return any(job.active for job in self.all())

    def cancel(self, identity: int) -> None:
        """End a job; the files that it finished stay in the index."""
        with self._changed:
            job = next((j for j in self._all if j.id == identity and j.active), None)
            if job is None:
                return
            job.state = JobState.CANCELLED
            process = self._process if job is self._running else None
        if process is not None:
            _end(process)

    def stop(self) -> None:
        """End what runs: the page's process is about to end."""
        process = self._process
        if process is not None:
            _end(process)

    def _serve(self) -> None:
        while True:
            with self._changed:
                while (job := next((j for j in self._all if j.state is JobState.WAITING), None)) is None:
                    self._changed.wait()
                job.state = JobState.RUNNING
                self._running = job
            try:
                self._run(job)
            except OSError as error:
                job.state, job.error = JobState.FAILED, f"The ingest could not be started: {error}."
            finally:
                self._running = None

    def _run(self, job: IngestJob) -> None:
        command = [sys.executable, "-m", "rag.ui.processes", "ingest"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            self._process = process
            request = {
                "paths": job.paths,
                "flags": self._flags,
                "retry": job.retry,
                "passwords": job.passwords,
            }
            with suppress(OSError):
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            if job.state is JobState.CANCELLED:  # while it was being started
                _end(process)
            for line in process.stdout:
                _read_event(job, line)
            code = process.wait()
        self._process = None
        if job.state is JobState.RUNNING:
            job.state = JobState.DONE if code == 0 else JobState.FAILED
            if code != 0 and not job.error:
                job.error = f"The ingest ended unexpectedly (code {code}); what is finished is kept."


def _read_event(job: IngestJob, line: str) -> None:
    """Read one event of the process."""
    try:
        event = json.loads(line)
    except ValueError:
        return
    if "counts" in event:
        job.counts = event["counts"]
    elif "file" in event:
        job.files.append((event["file"], event["status"], event["reason"]))
    elif "note" in event:
        job.notes.append(event["note"])
    elif "report" in event:
        job.report = event["report"]
    elif "error" in event:
        job.error, job.error_kind = event["error"], event.get("kind", "")


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it to stop, and make it when it does not."""

    def insist() -> None:
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()

    with suppress(OSError):
        process.terminate()
    threading.Thread(target=insist, daemon=True).start()
