"""Pages with thousands of figures, dashes or blanks in a row, as a damaged or hostile document has them.

A pattern that tries every way to divide such a run would take minutes for each of these.
"""

from __future__ import annotations

import pytest

from rag.answering.extractive import answer
from tests.answering.shelf import Shelf


@pytest.mark.parametrize(
    "run", ["2019 ", "1  ", "1", "- ", "-", "1 % ", "\n", "(", "1,000 ", "((a)", "를 ", "a "]
)
@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("The gate closes at nine in the evening.", "When does the gate close?"),
        ("정문은 저녁 9시에 닫는다.", "정문은 언제 닫나요?"),
    ],
)
def test_an_answer_is_found_beside_a_long_run(run: str, fact: str, question: str) -> None:
    shelf = Shelf({"a.pdf": [f"{run * 1500}\n\n{fact}\n\n{run * 1500}x"]})
    draft = answer(question, [shelf.passage("a.pdf", 1)], pages=shelf)
    assert [sentence.text for sentence in draft.sentences] == [fact]
