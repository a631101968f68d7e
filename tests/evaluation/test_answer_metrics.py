"""Answer metrics against the official scorers' published definitions, on random English and Korean texts.

The official scorers of SQuAD (evaluate-v1.1) and KorQuAD (evaluate-v1.0) are scripts, not packages. They are
written down here a second time from their papers' definitions, step by step and independently of the code
under test; where `transformers` is installed its copy of the SQuAD scorer is asked as well.
"""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.evaluation.answer_metrics import (
    answer_f1,
    answer_hit,
    character_f1,
    exact_match,
    figures,
    numeric_match,
    rouge_l,
    token_f1,
)

words = st.sampled_from(
    [
        "the",
        "The",
        "a",
        "an",
        "cat",
        "Cat's",
        "(mat)",
        "U.S.",
        "1,577",
        "《삼국지》",
        "‘무예’",
        "소림",
        "무예를",
        '"도장"',
        "'",
        "…",
    ]
)
texts = st.one_of(
    st.lists(words, max_size=8).map(" ".join),
    st.text(alphabet="aAtheé .,'\"()<>〈〉‘’《》\t\n가나다0-", max_size=30),
)
gold_lists = st.lists(texts, min_size=1, max_size=3)


def by_squad(text: str) -> list[str]:
    without = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", without).split()


def by_korquad(text: str) -> list[str]:
    for mark in "'\"《》<>〈〉()‘’":
        text = text.replace(mark, " ")
    return "".join(c for c in text.lower() if c not in string.punctuation).split()


def overlap(given: list[str], gold: list[str]) -> float:
    same = sum((Counter(given) & Counter(gold)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(given), same / len(gold)
    return 2 * precision * recall / (precision + recall)


@given(texts, gold_lists)
@example("The Cat", ["cat"])
def test_squad(answer: str, golds: list[str]) -> None:
    expected = max(overlap(by_squad(answer), by_squad(gold)) for gold in golds)
    assert token_f1(answer, golds) == answer_f1(answer, golds, "en") == pytest.approx(expected)
    assert exact_match(answer, golds) == float(any(by_squad(answer) == by_squad(gold) for gold in golds))


@given(texts, gold_lists)
@example("《소림 무예》", ["소림무예"])
def test_korquad(answer: str, golds: list[str]) -> None:
    expected = max(overlap(list("".join(by_korquad(answer))), list("".join(by_korquad(g)))) for g in golds)
    assert character_f1(answer, golds) == answer_f1(answer, golds, "ko") == pytest.approx(expected)
    same = any(" ".join(by_korquad(answer)) == " ".join(by_korquad(gold)) for gold in golds)
    assert exact_match(answer, golds, "ko") == float(same)


@given(st.lists(st.sampled_from("abcde"), max_size=9), st.lists(st.sampled_from("abcde"), max_size=9))
def test_rouge_l_is_the_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    def longest(a: list[str], b: list[str]) -> int:
        if not a or not b:
            return 0
        if a[-1] == b[-1]:
            return longest(a[:-1], b[:-1]) + 1
        return max(longest(a[:-1], b), longest(a, b[:-1]))

    common = longest(one[:6], other[:6])
    expected = 2 * common / (len(one[:6]) + len(other[:6])) if common else 0.0
    assert rouge_l(" ".join(one[:6]), [" ".join(other[:6])]) == pytest.approx(expected)


def test_rouge_l_sees_through_korean_particles() -> None:
    assert rouge_l("도장을 열었다", ["도장 열었다"]) == pytest.approx(2 * 5 / (6 + 5))


def test_answer_hit_folds_space_case_and_compatibility_forms() -> None:
    assert answer_hit("그는 소림무예 도장을 열었다", ["소림 무예"]) == 1.0
    assert answer_hit("It cost ＄1,577\nmillion.", ["$1,577 Million"]) == 1.0
    assert answer_hit("It cost 1,578 million.", ["1,577"]) == 0.0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("$1,577.5 million in 2018", [1577.5e6, 2018]),
        ("US$ 3.2bn", [3.2e9]),
        ("a loss of ($370) and (1,234)", [-370, -1234]),
        ("-5.2% to 8.7 percent", [-5.2, 8.7]),
        ("FY2019-2020, pages 3–5", [2019, 2020, 3, 5]),
        ("3억 5천만 원", [350_000_000]),
        ("1조 2,000억원", [1_200_000_000_000]),
        ("12만 3,456원", [123_456]),
        ("３천２백", [3200]),
        ("2021년 15명", [2021, 15]),
        ("no figure at all", []),
    ],
)
def test_figures(text: str, values: list[float]) -> None:
    assert [figure.value for figure in figures(text)] == pytest.approx(values)


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("Capital expenditure was $1,577 million.", "$1577.00", 1.0),
        ("It was 1.58 billion dollars", "$1,577 million", 1.0),
        ("It was 1.58 billion euros", "$1,577 million", 0.0),
        ("It was $1,677 million.", "$1577.00", 0.0),
        ("8.7", "8.7%", 1.0),
        ("0.087", "8.7%", 0.0),
        ("8.7 dollars", "8.7%", 0.0),
        ("in 2019", "2018", 0.0),
        ("약 3.5억 원", "3억 5천만원", 1.0),
        ("350,000,000원", "3억 5천만 원", 1.0),
        ("15년", "15", 1.0),
        ("it fell from 12% to 8%", "from 12% to 8%", 1.0),
        ("it fell to 8%", "from 12% to 8%", 0.0),
        ("a loss of 370 dollars", "$(370)", 1.0),
        ("a gain of 370 dollars", "$(370)", 0.0),
        ("5.2% 감소했다", "-5.2%", 1.0),
        ("5.2% 증가했다", "-5.2%", 0.0),
        ("-5.2%", "a decrease of 5.2%", 1.0),
        ("", "42", 0.0),
        ("42", "forty-two", None),
    ],
)
def test_numeric_match(answer: str, gold: str, expected: float | None) -> None:
    assert numeric_match(answer, [gold]) == expected


def test_numeric_tolerance_is_relative() -> None:
    assert numeric_match("10.4%", ["10%"], tolerance=0.05) == 1.0
    assert numeric_match("10.4%", ["10%"], tolerance=0.01) == 0.0


@given(st.integers(1, 10**12), st.sampled_from(["", "$", "€", "₩"]))
def test_a_figure_matches_itself_with_and_without_separators(value: int, unit: str) -> None:
    assert numeric_match(f"about {unit}{value:,} or so", [f"{unit}{value}"]) == 1.0
    assert numeric_match(f"about {unit}{value * 3:,}", [f"{unit}{value}"]) == 0.0
