"""A small index in both languages, written through the store's own entrance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag.providers.embedding import EmbeddingProvider
from rag.store import IndexSpec, open_index
from rag.text.keywords import TOKENISER_ID
from rag.types import Chunk, Document, DocumentRecord, Page, Span, Status

Texts = Mapping[str, Sequence[str]]
"""The text of each page, by file."""

PAGES: Texts = {
    "bridges/harbour.pdf": [
        "The harbour bridge was opened to traffic on 24 October 1931. It had cost 60 million dollars, of which "
        "the port paid a third. Eight lanes cross the river on two decks.",
        "Maintenance is paid for by a toll of four dollars. The toll was last raised in 2019. Pedestrians cross free "
        "of charge on the northern walkway.",
    ],
    "manuals/kettle.pdf": [
        "The Aria 2 kettle holds 1.7 litres and draws 2,200 watts. Its warranty lasts 36 months from the day of "
        "purchase. Descale the kettle every eight weeks.",
        "Do not immerse the base in water. If the lamp blinks red, the kettle has boiled dry and is off.",
    ],
    "규정/휴가.pdf": [
        "연차 휴가는 근속 1년에 15일이며, 3년 이상 근속하면 2년마다 하루씩 늘어난다. "
        "휴가는 사용 7일 전까지 신청한다.",
        "출장비는 하루 8만 원을 한도로 하며, 영수증을 30일 안에 제출한다. 해외 출장은 본부장의 승인을 받는다.",
    ],
    "규정/기숙사.pdf": [
        "기숙사의 정원은 240명이고 2인실과 4인실이 있다. 야간 출입은 자정까지이며, 세탁실은 지하 1층에 있다.",
    ],
}


def build(folder: Path, provider: EmbeddingProvider, pages: Texts = PAGES) -> Path:
    """Write `pages` into a new index in `folder`, each page a chunk, embedded by `provider`."""
    spec = IndexSpec(provider.spec, provider.id, provider.dimension, 220, 0, TOKENISER_ID)
    with open_index(folder, create=spec) as index, index.writer() as writer:
        for file, texts in pages.items():
            document = _document(file, texts)
            writer.put(document, provider.embed([chunk.indexed_text for chunk in document.chunks]))
        writer.publish()
    return folder


def _document(file: str, texts: Sequence[str]) -> Document:
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()
    source = DocumentRecord(
        file, f"/nowhere/{file}", digest, len(texts[0]), 0, Status.OK, title=Path(file).stem
    )
    pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
    chunks = tuple(
        Chunk(page.number - 1, (Span(page.number, 0, len(page.text)),), page.text, tokens=60)
        for page in pages
    )
    return Document(source, pages, chunks)
