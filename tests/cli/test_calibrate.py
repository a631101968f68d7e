"""`rag calibrate`: the threshold is fitted to the index, kept with it, and obeyed by all that open the index."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rag.answering.calibration import fit
from rag.pipeline import Pipeline
from tests.cli.conftest import Run
from tests.conftest import SAMPLE
from tests.copies import copy_index

ENGLISH = "When did MV Tern hit the breakwater?"


@pytest.fixture
def index(sample_index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_index(sample_index, workdir / "index")
    monkeypatch.setenv("RAG_INDEX", "index")
    return workdir / "index"


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.5])
def test_the_threshold_is_the_lowest_that_keeps_the_rate(rate: float) -> None:
    left_out = [n / 100 for n in range(100)]
    threshold = fit(left_out, rate)
    assert sum(score >= threshold for score in left_out) <= rate * 100
    assert sum(score >= threshold - 0.0101 for score in left_out) > rate * 100


def test_equal_scores_are_declined_together() -> None:
    assert fit([0.7] * 10, 0.05) > 0.7


@pytest.mark.slow
def test_it_is_kept_and_obeyed(rag: Run, index: Path) -> None:
    done = rag("calibrate", "-n", "120", "--rate", "0.1", "--json")
    assert done.code == 0, done.err
    form = done.json
    assert form["answered"] > form["rate"]
    assert "calibrated to decline below" in rag("doctor").out
    with Pipeline.open(index, model="extractive") as pipeline:
        assert pipeline.threshold == form["threshold"]
    with Pipeline.open(index, model="extractive", abstain=0.2) as pipeline:
        assert pipeline.threshold == 0.2

    kept = json.loads((index / "calibration.json").read_text(encoding="utf-8"))
    assert kept["threshold"] == form["threshold"]
    (index / "calibration.json").write_text(json.dumps(kept | {"threshold": 1.0}), encoding="utf-8")
    assert rag("ask", ENGLISH).code == 4
    assert rag("ask", ENGLISH, "--abstain", "0.1").code == 0, "a flag wins over what was fitted"
    (index / "calibration.json").write_text(json.dumps(kept | {"threshold": 1.0, "embeddings": "x"}))
    other = rag("ask", ENGLISH)
    assert other.code == 0
    assert "rag calibrate" in other.err


@pytest.mark.parametrize("content", ["[]", '{"format": 2}', '{"format": 2, "threshold": "x"}', "not json"])
def test_a_planted_file_is_ignored(rag: Run, index: Path, content: str) -> None:
    (index / "calibration.json").write_text(content, encoding="utf-8")
    assert rag("ask", ENGLISH).code == 0


def test_an_index_that_is_too_small_is_told_so(rag: Run, workdir: Path) -> None:
    (workdir / "docs").mkdir()
    shutil.copy(SAMPLE / "wexcombe-volunteer-faq.md", workdir / "docs")
    rag("ingest", "docs")
    done = rag("calibrate")
    assert done.code == 2
    assert "more documents" in done.err
