"""What a chat model may decide of a sentence, and how its reply is read."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rag.answering.checking import Claim, ClaimQuote, check_claim
from rag.answering.reply import parse_reply
from rag.answering.second_check import asked_as, read_verdict, vetoed
from rag.answering.verification import check_draft
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
        ("Two tolls are paid.", "Two tolls were paid."),
        ("It was widened from two lanes to one.", "It was widened from one lane to two lanes."),
        ("The towers have cables.", "In the model of 1923, the towers have cables."),
        ("다리는 개통될 예정이다.", "다리는 개통되었다."),
        ("모든 차로가 막혔다.", "차로가 막혔다."),
        ("The bridge opened.", "다리가 개통되었다."),
    ],
)
def test_rules_forbid_what_a_model_would_let_pass(sentence: str, quote: str) -> None:
    assert vetoed(sentence, quote)
    assert not vetoed(sentence, sentence)


def test_a_fragment_is_checked_together_with_its_question() -> None:
    question = "다리를 놓은 회사는 어디입니까?"
    assert not vetoed("ABC", "다리는 ABC가 놓았다.", question)
    assert vetoed("ABC built it.", "다리는 ABC가 놓았다.", "Who built the bridge over the river Tarn?")
    phrase = "The Treaty of Aldmoor of 1957 and the Treaty of Tesk of 1992."
    assert asked_as(phrase, "Which treaties?") == f"Which treaties? {phrase}"
    assert asked_as(REWORDED, "Since when?") == REWORDED
    assert asked_as("다리는 1931년 10월에 차량 통행을 위해 처음으로 열렸습니다.", "언제?").startswith(
        "다리는"
    )


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


def test_a_few_words_that_cite_nothing_are_asked_about_with_what_was_found_for_them() -> None:
    asked: list[tuple[str, str]] = []

    def checker(pairs: Any, _question: str) -> list[bool]:
        asked.extend(pairs)
        return [True] * len(pairs)

    shelf = Shelf({"bridge.pdf": [REWORDED]})
    passages, likely = [shelf.passage("bridge.pdf", 1)], [[REWORDED]]
    draft = parse_reply(
        "24 October 1931\nSince 24 October 1931 users of the road crossed the Harbour Bridge."
    )
    question = "When did the bridge open?"
    checked = check_draft(draft, passages, shelf, question=question, checker=checker, likely=likely)
    assert asked == [("24 October 1931", REWORDED)]
    assert checked.sentences[0].reason == "checked_by_model"
    assert checked.sentences[1].support is Support.WEAK
