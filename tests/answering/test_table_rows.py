"""Rows that are found by a range, an option or their words, and told with their headers, without a model."""

from __future__ import annotations

import pytest

from rag.types import Support
from tests.answering.table_shelf import TableShelf, ask, table_page, values

FAULTS = TableShelf(
    *table_page(
        ("Cause", "Remedy"),
        (
            ("The lamp flickers", "the wick is wet", "Dry it by the stove."),
            ("The lamp smokes", "the wick is too long", "Trim it."),
            ("The lamp goes out", "no oil", "Ask Mr Finch for oil."),
        ),
        head="Never move the lamp while it burns.\nFaults of the lamp\n",
        unit="",
    )
)


NOTICE = TableShelf(
    *table_page(
        ("Refund",),
        (
            ("10 days or more before", "all of the price"),
            ("3 to 9 days before", "half of the price"),
            ("less than 3 days before", "nothing"),
        ),
        head="Refund of a cancelled crossing\n",
        unit="",
    )
)
SERVICE = TableShelf(
    *table_page(
        ("휴가",),
        (("1년 이상 3년 미만", "15일"), ("3년 이상 5년 미만", "16일"), ("5년 이상", "18일")),
        head="표 7. 근속 기간별 휴가\n",
        unit="",
    )
)


@pytest.mark.parametrize(
    ("shelf", "question", "cell"),
    [
        (NOTICE, "What refund do I get for a crossing cancelled 5 days before?", "half of the price"),
        (
            NOTICE,
            "What is the refund of a crossing cancelled two weeks and 14 days before?",
            "all of the price",
        ),
        (NOTICE, "What is the refund of a crossing cancelled two days before?", "nothing"),
        (SERVICE, "근속 3년이면 휴가는 며칠인가요?", "16일"),
        (SERVICE, "두 해 근속이면 휴가는 며칠인가요?", "15일"),
        (SERVICE, "근속 기간이 7년이면 휴가는 며칠인가요?", "18일"),
    ],
)
def test_an_amount_finds_the_row_whose_label_is_the_range_around_it(
    shelf: TableShelf, question: str, cell: str
) -> None:
    assert values(ask(shelf, question)) == [cell]


OPTIONS = TableShelf(
    *table_page(
        ("Meaning",),
        (
            ("-v", "print more words"),
            ("-V FILE", "name the volume file"),
            ("-b FILE", "name the bootstrap file"),
        ),
        head="Options of the tool\n",
        unit="",
    )
)


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("What does the -V option do?", "volume"),
        ("What does the -v option do?", "more words"),
        ("Which option names the bootstrap file?", "-b FILE"),
    ],
)
def test_capital_and_small_options_are_two_and_a_label_answers_for_a_name(question: str, shown: str) -> None:
    assert shown in ask(OPTIONS, question).sentences[0].text


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("Why does the lamp flicker?", "the wick is wet"),
        ("What can I do when the lamp smokes?", "Trim it."),
        ("Who has oil when the lamp goes out?", "Mr Finch"),
    ],
)
def test_a_row_of_words_says_why_how_and_who(question: str, shown: str) -> None:
    assert shown in ask(FAULTS, question).sentences[0].text


def test_a_row_is_told_with_its_headers() -> None:
    (sentence,) = ask(FAULTS, "Why does the lamp flicker?").sentences
    assert sentence.text == "The lamp flickers, Cause: the wick is wet; Remedy: Dry it by the stove."
    assert sentence.support is Support.VERIFIED
