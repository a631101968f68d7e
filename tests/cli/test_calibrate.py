"""`rag calibrate`: the threshold is fitted to the index, kept with it, and obeyed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rag.cli.calibration import fit
from tests.cli.conftest import Run
from tests.conftest import SAMPLE

ENGLISH = "When did MV Tern hit the breakwater?"


@pytest.fixture
def index(sample_index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(sample_index, workdir / "index")
    monkeypatch.setenv("RAG_INDEX", "index")
    return workdir / "index"


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.5])
def test_the_threshold_is_the_lowest_that_keeps_the_rate(rate: float) -> None:
    left_out = [n / 100 for n in range(100)]
    found = fit([1.0] * 100, left_out, rate, "e5")
    assert found.false_answers <= rate * 100
    lower = found.threshold - 0.0101
    assert sum(score >= lower for score in left_out) > rate * 100
    assert found.answered == 100


def test_equal_scores_are_declined_together() -> None:
    assert fit([0.5], [0.7] * 10, 0.05, "e5").false_answers == 0


def test_it_is_kept_and_obeyed(rag: Run, index: Path) -> None:
    done = rag("calibrate", "-n", "30", "--rate", "0.1", "--json")
    assert done.code == 0
    form = done.json
    assert form["false_answers"] <= 0.1 * form["questions"]
    assert form["answered"] > form["false_answers"]
    assert "calibrated to decline below" in rag("doctor").out

    kept = json.loads((index / "calibration.json").read_text(encoding="utf-8"))
    assert kept["threshold"] == form["threshold"]
    (index / "calibration.json").write_text(json.dumps(kept | {"threshold": 1.0}), encoding="utf-8")
    assert rag("ask", ENGLISH).code == 4
    assert rag("ask", ENGLISH, "--abstain", "0.1").code == 0, "a flag wins over what was fitted"
    (index / "calibration.json").write_text(json.dumps(kept | {"threshold": 1.0, "embeddings": "x"}))
    other = rag("ask", ENGLISH)
    assert other.code == 0
    assert "rag calibrate" in other.err


@pytest.mark.parametrize("content", ["[]", '{"format": 1}', '{"format": 1, "threshold": "x"}', "not json"])
def test_a_planted_file_is_ignored(rag: Run, index: Path, content: str) -> None:
    (index / "calibration.json").write_text(content, encoding="utf-8")
    assert rag("ask", ENGLISH).code == 0


def test_an_index_that_is_too_small_is_told_so(rag: Run, workdir: Path) -> None:
    (workdir / "docs").mkdir()
    shutil.copy(SAMPLE / "wexcombe-volunteer-faq.md", workdir / "docs")
    rag("ingest", "docs")
    done = rag("calibrate")
    assert done.code == 2
    assert "two files" in done.err
