"""Small real documents and a deterministic embedder: words hashed into signed buckets."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.store import IndexSpec, open_index
from rag.text.keywords import TOKENISER_ID
from rag.types import Chunk, Document, DocumentRecord, Page, Span, Status

DIMENSION = 64

ENGLISH = (
    "The harbour authority collected 412 million in mooring fees during 2023.",
    "A lighthouse keeper records wind, tide and visibility every four hours.",
    "Turbine blades are inspected for cracks after each winter storm.",
    "The committee postponed the vote on the ferry timetable until spring.",
    "Copper prices fell while demand for aluminium cables kept rising.",
    "Patients received the vaccine in two doses, three weeks apart.",
)
KOREAN = (
    "서울의 인구는 약 구백사십만 명이며 한강이 도시를 가로지른다.",
    "부산항은 대한민국에서 가장 큰 무역항으로 컨테이너를 처리한다.",
    "제주도의 감귤 수확은 십일월에 가장 활발하게 이루어진다.",
    "훈민정음은 세종대왕이 천사백사십삼년에 창제하였다.",
    "경주의 첨성대는 신라 시대에 세워진 천문 관측대이다.",
    "김치는 배추와 무를 소금에 절여 발효시킨 음식이다.",
)


class HashingEmbeddings(Embeddings):
    """Counts of words in hashed buckets: near texts share words, and the same text gives the same vector."""

    model = "hashing-64"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = np.zeros(DIMENSION)
        for word in re.findall(r"\w+", text.lower()):
            for piece in {word, word[:2], word[:3]}:
                number = int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=8).digest(), "little")
                vector[number % DIMENSION] += 1.0 if number >> 63 else -1.0
        return [float(x) for x in vector]


def embed(texts: Sequence[str]) -> np.ndarray:
    """Vectors of texts, shape [n, DIMENSION]."""
    return np.array(HashingEmbeddings().embed_documents(list(texts)), dtype=np.float32).reshape(-1, DIMENSION)


def question(text: str) -> np.ndarray:
    """The vector of a question."""
    return embed([text])[0]


def spec(**changes: object) -> IndexSpec:
    """What the tests' indexes are made with."""
    fields: dict[str, object] = {
        "embedding_model": "hashing",
        "embedding_id": "hashing-64",
        "dimension": DIMENSION,
        "chunk_tokens": 220,
        "chunk_overlap": 0,
        "tokeniser": TOKENISER_ID,
    }
    return IndexSpec(**{**fields, **changes})  # type: ignore[arg-type]


def document(
    file: str, pages: Sequence[str], *, status: Status = Status.OK, title: str = "", **metadata: str
) -> Document:
    """A document with one chunk for each page."""
    digest = hashlib.sha256("\f".join(pages).encode("utf-8", "replace")).hexdigest()
    source = DocumentRecord(file, f"/docs/{file}", digest, 100, 1, status, title=title, metadata=metadata)
    stored = tuple(Page(n, text, label=f"p{n}", characters=len(text)) for n, text in enumerate(pages, 1))
    chunks = tuple(
        Chunk(n - 1, (Span(n, 0, len(text)),), text, header=title, heading=f"Section {n}", tokens=9)
        for n, text in enumerate(pages, 1)
    )
    return Document(source, stored, chunks)


def vectors_of(item: Document) -> np.ndarray:
    """The embeddings of a document's chunks."""
    return embed([chunk.indexed_text for chunk in item.chunks])


def fill(location: Path | str, documents: Sequence[Document]) -> None:
    """Put documents into the index at `location`, which is made if there is none."""
    with open_index(location, create=spec()) as opened, opened.writer() as writer:
        for item in documents:
            writer.put(item, vectors_of(item))


def generated(count: int, seed: int = 7, pages: int = 4) -> list[Document]:
    """Different documents in both languages, the same for the same seed."""
    chance = random.Random(seed)
    documents = []
    for number in range(count):
        texts = [
            f"{chance.choice(ENGLISH)} {chance.choice(KOREAN)} Entry {number}-{page}."
            for page in range(1, pages + 1)
        ]
        folder = chance.choice(("reports", "보고서", "."))
        name = f"document-{number:03}.pdf"
        documents.append(
            document(name if folder == "." else f"{folder}/{name}", texts, year=str(2020 + number % 4))
        )
    return documents


def folder_bytes(folder: Path) -> int:
    """Bytes in all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
