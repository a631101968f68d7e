"""OpenTelemetry spans: of every step and model call, without text unless asked."""

from __future__ import annotations

import json

import opentelemetry.trace
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rag.errors import ProviderError
from rag.tracing import CONTENT
from tests.pipeline.conftest import Open
from tests.servers.openai_server import Fault, OpenAIServer

QUESTION = "When was the harbour bridge opened?"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(opentelemetry.trace, "get_tracer", provider.get_tracer)
    return exporter


def _attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_question_is_a_trace_of_its_steps_and_calls(exporter: InMemorySpanExporter, opened: Open) -> None:
    with OpenAIServer(reply="It was opened in 1931 [1].") as server:
        opened(server).ask(QUESTION)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {"pagequote.question", "pagequote.condense", "pagequote.retrieve", "pagequote.assess",
            "pagequote.generate", "pagequote.verify"} <= spans.keys()  # fmt: skip
    assert len({span.context.trace_id for span in spans.values() if span.context}) == 1
    chat = _attributes(spans["chat gpt-4o-mini"])
    assert (chat["gen_ai.operation.name"], chat["gen_ai.provider.name"]) == ("chat", "openai")
    assert chat["gen_ai.usage.input_tokens"] > 0  # type: ignore[operator]
    embedding = next(span for name, span in spans.items() if name.startswith("embeddings "))
    assert _attributes(embedding)["gen_ai.operation.name"] == "embeddings"
    everything = json.dumps([_attributes(span) for span in spans.values()], default=str)
    assert "bridge" not in everything
    assert "1931" not in everything


def test_texts_are_in_the_spans_when_asked(
    exporter: InMemorySpanExporter, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTENT, "true")
    with OpenAIServer(reply="It was opened in 1931 [1].") as server:
        opened(server).ask(QUESTION)
    chat = next(span for span in exporter.get_finished_spans() if span.name.startswith("chat "))
    assert QUESTION in str(_attributes(chat)["gen_ai.input.messages"])
    assert "1931" in str(_attributes(chat)["gen_ai.output.messages"])


def test_a_failed_call_says_which_error_and_no_more(exporter: InMemorySpanExporter, opened: Open) -> None:
    refuse = Fault("401")
    with (
        OpenAIServer(faults=lambda request: refuse if "chat" in request.path else None) as server,
        pytest.raises(ProviderError),
    ):
        opened(server).ask(QUESTION)
    chat = next(span for span in exporter.get_finished_spans() if span.name.startswith("chat "))
    assert _attributes(chat)["error.type"] == "AuthenticationFailed"
    assert not chat.events
