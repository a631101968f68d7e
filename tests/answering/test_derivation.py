"""Figures that are computed from quoted ones: shown with their formula, never as verified."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from rag.answering.reply import parse_reply
from rag.answering.saved import read_saved_answer, saved_answer_of, verify_saved_answer, write_saved_answer
from rag.answering.verification import check_draft, strict
from rag.cli.render import sentence_line
from rag.pipeline.forms import sentence_form
from rag.types import Answer, Sentence, Support, Usage
from rag.ui.markup import sentence as web_sentence
from tests.answering.shelf import Shelf

TABLE = (
    "Consolidated results (in millions of dollars)\n\n2018 2017\nNet sales 32,765 31,657\n"
    "Operating income 7,207 7,692\nMargin 22.0% 24.3%"
)
PAGES = {
    "report.pdf": [
        TABLE,
        "Of the 1,013 sailings that were cancelled, 702 were lost to weather, 188 to technical faults and 123 to a"
        " shortage of crew. The crossing takes 90 minutes.",
        "MV Tern was closed on 19 October 2023 and opened again on 28 October 2023. The pier was built in 1931 and"
        " rebuilt in 1954. The fleet has the MV Tern, the MV Gull and the MV Skua. The fare is 5 euros, or 12.5 euros"
        " with a car.",
    ],
    "보고서.pdf": [
        "2023년 매출은 1,577억 원으로 2022년의 1,412억 원보다 컸다. 응답자 500명 중 300명이 찬성했다."
        " 요금은 어른 200원, 어린이 100원이다."
    ],
}
SHELF = Shelf(PAGES)
PASSAGES = [SHELF.passage("report.pdf", n) for n in (1, 2, 3)] + [SHELF.passage("보고서.pdf", 1)]
SALES = '[1: "Net sales 32,765 31,657"]'
LOST = '[2: "Of the 1,013 sailings that were cancelled, 702 were lost to weather, 188 to technical faults"]'
CLOSED = '[3: "MV Tern was closed on 19 October 2023 and opened again on 28 October 2023."]'
REVENUE = '[4: "매출은 1,577억 원으로 2022년의 1,412억 원보다 컸다"]'


def judged(reply: str) -> Sentence:
    (sentence,) = check_draft(parse_reply(reply), PASSAGES, SHELF).sentences
    return sentence


@pytest.mark.parametrize(
    ("reply", "operation", "formula"),
    [
        (
            f"Net sales rose by 1,108 million dollars. {SALES}",
            "difference",
            "32,765 − 31,657 = 1,108 million dollars",
        ),
        (f"Net sales rose by 3.5%. {SALES}", "percentage change", "(32,765 − 31,657) ÷ 31,657 ≈ 3.5%"),
        (f"Net sales were 32,211 on average. {SALES}", "average", "(32,765 + 31,657) ÷ 2 = 32,211"),
        (f"Net sales were $32.8 billion. {SALES}", "rounding", "32,765 ≈ $32.8 billion"),
        (
            'The margin fell by 2.3 percentage points. [1: "Margin 22.0% 24.3%"]',
            "difference",
            "24.3% − 22.0% = 2.3",
        ),
        (
            f"A total of 890 sailings were lost to weather and technical faults. {LOST}",
            "sum",
            "702 + 188 = 890",
        ),
        (
            f"Weather made up a share of 69% of the sailings cancelled. {LOST}",
            "percentage",
            "702 ÷ 1,013 ≈ 69%",
        ),
        (
            'The crossing takes 1.5 hours. [2: "The crossing takes 90 minutes."]',
            "conversion",
            "90 minutes = 1.5 hours",
        ),
        (
            f"MV Tern was closed for 9 days. {CLOSED}",
            "difference",
            "28 October 2023 − 19 October 2023 = 9 days",
        ),
        (
            'The pier was rebuilt 23 years later. [3: "The pier was built in 1931 and rebuilt in 1954."]',
            "difference",
            "1954 − 1931 = 23 years",
        ),
        (
            'The fleet has three: MV Tern, MV Gull, MV Skua. [3: "the MV Tern, the MV Gull and the MV Skua"]',
            "count",
            "the MV Tern · the MV Gull · the MV Skua = three",
        ),
        (
            'With a car the fare is 2.5 times as high. [3: "The fare is 5 euros, or 12.5 euros with a car."]',
            "ratio",
            "12.5 euros ÷ 5 euros = 2.5 times",
        ),
        (f"매출은 165억 원 늘었다. {REVENUE}", "difference", "1,577억 원 − 1,412억 원 = 165억 원"),
        (
            f"매출은 11.7% 증가했다. {REVENUE}",
            "percentage change",
            "(1,577억 원 − 1,412억 원) ÷ 1,412억 원 ≈ 11.7%",
        ),
        (f"매출은 약 1,600억 원이다. {REVENUE}", "rounding", "1,577억 원 ≈ 1,600억 원"),
        (
            '찬성 비율은 응답자의 60%이다. [4: "응답자 500명 중 300명이 찬성했다"]',
            "percentage",
            "300명 ÷ 500명 = 60%",
        ),
        (
            '요금은 평균 150원이다. [4: "요금은 어른 200원, 어린이 100원이다."]',
            "average",
            "(200원 + 100원) ÷ 2 = 150원",
        ),
    ],
)
def test_a_computed_figure_is_derived_and_says_how(reply: str, operation: str, formula: str) -> None:
    sentence = judged(reply)
    assert [(one.operation, one.formula) for one in sentence.derived] == [(operation, formula)]
    assert sentence.support is Support.WEAK
    assert sentence.unsupported_facts == ()


@pytest.mark.parametrize(
    "reply",
    [
        f"Net sales rose by 1,208 million dollars. {SALES}",  # wrong
        f"Net sales rose by 3.4%. {SALES}",  # not within the printed digits
        f"Net sales fell by 3.5%. {SALES}",  # a fall is measured against the larger figure
        f"Net sales were 1,108 million dollars. {SALES}",  # says nothing of a computation
        f"The crossing takes 1.5 days. {LOST}",  # another unit
        f"Net sales rose by 1,108 billion dollars. {SALES}",  # another scale
        'Net sales rose by 1,108 million dollars. [1: "Net sales 32,865 31,657"]',  # the quote is altered
        'Net sales rose by 1,108 million dollars. [1: "Operating income 7,207 7,692"]',  # other figures
        f"The king said that net sales, by 3.5% and wisely, rose for all of his faithful subjects. {SALES}",
        f"Net sales rose by 3.5% in Lisbon. {SALES}",  # one fact is derived, another missing
        'The fleet has four: MV Tern, MV Gull, MV Skua. [3: "the MV Tern, the MV Gull and the MV Skua"]',
        f"매출은 17% 증가했다. {REVENUE}",
    ],
)
def test_what_no_operation_gives_is_not_derived(reply: str) -> None:
    sentence = judged(reply)
    assert sentence.derived == ()
    assert sentence.support is not Support.VERIFIED


def test_a_hit_among_many_figures_proves_nothing() -> None:
    row = "Sales by region 12 17 25 31 38 44 52 57 63 71"
    shelf = Shelf({"r.pdf": [row]})
    reply = f'Sales by region rose by 42%. [1: "{row}"]'
    (sentence,) = check_draft(parse_reply(reply), [shelf.passage("r.pdf", 1)], shelf).sentences
    assert sentence.derived == ()
    assert sentence.unsupported_facts == ("42%",)


def test_what_stands_on_the_page_is_not_derived() -> None:
    sentence = judged(
        'A total of 1,013 sailings were cancelled. [2: "Of the 1,013 sailings that were cancelled"]'
    )
    assert sentence.derived == ()
    assert sentence.unsupported_facts == ()


def test_strict_withholds_a_derived_figure() -> None:
    checked = strict(
        check_draft(
            parse_reply(
                f"Net sales rose by 3.5%. {SALES}\nMV Tern opened again on 28 October 2023. {CLOSED}"
            ),
            PASSAGES,
            SHELF,
        )
    )
    assert [s.support for s in checked.sentences] == [Support.VERIFIED]
    assert not any(sentence.derived for sentence in checked.sentences)


def test_every_output_shows_the_formula() -> None:
    sentence = judged(f"Net sales rose by 1,108 million dollars. {SALES}")
    line = click.unstyle(sentence_line(sentence, "en"))
    assert line.startswith("= Net sales rose by 1,108 million dollars. [1]")
    assert line.endswith("(derived: 32,765 − 31,657 = 1,108 million dollars)")
    assert "계산한 값: 32,765" in sentence_line(sentence, "ko")
    assert sentence_form(sentence)["derived"] == [
        {
            "figure": "1,108 million dollars",
            "from": ["32,765", "31,657"],
            "operation": "difference",
            "formula": "32,765 − 31,657 = 1,108 million dollars",
        }
    ]
    html = web_sentence(sentence, "en")
    assert "= derived" in html
    assert "32,765 − 31,657 = 1,108 million dollars" in html
    assert "verified" not in html


def test_a_missing_figure_is_named_in_the_text() -> None:
    line = click.unstyle(sentence_line(judged(f"Net sales rose by 3.9%. {SALES}"), "en"))
    assert line.endswith("3.9%)")


def test_a_saved_answer_is_computed_again(tmp_path: Path) -> None:
    checked = check_draft(parse_reply(f"Net sales rose by 1,108 million dollars. {SALES}"), PASSAGES, SHELF)
    answer = Answer(
        "By how much?", True, checked.text, checked.sentences, checked.citations, tuple(PASSAGES),
        "m", "few-shot", Usage(), {}, 0.9,
    )  # fmt: skip
    path = tmp_path / "answer.json"
    write_saved_answer(saved_answer_of(answer), path)
    again = verify_saved_answer(read_saved_answer(path), SHELF)
    assert again.holds
    assert again.checked.sentences[0].derived == checked.sentences[0].derived
    path.write_text(path.read_text(encoding="utf-8").replace("1,108", "1,109"), encoding="utf-8")
    forged = verify_saved_answer(read_saved_answer(path), SHELF)
    assert not forged.holds
    assert forged.weakened == ("Net sales rose by 1,109 million dollars.",)
