"""Sentences beside a table, and the notes below it, where a question could be answered by either."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.types import Page
from tests.answering.table_shelf import HEAD, TableShelf, ask, table_page, values

SWAPS = "In 2019 the group entered into swaps whose carrying amount is told in Note 38."


@pytest.mark.parametrize(
    ("head", "rows", "prose", "question", "told"),
    [
        (
            HEAD,
            (("Carrying amount of swaps (non-current (liabilities)/assets)", "(494)", "1,663"),),
            SWAPS,
            "What is the carrying amount of the swaps in 2019?",
            ["(494)"],
        ),
        (
            HEAD,
            (("Revenue", "482", "402"),),
            "No tankers were sold in the year 2018.",
            "How many tankers were sold in the year 2019?",
            [],
        ),
        (
            "요약 손익계산서\n",
            (("매출액", "1,234", "1,100"),),
            "2019년에 부산 창고의 임차료는 주석 7에서 설명한다.",
            "2019년 부산 창고의 임차료는 얼마인가요?",
            [],
        ),
    ],
    ids=["no figure", "another year", "Korean"],
)
def test_a_sentence_without_the_figure_is_not_told_instead(
    head: str, rows: Sequence[Sequence[str]], prose: str, question: str, told: list[str]
) -> None:
    page, table = table_page(("2019", "2018"), rows, head=head)
    checked = ask(TableShelf(Page(1, f"{page.text}\n\n{prose}"), table), question)
    assert values(checked) == told
    assert prose not in [sentence.text for sentence in checked.sentences]


def test_a_sentence_with_the_figure_is_told() -> None:
    page, table = table_page(("2019", "2018"), (("Revenue", "482", "402"),))
    prose = "In 2019 the group sold 31 tankers (2018: 28)."
    checked = ask(
        TableShelf(Page(1, f"{page.text}\n\n{prose}"), table), "How many tankers were sold in 2018?"
    )
    assert [sentence.text for sentence in checked.sentences] == [prose]


@pytest.mark.parametrize(
    ("rows", "notes", "question", "told"),
    [
        (
            (("Delivery costs(1)", "661", "615"), ("Customer costs(2)", "83", "68")),
            "(1) Include cost of equipment sold and network costs.\n\n(2) Include advertising and bad debts.",
            "What is included in customer costs?",
            "(2) Include advertising and bad debts.",
        ),
        (
            (("배송비 주1)", "661", "615"), ("고객 비용 주2)", "83", "68")),
            "주1) 판매한 장비의 원가와 통신망 비용이다.\n\n주2) 광고비와 대손상각비를 합한 것이다.",
            "고객 비용은 무엇을 의미하나요?",
            "주2) 광고비와 대손상각비를 합한 것이다.",
        ),
    ],
    ids=["English", "Korean"],
)
def test_what_a_row_includes_is_told_by_the_note_with_its_mark(
    rows: Sequence[Sequence[str]], notes: str, question: str, told: str
) -> None:
    page, table = table_page(("2019", "2018"), rows)
    checked = ask(TableShelf(Page(1, f"{page.text}\n\n{notes}"), table), question)
    assert [sentence.text for sentence in checked.sentences] == [told]


def test_a_sentence_that_names_the_item_is_preferred_to_its_note() -> None:
    page, table = table_page(("2019", "2018"), (("Customer costs(1)", "83", "68"), ("Rent", "5", "4")))
    text = "Customer costs include advertising and bad debts.\n\n(1) Restated."
    checked = ask(TableShelf(Page(1, f"{page.text}\n\n{text}"), table), "What do customer costs include?")
    assert [sentence.text for sentence in checked.sentences] == [
        "Customer costs include advertising and bad debts."
    ]


def test_a_cell_without_a_time_does_not_say_when() -> None:
    page, table = table_page(("Price", "Weight"), (("Pulley", "482", "402"), ("Winch", "5", "4")))
    when = ask(TableShelf(page, table), "When was the price of the winch set?")
    assert not any("Price: 5" in sentence.text for sentence in when.sentences)
    assert values(ask(TableShelf(page, table), "What is the price of the winch?")) == ["5"]
