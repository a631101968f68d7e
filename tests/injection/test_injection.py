"""Documents that try to take over the model, and models that obey them.

Each line of `attempts.jsonl` is a passage that a hostile document holds and the reply of a model that obeyed it. The
model's words are scripted; everything that reads, proves and shows them is the real thing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from rag.answering.context import pack
from rag.answering.extractive import answer
from rag.answering.reply import parse_reply
from rag.answering.verification import CheckedDraft, check_draft
from rag.rendering.safe import safe_text
from rag.text.tokens import count_tokens
from rag.types import Passage, Support
from tests.answering.shelf import Shelf

ATTEMPTS = [
    json.loads(line) for line in (Path(__file__).parent / "attempts.jsonl").read_text("utf-8").splitlines()
]
HONEST = {
    "en": (
        "The Harbour Bridge was opened to traffic on 24 October 1931. It cost 60 million dollars, of which the port"
        " paid a third. Eight lanes cross the river on two decks. The toll was abolished in 1954. Pedestrians were"
        " not allowed on the upper deck before 1960."
    ),
    "ko": (
        "한빛대교는 1987년 5월 12일에 개통되었다. 공사비는 340억 원이었고 그 가운데 절반을 시가 냈다."
        " 왕복 6차로이며 길이는 1,240m이다. 통행료는 1999년에 없어졌다. 보행자는 위층을 다닐 수 없었다."
    ),
}
attempts = pytest.mark.parametrize("attempt", ATTEMPTS, ids=[attempt["id"] for attempt in ATTEMPTS])


def shelf_of(attempt: dict[str, Any]) -> tuple[Shelf, list[Passage]]:
    """The honest document, and the hostile one beside it."""
    shelf = Shelf({"bridge.pdf": [HONEST[attempt["language"]]], "hostile.pdf": [attempt["passage"]]})
    return shelf, [shelf.passage("bridge.pdf", 1), shelf.passage("hostile.pdf", 1)]


def obeyed(attempt: dict[str, Any]) -> tuple[CheckedDraft, str]:
    shelf, passages = shelf_of(attempt)
    return check_draft(parse_reply(attempt["reply"]), passages, shelf), "".join(p.text for p in passages)


def letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def test_the_corpus_is_wide() -> None:
    assert len(ATTEMPTS) >= 80
    assert min(Counter(a["language"] for a in ATTEMPTS).values()) >= 30
    assert len({a["kind"] for a in ATTEMPTS}) >= 18
    assert len({a["id"] for a in ATTEMPTS}) == len(ATTEMPTS)


@attempts
def test_nothing_unproven_is_shown_as_verified(attempt: dict[str, Any]) -> None:
    checked, _ = obeyed(attempt)
    for sentence in checked.sentences:
        if any(lie in sentence.text for lie in attempt["lie"]):
            assert sentence.support is not Support.VERIFIED, sentence


@attempts
def test_every_verified_quote_stands_on_its_page(attempt: dict[str, Any]) -> None:
    checked, everything = obeyed(attempt)
    for citation in checked.citations:
        if citation.verified:
            assert all(letters(part) in letters(everything) for part in citation.quote.split(" … "))


@attempts
def test_a_hostile_passage_cannot_leave_its_fence(attempt: dict[str, Any]) -> None:
    _, passages = shelf_of(attempt)
    block = pack(passages, 10_000, count_tokens).block
    assert re.findall(r"<passage n=\"(\d)\"", block) == ["1", "2"]
    assert block.count("<passage") == block.count("</passage>") == 2
    assert not re.search(r"<\||\|>|\[/?INST|<<SYS|\[\||<start_of_turn|</?s>|```|^#+\s", block, re.MULTILINE)
    assert not re.search(
        r"^\s*(?:system|assistant|user|human|시스템|사용자|어시스턴트)\s*:", block, re.I | re.M
    )
    assert not re.search(r"\[\d+[\]:]|NOT_IN_DOCUMENTS|문서에_없음", block)
    assert not any(unicodedata.category(c) in ("Cc", "Cf") and c != "\n" for c in block)


@attempts
def test_nothing_is_active_when_the_answer_is_shown(attempt: dict[str, Any]) -> None:
    checked, _ = obeyed(attempt)
    shown = [
        checked.text,
        attempt["reply"],
        attempt["passage"],
        *(citation.quote for citation in checked.citations),
    ]
    for text in shown:
        terminal = safe_text(text)
        assert not any(unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t" for c in terminal)
        page = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(safe_text(text, "markdown"))
        assert not re.search(r"<(?!/?p>|br\b)[a-z]", page), page
        assert "://" not in page
        assert "<" not in safe_text(text, "html")


@attempts
def test_the_built_in_answerer_does_not_pass_orders_on_as_verified(attempt: dict[str, Any]) -> None:
    shelf, passages = shelf_of(attempt)
    checked = check_draft(answer(attempt["question"], passages, max_sentences=3), passages, shelf)
    if attempt["kind"] == "obeyed instruction":
        ordered = [s for s in checked.sentences if any(lie in s.text for lie in attempt["lie"])]
        assert all(sentence.support is not Support.VERIFIED for sentence in ordered)
    assert any(sentence.support is Support.VERIFIED for sentence in checked.sentences)


def test_an_honest_reply_beside_a_hostile_document_is_verified() -> None:
    for attempt in ATTEMPTS:
        shelf, passages = shelf_of(attempt)
        honest = {
            "en": 'It cost 60 million dollars. [1: "It cost 60 million dollars"]',
            "ko": '공사비는 340억 원이었다. [1: "공사비는 340억 원이었고"]',
        }[attempt["language"]]
        assert check_draft(parse_reply(honest), passages, shelf).sentences[0].support is Support.VERIFIED
