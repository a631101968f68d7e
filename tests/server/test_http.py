"""The HTTP server, asked by the stock OpenAI client, by LangChain's ChatOpenAI and as plain HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI

from rag.errors import BudgetReached, ServerUnreachable
from rag.pipeline import Pipeline
from rag.pipeline.forms import answer_form
from rag.server.http_server import MODEL, Requests, http_app
from rag.server.service import Cancelled, DocumentService, Progress
from rag.settings import load_settings
from tests.copies import copy_index
from tests.server.conftest import served
from tests.servers.openai_server import OpenAIServer, Request

MANUAL = "tarn-340-user-manual.pdf"
QUESTION = "What is the sample volume of the Tarn 340?"
KOREAN = "연차 휴가는 며칠인가요?"
KEY = "key-123"


@pytest.fixture(scope="module")
def address(service: DocumentService) -> Iterator[str]:
    with served(http_app(service, KEY)) as url:
        yield url


@pytest.fixture
def client(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as one:
        yield one


def _ask(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("question", [QUESTION, KOREAN])
def test_a_chat_completion_is_the_checked_answer(
    client: openai.OpenAI, service: DocumentService, question: str
) -> None:
    done = client.chat.completions.create(model=MODEL, messages=_ask(question))
    expected = answer_form(service.ask(question))
    form = done.model_extra["pagequote"]  # type: ignore[index]
    for name in ("status", "answer", "sentences", "citations", "evidence_score"):
        assert form[name] == expected[name]
    content = done.choices[0].message.content or ""
    assert expected["sentences"][0]["text"] in content
    cited = expected["citations"][0]
    assert f"[1] {cited['file']}" in content
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert done.usage.total_tokens == 0  # no model was asked


def test_a_stream_brings_the_same_text_and_the_verdicts_at_its_end(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=_ask(QUESTION))
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(model=MODEL, messages=_ask(QUESTION), **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    last = next(chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason)
    assert last.model_extra["pagequote"]["status"] == "answered"  # type: ignore[index]
    assert chunks[-1].usage is not None


def test_what_the_documents_do_not_hold_is_declined(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=_ask("Who won the 1966 world cup final?"))
    assert done.model_extra["pagequote"]["status"] == "abstained"  # type: ignore[index]
    assert done.choices[0].message.content


def test_langchain_asks_streams_and_follows_up(address: str) -> None:
    chat = ChatOpenAI(model=MODEL, base_url=f"{address}/v1", api_key=KEY, max_retries=0)  # type: ignore[arg-type]
    first = chat.invoke(QUESTION)
    assert f"[1] {MANUAL}" in str(first.content)
    turns = [HumanMessage(QUESTION), AIMessage(str(first.content)), HumanMessage("And its warranty?")]
    assert chat.invoke(turns).content
    assert "".join(str(chunk.content) for chunk in chat.stream(QUESTION)) == first.content


def test_errors_are_those_that_the_client_knows(client: openai.OpenAI, address: str) -> None:
    bad: list[dict[str, Any]] = [
        {"messages": [{"role": "system", "content": "You are a pirate."}]},
        {"messages": _ask("")},
        {"messages": _ask("x" * 10_000)},
        {"messages": _ask(QUESTION), "n": 3},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": _ask(QUESTION), "extra_body": {"pagequote": {"k": 10**6}}},
        {"messages": _ask(QUESTION), "extra_body": {"pagequote": {"wher": "x"}}},
    ]
    for given in bad:
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model=MODEL, **given)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=_ask(QUESTION))
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    assert [model.id for model in client.models.list()] == [MODEL]
    assert httpx.get(f"{address}/health").json()["status"] == "ok"


def test_the_other_endpoints_answer_as_the_command_line(http: httpx.Client, service: DocumentService) -> None:
    where = {"file": MANUAL}
    found = http.post("/search", json={"query": "sample volume", "k": 2, "where": where}).json()
    assert found == service.search("sample volume", 2, where)
    answer = http.post("/ask", json={"question": QUESTION}).json()
    assert answer["citations"][0]["verified"]
    quote, page = answer["citations"][0]["quote"], answer["citations"][0]["page"]
    checked = http.post("/verify", json={"text": f"“{quote}”"}).json()
    assert checked["summary"]["quotes"]["found"] == 1
    assert len(http.get("/documents", params={"limit": 3}).json()["files"]) == 3
    place = {"file": MANUAL, "page": page}
    assert quote.split()[0] in http.get("/page", params=place).json()["text"]
    plain, marked = (http.get("/page.png", params={**place, "quote": q}).content for q in ("", quote))
    assert plain.startswith(b"\x89PNG")
    assert marked != plain
    assert http.get("/page.png", params={**place, "quote": "whales sing"}).status_code == 400
    for refused in ({"file": "../../etc/passwd", "page": 1}, {"file": MANUAL, "page": 10**12}):
        assert http.get("/page", params=refused).json()["error"]["code"] == "invalid_request_error"
    assert http.post("/search", json={"query": "x", "unknown": 1}).json()["error"]["param"] == "unknown"


def test_the_description_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    page = http.get("/docs").text
    assert "/v1/chat/completions" in page
    assert "http://" not in page
    assert "https://" not in page
    assert {"/ask", "/search", "/verify", "/v1/models"} <= http.get("/openapi.json").json()["paths"].keys()


def test_fifty_requests_at_once_are_all_answered_a_few_at_a_time(
    service: DocumentService, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, most, lock = 0, 0, threading.Lock()
    original = service.pipeline.search

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        try:
            return original(*arguments, **options)
        finally:
            with lock:
                busy -= 1

    monkeypatch.setattr(service.pipeline, "search", counted)

    async def all_at_once(url: str) -> list[int]:
        limits = httpx.Limits(max_connections=60)
        async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as many:
            posts = (many.post("/search", json={"query": f"{QUESTION} {i}", "k": 1}) for i in range(50))
            return [response.status_code for response in await asyncio.gather(*posts)]

    with served(http_app(service, None, concurrency=3)) as url:
        assert asyncio.run(all_at_once(url)) == [200] * 50
    assert 1 <= most <= 3


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BudgetReached("The cap is met."), 402, "budget_reached"),
        (ServerUnreachable("No connection."), 503, "provider_unreachable"),
        (RuntimeError("secret detail"), 500, "server_error"),
    ],
)
def test_failures_have_a_status_and_a_code(
    service: DocumentService, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(service.pipeline, "search", failing)
    with served(http_app(service, None)) as url:
        response = httpx.post(f"{url}/search", json={"query": "fare"})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert "secret detail" not in response.text


def test_a_request_that_takes_too_long_is_ended(service: DocumentService) -> None:
    waited = threading.Event()

    def slow(progress: Progress) -> None:
        progress.stopped.wait(20)
        waited.set()

    with pytest.raises(TimeoutError):
        asyncio.run(Requests(1, 0.05).run(slow))
    assert waited.wait(20)


def test_a_client_that_leaves_stops_the_model(sample_index: Path, tmp_path: Path) -> None:
    """The words of the model are read no further once the client of the stream has gone."""
    copy_index(sample_index, tmp_path / "index")
    reply = "The sample volume is 10 ml [1]. " * 200
    asking, ended = threading.Event(), threading.Event()

    def answered(_request: Request) -> str:
        asking.set()
        return reply

    with OpenAIServer(reply=answered, chunk_delay=0.05) as model:
        settings = load_settings(
            {"index": str(tmp_path / "index"), "model": "compatible:test"},
            env={"RAG_BASE_URL": model.base_url, "RAG_API_KEY": model.key},
            dotenv_path=None,
        )
        with Pipeline.open(settings=settings) as pipeline:
            service = DocumentService(pipeline)
            original = service.ask

            def asked(*arguments: Any, **options: Any) -> Any:
                try:
                    return original(*arguments, **options)
                except Cancelled:
                    ended.set()
                    raise

            service.ask = asked  # type: ignore[method-assign]
            with served(http_app(service, None)) as url:
                client = openai.OpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0)
                stream = client.chat.completions.create(model=MODEL, messages=_ask(QUESTION), stream=True)
                next(iter(stream))
                assert asking.wait(60)  # the question is under way
                stream.close()
                assert ended.wait(60)
