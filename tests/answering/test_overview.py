"""Questions about a whole document, and what is quoted of one."""

from __future__ import annotations

import pytest

from rag.answering.overview import WholeDocument, asked_of, named, overview
from rag.types import DocumentRecord, Page, Passage, Span, Status

TEXT = """Annual meeting of the Larch Society

Present: 31 members

Summary

The society met for the ninth time and elected a new treasurer for three years. It agreed to plant forty trees.

1. Accounts

1.1 Income

Subscriptions brought in 2,310 pounds, which is a little more than in the year before, and gifts another 400.

2. Trees and hedges

Forty larches will be planted along the northern bank in March, when the ground is soft enough for the spades."""


def document(file: str, title: str, text: str = TEXT) -> WholeDocument:
    record = DocumentRecord(file, f"/x/{file}", "", len(text), 0, Status.OK, title=title)
    passage = Passage(hash(file), file, 1, 1, text, (Span(1, 0, len(text)),))
    return WholeDocument(record, [Page(1, text)], [passage])


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What is this document?", ""),
        ("What are these documents about?", ""),
        ("Please summarise minutes.pdf", "minutes.pdf"),
        ("Give me a short summary of the annual meeting.", "annual meeting"),
        ("이 문서는 무엇인가요?", ""),
        ("회의록.pdf 요약해줘", "회의록.pdf"),
        ("이 문서의 내용을 간단히 요약해 주세요", ""),
        ("회의록은 어떤 문서인가요?", "회의록"),
        ("이것은 무슨 자료예요?", ""),
        ("회의록은 어떤 문서에 보관하나요?", None),
        ("조합원은 무슨 자료를 내야 하나요?", None),
        ("What is this document collection about?", ""),
        ("What do these documents cover?", ""),
        ("What documents are there?", ""),
        ("어떤 문서들이 있나요?", ""),
        ("어떤 자료가 있어야 하나요?", None),
        ("What documents are there in the archive?", None),
        ("What does the warranty cover?", None),
        ("Who is the treasurer?", None),
        ("휴관일은 무엇인가요?", None),
    ],
)
def test_questions_about_a_whole_document(question: str, wanted: str | None) -> None:
    assert asked_of(question) == wanted


def test_a_document_is_named_by_file_title_or_words_of_them() -> None:
    records = [
        document(f"{name}.pdf", title).record for name, title in (("a", "Tree report"), ("b", "Rules"))
    ]
    assert named("", records) == records
    assert [r.file for r in named("b.pdf", records)] == ["b.pdf"]
    assert [r.file for r in named("tree report", records)] == ["a.pdf"]
    assert named("salaries", records) == []


def test_title_abstract_and_section_headings_are_quoted() -> None:
    draft, passages = overview([document("minutes.pdf", "Annual meeting of the Larch Society")])
    assert [sentence.text for sentence in draft.sentences] == [
        "Annual meeting of the Larch Society",
        "The society met for the ninth time and elected a new treasurer for three years.",
        "1. Accounts",
        "2. Trees and hedges",
    ]
    assert len(passages) == 1
    assert all(sentence.quotes[0].page == 1 for sentence in draft.sentences)


def test_several_documents_are_told_by_title_and_first_sentence() -> None:
    draft, passages = overview([document("a.pdf", "Annual meeting"), document("b.pdf", "Annual meeting")])
    assert len(passages) == 2
    assert [sentence.passages for sentence in draft.sentences] == [(1,), (1,), (2,), (2,)]
