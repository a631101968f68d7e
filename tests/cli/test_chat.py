"""`rag chat`: follow-up questions, its commands, interruption, and sessions that can be resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.messages import message
from tests.cli import contract
from tests.cli.conftest import Run
from tests.conftest import clean_environment
from tests.copies import copy_index
from tests.servers.openai_server import OpenAIServer

ENGLISH = "When did MV Tern hit the breakwater?"
FOLLOW_UP = "Was anybody hurt in it?"
KOREAN = "병가가 며칠 이상이면 진단서를 내야 하나요?"
QUOTE = "On 19 October 2023 MV Tern touched the breakwater at Greyholm"
REPLY = f'MV Tern hit the breakwater on 19 October 2023. [1: "{QUOTE}"]'


@pytest.fixture(autouse=True)
def index(sample_index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_index(sample_index, workdir / "index")
    monkeypatch.setenv("RAG_INDEX", "index")
    return workdir / "index"


@pytest.fixture
def slow_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """Takes several seconds to say its reply."""
    with OpenAIServer(reply=REPLY, chunk_delay=0.3) as server:
        monkeypatch.setenv("RAG_BASE_URL", server.base_url)
        monkeypatch.setenv("RAG_API_KEY", server.key)
        yield server


def lines(*typed: str) -> str:
    return "".join(f"{line}\n" for line in typed)


def test_a_follow_up_question_is_understood_from_the_one_before(rag: Run) -> None:
    done = rag("chat", "--json", stdin=lines(ENGLISH, FOLLOW_UP, "/quit", "never asked"))
    assert done.code == 0
    first, second = (contract.check(line, contract.Answer) for line in done.lines)
    assert first["question"] == ENGLISH
    assert second["question"] == FOLLOW_UP
    assert "MV Tern" in second["standalone_question"]
    assert "Nobody was hurt" in second["answer"]


def test_a_follow_up_question_says_what_it_continues_and_can_be_asked_alone(rag: Run) -> None:
    done = rag("chat", stdin=lines(ENGLISH, FOLLOW_UP, "/alone"))
    followed, alone = done.out.split(FOLLOW_UP)[1].split("/alone", 1)
    assert message("answer.continuing", "en", subject="MV Tern") in followed
    assert "Nobody was hurt" in followed
    assert message("answer.continuing", "en", subject="MV Tern") not in alone
    assert message("command.chat_alone", "en") in done.err


def test_a_document_is_told_as_a_whole(rag: Run) -> None:
    done = rag("ask", "Summarise tarn-340-user-manual.pdf", "--json")
    answer = contract.check(json.loads(done.out), contract.Answer)
    assert {citation["file"] for citation in answer["citations"]} == {"tarn-340-user-manual.pdf"}
    assert all(citation["verified"] for citation in answer["citations"])
    assert "Tarn 340 Portable Turbidity Meter" in answer["answer"]
    assert "4 Calibration" in answer["answer"]


def test_commands_work_on_the_last_answer(rag: Run, workdir: Path) -> None:
    typed = lines(ENGLISH, "/sources", "/open 1", "/save kept.json", "/prompt concise", "/model", "/help")
    done = rag("chat", stdin=typed)
    assert done.code == 0, done.err
    assert "harrow-sound-ferries-annual-report-2023.pdf, page 4" in done.out
    assert f"»{QUOTE}" in done.out
    picture = next(line for line in done.out.splitlines() if line.endswith(".png"))
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert "Prompt: concise" in done.out
    assert "Model: extractive" in done.out
    assert "/sources" in done.out
    assert rag("verify", "kept.json").code == 0


def test_turns_from_a_pipe_are_told_apart(rag: Run) -> None:
    done = rag("chat", stdin=lines(ENGLISH, KOREAN, "/model"))
    turns = done.out.split("\n» ")
    assert turns[0] == ""
    assert [turn.partition("\n")[0] for turn in turns[1:]] == [ENGLISH, KOREAN, "/model"]
    assert all(turn.endswith("\n") for turn in turns[1:])
    assert "»" not in rag("chat", "--json", stdin=lines(ENGLISH)).out.partition("{")[0]


def test_what_stands_beside_korean_answers_is_korean(rag: Run) -> None:
    done = rag("chat", stdin=lines(KOREAN, "/save a.json"))
    assert message("command.chat_saved", "ko", name="") in done.err
    assert message("command.saved", "ko", path="a.json") in done.out
    assert re.search(r"extractive · 근거: \w+ · \d+\.\d초", done.out)
    assert "session" not in done.err.lower()
    resumed = rag("chat", "--resume", stdin=lines("/sources"))
    assert "지금까지 질문 1개" in resumed.err


def test_passages_of_a_declined_answer_are_not_said_to_be_used_in_one(rag: Run) -> None:
    done = rag("chat", stdin=lines("가람시립박물관 관장의 이름은 무엇인가요?", "/sources"))
    assert "답이 없습니다" in done.out
    assert message("command.chat_passages", "ko") in done.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/sources", "ask first"),
        ("/save", "ask first"),
        ("/nope", "/help lists"),
        ("/prompt nothing-like-it", "no prompt template"),
        ("/model nothing-like-it", "not a model name"),
    ],
)
def test_a_mistake_does_not_end_the_chat(rag: Run, line: str, said: str) -> None:
    done = rag("chat", "--json", stdin=lines(line, KOREAN))
    assert said in done.err
    assert done.code == 2, "a script should learn of it"
    assert done.json["status"] == "answered"


def test_a_session_is_resumed_where_it_was_left(rag: Run, index: Path) -> None:
    rag("chat", stdin=lines(ENGLISH))
    (kept,) = (index / "sessions").glob("*.json")
    done = rag("chat", "--resume", "--json", stdin=lines(FOLLOW_UP))
    assert done.json["standalone_question"]
    assert "Nobody was hurt" in done.json["answer"]
    assert len(json.loads(kept.read_text(encoding="utf-8"))["turns"]) == 2
    named = rag("chat", "--resume", kept.stem, stdin=lines("/sources"))
    assert "harrow-sound-ferries-annual-report-2023.pdf, page 4" in named.out


@pytest.mark.parametrize("content", ['{"format": 1, "turns": [{}]}', "not json", '{"format": 99}', "[1]"])
def test_a_planted_session_is_refused(rag: Run, index: Path, content: str) -> None:
    (index / "sessions").mkdir()
    (index / "sessions" / "bad.json").write_text(content, encoding="utf-8")
    done = rag("chat", "--resume", "bad", stdin=lines(KOREAN))
    assert done.code == 2
    assert "cannot be read" in done.err
    assert rag("chat", "--resume", "../../etc/passwd").code == 2


def test_where_the_index_cannot_be_written_sessions_go_to_the_users_folder(
    rag: Run, index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index / "sessions").write_text("a file in the way", encoding="utf-8")
    rag("chat", stdin=lines(ENGLISH))
    assert len(list((workdir / "home").rglob("sessions/*.json"))) == 1
    assert rag("chat", "--resume", "--json", stdin=lines(FOLLOW_UP)).json["standalone_question"]


def test_another_model_is_taken_in_the_middle(rag: Run, slow_server: OpenAIServer) -> None:
    done = rag("chat", "--json", stdin=lines(KOREAN, "/model compatible:test-chat", ENGLISH))
    assert [form["model"] for form in done.lines[:1]] == ["extractive"]
    assert done.lines[-1]["model"] == "compatible:test-chat"
    assert done.lines[-1]["sentences"][0]["support"] in ("verified", "weak")


def test_ctrl_c_stops_the_answer_and_not_the_session(workdir: Path, slow_server: OpenAIServer) -> None:
    env = clean_environment(
        HOME=str(workdir / "home"),
        RAG_INDEX="index",
        RAG_BASE_URL=slow_server.base_url,
        RAG_API_KEY=slow_server.key,
    )
    chat = subprocess.Popen(
        [sys.executable, "-m", "rag.cli", "chat", "--model", "compatible:test-chat"],
        cwd=workdir, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a test run that a shell started in the background hands down an ignored SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert chat.stdin is not None
    chat.stdin.write(lines(ENGLISH))
    chat.stdin.flush()
    deadline = time.monotonic() + 60
    while not slow_server.chat_requests() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)  # some words have come, more are to come
    os.kill(chat.pid, signal.SIGINT)
    out, err = chat.communicate(lines("/model extractive", ENGLISH), timeout=60)
    assert "Stopped. The session goes on." in err
    assert "Model: extractive" in out
    assert f"“{QUOTE}" in out
    (kept,) = (workdir / "index" / "sessions").glob("*.json")
    assert [turn["model"] for turn in json.loads(kept.read_text(encoding="utf-8"))["turns"]] == ["extractive"]
    assert chat.returncode == 0


def test_the_usage_of_a_chat_is_logged(rag: Run, slow_server: OpenAIServer) -> None:
    rag("chat", "--model", "compatible:test-chat", "--no-check", stdin=lines(ENGLISH))
    (line,) = rag("cost", "--json").json["by_command"]
    assert (line["key"], line["calls"]) == ("chat", 1)
