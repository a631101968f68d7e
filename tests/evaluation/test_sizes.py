"""The guide's table of how many questions show which loss, worked out by the exact sign test."""

from __future__ import annotations

import re

import pytest
from scipy.stats import binom

from rag.evaluation.compare import ALPHA
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) points \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", GUIDE, re.M)


def power(n: int, loss: float, gain: float) -> float:
    """The chance that a two-sided sign test finds a net loss among n questions of which `gain` are gained."""
    broken = loss + gain
    flipped, found = broken + gain, 0.0
    for m in range(1, n + 1):
        chance = binom.pmf(m, n, flipped)
        if chance < 1e-9:
            continue
        fewest = next((b for b in range(m // 2 + 1, m + 1) if 2 * binom.sf(b - 1, m, 0.5) <= ALPHA), None)
        if fewest is not None:
            found += chance * binom.sf(fewest - 1, m, broken / flipped)
    return float(found)


def cells() -> list[tuple[float, float, int]]:
    return [
        (int(loss) / 100, gain, int(n.replace(",", "")))
        for loss, *sizes in ROWS
        for gain, n in zip((0.0, 0.02, 0.05), sizes, strict=True)
    ]


def test_the_table_is_there() -> None:
    assert len(ROWS) == 5


@pytest.mark.parametrize(("loss", "gain", "n"), [cell for cell in cells() if cell[2] <= 1000])
def test_so_many_questions_show_the_loss_four_times_of_five(loss: float, gain: float, n: int) -> None:
    assert power(n, loss, gain) >= 0.8
    assert power(int(n * 0.85), loss, gain) < 0.8


def test_six_flips_one_way_are_too_few_and_seven_are_enough() -> None:
    assert 2 * 0.5**7 <= ALPHA < 2 * 0.5**6
