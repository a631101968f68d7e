"""Sentences from anywhere checked against stored pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.answering.checking import Claim, ClaimQuote, check_claim, read_claims
from rag.errors import UsageError
from rag.types import Passage, Support
from tests.answering.shelf import Shelf

SHELF = Shelf()
FOUND = [SHELF.passage("ferry.pdf", 1), SHELF.passage("bridge.pdf", 1)]


def search(_text: str) -> list[Passage]:
    return FOUND


def test_a_claim_is_judged_by_the_quote_it_names() -> None:
    quote = ClaimQuote("The toll was abolished in 1954", "bridge.pdf", 1)
    checked = check_claim(Claim("The toll was abolished in 1954.", (quote,)), SHELF, lambda _text: ())
    assert (checked.sentence.support, checked.sentence.basis) == (Support.VERIFIED, "quoted")
    assert [(c.file, c.page) for c in checked.citations] == [("bridge.pdf", 1)]


def test_a_false_claim_over_a_true_quote_is_not_verified() -> None:
    quote = ClaimQuote("The toll was abolished in 1954", "bridge.pdf", 1)
    checked = check_claim(Claim("The toll was introduced in 1954.", (quote,)), SHELF, search)
    assert checked.sentence.support is not Support.VERIFIED


@pytest.mark.parametrize(
    ("claim", "file"),
    [
        ("The toll was abolished in 1931.", "bridge.pdf"),
        ("The Harbour Bridge was not opened to traffic on 24 October 1931.", "bridge.pdf"),
        ("The Harbour Bridge was closed to traffic on 24 October 1931.", "bridge.pdf"),
        ("한빛대교는 1987년 5월 12일에 개통되지 않았다.", "대교.pdf"),
        ("통행료는 1987년에 없어졌다.", "대교.pdf"),
    ],
)
def test_a_claim_that_its_quote_contradicts_is_unsupported(claim: str, file: str) -> None:
    page = SHELF.page(file, 1)
    assert page is not None
    checked = check_claim(Claim(claim, (ClaimQuote(page.text, file, 1),)), SHELF, search)
    assert (checked.sentence.support, checked.sentence.reason) == (Support.UNSUPPORTED, "contradicted")
    assert checked.citations[0].verified


def test_without_quotes_the_sentence_that_says_it_is_found() -> None:
    checked = check_claim(Claim("In 1954 the toll was abolished."), SHELF, search)
    assert (checked.sentence.support, checked.sentence.basis) == (Support.VERIFIED, "entailed")
    assert checked.citations[0].quote == "The toll was abolished in 1954."


def test_a_quote_without_a_file_is_looked_for() -> None:
    quote = ClaimQuote("The fare is 4.50 pounds")
    checked = check_claim(Claim("The fare is 4.50 pounds.", (quote,)), SHELF, search)
    assert checked.sentence.support is Support.VERIFIED
    assert checked.citations[0].file == "ferry.pdf"


def test_what_no_document_says_is_unsupported() -> None:
    checked = check_claim(Claim("Whales sing in the harbour at night."), SHELF, search)
    assert checked.sentence.support is Support.UNSUPPORTED
    assert checked.citations == ()


def test_claims_are_read_from_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    first = {
        "id": 7,
        "sentence": "A.",
        "quotes": [{"quote": "a", "file": "a.pdf", "page": 2}],
        "question": "Q?",
    }
    path.write_text(json.dumps(first) + "\n\n" + json.dumps({"sentence": "B."}) + "\n", encoding="utf-8")
    assert read_claims(path) == [Claim("A.", (ClaimQuote("a", "a.pdf", 2),), "Q?", "7"), Claim("B.")]


def test_a_line_that_is_no_claim_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_text('{"sentence": "A."}\n{"text": "B."}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="line 2"):
        read_claims(path)
