"""A pool of reader processes: a file that crashes, hangs or swells one costs that file alone.

Messages between a reader and the main process are JSON frames on pipes. A reader parses files from anywhere, so what
it sends is data and nothing that could run: no pickle.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO

from ingest.discovery import Format
from ingest.options import MIB, ReadOptions
from ingest.reading import Reading, ReadJob, read
from rag.store.rows import table_form, table_of
from rag.types import Chunk, Page, Span, Status

_WATCH_EVERY = 0.1  # seconds
_WAITING = 8
"""Files that may have been read and not yet taken; more would pile up in memory when embedding is slow."""
_MOST_READERS = 8
_NEAR_LIMIT = 0.7
_BOOT = "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from ingest.workers import main; main()"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "TESSDATA_PREFIX")
"""Keys and tokens in the environment are no business of a process that parses files from anywhere."""


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """A file that was read, or could not be."""

    job: ReadJob
    reading: Reading
    seconds: float


Watch = Callable[[str, int], None]
"""Hears of a file's name and how many more of its pages were read. Called from several threads."""


class ReaderPool:
    """Reader processes, started when first needed and replaced when they die. A context manager."""

    def __init__(self, count: int | None, options: ReadOptions, watch: Watch) -> None:
        """So many processes; None: one for each core, up to eight."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._count = count or min(_MOST_READERS, cores)
        self._options, self._watch = options, watch
        self._outcomes: queue.Queue[ReadOutcome | BaseException | None] = queue.Queue(_WAITING)
        self._jobs: Iterator[ReadJob] = iter(())
        self._next_job = threading.Lock()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def read(self, jobs: Iterable[ReadJob]) -> Iterator[ReadOutcome]:
        """Outcomes as they come; `jobs` is drawn from as readers become free."""
        jobs = list(jobs)
        self._jobs = iter(jobs)
        count = min(self._count, len(jobs))
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        running = count
        while running:
            outcome = self._outcomes.get()
            if outcome is None:
                running -= 1
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                yield outcome

    @property
    def waiting(self) -> bool:
        """Whether an outcome can be had without waiting."""
        return not self._outcomes.empty()

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        while any(thread.is_alive() for thread in self._threads):
            with suppress(queue.Empty):  # a thread may wait for room
                self._outcomes.get(timeout=0.05)

    def _serve(self) -> None:
        reader = ReaderProcess(self._options, self._watch, self._stopped)
        try:
            while not self._stopped.is_set():
                with self._next_job:
                    job = next(self._jobs, None)
                if job is None:
                    break
                began = time.monotonic()
                reading = reader.read(job)
                if not self._stopped.is_set():
                    self._outcomes.put(ReadOutcome(job, reading, time.monotonic() - began))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that reads the outcomes
            self._outcomes.put(error)
        finally:
            reader.close()
            self._outcomes.put(None)


class _Died(Exception):
    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class ReaderProcess:
    """One process at a time, with what it takes to bring it down."""

    def __init__(self, options: ReadOptions, watch: Watch, stopped: threading.Event) -> None:
        self._options, self._watch, self._stopped = options, watch, stopped
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._in_pypdf = False

    def read(self, job: ReadJob) -> Reading:
        """Read a file, if need be again without the library that crashed or hung."""
        try:
            return self._attempt(job)
        except _Died as first:
            if first.status is Status.TOO_LARGE and not self._in_pypdf:
                return Reading(first.status, first.reason)
            retry = replace(job, use_pypdf=False) if self._in_pypdf else replace(job, use_pdfium=False)
            if job.format is not Format.PDF or self._stopped.is_set():
                return Reading(first.status, first.reason)
            try:
                again = self._attempt(retry)
            except _Died:
                return Reading(first.status, first.reason)
            return (
                again if again.status.searchable else replace(again, status=first.status, reason=first.reason)
            )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            self._process = None

    def _attempt(self, job: ReadJob) -> Reading:
        self._in_pypdf = not job.use_pdfium
        process = self._running()
        assert process.stdin is not None
        try:
            # a job holds passwords: it goes through this pipe and nowhere else
            send(
                process.stdin,
                {"job": asdict(job) | {"path": str(job.path)}, "options": asdict(self._options)},
            )
            return self._collect(job, process)
        except (BrokenPipeError, OSError):
            self.close()
            raise _Died(Status.DAMAGED, "the reader process crashed on it") from None
        except BaseException:
            self.close()
            raise

    def _collect(self, job: ReadJob, process: subprocess.Popen[bytes]) -> Reading:
        began = alive = time.monotonic()
        parts: list[dict[str, Any]] = []
        pages = seen = peak = 0
        while True:
            if self._stopped.is_set():
                raise _Died(Status.FAILED, "the run was stopped")
            try:
                frame = self._frames.get(timeout=_WATCH_EVERY)
            except queue.Empty:
                now = time.monotonic()
                peak = max(peak, _resident_mib(process.pid))
                if peak > self._options.memory_mib:
                    raise self._too_much_memory() from None
                self._check_time(now - began, now - alive, pages)
                continue
            alive = time.monotonic()
            if frame is None:
                raise self._death(process, peak)
            match frame["type"]:
                case "done":
                    self._watch(job.file, sum(len(part.get("pages", ())) for part in parts) - seen)
                    return reading_of(parts, frame)
                case "pages":
                    pages = frame["value"]
                case "page":
                    self._watch(job.file, frame["value"] - seen)
                    seen = frame["value"]
                case "stage":
                    self._in_pypdf = bool(frame["value"])
                case _:
                    parts.append(frame)

    def _check_time(self, elapsed: float, silent: float, pages: int) -> None:
        limit = self._options.seconds
        if silent > max(limit, self._options.ocr_seconds + 10 if self._options.ocr else 0):
            raise _Died(Status.TIMED_OUT, f"no page came for {silent:.0f} seconds")
        if elapsed > self._options.deadline(pages):
            raise _Died(Status.TIMED_OUT, f"took longer than {elapsed:.0f} seconds")

    def _death(self, process: subprocess.Popen[bytes], peak: int) -> _Died:
        code = process.wait()
        if peak > _NEAR_LIMIT * self._options.memory_mib:
            return self._too_much_memory()
        name = signal.Signals(-code).name if code < 0 else f"code {code}"
        return _Died(Status.DAMAGED, f"the reader process crashed on it ({name})")

    def _too_much_memory(self) -> _Died:
        limit = self._options.memory_mib
        return _Died(Status.TOO_LARGE, f"reading it takes more than {limit} MiB of memory")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
            self._frames = queue.SimpleQueue()
            threading.Thread(target=_pump, args=(self._process.stdout, self._frames), daemon=True).start()
        return self._process


def _pump(stream: Any, frames: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    with suppress(OSError, ValueError):
        while (frame := receive(stream)) is not None:
            frames.put(frame)
    frames.put(None)


def _resident_mib(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not tell this way."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // MIB


# -- the reader process -----------------------------------------------------------------------------------


_LENGTH = struct.Struct("<I")
_PART = 200
"""Pages in one frame, so that a large file is passed on in pieces."""


def send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Write one frame and flush."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """Read one frame; None at the end of the stream, also when that comes within a frame."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def reading_messages(reading: Reading) -> Iterator[dict[str, Any]]:
    """A reading as frames: its pages, chunks and tables in parts, then what the file as a whole is."""
    pages = [
        [p.number, p.text, p.status, p.reason, p.label, p.characters, p.headers_footers]
        for p in reading.pages
    ]
    chunks = [
        [c.ordinal, [[s.page, s.start, s.end] for s in c.spans], c.text, c.header, c.heading, c.tokens]
        for c in reading.chunks
    ]
    tables = [table_form(table) for table in reading.tables]
    for name, rows in (("pages", pages), ("chunks", chunks), ("tables", tables)):
        for start in range(0, len(rows), _PART):
            yield {"type": "part", name: rows[start : start + _PART]}
    whole = {"status": reading.status, "reason": reading.reason, "title": reading.title}
    yield {"type": "done", **whole, "metadata": dict(reading.metadata)}


def reading_of(parts: Sequence[Mapping[str, Any]], done: Mapping[str, Any]) -> Reading:
    """A reading from the frames before, and the one with which it was done."""
    pages, chunks, tables = (
        [row for part in parts for row in part.get(name, ())] for name in ("pages", "chunks", "tables")
    )
    return Reading(
        Status(done["status"]),
        done["reason"],
        done["title"],
        done["metadata"],
        tuple(
            Page(number, text, Status(status), reason, label, characters, tuple((a, b) for a, b in ranges))
            for number, text, status, reason, label, characters, ranges in pages
        ),
        tuple(
            Chunk(ordinal, tuple(Span(*span) for span in spans), text, header, heading, tokens)
            for ordinal, spans, text, header, heading, tokens in chunks
        ),
        tuple(map(table_of, tables)),
    )


_SIGN_EVERY = 0.1  # seconds between signs of life
_HEADROOM_MIB = 2048
"""Address space beyond the memory limit: libraries, and what is mapped but never touched."""


def main() -> None:
    """Serve jobs until the input ends."""
    inbox, outbox = _claim_streams()
    _die_with_parent(os.getppid())
    limited = False
    gc.disable()  # a file leaves few cycles and many objects; looking for the one among the other takes a tenth
    while (message := receive(inbox)) is not None:
        sent, options = message["job"], ReadOptions(**message["options"])
        typed = {
            "path": Path(sent["path"]),
            "format": Format(sent["format"]),
            "passwords": tuple(sent["passwords"]),
        }
        job = ReadJob(**sent | typed)
        if not limited:
            _limit_memory(options)
            limited = True
        try:
            reading = read(job, options, _sender(outbox))
        except MemoryError:
            reading = Reading(
                Status.TOO_LARGE, f"reading it takes more than {options.memory_mib} MiB of memory"
            )
        for part in reading_messages(reading):
            send(outbox, part)
        del reading
        gc.collect()


def _claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes, moved away from where a library might print."""
    inbox = os.fdopen(os.dup(0), "rb")
    outbox = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as we do
    return inbox, outbox


def _sender(outbox: BinaryIO) -> Callable[[str, int], None]:
    last = 0.0

    def tell(kind: str, value: int) -> None:
        nonlocal last
        now = time.monotonic()
        if kind == "page" and now - last < _SIGN_EVERY:
            return
        last = now
        send(outbox, {"type": kind, "value": value})

    return tell


def _limit_memory(options: ReadOptions) -> None:
    """A backstop behind the main process, which watches the resident memory: an allocation fails at once."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        limit = (options.memory_mib + _HEADROOM_MIB) * MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent(parent: int) -> None:
    """A reader that hangs in a library notices no closed pipe."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
