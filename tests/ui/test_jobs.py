"""Ingests run in the background, can be watched and cancelled, and never take the page down."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import IndexLocked
from rag.store import open_index
from rag.types import Status
from rag.ui.jobs import Job, Jobs, State
from rag.ui.options import UiOptions
from rag.ui.workspace import Workspace

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
NAME = "가람시립박물관-관람-및-대관-안내.pdf"


def _until(condition: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def _ended(job: Job) -> State:
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
    assert _ended(job) is State.DONE, job.error
    assert job.fraction == 1.0
    assert {file: status for file, status, _ in job.files} == {NAME: "ok", "damaged.pdf": "damaged"}
    index = workspace.library.index()
    assert index is not None
    assert {s.file: s.status for s in index.sources()} == {NAME: Status.OK, "damaged.pdf": Status.DAMAGED}
    assert sorted(p.name for p in workspace.uploads.iterdir()) == ["damaged.pdf", NAME]

    workspace.remove([NAME])
    index = workspace.library.index()
    assert index is not None
    assert [s.file for s in index.sources()] == ["damaged.pdf"]
    assert [p.name for p in workspace.uploads.iterdir()] == ["damaged.pdf"]


def test_removing_what_was_not_uploaded_leaves_the_file(sample_index: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_index, tmp_path / "index")
    workspace = Workspace(UiOptions(flags={"index": str(tmp_path / "index")}))
    with open_index(tmp_path / "index") as other, other.writer(), pytest.raises(IndexLocked):
        workspace.remove([NAME])
    workspace.remove([NAME])
    assert (SAMPLE / NAME).exists()
    index = workspace.library.index()
    assert index is not None
    assert index.source(NAME) is None


def test_a_job_that_fails_says_why_and_the_next_one_runs(tmp_path: Path) -> None:
    jobs = Jobs({"index": str(tmp_path / "index")})
    failing = jobs.submit("missing", [str(tmp_path / "missing")])
    wish = ("faq", [str(SAMPLE / "wexcombe-volunteer-faq.md")])
    following = jobs.submit(*wish)
    assert jobs.submit(*wish) is following  # the same wish waits once
    assert _ended(failing) is State.FAILED
    assert "missing" in failing.error
    _until(lambda: following.state is State.RUNNING)
    assert jobs.submit(*wish) is not following
    for job in jobs.all():
        jobs.cancel(job.id)
    assert not jobs.busy


def test_a_cancelled_job_ends_and_keeps_what_is_finished(tmp_path: Path) -> None:
    jobs = Jobs({"index": str(tmp_path / "index"), "workers": 1})
    job = jobs.submit("sample", [str(SAMPLE)])
    waiting = jobs.submit("again", [str(SAMPLE / "wexcombe-volunteer-faq.md")])
    jobs.cancel(waiting.id)
    _until(lambda: job.tally.get("files"))
    jobs.cancel(job.id)
    _until(lambda: jobs._process is None and jobs._running is None)
    assert (job.state, waiting.state) == (State.CANCELLED, State.CANCELLED)
    assert waiting.files == []
    # the index is sound, and its lock is free
    with open_index(tmp_path / "index") as index:
        with index.writer(wait=5):
            pass
        assert index.verify() == []


def test_every_waiting_job_stays_in_the_queue(tmp_path: Path) -> None:
    jobs = Jobs({"index": str(tmp_path / "index")})
    submitted = [jobs.submit(f"job {number}", [str(tmp_path / f"missing {number}")]) for number in range(60)]
    assert {job.id for job in submitted if job.active} <= {job.id for job in jobs.all()}
    for job in submitted[1:]:
        jobs.cancel(job.id)
    assert _ended(submitted[0]) is State.FAILED
    last = jobs.submit("last", [str(tmp_path / "missing last")])
    assert last in jobs.all()
    assert len(jobs.all()) <= 21
    jobs.cancel(last.id)
