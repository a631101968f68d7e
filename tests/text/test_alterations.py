"""A quote that is not found word for word is shown where it nearly stands, with what differs."""

from __future__ import annotations

from rag.text.alterations import WordChange, closest
from rag.text.matching import MatchIndex

ENGLISH = (
    "Revenue for the year was 4,210 million dollars. Operating costs fell by 3.2 percent because of lower "
    "freight rates in the second half. The board does not expect to pay a dividend.\n"
)
KOREAN = (
    "매출은 전년보다 3.5% 늘었다. 영업이익은 운임이 내렸기 때문에 크게 줄어든 것이 아니다. "
    "배당은 내년에 정하기로 하였다."
)


def differences(quote: str, text: str) -> list[WordChange]:
    found = closest(quote, text)
    assert found is not None
    return [change for change in found.changes if change.op != "equal"]


def test_a_changed_figure_is_shown_against_the_page() -> None:
    quote = "Operating costs fell by 3.7 percent because of lower freight rates"
    assert differences(quote, ENGLISH) == [WordChange("replace", "3.7", "3.2")]


def test_a_dropped_and_an_added_word() -> None:
    assert differences("The board does expect to pay a dividend.", ENGLISH) == [
        WordChange("insert", "", "not")
    ]
    added = differences("Operating costs never fell by 3.2 percent because of lower freight", ENGLISH)
    assert added == [WordChange("delete", "never", "")]


def test_the_place_is_where_the_quote_nearly_stands() -> None:
    index = MatchIndex("Something else first. " + ENGLISH * 3)
    found = closest("Operating costs fell by 3.7 percent because of lower freight rates", index)
    assert found is not None
    assert index.text[found.start : found.end] == (
        "Operating costs fell by 3.2 percent because of lower freight rates"
    )
    assert 0.85 < found.ratio < 1


def test_korean_spacing_is_no_difference_but_a_denied_predicate_is() -> None:
    quote = "영업 이익은 운임이 내렸기때문에 크게 줄어든 것이다."
    assert differences(quote, KOREAN) == [WordChange("replace", "것이다.", "것이 아니다.")]


def test_an_unrelated_quote_has_no_place() -> None:
    assert closest("The museum opens at nine in the morning on weekdays", ENGLISH) is None
    assert closest("박물관은 평일 아침 아홉 시에 문을 엽니다", KOREAN) is None
    assert closest("", ENGLISH) is None
    assert closest("anything at all", "") is None
