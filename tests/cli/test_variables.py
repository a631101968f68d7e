"""`--set NAME=VALUE`: the variables of a prompt template from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.servers.openai_server import OpenAIServer

MODEL = "openai:gpt-4o-mini"
QUESTIONS = ["When did MV Tern hit the breakwater?", "병가가 며칠 이상이면 진단서를 내야 하나요?"]


@pytest.fixture(autouse=True)
def model(sample_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_INDEX", str(sample_index))


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_value_reaches_the_messages(rag: Run, question: str) -> None:
    done = rag(
        "prompts",
        "show",
        "persona",
        "--render",
        question,
        "--set",
        "persona=선장 = captain",
        "--model",
        "extractive",
    )
    assert done.code == 0
    assert "선장 = captain" in done.out


def test_ask_and_chat_send_it(rag: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer(reply="NOT_IN_DOCUMENTS") as server:
        monkeypatch.setenv("RAG_BASE_URL", server.base_url)
        monkeypatch.setenv("RAG_MODEL", "compatible:m")
        rag("ask", QUESTIONS[0], "--prompt", "persona", "--set", "persona=a pilot", "--abstain", "0")
        rag("chat", "--prompt", "persona", "--set", "persona=a pilot", "--abstain", "0", stdin=QUESTIONS[1])
        sent = [str(request.messages) for request in server.chat_requests()]
    assert len(sent) == 2
    assert all("a pilot" in messages for messages in sent)


@pytest.mark.parametrize(
    ("pair", "said"), [("persona", "NAME=VALUE"), ("=x", "NAME=VALUE"), ("persna=x", "persona")]
)
def test_a_slip_is_named(rag: Run, pair: str, said: str) -> None:
    done = rag("prompts", "show", "persona", "--render", QUESTIONS[0], "--set", pair, "--model", "extractive")
    assert done.code == 2
    assert said in done.err
