"""What the questions of a command cost is capped and logged, and no key is in what is kept."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from rag.errors import AuthenticationFailed, BudgetReached
from rag.pipeline import Pipeline
from rag.usage.log import UsageLog
from tests.pipeline.conftest import Open
from tests.pipeline.replies import QUESTION, right_reply
from tests.providers.support import CHAT, EMBEDDINGS, settings_for
from tests.servers.openai_server import KEY, Fault, OpenAIServer


def test_the_cap_holds_for_all_questions_of_a_command(opened: Open) -> None:
    with OpenAIServer(reply=right_reply) as server:
        pipeline = opened(server, max_cost=0.001, max_tokens=100)
        with pytest.raises(BudgetReached):
            pipeline.runnable.batch([QUESTION] * 30, {"max_concurrency": 4})
        assert server.bill.cost(0.15, 0.60, 0.02) <= 0.001
        assert len(server.chat_requests()) >= 2


def test_usage_is_logged_for_every_command(index: Path) -> None:
    with OpenAIServer(reply=right_reply) as server:
        settings = settings_for(server, model=CHAT)
        with Pipeline.open(index, settings, command="eval") as pipeline:
            pipeline.ask(QUESTION)
        with Pipeline.open(index, settings) as pipeline:
            pipeline.search("kettle")
    lines = {line.key: line for line in UsageLog(index / "usage.db").summary("command")}
    assert set(lines) == {"eval", "ask"}
    assert lines["eval"].output_tokens == server.bill.output_tokens
    assert {line.key for line in UsageLog(index / "usage.db").summary("model")} == {CHAT, EMBEDDINGS}


def test_usage_is_logged_before_the_next_question(index: Path) -> None:
    def kept() -> int:
        return sum(line.calls for line in UsageLog(index / "usage.db").summary("command"))

    with OpenAIServer(reply=right_reply) as server:
        settings = settings_for(server, model=CHAT)
        with Pipeline.open(index, settings) as pipeline:
            pipeline.ask(QUESTION)
            first = kept()
            assert first == pipeline.meter.usage.calls > 0
            list(pipeline.stream(QUESTION))
            assert kept() == pipeline.meter.usage.calls > first
            spent = pipeline.meter.usage.calls
        assert kept() == spent, "closing must not keep them twice"


def test_pipelines_that_share_a_meter_keep_each_call_once(index: Path) -> None:
    with OpenAIServer(reply=right_reply) as server:
        settings = settings_for(server, model=CHAT)
        with (
            Pipeline.open(index, settings, command="one") as one,
            Pipeline.open(index, settings, command="two", meter=one.meter) as two,
        ):
            one.ask(QUESTION)
            two.ask(QUESTION)
            calls = one.meter.usage.calls
            assert two.meter.usage.calls == calls
    lines = {line.key: line.calls for line in UsageLog(index / "usage.db").summary("command")}
    assert set(lines) == {"one", "two"}
    assert sum(lines.values()) == calls


def test_nothing_that_is_written_or_traced_holds_a_key(
    index: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    class Trace(BaseCallbackHandler):
        seen = ""

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            self.seen += repr(args) + repr(kwargs)

        def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
            self.seen += repr(args) + repr(kwargs)

        def on_chain_error(self, *args: Any, **kwargs: Any) -> None:
            self.seen += repr(args) + repr(kwargs)

    trace = Trace()
    caplog.set_level("DEBUG")
    faults = [None, Fault("401"), None, None, None, None, Fault("500")]
    with OpenAIServer(reply=right_reply, faults=faults) as server:
        settings = settings_for(server, model=CHAT, cache=True, temperature=0.0, retries=0)
        pipeline = Pipeline.open(index, settings)
        with pytest.raises(AuthenticationFailed) as caught:
            pipeline.ask(QUESTION, config={"callbacks": [trace]})
        pipeline.ask(QUESTION, config={"callbacks": [trace]})
        list(pipeline.stream(QUESTION + "!", config={"callbacks": [trace]}))
        pipeline.close()
    shown = [
        trace.seen,
        caplog.text,
        *capfd.readouterr(),
        repr(pipeline.settings),
        repr(pipeline.runnable.steps),
    ]
    shown += traceback.format_exception(caught.value)
    assert "replies.db" in {path.name for path in index.iterdir()}
    assert trace.seen
    assert not [text for text in shown if KEY in text]
    assert not [path for path in index.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
