"""Chat models over real sockets: what is sent to which kind of model, streaming, usage records, kept replies."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import HumanMessage, SystemMessage
from openai.types.chat import ChatCompletionContentPartImageParam, ChatCompletionContentPartTextParam
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from rag.answering.reply import JSON_SCHEMA
from rag.errors import AuthenticationFailed, MissingCapability, SettingsError
from rag.providers.registry import chat_model
from rag.usage.replies import Reply, ReplyCache
from tests.providers.support import AT_ONCE, settings_for
from tests.servers.openai_server import KEY, Fault, OpenAIServer, Request

SPECS = [
    "openai:gpt-4o-mini",
    "azure:my-deployment",
    "compatible:served",
    "ollama:exaone3.5",
    "openai:o3-mini",
]
SAMPLING: dict[str, Any] = {"temperature": 0.0, "max_tokens": 40, "top_p": 0.5, "seed": 3}


@pytest.mark.parametrize("spec", SPECS)
def test_one_prompt_works_with_every_kind_of_server(spec: str) -> None:
    with OpenAIServer(reply='It opened in 1931. [1: "in 1931"]') as server:
        model = chat_model(spec, settings_for(server), retry=AT_ONCE)
        whole = model.invoke([SystemMessage("Be brief."), HumanMessage("When?")], **SAMPLING)
        streamed = "".join(piece.text for piece in model.stream("When?", **SAMPLING))
        billed = server.bill
    assert whole.text == streamed == 'It opened in 1931. [1: "in 1931"]'
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] * 2 == billed.output_tokens > 0
    assert model.guards.meter.usage.calls == 2


@pytest.mark.parametrize("spec", ["openai:gpt-4o-mini", "azure:my-deployment", "openai:o3-mini"])
def test_requests_are_what_openais_own_client_says(spec: str) -> None:
    picture = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
    asked = [SystemMessage("Be brief."), HumanMessage([{"type": "text", "text": "When?"}, picture])]
    schema = {"type": "json_schema", "json_schema": JSON_SCHEMA}
    reply = '{"sentences": [{"text": "In 1931.", "citations": []}], "not_in_documents": false}'
    with OpenAIServer(reply=reply) as server:
        model = chat_model(spec, settings_for(server), retry=AT_ONCE)
        whole = model.invoke(asked, logprobs=True, top_logprobs=8, response_format=schema, **SAMPLING)
        streamed = "".join(piece.text for piece in model.stream(asked, response_format=schema, **SAMPLING))
        bodies = [request.body for request in server.chat_requests()]
    assert whole.text == streamed == reply
    for body, form in zip(
        bodies, (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming), strict=True
    ):
        assert set(body) <= set(get_type_hints(form))
        TypeAdapter(form).validate_python({**body, "messages": []})
        text, image = body["messages"][-1]["content"]
        TypeAdapter(ChatCompletionContentPartTextParam).validate_python(text)
        TypeAdapter(ChatCompletionContentPartImageParam).validate_python(image)
        assert body["response_format"] == schema


def test_a_schema_that_a_server_refuses_is_left_out() -> None:
    with OpenAIServer(reply="{}", rejected_parameters=["response_format"]) as server:
        model = chat_model("openai:gpt-4o-mini", settings_for(server), retry=AT_ONCE)
        schema = {"type": "json_schema", "json_schema": JSON_SCHEMA}
        assert model.invoke("Well?", response_format=schema).text == "{}"
        assert ["response_format" in request.body for request in server.requests] == [True, False]


@pytest.mark.parametrize(
    ("spec", "sent", "kept_back"),
    [
        ("openai:gpt-4o-mini", {"max_completion_tokens": 40, "temperature": 0.0, "seed": 3}, {"max_tokens"}),
        ("compatible:x", {"max_tokens": 40, "temperature": 0.0}, {"max_completion_tokens"}),
        ("openai:o3-mini", {"seed": 3}, {"temperature", "top_p", "max_tokens", "stop"}),
        ("openai:gpt-5-mini", {"seed": 3}, {"temperature", "top_p", "max_tokens", "stop"}),
        ("openai:gpt-5-chat-latest", {"temperature": 0.0, "max_completion_tokens": 40}, {"max_tokens"}),
    ],
)
def test_each_model_is_sent_what_it_takes(spec: str, sent: dict[str, Any], kept_back: set[str]) -> None:
    # the server refuses what OpenAI's reasoning models refuse; gpt-5-chat is not one of them
    with OpenAIServer(reply="Yes.") as server:
        model = chat_model(spec, settings_for(server), retry=AT_ONCE)
        if "chat-latest" in spec:
            parameters = model.guards.parameters(["END"], dict(SAMPLING))
            assert parameters["temperature"] == 0.0
            assert parameters["stop"] == ["END"]
            return
        model.invoke("Well?", stop=["END"], **SAMPLING)
        body = server.requests[-1].body
    assert {name: body[name] for name in sent} == sent
    assert not kept_back & set(body)
    assert len(server.requests) == 1


def test_reasoning_models_get_a_developer_role_and_room_for_thoughts() -> None:
    with OpenAIServer(reply="Yes.") as server:
        model = chat_model("openai:o3-mini", settings_for(server), retry=AT_ONCE)
        model.invoke([SystemMessage("Be brief."), HumanMessage("Well?")], max_tokens=40)
        body = server.requests[-1].body
    assert body["messages"][0]["role"] == "developer"
    assert body["max_completion_tokens"] > 1000


@pytest.mark.parametrize("parameter", ["temperature", "seed", "max_tokens", "stream_options"])
def test_a_parameter_that_a_server_refuses_is_left_out(parameter: str) -> None:
    with OpenAIServer(reply="Yes.", rejected_parameters={parameter}) as server:
        model = chat_model("compatible:odd", settings_for(server), retry=AT_ONCE)
        assert "".join(piece.text for piece in model.stream("Well?", **SAMPLING)) == "Yes."
        assert "".join(piece.text for piece in model.stream("Well?", **SAMPLING)) == "Yes."
        bodies = [request.body for request in server.requests]
    assert [parameter in body for body in bodies] == [True, False, False]
    if parameter == "max_tokens":
        assert bodies[-1]["max_completion_tokens"] == 40


def test_azure_is_called_by_deployment_and_version_with_its_own_key_header() -> None:
    with OpenAIServer() as server:
        chat_model("azure:my-deployment", settings_for(server), retry=AT_ONCE).invoke("Well?")
        request = server.requests[-1]
    assert request.path == "/openai/deployments/my-deployment/chat/completions"
    assert request.query["api-version"] == ["2024-10-21"]
    assert request.headers["api-key"] == KEY


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("azure_openai_endpoint", "AZURE_OPENAI_ENDPOINT"),
        ("openai_api_version", "OPENAI_API_VERSION"),
        ("azure_openai_api_key", "AZURE_OPENAI_API_KEY"),
    ],
)
def test_what_azure_lacks_is_named(missing: str, named: str) -> None:
    with OpenAIServer() as server, pytest.raises((SettingsError, AuthenticationFailed), match=named):
        chat_model("azure:x", settings_for(server, **{missing: None}))


def test_openais_key_never_goes_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-openai-key-000")
    with OpenAIServer(key=None) as server:
        settings = settings_for(server, api_key=None)
        chat_model("compatible:x", settings, retry=AT_ONCE).invoke("Well?")
        chat_model("ollama:x", settings, retry=AT_ONCE).invoke("Well?")
        headers = [request.headers["authorization"] for request in server.requests]
    assert headers == ["Bearer none", "Bearer none"]


def test_compatible_needs_an_address_and_ollama_has_one() -> None:
    with OpenAIServer() as server:
        settings = settings_for(server, base_url=None)
        with pytest.raises(SettingsError, match="RAG_BASE_URL"):
            chat_model("compatible:x", settings)
        model = chat_model("ollama:x", settings)
    assert model.guards.site.server == "the server at http://localhost:11434/v1"


def test_settings_win_over_the_template_for_sampling() -> None:
    with OpenAIServer(reply="Yes.") as server:
        settings = settings_for(server, temperature=0.9, max_tokens=11)
        chat_model("openai:gpt-4o-mini", settings, retry=AT_ONCE).invoke("Well?", **SAMPLING)
        body = server.requests[-1].body
    assert (body["temperature"], body["max_completion_tokens"], body["seed"]) == (0.9, 11, 3)


def test_a_server_that_does_not_count_tokens_is_counted_for_and_flagged() -> None:
    with OpenAIServer(reply="It opened in 1931.", report_usage=False) as server:
        model = chat_model("openai:gpt-4o-mini", settings_for(server), retry=AT_ONCE)
        whole = model.invoke("When did the bridge open?")
        pieces = list(model.stream("When did the bridge open?"))
        billed = server.bill
    assert whole.response_metadata["pagequote"]["estimated"] is True
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] * 2 == billed.output_tokens
    assert whole.usage_metadata["input_tokens"] * 2 == billed.input_tokens
    assert (
        sum(p.usage_metadata["output_tokens"] for p in pieces if p.usage_metadata) * 2 == billed.output_tokens
    )
    assert model.guards.meter.total.estimated == {"openai:gpt-4o-mini"}


def test_langchains_own_callbacks_see_calls_tokens_and_pieces() -> None:
    class Watcher(BaseCallbackHandler):
        def __init__(self) -> None:
            self.events: list[str] = []

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            self.events.append("start")

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.events.append("token")

        def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
            self.events.append("end")

    with OpenAIServer(reply="one two three") as server, get_usage_metadata_callback() as usage:
        model = chat_model("openai:gpt-4o-mini", settings_for(server), retry=AT_ONCE)
        watcher = Watcher()
        list(model.stream("Well?", config={"callbacks": [watcher]}))
        model.invoke("Well?", config={"callbacks": [watcher]})
    assert watcher.events[0] == "start"
    assert watcher.events.count("start") == watcher.events.count("end") == 2
    assert watcher.events.count("token") >= 3
    assert usage.usage_metadata["gpt-4o-mini"]["output_tokens"] == 6


def test_async_calls_give_the_same() -> None:
    async def both(model: Any) -> tuple[str, str]:
        whole = await model.ainvoke("Well?")
        return whole.text, "".join([piece.text async for piece in model.astream("Well?")])

    with OpenAIServer(reply="one two three", faults=[Fault("500"), None, Fault("503")]) as server:
        model = chat_model("openai:gpt-4o-mini", settings_for(server), retry=AT_ONCE)
        assert asyncio.run(both(model)) == ("one two three", "one two three")
    assert model.guards.meter.usage.calls == 2


def test_identical_calls_at_temperature_0_are_answered_from_the_cache(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        return f"reply {request.number}"

    with OpenAIServer(reply=reply) as server:
        file = tmp_path / "replies.db"
        settings = settings_for(server, cache=True)
        model = chat_model("openai:gpt-4o-mini", settings, retry=AT_ONCE, replies=file)
        first = model.invoke("Well?", temperature=0)
        again = chat_model("openai:gpt-4o-mini", settings, retry=AT_ONCE, replies=file)
        assert again.invoke("Well?", temperature=0).text == first.text == "reply 0"
        assert "".join(piece.text for piece in again.stream("Well?", temperature=0)) == "reply 0"
        assert len(server.requests) == 1
        record = again.invoke("Well?", temperature=0).response_metadata["pagequote"]
        assert record == {"cost_usd": 0.0, "cached": True, "estimated": False}
        assert again.guards.meter.usage.cached_calls == 3
        assert again.guards.meter.usage.cost_usd == 0
        # anything that differs is another call
        assert again.invoke("Well!", temperature=0).text == "reply 1"
        assert again.invoke("Well?", temperature=0, max_tokens=5).text == "reply 2"
        assert again.invoke("Well?", temperature=0.5).text == "reply 3"
        assert again.invoke("Well?", temperature=0.5).text == "reply 4"
    assert KEY.encode() not in file.read_bytes()


def test_a_damaged_cache_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "replies.db"
    file.write_bytes(b"not a database at all" * 100)
    with OpenAIServer(reply="Yes.") as server:
        model = chat_model(
            "openai:gpt-4o-mini", settings_for(server, cache=True), retry=AT_ONCE, replies=file
        )
        assert model.invoke("Well?", temperature=0).text == "Yes."
    assert ReplyCache(file).get("x") is None


def test_kept_probabilities_that_cannot_be_read_are_not_found(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path / "replies.db")
    reply = Reply("yes", logprobs={"content": [{"token": "yes", "logprob": -0.1}]})
    cache.put("x", reply)
    assert cache.get("x") == reply
    with closing(sqlite3.connect(cache.path)) as db, db:
        db.execute("update kept set logprobs = 'no JSON'")
    assert cache.get("x") is None


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("extractive", MissingCapability, "--model"),
        ("e5-small", MissingCapability, "makes embeddings"),
        ("gpt-4o", SettingsError, "provider:model"),
        ("opena:gpt-4o-mini", SettingsError, r"opena.*Did you mean openai\?"),
        ("anthropic:claude-sonnet", SettingsError, "needs the package langchain-anthropic"),
    ],
)
def test_a_model_that_cannot_be_opened_is_one_sentence(spec: str, error: type[Exception], words: str) -> None:
    with OpenAIServer() as server, pytest.raises(error, match=words):
        chat_model(spec, settings_for(server))


def test_the_context_window_follows_the_model_and_ollamas_silent_limit() -> None:
    with OpenAIServer() as server:
        settings = settings_for(server)
        windows = {
            spec: chat_model(spec, settings).context_tokens
            for spec in (
                "openai:gpt-4o-mini",
                "openai:gpt-4",
                "openai:gpt-4.1-mini",
                "ollama:exaone3.5",
                "compatible:x",
            )
        }
    assert windows == {
        "openai:gpt-4o-mini": 128_000,
        "openai:gpt-4": 8_192,
        "openai:gpt-4.1-mini": 1_000_000,
        "ollama:exaone3.5": 4_096,
        "compatible:x": 8_192,
    }
