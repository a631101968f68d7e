"""Ingests run in the background, can be watched and cancelled, and never take the page down."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pypdf import PdfWriter

from rag.errors import IndexLocked
from rag.store import open_index
from rag.types import Answer, Status
from rag.ui.documents import IngestJob, IngestQueue, JobState
from rag.ui.suggestions import answered_questions
from rag.ui.workspace import UiOptions, Workspace
from tests.copies import copy_index

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
NAME = "가람시립박물관-관람-및-대관-안내.pdf"


def _until(condition: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def _ended(job: IngestJob) -> JobState:
    _until(lambda: not job.active)
    return job.state


def test_uploads_are_ingested_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    workspace = Workspace(UiOptions(flags={"index": str(tmp_path / "index"), "model": "extractive"}))
    damaged = (SAMPLE / "tarn-340-user-manual.pdf").read_bytes()[:2000]
    files = [("../" + NAME, (SAMPLE / NAME).read_bytes()), ("damaged.pdf", damaged), ("virus.exe", b"MZ")]
    job, problems = workspace.upload(files)
    assert job is not None
    assert len(problems) == 1
    assert "virus.exe" in problems[0]
    assert _ended(job) is JobState.DONE, job.error
    assert job.fraction == 1.0
    assert {file: status for file, status, _ in job.files} == {NAME: "ok", "damaged.pdf": "damaged"}
    index = workspace.shared_index.index()
    assert index is not None
    assert {s.file: s.status for s in index.documents()} == {NAME: Status.OK, "damaged.pdf": Status.DAMAGED}
    assert sorted(p.name for p in workspace.uploads.iterdir()) == ["damaged.pdf", NAME]

    workspace.remove([NAME])
    index = workspace.shared_index.index()
    assert index is not None
    assert [s.file for s in index.documents()] == ["damaged.pdf"]
    assert [p.name for p in workspace.uploads.iterdir()] == ["damaged.pdf"]


def test_removing_what_was_not_uploaded_leaves_the_file(sample_index: Path, tmp_path: Path) -> None:
    copy_index(sample_index, tmp_path / "index")
    workspace = Workspace(UiOptions(flags={"index": str(tmp_path / "index")}))
    with open_index(tmp_path / "index") as other, other.writer(), pytest.raises(IndexLocked):
        workspace.remove([NAME])
    workspace.remove([NAME])
    assert (SAMPLE / NAME).exists()
    index = workspace.shared_index.index()
    assert index is not None
    assert index.document(NAME) is None


def test_a_job_that_fails_says_why_and_the_next_one_runs(tmp_path: Path) -> None:
    jobs = IngestQueue({"index": str(tmp_path / "index")})
    failing = jobs.submit("missing", [str(tmp_path / "missing")])
    wish = ("faq", [str(SAMPLE / "wexcombe-volunteer-faq.md")])
    following = jobs.submit(*wish)
    assert jobs.submit(*wish) is following  # the same wish waits once
    assert _ended(failing) is JobState.FAILED
    assert "missing" in failing.error
    _until(lambda: following.state is JobState.RUNNING)
    assert jobs.submit(*wish) is not following
    for job in jobs.all():
        jobs.cancel(job.id)
    assert not jobs.busy


def test_a_cancelled_job_ends_and_keeps_what_is_finished(tmp_path: Path) -> None:
    jobs = IngestQueue({"index": str(tmp_path / "index"), "workers": 1})
    job = jobs.submit("sample", [str(SAMPLE)])
    waiting = jobs.submit("again", [str(SAMPLE / "wexcombe-volunteer-faq.md")])
    jobs.cancel(waiting.id)
    _until(lambda: job.counts.get("files"))
    jobs.cancel(job.id)
    _until(lambda: jobs._process is None and jobs._running is None)
    assert (job.state, waiting.state) == (JobState.CANCELLED, JobState.CANCELLED)
    assert waiting.files == []
    # the index is sound, and its lock is free
    with open_index(tmp_path / "index") as index:
        with index.writer(wait=5):
            pass
        assert index.verify() == []


def test_no_waiting_job_is_forgotten_and_of_the_finished_ones_the_last(tmp_path: Path) -> None:
    queue = IngestQueue({"index": str(tmp_path / "index")})
    jobs = [queue.submit(str(n), [str(tmp_path / f"missing-{n}")]) for n in range(40)]
    assert {job.id for job in jobs if job.active} <= {job.id for job in queue.all()}
    for job in jobs:
        queue.cancel(job.id)
    last = queue.submit("last", [str(tmp_path / "missing")])
    assert last in queue.all()
    assert len(queue.all()) <= 22
    queue.cancel(last.id)


@pytest.mark.slow
def test_an_encrypted_upload_is_read_with_its_password_and_replaced(tmp_path: Path) -> None:
    workspace = Workspace(UiOptions(flags={"index": str(tmp_path / "index"), "model": "extractive"}))
    writer = PdfWriter(clone_from=SAMPLE / NAME)
    writer.encrypt("바다 열쇠")
    locked = io.BytesIO()
    writer.write(locked)
    job, _ = workspace.upload([("locked.pdf", locked.getvalue())])
    assert job is not None
    assert _ended(job) is JobState.DONE, job.error
    assert workspace.picture({"file": "locked.pdf", "page": "1"}) is None
    again = workspace.unlock("locked.pdf", "바다 열쇠")
    assert again is not None
    assert "바다 열쇠" not in repr(again)
    assert _ended(again) is JobState.DONE, again.error
    index = workspace.shared_index.index()
    assert index is not None
    assert [(s.file, s.status) for s in index.documents()] == [("locked.pdf", Status.OK)]
    assert (workspace.picture({"file": "locked.pdf", "page": "1"}) or b"").startswith(b"\x89PNG")
    assert not any("바다 열쇠".encode() in path.read_bytes() for path in (tmp_path / "index").rglob("*.db"))

    _, problems = workspace.upload([("new.txt", b"no PDF")], replace="locked.pdf")
    assert len(problems) == 1
    newer = (SAMPLE / "wexcombe-library-rules.pdf").read_bytes()
    replaced, problems = workspace.upload([("newer.pdf", newer)], replace="locked.pdf")
    assert replaced is not None
    assert not problems
    assert _ended(replaced) is JobState.DONE, replaced.error
    later = workspace.shared_index.index()
    assert later is not None
    assert [s.file for s in later.documents()] == ["locked.pdf"]
    assert "Wexcombe" in later.pages("locked.pdf")[0].text
    assert 0 < len(answered_questions(later, ["locked.pdf"], _ask(workspace))) <= 3


def _ask(workspace: Workspace) -> Callable[[str], Answer]:
    def ask(question: str) -> Answer:
        with workspace.pool.lend({}) as pipeline:
            return pipeline.ask(question)

    return ask
