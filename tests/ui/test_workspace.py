"""Pipelines are shared, opened again for other embeddings, and closed when nobody uses them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag.evaluation.question_sets import load_questions
from rag.store import open_index
from rag.ui.options import UiOptions
from rag.ui.workspace import Workspace


@pytest.fixture
def workspace(sample_index: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(sample_index, tmp_path / "index")
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
    assert session.begin("Anything?", workspace.ask)
    assert session.running is not None
    assert session.running.wait(30)
    session.settle()
    assert "rag ingest" in session.exchanges[0].answer.reason
    assert not (tmp_path / "none").exists()


def test_rated_answers_become_a_question_set(workspace: Workspace) -> None:
    with workspace.pool.lend({}) as pipeline:
        answer = pipeline.ask("How much profit before tax did Harrow Sound Ferries make in 2023?")
    workspace.keep_feedback(answer, "", answerable=True)
    (question,) = load_questions(workspace.feedback_file)
    assert (question.question, question.answers) == (answer.question, (answer.text,))
    assert {(one.file, one.page) for one in question.evidence} == {(c.file, c.page) for c in answer.citations}
    workspace.keep_feedback(answer, "£2.78 million", answerable=True)
    assert [one.answers for one in load_questions(workspace.feedback_file)] == [("£2.78 million",)]
    workspace.keep_feedback(answer, "", answerable=False)
    assert [one.answerable for one in load_questions(workspace.feedback_file)] == [False]
