"""Sections that begin inside a passage, tables of contents, and answers under the questions of an FAQ."""

from __future__ import annotations

import pytest

from rag.answering.candidates import candidates
from rag.answering.evidence import assess
from rag.answering.extractive import answer
from rag.types import Passage
from tests.answering.shelf import Shelf

SETTINGS = (
    "4.1. drain-delay\n\nUnit: seconds\n\nDefault value: 20\n\n"
    "4.2. fill-delay\n\nUnit: seconds\n\nDefault value: 35"
)
RULES = "제4조(식비) 하루에 2만 원까지 준다. 영수증을 낸다.\n\n제5조(숙박비) 하룻밤에 9만 원까지 준다. 영수증을 낸다."


def passage(text: str, heading: str, file: str = "a.md") -> Passage:
    return Shelf({file: [text]}).passage(file, 1, heading=heading)


@pytest.mark.parametrize(
    ("question", "text", "heading", "told"),
    [
        ("What is the default fill-delay?", SETTINGS, "4.1. drain-delay", "Default value: 35"),
        ("What is the default drain-delay?", SETTINGS, "4.1. drain-delay", "Default value: 20"),
        ("숙박비는 얼마까지 주나요?", RULES, "제4조(식비)", "9만 원"),
        ("식비는 얼마까지 주나요?", RULES, "제4조(식비)", "2만 원"),
    ],
)
def test_a_sentence_is_read_under_the_section_that_it_stands_in(
    question: str, text: str, heading: str, told: str
) -> None:
    (sentence,) = answer(question, [passage(text, heading)]).sentences
    assert told in sentence.text


def test_each_sentence_has_the_heading_of_its_own_section() -> None:
    found = candidates([passage(RULES, "제4조(식비)")])
    assert [(c.heading, c.text[-10:]) for c in found][-1] == ("제5조(숙박비)", "영수증을 낸다.")
    assert found[0].heading == "제4조(식비)"


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("4.2 What the lamp says", True),
        ("4.2. 등의 색", True),
        ("4.2.1 lamp.colour", True),
        ("4.2 million lamps were sold", False),
        ("4.2 Volts is what the lamp needs.", False),
        ("4.2배로 늘었다", False),
    ],
)
def test_a_section_begins_with_a_number_and_a_title(line: str, begins: bool) -> None:
    text = f"The pump hums.\n\n{line}\n\nIt is blue at night."
    last = candidates([passage(text, "4.1 Noise")])[-1]
    assert last.heading == (line if begins else "4.1 Noise")


def test_a_line_of_a_table_of_contents_is_no_answer() -> None:
    contents = passage("2.3 How to prime the pump before use . . . . . . . . . . 14", "Contents")
    text = passage("Before use the pump is primed with a litre of water. Belts are kept dry.", "Care", "b.md")
    (sentence,) = answer("How do I prime the pump before use?", [contents, text]).sentences
    assert sentence.text == "Before use the pump is primed with a litre of water."


def test_a_short_no_of_two_parts_is_told_with_its_reason() -> None:
    text = "Does the pump need oil?\n\nNo, not at all. Its bearings are made of ceramics."
    (sentence,) = answer("Must I put oil into the pump?", [passage(text, "Care")]).sentences
    assert sentence.text == "No, not at all. Its bearings are made of ceramics."


def test_what_stands_under_a_question_is_read_as_its_answer() -> None:
    asked, text = "Which metal did they use to make the pump?", "It is bronze, but for two steel bolts."
    own = [
        assess(asked, [passage(f"{heading}\n\n{text}", heading)]).signals.own
        for heading in ("3.4 What metal is the pump made of?", "3.4 The metal that makes the pump")
    ]
    assert own[0] > 0.5 > own[1]
