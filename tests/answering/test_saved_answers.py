"""Saved answers, proven again after the documents have changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.answering.reply import parse_reply
from rag.answering.saved import (
    CitationOutcome,
    read_saved_answer,
    saved_answer_of,
    verify_saved_answer,
    write_saved_answer,
)
from rag.answering.verification import check_draft
from rag.errors import UsageError
from rag.types import Answer, Support, Usage
from tests.answering.shelf import PAGES, Shelf

REPLY = (
    'The Harbour Bridge cost 60 million dollars. [1: "It cost 60 million dollars"]\n'
    '통행료는 1999년에 없어졌다. [2: "통행료는 1999년에 없어졌다"]\n'
    'It is famous. [1: "known to every child in the land"]'
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    shelf = Shelf()
    passages = (shelf.passage("bridge.pdf", 1, title="Harbour Bridge"), shelf.passage("대교.pdf", 1))
    checked = check_draft(parse_reply(REPLY), passages, shelf)
    answer = Answer(
        question="How much did it cost?",
        answered=True,
        text=checked.text,
        sentences=checked.sentences,
        citations=checked.citations,
        passages=passages,
        model="openai:gpt-4o-mini",
        prompt="few-shot",
        usage=Usage(),
        seconds={},
        evidence_score=0.9,
    )
    path = tmp_path / "answer.json"
    write_saved_answer(
        saved_answer_of(answer, fingerprints={"prompt": "ab12", "model": "gpt-4o-mini-2024-07-18"}), path
    )
    return path


def changed(file: str, number: int, text: str) -> Shelf:
    pages: dict[str, list[str]] = {name: list(texts) for name, texts in PAGES.items()}
    pages[file][number - 1] = text
    return Shelf(pages)


def outcomes(path: Path, shelf: Shelf) -> list[CitationOutcome]:
    return [check.outcome for check in verify_saved_answer(read_saved_answer(path), shelf).checks]


def test_a_saved_answer_keeps_what_the_answer_rests_on(saved: Path) -> None:
    kept = read_saved_answer(saved)
    assert kept.fingerprints == {"prompt": "ab12", "model": "gpt-4o-mini-2024-07-18"}
    assert [s.support for s in kept.sentences] == [Support.VERIFIED, Support.VERIFIED, Support.UNSUPPORTED]
    assert kept.citations[1].quote == "통행료는 1999년에 없어졌다"
    assert len(kept.citations[0].page_hash) == 64
    assert "통행료" in saved.read_text("utf-8")


def test_unchanged_documents_prove_it_again(saved: Path) -> None:
    verification = verify_saved_answer(read_saved_answer(saved), Shelf())
    assert [c.outcome for c in verification.checks] == [
        CitationOutcome.VERIFIED,
        CitationOutcome.VERIFIED,
        CitationOutcome.UNVERIFIED,
    ]
    assert verification.holds
    assert verification.stale == ()


def test_an_edited_page_that_keeps_the_words(saved: Path) -> None:
    shelf = changed("bridge.pdf", 1, PAGES["bridge.pdf"][0] + " A museum opened in 2001.")
    verification = verify_saved_answer(read_saved_answer(saved), shelf)
    assert [c.outcome for c in verification.stale] == [CitationOutcome.EDITED]
    assert verification.holds


def test_an_edited_figure_makes_the_answer_fall(saved: Path) -> None:
    shelf = changed("bridge.pdf", 1, PAGES["bridge.pdf"][0].replace("60 million", "66 million"))
    verification = verify_saved_answer(read_saved_answer(saved), shelf)
    assert verification.checks[0].outcome is CitationOutcome.GONE
    assert verification.weakened == ("The Harbour Bridge cost 60 million dollars.",)
    assert not verification.holds


def test_a_page_inserted_before_moves_the_quote(saved: Path) -> None:
    pages = dict(PAGES) | {"bridge.pdf": ["A new title page without any facts.", *PAGES["bridge.pdf"]]}
    verification = verify_saved_answer(read_saved_answer(saved), Shelf(pages))
    assert (verification.checks[0].outcome, verification.checks[0].page) == (CitationOutcome.MOVED, 2)
    assert verification.holds


def test_a_removed_document(saved: Path) -> None:
    shelf = Shelf({name: texts for name, texts in PAGES.items() if name != "대교.pdf"})
    assert outcomes(saved, shelf)[1] is CitationOutcome.REMOVED
    assert not verify_saved_answer(read_saved_answer(saved), shelf).holds


def test_nothing_a_saved_answer_says_of_itself_is_believed(saved: Path) -> None:
    value = json.loads(saved.read_text("utf-8"))
    value["sentences"][2]["support"] = "verified"
    value["citations"][2]["status"] = "found"
    value["sentences"][0]["text"] = "The Harbour Bridge cost 6 dollars."
    saved.write_text(json.dumps(value), "utf-8")
    verification = verify_saved_answer(read_saved_answer(saved), Shelf())
    assert not verification.holds
    assert verification.weakened == ("The Harbour Bridge cost 6 dollars.", "It is famous.")


def _without(key: str) -> Any:
    def change(value: dict[str, Any]) -> object:
        del value[key]
        return value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda value: [],
        lambda value: {**value, "format": "something-else/9"},
        lambda value: {**value, "citations": [{"n": "x"}]},
        lambda value: {**value, "sentences": "none"},
        _without("question"),
    ],
)
def test_another_file_is_refused_by_name(saved: Path, change: Any) -> None:
    saved.write_text(json.dumps(change(json.loads(saved.read_text("utf-8")))), "utf-8")
    with pytest.raises(UsageError, match=r"answer\.json"):
        read_saved_answer(saved)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe not json", b"[" * 100_000])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"broken\.json"):
        read_saved_answer(path)
    with pytest.raises(UsageError, match=r"nowhere\.json"):
        read_saved_answer(tmp_path / "nowhere.json")
