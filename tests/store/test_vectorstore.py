"""The LangChain VectorStore: LangChain's own tests of the contract, and what is ours."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import vectorstores as standard

from rag.errors import UsageError
from rag.store import Filter, Index, open_index
from rag.store.vectorstore import IndexVectorStore
from tests.kinds import BOTH_KINDS
from tests.store import corpus

KINDS = BOTH_KINDS

for method in vars(standard.VectorStoreIntegrationTests).values():
    if inspect.iscoroutinefunction(method):
        pytest.mark.anyio(method)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class TestStandard(standard.VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, location: Path | str) -> Iterator[VectorStore]:
        spec = corpus.spec(dimension=standard.EMBEDDING_SIZE)
        with open_index(location, embeddings=self.get_embeddings(), create=spec) as index:
            yield index.vector_store()


@pytest.fixture
def store(index: Index) -> IndexVectorStore:
    with index.writer() as writer:
        for file, pages in (("port/a.pdf", corpus.ENGLISH), ("항구/나.pdf", corpus.KOREAN)):
            item = corpus.document(file, list(pages), title="Title", year="2023")
            writer.put(item, corpus.vectors_of(item))
    return index.vector_store()


def test_ingested_chunks_are_documents(store: IndexVectorStore) -> None:
    (found,) = store.similarity_search("제주도의 감귤 수확", k=1)
    assert found.page_content == corpus.KOREAN[2]
    assert found.metadata == {
        "file": "항구/나.pdf",
        "page": 3,
        "page_end": 3,
        "page_label": "p3",
        "heading": "Section 3",
        "title": "Title",
    }
    assert found.id is not None
    assert store.get_by_ids([found.id, "unknown", "999"]) == [found]


@pytest.mark.parametrize(
    "condition",
    [Filter.parse(["folder=port"]), "folder=port", ["file=a.pdf", "year=2023"], {"folder": "port"}],
)
def test_filters(store: IndexVectorStore, condition: object) -> None:
    found = store.similarity_search("서울의 인구", k=20, filter=condition)
    assert {document.metadata["file"] for document in found} == {"port/a.pdf"}
    scored = store.similarity_search_with_score("서울의 인구", k=20, filter=condition)
    assert [document for document, _ in scored] == found
    scores = [score for _, score in scored]
    assert scores == sorted(scores, reverse=True)


def test_searching_by_vector_is_searching(store: IndexVectorStore) -> None:
    vector = corpus.HashingEmbeddings().embed_query("copper prices")
    assert store.similarity_search_by_vector(vector, k=3) == store.similarity_search("copper prices", k=3)


def test_relevance_is_between_nought_and_one(store: IndexVectorStore) -> None:
    scored = store.similarity_search_with_relevance_scores("copper prices", k=12)
    assert all(0 <= score <= 1 for _, score in scored)


def test_marginal_relevance_spreads_over_what_is_alike(index: Index) -> None:
    store = index.vector_store()
    store.add_texts(["copper prices fell"] * 5 + ["copper cables", "copper mines in winter"])
    near = {document.page_content for document in store.similarity_search("copper prices fell", k=3)}
    spread = {
        d.page_content
        for d in store.max_marginal_relevance_search("copper prices fell", k=3, lambda_mult=0.3)
    }
    assert near == {"copper prices fell"}
    assert len(spread) == 3


def test_as_a_retriever(store: IndexVectorStore) -> None:
    retriever = store.as_retriever(search_kwargs={"k": 2, "filter": "folder=항구"})
    found = retriever.invoke("세종대왕이 창제한 훈민정음")
    assert found[0].metadata["page"] == 4
    mmr = store.as_retriever(search_type="mmr", search_kwargs={"k": 2})
    assert len(mmr.invoke("turbine blades")) == 2


def test_texts_keep_their_metadata_and_can_be_filtered_by_it(store: IndexVectorStore) -> None:
    metadata = {"tags": ["a", 1], "score": 1.5, "none": None, "언어": "한국어"}
    store.add_documents([Document(id="x", page_content="a text of its own", metadata=metadata)])
    (found,) = store.similarity_search("text of its own", k=1, filter={"언어": "한국어"})
    assert found == Document(id="x", page_content="a text of its own", metadata=metadata)


def test_chunks_of_files_leave_with_their_file_only(store: IndexVectorStore) -> None:
    with pytest.raises(UsageError, match="--prune"):
        store.delete(["1"])
    assert len(store.get_by_ids(["1"])) == 1


def test_a_text_that_was_embedded_before_is_not_embedded_again(index: Index) -> None:
    class Counting(corpus.HashingEmbeddings):
        paid: ClassVar[list[str]] = []

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            self.paid.extend(texts)
            return super().embed_documents(texts)

    store = IndexVectorStore(index, Counting())
    store.add_texts(["one", "two"], ids=["a", "b"])
    store.add_texts(["two", "three"], ids=["b", "c"])
    store.delete(["a"])
    store.add_texts(["one"])
    assert Counting.paid == ["one", "two", "three"]


def test_from_texts_and_opening_again(location: Path | str) -> None:
    embeddings = corpus.HashingEmbeddings()
    store = IndexVectorStore.from_texts(
        ["alpha", "beta"], embeddings, [{"n": 1}, {"n": 2}], location=location
    )
    store.index.close()
    again = IndexVectorStore.from_texts(["gamma"], embeddings, ids=["c"], location=location)
    assert [d.page_content for d in again.similarity_search("beta", k=1)] == ["beta"]
    assert again.get_by_ids(["c"])[0].page_content == "gamma"
    again.index.close()
    passing = IndexVectorStore.from_texts(["alpha"], embeddings)
    assert len(passing.similarity_search("alpha")) == 1


def test_without_embeddings_the_error_says_how(location: Path | str) -> None:
    with (
        open_index(location, create=corpus.spec()) as index,
        pytest.raises(UsageError, match="embeddings="),
    ):
        index.vector_store().similarity_search("x")
