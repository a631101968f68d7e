"""Years and quarters in questions and file names."""

from __future__ import annotations

import pytest

from rag.retrieval.routing import Periods, agreement, periods_in


@pytest.mark.parametrize(
    ("text", "years", "quarters"),
    [
        ("FY2018 capital expenditure", {2018}, set()),
        ("between FY20 and FY21", {2020, 2021}, set()),
        ("Q22023 year over year", {2023}, {2}),
        ("As of Q2'2023", {2023}, {2}),
        ("second quarter of 1999", {1999}, {2}),
        ("2023년 2분기 매출", {2023}, {2}),
        ("23년도 예산", {2023}, set()),
        ("10년간 30명", set(), set()),
        ("ACME_2024Q2_10Q", {2024}, {2}),
        ("no period at all", set(), set()),
    ],
)
def test_periods(text: str, years: set[int], quarters: set[int]) -> None:
    assert periods_in(text) == Periods(frozenset(years), frozenset(quarters))


def test_the_latest_year_fits_best_and_the_year_after_fits_half() -> None:
    asked = periods_in("growth from 2021 to 2022")
    same, after, before = (agreement(asked, periods_in(name)) for name in ("r_2022", "r_2023", "r_2019"))
    assert same > after > before == 0


def test_an_annual_question_prefers_the_annual_report() -> None:
    asked = periods_in("sales in 2023")
    assert agreement(asked, periods_in("report 2023")) > agreement(asked, periods_in("report 2023Q2"))


def test_a_quarterly_question_prefers_its_quarter() -> None:
    asked = periods_in("2023년 2분기 매출")
    assert agreement(asked, periods_in("보고서 2023 2분기")) > agreement(
        asked, periods_in("보고서 2023 3분기")
    )
