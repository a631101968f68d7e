"""Rerankers of sentence-transformers and FlashRank, with small models made in the test."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.errors import MissingCapability, ModelNotFound, ProviderError
from rag.retrieval.reranking import load_cross_encoder, load_flashrank
from rag.settings import load_settings
from tests.retrieval.shelf import GUARANTEE, PAGES, WARRANTY, build, pipeline
from tests.servers.openai_server import OpenAIServer

pytestmark = pytest.mark.slow
OFFLINE = load_settings({"offline": True}, env={}, dotenv_path=None)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
TEXTS = [WARRANTY, *PAGES["shop.pdf"][:12], "연차 휴가 15일", "warranty " * 900]
POSITIONS = 64


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shelf") / "index")


def words_of(texts: Sequence[str]) -> list[str]:
    return sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})


def write_tokenizer(folder: Path, texts: Sequence[str]) -> dict[str, int]:
    """A BERT-like tokenizer over the words of the texts; returns its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: n for n, word in enumerate([*SPECIAL, *words_of(texts)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return vocabulary


# -- sentence-transformers ----------------------------------------------------------------------------------------


def write_cross_encoder(folder: Path, labels: int = 1) -> Path:
    """A BERT for sequence classification with random weights, saved as safetensors."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")

    vocabulary = write_tokenizer(folder, [*TEXTS, GUARANTEE])
    torch.manual_seed(5)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=POSITIONS, num_labels=labels, initializer_range=0.6,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")},
    ).save_pretrained(folder)
    return folder


def by_hand(folder: Path, question: str, texts: Sequence[str]) -> list[float]:
    """The scores straight from transformers, one pair at a time, without the library that is under test."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    scores = []
    for text in texts:
        inputs = tokenizer(question, text, truncation=True, max_length=POSITIONS, return_tensors="pt")
        with torch.inference_mode():
            scores.append(float(torch.sigmoid(model(**inputs).logits[0, 0])))
    return scores


def test_a_cross_encoder_rates_question_and_passage_together(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "tiny")
    expected = by_hand(folder, GUARANTEE, TEXTS)
    assert max(expected) - min(expected) > 0.01
    reranker = load_cross_encoder(str(folder), OFFLINE)
    assert reranker.rate(GUARANTEE, TEXTS) == pytest.approx(expected, abs=1e-5)


def test_a_search_is_reranked_by_a_cross_encoder_without_any_chat_model(index: Path, tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "tiny")
    flags = {"model": "extractive", "rerank": f"cross-encoder:{folder}", "rerank_depth": 20}
    with OpenAIServer() as server:
        with pipeline(index, server, model="extractive") as opened:
            usual = opened.search(GUARANTEE, k=24)
        with pipeline(index, server, **flags) as opened:
            retrieval = opened.runnable.steps.retriever.retrieve(GUARANTEE, k=24)
        assert server.chat_requests() == []
    ratings = by_hand(folder, GUARANTEE, [p.text for p in usual[:20]])
    order = sorted(range(20), key=lambda place: -ratings[place])
    expected = [usual[place].chunk_id for place in order] + [p.chunk_id for p in usual[20:]]
    assert [p.chunk_id for p in retrieval.passages] == expected
    assert retrieval.notes[0].startswith(f"Reranking (cross-encoder:{folder}): ")
    assert retrieval.model_steps[0].usage.calls == 0


def test_a_model_with_several_labels_cannot_rank(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "nli", labels=3)
    with pytest.raises(MissingCapability, match="3 numbers"):
        load_cross_encoder(str(folder), OFFLINE)


def test_a_model_that_is_not_here_is_named(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ModelNotFound, match="cross-encoder:no-such/model"):
        load_cross_encoder("no-such/model", OFFLINE)


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    folder = write_cross_encoder(tmp_path / "tiny")
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ProviderError):
        load_cross_encoder(str(folder), OFFLINE)


# -- FlashRank ----------------------------------------------------------------------------------------------------


def write_flashrank(folder: Path, weights: dict[str, float]) -> Path:
    """A model whose logit is the sum of the weights of the words: what it must answer is known by hand."""
    pytest.importorskip("flashrank")
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper, save

    vocabulary = write_tokenizer(folder, [*TEXTS, GUARANTEE])
    table = np.zeros((len(vocabulary), 1), dtype=np.float32)
    for word, weight in weights.items():
        table[vocabulary[word]] = weight
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["weights"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["weights", "wide"], ["heard"]),
        helper.make_node("ReduceSum", ["heard", "middle"], ["logits"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    graph = helper.make_graph(nodes, "words", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, folder / "words.onnx")
    for name, content in {
        "config.json": {"pad_token_id": 0},
        "tokenizer_config.json": {"model_max_length": 128, "pad_token": "[PAD]"},
        "special_tokens_map.json": {"pad_token": "[PAD]", "unk_token": "[UNK]"},
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_flashrank_model_in_a_folder_rates_passages(tmp_path: Path) -> None:
    folder = write_flashrank(tmp_path / "words", {"warranty": 2.0, "shop": -1.0})
    reranker = load_flashrank(str(folder), OFFLINE)
    texts = ["a shop", "the warranty", "the warranty of the shop", "nothing"]
    expected = [1 / (1 + math.exp(-logit)) for logit in (-1.0, 2.0, 1.0, 0.0)]
    assert reranker.rate("How long?", texts) == pytest.approx(expected, abs=1e-6)


def test_a_search_is_reranked_by_flashrank(index: Path, tmp_path: Path) -> None:
    folder = write_flashrank(tmp_path / "words", {"warranty": 2.0})
    flags = {"model": "extractive", "rerank": f"flashrank:{folder}", "rerank_depth": 60}
    with OpenAIServer() as server, pipeline(index, server, **flags) as opened:
        found = opened.search(GUARANTEE, k=3)
    assert found[0].text == WARRANTY
    assert found[0].rerank_score == pytest.approx(1 / (1 + math.exp(-2.0)))


def test_flashrank_models_that_are_not_here_are_named(tmp_path: Path) -> None:
    pytest.importorskip("flashrank")
    away = load_settings({"offline": True, "cache_dir": str(tmp_path)}, env={}, dotenv_path=None)
    with pytest.raises(ModelNotFound, match="--offline"):
        load_flashrank("ms-marco-MiniLM-L-12-v2", away)
    with pytest.raises(ModelNotFound, match="ms-marco-MiniLM-L-12-v2"):
        load_flashrank("no-such-model", away)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match=r"\.onnx"):
        load_flashrank(str(tmp_path / "empty"), away)
    with pytest.raises(MissingCapability, match="chat"):
        load_flashrank("rank_zephyr_7b_v1_full", away)


def test_loading_a_flashrank_model_leaves_the_programs_logging_alone(tmp_path: Path) -> None:
    import logging

    folder = write_flashrank(tmp_path / "words", {})
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    load_flashrank(str(folder), OFFLINE)
    assert (list(root.handlers), root.level) == before
