"""Simulated runs: how a system answers a set of questions, with noise, and how answers are spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.evaluation.runs import Record, Run
from tests.evaluation.builders import citation, question, record

WORDS = (
    "revenue",
    "profit",
    "cost",
    "margin",
    "asset",
    "growth",
    "loss",
    "market",
    "share",
    "price",
    "year",
    "note",
)


def noisy_run(n: int, questions_seed: int, noise_seed: int, *, skill: float = 0.8) -> list[Record]:
    """A run of `n` questions: each is right with a chance of its own, redrawn for every noise seed."""
    fixed, noise = np.random.default_rng(questions_seed), np.random.default_rng([noise_seed, 1])
    chances = fixed.beta(4 * skill, 4 * (1 - skill), size=n)
    made = []
    for i in range(n):
        answerable = i % 5 != 0
        gold = (f"{WORDS[i % 12]} {WORDS[i % 7]} {i}",)
        asked = question(
            f"q{i}", answers=gold if answerable else (), gold=[("a.pdf", 1)] if answerable else []
        )
        good = noise.random() < chances[i]
        rank = int(noise.geometric(chances[i] * 0.9 + 0.05))
        pages = [*(("b.pdf", p + 1) for p in range(min(rank, 10) - 1)), ("a.pdf", 1)]
        text = f"It is the {gold[0]}." if good and answerable else f"It is {WORDS[noise.integers(12)]} {i}."
        declined = (not answerable and good) or noise.random() < 0.03
        cited = [citation("a.pdf", 1 if good else 2)]
        made.append(
            record(
                asked, None if declined else text, pages=pages, cited=cited,
                cost=float(noise.gamma(2, 0.001)), seconds=float(noise.gamma(4, 0.2)), score=float(noise.random()),
            )
        )  # fmt: skip
    return made


def spoil(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """The same run with a share of its answers replaced by something wrong."""
    from dataclasses import replace

    chosen = np.random.default_rng(seed).choice(len(records), round(share * len(records)), replace=False)
    spoilt = list(records)
    for at in chosen:
        given = records[at].answer
        assert given is not None
        wrong = replace(
            given, answered=True, text="Nobody can tell from this.", citations=(citation("c.pdf", 9),)
        )
        spoilt[at] = replace(records[at], answer=wrong)
    return spoilt


def as_run(records: Sequence[Record], name: str = "run", **settings: object) -> Run:
    return Run(Path(name), {"questions": len(records), "settings": settings}, tuple(records))
