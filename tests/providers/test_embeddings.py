"""Embeddings through the OpenAI protocol: batches, order, blanks, dimensions, and nothing paid twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rag.errors import AuthenticationFailed, BadResponse, ContextTooLong, MissingCapability, ServerUnreachable
from rag.providers.embedding import EmbeddingProvider
from rag.providers.registry import embedding_model
from tests.providers.support import AT_ONCE, EMBEDDINGS, settings_for
from tests.servers.openai_server import Fault, OpenAIServer, Request
from tests.servers.toy_model import embed

TEXTS = [f"passage number {i} about harbour bridges, kettles and 휴가 규정" for i in range(300)]


def provider_for(server: OpenAIServer, spec: str = EMBEDDINGS, **flags: Any) -> EmbeddingProvider:
    return embedding_model(spec, settings_for(server, **flags), retry=AT_ONCE, dimension=64)


def expected(texts: Sequence[str]) -> np.ndarray:
    return np.asarray([embed(text, 64) for text in texts], dtype=np.float32)


@pytest.mark.parametrize("spec", [EMBEDDINGS, "azure:emb", "compatible:emb", "ollama:bge-m3"])
def test_every_text_gets_its_own_vector_in_order(spec: str) -> None:
    with OpenAIServer() as server:
        provider = provider_for(server, spec)
        vectors = provider.embed(TEXTS)
        query = provider.embeddings.embed_query(TEXTS[5])
        documents = provider.embeddings.embed_documents(TEXTS[:3])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(TEXTS), atol=1e-6)
    np.testing.assert_allclose(query, vectors[5], atol=1e-6)
    np.testing.assert_allclose(documents, vectors[:3], atol=1e-6)
    assert len(server.embedding_requests()) >= 4  # several batches, then the two small calls


def test_repeated_and_blank_texts_are_not_paid_for() -> None:
    with OpenAIServer() as server:
        vectors = provider_for(server).embed(["a b", "", "c d", "a b", "   \n"])
        assert sorted(server.bill.texts.items()) == [("a b", 1), ("c d", 1)]
        assert np.asarray(provider_for(server).embeddings.embed_query(" ")).sum() == 0
        assert server.bill.texts.total() == 2
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[3])


def test_nothing_to_embed_asks_nobody() -> None:
    with OpenAIServer() as server:
        assert provider_for(server).embed([]).shape == (0, 64)
        assert provider_for(server).embed(["", " "]).shape == (2, 64)
        assert server.requests == []


def test_batches_are_reported_in_the_callers_thread_with_their_positions() -> None:
    seen: dict[int, np.ndarray] = {}
    threads: set[int] = set()

    def note(positions: Sequence[int], vectors: np.ndarray) -> None:
        threads.add(threading.get_ident())
        seen.update(zip(positions, vectors, strict=True))

    with OpenAIServer() as server:
        vectors = provider_for(server).embed([*TEXTS, TEXTS[0], ""], note)
    assert threads == {threading.get_ident()}
    assert sorted(seen) == list(range(301))
    np.testing.assert_array_equal(np.stack([seen[i] for i in range(301)]), vectors[:301])


def test_requests_go_out_in_parallel_but_not_without_end() -> None:
    with OpenAIServer(faults=lambda _: Fault("slow", seconds=0.1)) as server:
        provider_for(server).embed([f"{text} {'word ' * 300}" for text in TEXTS])
        assert 2 <= server.most_at_once <= 4


def test_batches_keep_within_tokens_and_texts_of_a_request() -> None:
    with OpenAIServer() as server:
        provider_for(server).embed([f"{i} {'word ' * 300}" for i in range(200)])
        sizes = [len(request.texts) for request in server.requests]
        assert max(sizes) * 301 <= 17_000
        server.clear()
        provider_for(server, tpm=3000).embed([f"{i} {'word ' * 300}" for i in range(9)])
        assert max(len(request.texts) for request in server.requests) <= 9


def test_a_text_that_is_too_long_by_itself_holds_up_no_other() -> None:
    too_long = {TEXTS[70], TEXTS[200]}

    def refused(request: Request) -> Fault | None:
        return Fault("context") if too_long & set(request.texts) else None

    kept: list[int] = []
    with OpenAIServer(faults=refused) as server:
        with pytest.raises(ContextTooLong) as raised:
            provider_for(server).embed(TEXTS, lambda places, _: kept.extend(places))
        paid = dict(server.bill.texts)
    assert set(raised.value.texts) == too_long
    assert sorted(kept) == [place for place, text in enumerate(TEXTS) if text not in too_long]
    assert set(paid.values()) == {1}
    assert len(paid) == len(kept)


def test_a_batch_that_is_too_long_for_the_server_is_sent_in_halves() -> None:
    def too_many(request: Request) -> Fault | None:
        return Fault("context") if len(request.texts) > 20 else None

    with OpenAIServer(faults=too_many) as server:
        vectors = provider_for(server).embed(TEXTS)
        assert max(server.bill.texts.values()) == 1
    np.testing.assert_allclose(vectors, expected(TEXTS), atol=1e-6)


def test_one_text_that_is_too_long_is_an_error() -> None:
    with OpenAIServer(faults=lambda _: Fault("context")) as server, pytest.raises(ContextTooLong):
        provider_for(server).embed(["much too long"])


def test_when_a_batch_fails_those_under_way_are_kept() -> None:
    kept: list[int] = []

    def bad(request: Request) -> Fault | None:
        if any("number 130 " in text for text in request.texts):
            return Fault("401")
        return Fault("slow", seconds=0.05)

    with OpenAIServer(faults=bad) as server:
        provider = embedding_model("compatible:emb", settings_for(server), retry=AT_ONCE, dimension=64)
        with pytest.raises(AuthenticationFailed):
            provider.embed(TEXTS, lambda positions, _: kept.extend(positions))
        paid = server.bill.texts.total()
    assert sorted(kept) == sorted({i for i, text in enumerate(TEXTS) if server.bill.texts[text]})
    assert len(kept) == paid < len(TEXTS)


def test_another_dimension_than_the_index_has_is_one_sentence() -> None:
    with OpenAIServer(dimension=32) as server, pytest.raises(BadResponse, match=r"of 32 numbers .* where 64"):
        provider_for(server).embed(["a"])
    with OpenAIServer(faults=[None, Fault("wrong-dimension")]) as server:
        provider = provider_for(server)
        provider.embed(["a"])
        with pytest.raises(BadResponse, match="67 numbers"):
            provider.embed(["b"])


def test_the_dimension_of_an_unknown_model_is_found_out_once() -> None:
    with OpenAIServer(dimension=48) as server:
        provider = embedding_model("compatible:emb", settings_for(server), retry=AT_ONCE)
        assert (provider.dimension, provider.id) == (48, "compatible:emb/48")
        assert provider.embed(["a"]).shape == (1, 48)
        assert server.bill.texts.total() == 2
        known = embedding_model(EMBEDDINGS, settings_for(server), retry=AT_ONCE)
        assert (known.dimension, known.id) == (1536, f"{EMBEDDINGS}/1536")
        assert server.bill.texts.total() == 2


def test_a_server_that_knows_only_floats() -> None:
    with OpenAIServer(rejected_parameters={"encoding_format=base64"}) as server:
        provider = provider_for(server)
        np.testing.assert_allclose(provider.embed(["a"]), expected(["a"]), atol=1e-6)
        np.testing.assert_allclose(provider.embed(["b"]), expected(["b"]), atol=1e-6)
        formats = [request.body.get("encoding_format") for request in server.requests]
    assert formats == ["base64", "float", "float"]


def test_models_that_want_prefixes_get_them() -> None:
    with OpenAIServer() as server:
        provider = provider_for(server, "compatible:intfloat/multilingual-e5-small")
        provider.embed(["the text"])
        provider.embeddings.embed_query("the question")
        assert [request.texts for request in server.requests] == [
            ["passage: the text"],
            ["query: the question"],
        ]


def test_tokens_reported_by_the_server_are_what_is_booked() -> None:
    with OpenAIServer() as server:
        settings = settings_for(server)
        provider = embedding_model(EMBEDDINGS, settings, retry=AT_ONCE, dimension=64)
        provider.embed(TEXTS)
        estimate = sum(provider.count_tokens(text) for text in TEXTS)
        assert estimate == server.bill.input_tokens
        meter = provider._meter  # type: ignore[attr-defined]
    assert meter.usage.input_tokens == server.bill.input_tokens
    assert meter.usage.cost_usd == pytest.approx(server.bill.cost(0.02, 0))


def test_a_server_that_dies_for_good_in_the_middle() -> None:
    kept: list[int] = []
    with OpenAIServer(faults=lambda r: Fault("refuse") if r.number >= 2 else None) as server:
        provider = embedding_model("compatible:emb", settings_for(server), retry=AT_ONCE, dimension=64)
        with pytest.raises(ServerUnreachable):
            provider.embed(TEXTS, lambda positions, _: kept.extend(positions))
        assert len(kept) == server.bill.texts.total() > 0


def test_extractive_has_no_embeddings() -> None:
    with OpenAIServer() as server, pytest.raises(MissingCapability, match="--embeddings"):
        embedding_model("extractive", settings_for(server))


def test_the_built_in_model_is_free_and_reports_its_batches() -> None:
    with OpenAIServer() as server:
        provider = embedding_model("e5-small", settings_for(server))
    seen: list[int] = []
    vectors = provider.embed(["a harbour", "", "휴가 규정"], lambda positions, _: seen.extend(positions))
    assert (provider.paid, provider.dimension, vectors.shape) == (False, 384, (3, 384))
    assert seen == [0, 2]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-5)
    assert provider.id.startswith("e5-small/")
