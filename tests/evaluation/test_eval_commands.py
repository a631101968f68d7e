"""`rag eval` and `rag compare` as people run them, over the sample documents."""

from __future__ import annotations

import io
import json
import os
import re
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from rag.answering.evidence import THRESHOLD
from rag.cli.app import cli, run
from rag.evaluation.question_sets import load_questions, write_questions
from tests.cli.conftest import Done
from tests.conftest import ROOT, clean_environment

SET = ROOT / "data" / "questions" / "sample.jsonl"


@dataclass(frozen=True)
class Rag:
    """Runs `rag` in this process, through the boundary that turns errors into sentences and codes."""

    folder: Path
    index: Path

    def __call__(self, *arguments: object) -> Done:
        texts = [str(argument) for argument in arguments]
        if texts[0] != "compare" and texts[1] != "export":
            texts += ["--index", str(self.index)]
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        streams = (redirect_stdout(out), redirect_stderr(err))
        with (
            patch.dict(os.environ, clean_environment(), clear=True),
            chdir(self.folder),
            streams[0],
            streams[1],
        ):
            code = run(cli, texts)
        return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@pytest.fixture(scope="module")
def rag(tmp_path_factory: pytest.TempPathFactory, sample_index: Path) -> Rag:
    folder = tmp_path_factory.mktemp("evaluation")
    questions = load_questions(SET)
    few = [q for q in questions if q.answerable][::3][:26] + [q for q in questions if not q.answerable][::8][
        :2
    ]
    write_questions(few, folder / "set.jsonl")
    return Rag(folder, sample_index)


@pytest.fixture(scope="module")
def baseline(rag: Rag) -> Any:
    done = rag("eval", "set.jsonl", "--out", "runs/baseline", "--json")
    assert done.code == 0, done.err
    return done.json


def test_a_run_writes_figures_and_reports(rag: Rag, baseline: Any) -> None:
    assert baseline["complete"] is True
    assert baseline["questions"] == 28
    assert baseline["metrics"]["page_hit@5"]["n"] == 26
    assert baseline["settings"]["model"] == "extractive"
    folder = rag.folder / "runs/baseline"
    names = {path.name for path in folder.iterdir()}
    assert {"run.json", "records.jsonl", "report.html", "report.md", "summary.json"} <= names
    assert json.loads((folder / "summary.json").read_text())["metrics"] == baseline["metrics"]


def test_the_same_command_asks_nothing_again(rag: Rag, baseline: Any) -> None:
    records = (rag.folder / "runs/baseline/records.jsonl").read_bytes()
    done = rag("eval", "set.jsonl", "--out", "runs/baseline", "--json")
    assert done.json["metrics"] == baseline["metrics"]
    assert (rag.folder / "runs/baseline/records.jsonl").read_bytes() == records


def test_other_settings_need_another_folder(rag: Rag, baseline: Any) -> None:
    done = rag("eval", "set.jsonl", "--out", "runs/baseline", "-k", "3")
    assert done.code == 2
    assert "another k (8, now 3)" in done.err


def test_retrieval_alone(rag: Rag, baseline: Any) -> None:
    done = rag("eval", "set.jsonl", "--no-answers", "--out", "runs/search", "--json")
    assert done.code == 0, done.err
    groups = set(done.json["metrics"])
    assert "answer_hit" not in groups
    assert done.json["metrics"]["page_hit@5"] == baseline["metrics"]["page_hit@5"]


def test_a_change_for_the_worse_fails_a_build(rag: Rag, baseline: Any) -> None:
    done = rag("eval", "set.jsonl", "--vary", "abstain=1", "--against", "runs/baseline", "--out", "runs/mute")
    assert done.code == 0, done.err
    done = rag("compare", "runs/baseline", "runs/mute", "--fail-if-worse")
    assert done.code == 1
    assert "Verdict: " in done.out
    smallest = (
        r"these \d+ questions, a change of less than about \d+ points in answers right could not be seen\."
    )
    assert re.search(smallest, done.out)
    assert re.search(smallest, (rag.folder / "runs/mute/report.md").read_text(encoding="utf-8"))
    assert "runs/mute is worse than runs/baseline." in done.err
    form = rag("compare", "runs/baseline", "runs/mute", "--json").json
    assert form["verdict"].endswith("worse")
    assert form["settings"]["abstain"] == {"before": THRESHOLD, "after": 1.0}
    assert form["flips"]
    assert rag("compare", "runs/baseline", "runs/baseline", "--fail-if-worse").code == 0


def test_a_limit_fails_a_build(rag: Rag, baseline: Any) -> None:
    done = rag("compare", "runs/baseline", "runs/baseline", "--fail-under", "page_hit@5=1.1")
    assert done.code == 1
    assert "page_hit@5 is 1, below 1.1." in done.err or "below 1.1." in done.err
    assert rag("compare", "runs/baseline", "runs/baseline", "--fail-under", "page_hit@5=0.1").code == 0
    wrong = rag("compare", "runs/baseline", "runs/baseline", "--fail-under", "page_hit=1")
    assert wrong.code == 2
    assert "Did you mean" in wrong.err


def test_a_sweep_ranks_its_runs(rag: Rag) -> None:
    write_questions(load_questions(rag.folder / "set.jsonl")[::4], rag.folder / "few.jsonl")
    done = rag("eval", "few.jsonl", "-k", "2", "-k", "8", "--out", "runs/k", "--json")
    assert done.code == 0, done.err
    assert {run["name"] for run in done.json["runs"]} == {"k=2", "k=8"}
    assert done.json["recommended"] in {"k=2", "k=8"}
    for report in ("report.html", "report.md", "sweep.json", "k=2/report.html"):
        assert (rag.folder / "runs/k" / report).exists()
    missed = rag("eval", "few.jsonl", "-k", "2", "-k", "8", "--out", "runs/k", "--fail-under", "mrr@10=1.1")
    assert missed.code == 1


@pytest.mark.slow
def test_a_sweep_over_chunk_sizes_makes_each_index_once(rag: Rag, baseline: Any) -> None:
    arguments = (
        "eval",
        "set.jsonl",
        "-k",
        "2",
        "-k",
        "8",
        "--chunk-tokens",
        "120",
        "--out",
        "runs/grid",
        "--json",
    )
    done = rag(*arguments)
    assert done.code == 0, done.err
    assert done.err.count("Indexing with chunks of 120 tokens") == 1
    manifest = json.loads((rag.folder / "runs/grid/k=2/run.json").read_text())
    assert manifest["settings"]["chunk_tokens"] == 120
    again = rag(*arguments)
    assert again.json["runs"] == done.json["runs"]
    assert "Indexing" not in again.err


def test_a_draft_is_a_question_set_and_its_unanswerable_ones_cannot_be_found(rag: Rag) -> None:
    done = rag("eval", "make", "--out", "draft.jsonl", "-n", "12")
    assert done.code == 0, done.err
    drafted = load_questions(rag.folder / "draft.jsonl")
    assert len(drafted) == 12
    assert sum(not question.answerable for question in drafted) == 3
    refused = rag("eval", "make", "--out", "draft.jsonl")
    assert refused.code == 2
    assert "--force" in refused.err
    done = rag("eval", "draft.jsonl", "--out", "runs/draft", "--json")
    assert done.json["metrics"]["page_hit@5"]["value"] >= 0.8  # the very words of the page
    left_out = {q.id: q.leave_out for q in drafted if q.leave_out}
    for line in (rag.folder / "runs/draft/records.jsonl").read_text().splitlines():
        record = json.loads(line)
        files = {found["file"] for found in record["found"]} | {
            p["file"] for p in record["answer"]["passages"]
        }
        assert not files & set(left_out.get(record["question"]["id"], ()))


def test_reports_can_be_made_again_and_runs_exported(rag: Rag, baseline: Any) -> None:
    (rag.folder / "runs/baseline/report.html").unlink()
    done = rag("eval", "report", "runs/baseline", "--json")
    assert done.json["metrics"] == baseline["metrics"]
    assert (rag.folder / "runs/baseline/report.html").exists()
    assert rag("eval", "export", "runs/baseline", "--out", "ragas.jsonl").code == 0
    rows = [json.loads(line) for line in (rag.folder / "ragas.jsonl").read_text().splitlines()]
    assert len(rows) == 28
    assert all(row["retrieved_contexts"] for row in rows)


def test_markdown_for_a_pull_request(rag: Rag, baseline: Any) -> None:
    done = rag("compare", "runs/baseline", "runs/baseline", "--markdown")
    assert done.out.startswith("## baseline: No difference seen\n")


def test_a_place_that_cannot_be_written_is_named(rag: Rag, baseline: Any) -> None:
    (rag.folder / "afile").write_text("in the way", encoding="utf-8")
    for arguments, path, reason in (
        (("eval", "export", "runs/baseline", "--out", "none/x.jsonl"), "none/x.jsonl", "No such file"),
        (("eval", "make", "--out", "none/q.jsonl", "-n", "2"), "none/q.jsonl", "No such file"),
        (("eval", "set.jsonl", "--out", "afile/x"), "afile/x", "Not a directory"),
        (("compare", "runs/baseline", "runs/baseline", "--html", "none/x.html"), "none/x.html", "No such"),
    ):
        done = rag(*arguments)
        assert done.code == 1, arguments
        assert f"Error: {path} cannot be used: {reason}" in done.err
        assert "--debug" not in done.err


def test_no_draft_is_begun_that_could_not_be_kept(rag: Rag) -> None:
    (rag.folder / "mine.jsonl").write_text("my edits\n", encoding="utf-8")
    with patch("rag.cli.evaluate.draft_questions", side_effect=AssertionError("it was begun")):
        done = rag("eval", "make", "--out", "none/q.jsonl", "-n", "2")
        assert "none/q.jsonl cannot be used" in done.err
        assert "it was begun" not in done.err
        for name in ("new.jsonl", "mine.jsonl"):
            assert "it was begun" in rag("eval", "make", "--out", name, "--force").err
    assert not (rag.folder / "new.jsonl").exists(), "a later attempt would need --force"
    assert (rag.folder / "mine.jsonl").read_text(encoding="utf-8") == "my edits\n"


def test_errors_are_one_sentence(rag: Rag, baseline: Any, tmp_path: Path) -> None:
    (rag.folder / "bad.jsonl").write_text('{"question": ""}\n')
    for arguments, words in (
        (("eval", "bad.jsonl"), "bad.jsonl:1: "),
        (("eval", "set.jsonl", "--vary", "foo=1,2"), "--vary foo: foo is not a setting: `rag doctor` lists"),
        (("eval", "set.jsonl", "--vary", "temprature=1"), "not a setting: did you mean temperature?"),
        (("eval", "set.jsonl", "--vary", "temperature"), "write a setting and values"),
        (("eval", "set.jsonl", "--vary", "ui_password=a,b"), "--vary cannot hold keys"),
        (("eval", "set.jsonl", "--vary", "openai_api_key=sk-1"), "--vary cannot hold keys"),
        (("eval", "set.jsonl", "--metric", "auroc"), "--metric auroc cannot rank"),
        (("eval", "set.jsonl", "--fail-if-worse"), "--against"),
        (("eval", "judge", "runs/baseline"), "needs a chat model"),
        (("compare", "runs/baseline", tmp_path), "is not a run"),
    ):
        done = rag(*arguments)
        assert done.code == 2, arguments
        assert words in done.err
        assert "Traceback" not in done.err
