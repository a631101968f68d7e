"""Worked examples that are chosen by likeness, with the embeddings of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

TEMPLATE = """\
description: One example, the nearest.
language: auto
examples:
  number: 1
  choose: nearest
  inline:
    - question: Who repaired the boiler in the basement?
      passages: [{file: a.pdf, page: 1, text: Rowan repaired the boiler.}]
      reply: 'BOILER [1: "Rowan repaired the boiler"]'
    - question: How much does a ticket cost for children?
      passages: [{file: b.pdf, page: 1, text: Children pay two pounds.}]
      reply: 'TICKET [1: "Children pay two pounds"]'
messages:
  en:
    system: Answer. {reply_form}
    user: |
      {passages}

      Question: {question}
"""


@pytest.mark.parametrize(
    "question", ["What is the price of admission for kids?", "어린이 입장권 요금은 얼마인가요?"]
)
def test_the_example_nearest_in_meaning_is_shown(
    rag: Run, sample_index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """No word of the questions is shared: only their meaning tells which example is nearer."""
    monkeypatch.setenv("RAG_INDEX", str(sample_index))
    (workdir / "mine.yaml").write_text(TEMPLATE, encoding="utf-8")
    done = rag("prompts", "show", "./mine.yaml", "--render", question, "--model", "extractive")
    assert done.code == 0
    assert "TICKET" in done.out
    assert "BOILER" not in done.out
