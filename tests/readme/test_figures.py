"""The figures that the READMEs quote for the shipped questions are those that `rag eval` prints.

When this fails, the message says which figure to write where.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, clean_environment

pytestmark = pytest.mark.slow  # one run over all shipped questions
QUESTIONS = "data/questions/sample.jsonl"
# How each README says them in a sentence; the wording may change, its figures and their order may not be lost.
SENTENCES = {
    "README.md": r"(?P<answer_right>\d+) % are answered right and (?P<wrongly_abstained>\d+) % wrongly",
    "README.ko.md": r"모델 없이 (?P<answer_right>\d+) %에 옳게 답하고 (?P<wrongly_abstained>\d+) %에는 답이 있는데도",
}
_SHOWN = re.compile(rf"^\$ rag eval {re.escape(QUESTIONS)} .*\n(?P<output>(?:(?!```|\$ ).*\n)*)", re.M)
_ROW = re.compile(
    r"^(?P<metric>[a-z][\w@%]*) +(?P<value>[\d.]+ ?%?) +(?P<low>[\d.]+ ?%?) – (?P<high>[\d.]+ ?%?) +(?P<n>\d+)$",
    re.M,
)


@dataclass(frozen=True)
class Quoted:
    """A figure as a README gives it."""

    metric: str
    text: str
    where: str


def quoted(readme: Path) -> Iterator[Quoted]:
    """The sentence's figures as `57`, and the lines shown under `$ rag eval` with their white space folded."""
    text = readme.read_text(encoding="utf-8")
    sentence = re.search(SENTENCES[readme.name], text)
    assert sentence is not None, f"{readme.name} has no sentence like {SENTENCES[readme.name]!r} any more."
    for metric, value in sentence.groupdict().items():
        yield Quoted(metric, value, _where(readme, text, sentence.start(metric)))
    for shown in _SHOWN.finditer(text):
        for row in _ROW.finditer(text, *shown.span("output")):
            yield Quoted(row["metric"], " ".join(row[0].split()), _where(readme, text, row.start()))


def _where(readme: Path, text: str, at: int) -> str:
    return f"{readme.name}:{text.count(chr(10), 0, at) + 1}"


def rag(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rag.cli", *map(str, arguments)],
        cwd=ROOT, env=clean_environment(RAG_OFFLINE="1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, sample_index: Path) -> Path:
    """A run over all the shipped questions, as the READMEs' command makes it."""
    out = tmp_path_factory.mktemp("figures") / "run"
    printed = rag("eval", QUESTIONS, "--index", sample_index, "--out", out)
    (out / "printed.txt").write_text(printed, encoding="utf-8")
    return out


@pytest.mark.parametrize("name", SENTENCES)
def test_the_figures_of_the_readme_are_true(run: Path, name: str) -> None:
    rows = {row["metric"]: row for row in _ROW.finditer((run / "printed.txt").read_text(encoding="utf-8"))}
    figures = list(quoted(ROOT / name))
    assert {figure.metric for figure in figures} >= {"page_hit@5", "answer_right", "wrongly_abstained"}
    wrong = []
    for figure in figures:
        row = rows[figure.metric]
        true = (
            f"{float(row['value'].rstrip(' %')):.0f}" if figure.text.isdigit() else " ".join(row[0].split())
        )
        if figure.text != true:
            wrong.append(f"{figure.where}: {figure.metric}: write {true!r} in place of {figure.text!r}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_command_counts_what_it_says(run: Path) -> None:
    """Counted again from the records, by definition: a gold answer word for word, and what was declined."""
    records: list[dict[str, Any]] = [
        json.loads(line) for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    asked = [json.loads(line) for line in (ROOT / QUESTIONS).read_text(encoding="utf-8").splitlines()]
    answerable = {one["id"]: one["answers"] for one in asked if one["answerable"]}
    given = {record["question"]["id"]: record["answer"] for record in records}
    assert given.keys() == {one["id"] for one in asked}
    declined = sum(given[name]["answered"] is False for name in answerable)
    hits = sum(
        given[name]["answered"] and any(_folded(gold) in _folded(given[name]["text"]) for gold in golds)
        for name, golds in answerable.items()
    )
    figures = json.loads((run / "summary.json").read_text(encoding="utf-8"))["metrics"]
    assert figures["wrongly_abstained"]["value"] == pytest.approx(declined / len(answerable), abs=1e-6)
    assert figures["answer_hit"]["value"] == pytest.approx(hits / len(answerable), abs=1e-6)
    assert figures["answer_right"]["value"] >= figures["answer_hit"]["value"]


def _folded(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()
