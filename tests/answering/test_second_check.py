"""What a chat model may decide of a sentence, and how its reply is read."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rag.answering.checking import Claim, ClaimQuote, check_claim
from rag.answering.second_check import read_verdict, vetoed
from rag.types import Support
from tests.answering.shelf import Shelf

SHELF = Shelf()
OPENED = "The Harbour Bridge was opened to traffic on 24 October 1931."
REWORDED = "Road users have crossed the Harbour Bridge since 24 October 1931."


def logprobs(*words: tuple[str, float]) -> dict[str, Any]:
    """What OpenAI's protocol says of yes and no with these probabilities of yes."""
    return {
        "content": [
            {
                "token": word,
                "logprob": 0.0,
                "top_logprobs": [
                    {"token": " yes", "logprob": math.log(yes)},
                    {"token": "No", "logprob": math.log(1 - yes)},
                ],
            }
            for word, yes in words
        ]
    }


@pytest.mark.parametrize(
    ("sentence", "quote"),
    [
        ("The bridge may have opened.", "The bridge opened."),
        ("The bridge opened.", "The bridge is expected to open."),
        ("Every lane was closed.", "Some lanes were closed."),
        ("It cost 65 million dollars.", "It cost 60 million dollars."),
        ("The toll was kept.", "The toll was not kept."),
        ("다리는 개통될 예정이다.", "다리는 개통되었다."),
        ("모든 차로가 막혔다.", "차로가 막혔다."),
        ("The bridge opened.", "다리가 개통되었다."),
    ],
)
def test_rules_forbid_what_a_model_would_let_pass(sentence: str, quote: str) -> None:
    assert vetoed(sentence, quote)
    assert not vetoed(sentence, sentence)


def test_only_a_sure_yes_counts() -> None:
    assert read_verdict(logprobs(("yes", 0.97)))
    assert read_verdict(logprobs((".", 0.5), ("예", 0.97)))
    assert not read_verdict(logprobs(("yes", 0.6)))
    assert not read_verdict(logprobs(("no", 0.1)))
    assert not read_verdict(logprobs(("perhaps", 0.97)))
    assert not read_verdict(None)
    for odd in ({"content": ["yes"]}, {"content": [{"token": "yes", "logprob": None}]}, {"tokens": ["yes"]}):
        assert not read_verdict(odd)


def test_only_what_rules_leave_open_is_asked_and_approved() -> None:
    asked: list[tuple[str, str]] = []

    def checker(pairs: Any, _question: str) -> list[bool]:
        asked.extend(pairs)
        return [True] * len(pairs)

    quotes = (ClaimQuote(OPENED, "bridge.pdf", 1),)
    verdicts = {}
    for claim in (OPENED, REWORDED, OPENED.replace("opened", "closed"), OPENED.replace("1931", "1932")):
        verdicts[claim] = check_claim(Claim(claim, quotes), SHELF, lambda _: (), None, checker).sentence
    assert asked == [(REWORDED, OPENED)]
    assert (verdicts[REWORDED].support, verdicts[REWORDED].basis) == (Support.VERIFIED, "entailed")
    assert verdicts[REWORDED].reason == "checked_by_model"
    assert [one.support for one in verdicts.values()][2:] == [Support.UNSUPPORTED] * 2
