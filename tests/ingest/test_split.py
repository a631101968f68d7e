"""Chunks: within their size, along sentences and rows, and standing where their spans say."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunking import Piece, split
from ingest.clean.document import clean
from ingest.raw import Line, LineKind, RawPage
from rag.providers.e5 import load_tokenizer
from rag.text.tokens import estimate_tokens
from tests.ingest.pdfs import HEIGHT, lines, wrapped, write_pdf
from tests.ingest.support import read_file

SUBJECTS = [
    *(
        "harbour",
        "board",
        "pier",
        "ferry",
        "treasurer",
        "dredger",
        "winter",
        "storm",
        "customs",
        "lighthouse",
    ),
    *("부두", "항만", "위원회", "겨울", "폭풍"),
]


def _prose(sentences: int, seed: int = 0) -> str:
    pick = random.Random(seed)
    return " ".join(
        f"The {' '.join(pick.choices(SUBJECTS, k=pick.randint(4, 18)))} in {pick.randint(1900, 2024)}."
        for _ in range(sentences)
    )


def _pieces(*pages: list[Line], limit: int = 60, overlap: int = 0) -> tuple[dict[int, str], list[Piece]]:
    document = clean([RawPage(number, found) for number, found in enumerate(pages, 1)], headers_footers=False)
    texts = {page.page.number: page.page.text for page in document.pages}
    return texts, split(document, limit=limit, overlap=overlap)


def _paragraphs(*texts: str) -> list[Line]:
    return [Line(text, mark=LineKind.PARAGRAPH) for text in texts]


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _spanned(texts: dict[int, str], piece: Piece) -> str:
    return "".join(texts[span.page][span.start : span.end] for span in piece.chunk.spans)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.text("abc 가나다 .!?\n1", max_size=400), max_size=4), max_size=4),
    st.integers(20, 200),
    st.integers(0, 30),
)
def test_chunks_cover_the_text_and_stand_where_they_say(
    pages: list[list[str]], limit: int, overlap: int
) -> None:
    texts, pieces = _pieces(*(_paragraphs(*page) for page in pages), limit=limit, overlap=overlap)
    for piece in pieces:
        assert _squeezed(_spanned(texts, piece)) == _squeezed(piece.chunk.text) != ""
        assert estimate_tokens(piece.chunk.text) <= limit + overlap + 1
    if not overlap:
        whole = "".join(texts[number] for number in sorted(texts))
        assert _squeezed("".join(piece.chunk.text for piece in pieces)) == _squeezed(whole)
    assert [piece.chunk.ordinal for piece in pieces] == list(range(len(pieces)))


def test_chunks_end_where_sentences_end() -> None:
    _, pieces = _pieces(_paragraphs(_prose(60)), limit=80)
    assert len(pieces) > 5
    assert all(piece.chunk.text.endswith(".") and piece.chunk.text.startswith("The") for piece in pieces)


def test_chunks_are_of_like_size() -> None:
    _, pieces = _pieces(_paragraphs(_prose(80)), limit=120)
    sizes = [piece.chunk.tokens for piece in pieces]
    assert max(sizes) <= 120
    assert min(sizes) > 60


def test_a_sentence_longer_than_the_limit_is_cut_between_words() -> None:
    texts, pieces = _pieces(_paragraphs(" ".join(SUBJECTS * 20)), limit=50)
    assert all(piece.chunk.tokens <= 50 for piece in pieces)
    assert " ".join(piece.chunk.text for piece in pieces) == texts[1]


def test_a_sentence_over_the_page_end_stays_whole_and_nothing_else_crosses() -> None:
    head, tail = "The board resolved that the pier", "would be rebuilt before the winter. A new page began."
    last = Line(head, 72.0, 500.0, 90.0, 100.0, size=10.0)
    texts, pieces = _pieces([*_paragraphs(_prose(6)), last], _paragraphs(tail, _prose(6, seed=1)))
    (crossing,) = [piece for piece in pieces if piece.chunk.page != piece.chunk.page_end]
    assert "the pier would be rebuilt before the winter." in crossing.chunk.text
    assert "A new page began" not in crossing.chunk.text
    assert [span.page for span in crossing.chunk.spans] == [1, 2]
    assert _squeezed(_spanned(texts, crossing)) == _squeezed(crossing.chunk.text)


def test_a_heading_stays_with_what_it_announces() -> None:
    page = [
        Line("Repairs", mark=LineKind.HEADING),
        *_paragraphs(_prose(5)),
        Line("Dues", mark=LineKind.HEADING),
    ]
    _, pieces = _pieces([*page, *_paragraphs(_prose(5, seed=3))], limit=90)
    assert {piece.chunk.heading for piece in pieces} == {"Repairs", "Dues"}
    assert not any(piece.chunk.text.endswith(("Repairs", "Dues")) for piece in pieces)


def test_the_rest_of_a_table_knows_its_column_heads() -> None:
    rows = [Line("Boat | Length | Price", mark=LineKind.ROW)]
    rows += [
        Line(f"Ferry {number} | {number} m | {number}00 pounds", mark=LineKind.ROW) for number in range(40)
    ]
    _, pieces = _pieces([Line("Prices of boats", mark=LineKind.PARAGRAPH), *rows], limit=80)
    assert len(pieces) > 3
    assert all(
        row.startswith(("Ferry", "Boat", "Prices"))
        for piece in pieces
        for row in piece.chunk.text.split("\n")
        if row
    )
    assert all("Boat | Length | Price" in piece.table_head for piece in pieces[1:])


def test_overlap_repeats_whole_sentences() -> None:
    _, pieces = _pieces(_paragraphs(_prose(60)), limit=80, overlap=30)
    shared = [b.chunk.spans[0].start < a.chunk.spans[-1].end for a, b in pairwise(pieces)]
    assert sum(shared) > len(shared) / 2
    assert all(piece.chunk.text.startswith("The") for piece in pieces)


@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_of_tokens_is_near_the_truth(seed: int) -> None:
    tokenizer = load_tokenizer()
    texts = [
        _prose(8, seed),
        "항만 위원회는 옛 세관에서 회의를 열고 겨울이 오기 전에 부두를 짓기로 하였다. " * 4,
    ]
    for text in texts:
        assert estimate_tokens(text) == pytest.approx(tokenizer.count(text), rel=0.25)


def test_headers_name_the_document_and_the_section(tmp_path: Path) -> None:
    path = write_pdf(
        tmp_path / "harbour_board_2023Q2_report.pdf",
        [
            lines("Second quarter", font="Helvetica-Bold", size=18, top=HEIGHT - 70),
            lines(*wrapped(_prose(12).encode("ascii", "ignore").decode(), width=430)),
        ],
    )
    reading = read_file(path)
    assert reading.metadata["period"] == "2023 Q2"
    header = reading.chunks[-1].header
    assert header.startswith("harbour board 2023 Q2 report")
    assert "Second quarter" in header
