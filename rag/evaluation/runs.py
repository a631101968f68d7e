"""A run on disk: `run.json` says what was asked of what, `records.jsonl` holds one line for each question.

A line is written whole and synced before the next question counts as done, so a kill costs at most the
questions in flight. A torn last line is cut off when the run goes on.

A run can be written as an evaluation dataset of RAGAS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from rag.errors import RagError, UsageError
from rag.evaluation.question_sets import Question, fingerprint
from rag.types import Answer, Passage


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the result list, without its text."""

    file: str
    page: int
    page_end: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """One question of a run with what came back."""

    question: Question
    found: tuple[Found, ...] = ()
    """The result list, best first, deeper than what the answer was given."""
    answer: Answer | None = None
    """None when the run only searched, and when the question failed."""
    error: str = ""
    """The sentence of the error that this question ended in."""

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def failed(self) -> bool:
        return bool(self.error)


def results_of(passages: Iterable[Passage]) -> tuple[Found, ...]:
    """The result list of some passages."""
    return tuple(Found(p.file, p.page, max(p.page, p.page_end), p.score) for p in passages)


@lru_cache(maxsize=1)
def _record_type() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


FORMAT = 1
MANIFEST = "run.json"
RECORDS = "records.jsonl"
PAID = "paid.db"
"""Replies of questions that have no record yet (`rag.usage.replies`)."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run with the records that it has, in the order of its questions."""

    folder: Path
    manifest: Mapping[str, Any]
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def complete(self) -> bool:
        """Whether every question was asked."""
        return len(self.records) >= int(self.manifest.get("questions", 0))

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the answers depend on: model, prompt, k, fingerprints, index."""
        value = self.manifest.get("settings", {})
        return value if isinstance(value, dict) else {}


@dataclass(slots=True)
class RunFolder:
    """A run being written. Use as a context manager; one process at a time."""

    path: Path
    finished: dict[str, Record] = field(default_factory=dict)
    """What earlier attempts answered. Failed questions are not among them: they are asked again."""
    _file: Any = None
    _lock: Any = None

    @property
    def paid(self) -> Path:
        return self.path / PAID

    def __enter__(self) -> RunFolder:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RagError(f"{self.path} is being written by another `rag eval`: wait for it.") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._lock.release()

    def begin(
        self, questions: Sequence[Question], settings: Mapping[str, Any], *, restart: bool = False
    ) -> None:
        """Start the run, or go on with the one that is there unless `restart` throws it away.

        Raises UsageError when the one that is there asked other questions or had other settings.
        """
        manifest = {
            "format": FORMAT,
            "questions": len(questions),
            "questions_fingerprint": fingerprint(questions),
            "order": [question.id for question in questions],
            # through JSON and back, so that what is compared is what was stored
            "settings": json.loads(json.dumps(dict(settings), default=str)),
        }
        if restart:
            (self.path / MANIFEST).unlink(missing_ok=True)
        if (self.path / MANIFEST).exists():
            _check_same(self.path, read_manifest(self.path), manifest)
            self.finished = self._repair()
        else:
            for name in (RECORDS, PAID):  # without their run.json they say nothing
                (self.path / name).unlink(missing_ok=True)
            self.write_manifest(manifest)
        self._file = (self.path / RECORDS).open("ab")

    def append(self, record: Record) -> None:
        """Write a record so that it survives a kill the moment this returns."""

        def plain(value: object) -> Any:
            """NumPy numbers and the like in `Answer.extra`."""
            item = getattr(value, "item", None)
            return item() if callable(item) else str(value)

        line = json.dumps(asdict(record), ensure_ascii=False, default=plain) + "\n"
        self._file.write(line.encode("utf-8", "replace"))
        self._file.flush()
        os.fsync(self._file.fileno())

    def note(self, **entries: Any) -> None:
        """Add entries to the manifest: times, totals."""
        self.write_manifest({**read_manifest(self.path), **entries})

    def tidy(self) -> None:
        """Remove the file of replies when every question has its record."""
        done = sum(not record.failed for record in self.finished.values())
        if done >= int(read_manifest(self.path)["questions"]):
            self.paid.unlink(missing_ok=True)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace `run.json` in one step."""
        temporary = self.path / (MANIFEST + ".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(dict(manifest), file, ensure_ascii=False, indent=2, default=str)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / MANIFEST)

    def _repair(self) -> dict[str, Record]:
        """Cut a torn last line off and return the records that need no second asking."""
        path = self.path / RECORDS
        whole = 0
        finished: dict[str, Record] = {}
        for start, line, record in _lines(path):
            finished[record.id] = record
            whole = start + len(line)
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(whole)
                if whole and not line.endswith(b"\n"):
                    file.seek(whole)
                    file.write(b"\n")
        return {identity: record for identity, record in finished.items() if not record.failed}


def read_manifest(folder: Path) -> dict[str, Any]:
    """`run.json` of a run. Raises UsageError when there is none, RagError when it is damaged or newer."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{folder} is not a run: it has no {MANIFEST}. `rag eval QUESTIONS --out {folder}` makes one."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RagError(f"{folder / MANIFEST} cannot be read ({error}): run `rag eval` again.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RagError(f"{folder / MANIFEST} has a format that this version does not read: run it again.")
    return manifest


def load_run(folder: str | Path) -> Run:
    """A run from its folder; of a question that was asked again, the last record counts.

    Raises UsageError when there is no run, RagError when it is damaged.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    records = {record.id: record for _, _, record in _lines(path / RECORDS)}
    position = {identity: at for at, identity in enumerate(manifest.get("order", []))}
    ordered = sorted(records.values(), key=lambda record: position.get(record.id, len(position)))
    return Run(path, manifest, tuple(ordered))


def _lines(path: Path) -> Iterator[tuple[int, bytes, Record]]:
    """Offset, bytes and record of every line; a torn last one is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    start = 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        try:
            yield start, line, _record_type().validate_json(line)
        except ValueError:
            if start + len(line) < len(data):
                raise RagError(
                    f"{path}:{number}: this line is not a record of a run: remove it, and its question is "
                    "asked again."
                ) from None
        start += len(line)


def _check_same(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    if old.get("questions_fingerprint") != new["questions_fingerprint"]:
        raise UsageError(f"{folder} holds a run over other questions: give another --out, or --restart.")
    before, now = old.get("settings", {}), new["settings"]
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if changed:
        what = ", ".join(f"{name} ({before.get(name)!r}, now {now.get(name)!r})" for name in changed)
        raise UsageError(f"{folder} holds a run with another {what}: give another --out, or --restart.")


def write_ragas(records: Iterable[Record], path: str | Path) -> int:
    """Write a RAGAS evaluation dataset (version 0.2 and later) as JSON Lines, for `EvaluationDataset.from_jsonl`.

    It has a row for each question that was answered; returns how many.
    """
    lines = []
    for record in records:
        if record.answer is None:
            continue
        evidence = [e.text for e in record.question.evidence if e.text]
        row = {
            "user_input": record.question.question,
            "retrieved_contexts": [passage.text for passage in record.answer.passages],
            "response": record.answer.text,
        }
        if record.question.answers:
            row["reference"] = record.question.answers[0]
        if evidence:
            row["reference_contexts"] = evidence
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    Path(path).write_text("".join(lines), encoding="utf-8")
    return len(lines)
