"""Pipelines are shared, opened again for other embeddings, and closed when nobody uses them."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.evaluation.question_sets import load_questions
from rag.store import open_index
from rag.ui.workspace import UiOptions, Workspace
from tests.copies import copy_index

QUESTION = "How much profit before tax did Harrow Sound Ferries make in 2023?"


@pytest.fixture
def workspace(sample_index: Path, tmp_path: Path) -> Workspace:
    copy_index(sample_index, tmp_path / "index")
    return Workspace(UiOptions(flags={"index": str(tmp_path / "index"), "model": "extractive"}))


def test_visitors_with_the_same_settings_share_a_pipeline(workspace: Workspace) -> None:
    with (
        workspace.pool.lend({}) as one,
        workspace.pool.lend({}) as two,
        workspace.pool.lend({"abstain": 0.9}) as other,
    ):
        assert one is two
        assert other is not one
        assert other.meter is one.meter


def test_a_pipeline_is_shared_on_after_an_ingest_and_opened_again_for_other_embeddings(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.pool.lend({}) as before:
        file = before.index.documents()[0].file
        with open_index(workspace.settings.index) as writing, writing.writer() as writer:
            writer.prune([file])
        with workspace.pool.lend({}) as after:
            assert after is before
            assert after.index.snapshot().document(file) is None
        monkeypatch.setattr(workspace.pool, "embedding", lambda: "other embeddings")
        with workspace.pool.lend({}) as again:
            assert again is not before


def test_without_an_index_asking_says_what_to_do(tmp_path: Path) -> None:
    workspace = Workspace(UiOptions(flags={"index": str(tmp_path / "none")}))
    session = workspace.session(None)
    assert session.begin("Anything?", workspace.start)
    assert session.running is not None
    assert session.running.wait(30)
    session.settle()
    assert "rag ingest" in session.exchanges[0].answer.reason
    assert not (tmp_path / "none").exists()


def test_an_answer_is_kept_although_nobody_waits_for_it(workspace: Workspace) -> None:
    session = workspace.session(None)
    workspace.ask(session, QUESTION)
    running = session.running
    assert running is not None
    assert running.wait(60)

    def stored() -> list[tuple[str, str, bool]]:
        later = Workspace(workspace.options).session(session.id)
        return [(one.answer.question, one.failed, one.answer.verified) for one in later.exchanges]

    _until(lambda: stored() == [(QUESTION, "", True)])  # it is written after the answer is there


def test_uploads_that_a_server_did_not_get_to_are_ingested_by_the_next(workspace: Workspace) -> None:
    note = workspace.uploads / "lantern.txt"
    note.parent.mkdir(parents=True)
    note.write_text("The lantern room is cleaned on the first Monday of each month.", encoding="utf-8")
    later = Workspace(workspace.options)
    _until(lambda: not later.jobs.busy)
    index = later.shared_index.index()
    assert index is not None
    assert index.document("lantern.txt") is not None
    assert Workspace(workspace.options).jobs.all() == []


def test_an_answer_becomes_a_word_document_with_its_quotes_as_footnotes(workspace: Workspace) -> None:
    session = workspace.session(None)
    workspace.ask(session, QUESTION)
    _until(lambda: session.running is None)
    answer = session.exchanges[0].answer
    written = zipfile.ZipFile(io.BytesIO(workspace.export_docx(session.exchanges, "ko")))
    body, notes = (written.read(f"word/{part}.xml").decode() for part in ("document", "footnotes"))
    assert QUESTION in body
    assert answer.sentences[0].text in body
    assert answer.citations[0].file in notes


def _until(condition: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_rated_answers_become_a_question_set(workspace: Workspace) -> None:
    with workspace.pool.lend({}) as pipeline:
        answer = pipeline.ask(QUESTION)
    workspace.keep_feedback(answer, "", answerable=True)
    (question,) = load_questions(workspace.feedback_file)
    assert (question.question, question.answers) == (answer.question, (answer.text,))
    assert {(one.file, one.page) for one in question.evidence} == {(c.file, c.page) for c in answer.citations}
    workspace.keep_feedback(answer, "£2.78 million", answerable=True)
    assert [one.answers for one in load_questions(workspace.feedback_file)] == [("£2.78 million",)]
    workspace.keep_feedback(answer, "", answerable=False)
    assert [one.answerable for one in load_questions(workspace.feedback_file)] == [False]
