"""Chat models over HTTP through the command line: a real loopback server that speaks OpenAI's protocol."""

from __future__ import annotations

import json
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
from tests.conftest import SAMPLE, clean_environment
from tests.copies import copy_index
from tests.servers.openai_server import HANG_SECONDS, Fault, OpenAIServer
from tests.servers.toy_model import PICTURE_TOKENS

ENGLISH = "When did MV Tern hit the breakwater?"
KOREAN = "병가가 며칠 이상이면 진단서를 내야 하나요?"
QUOTE = "On 19 October 2023 MV Tern touched the breakwater at Greyholm"
REPLY = f'MV Tern touched the breakwater on 19 October 2023. [1: "{QUOTE}"]'
LIE = 'MV Tern sank on 19 October 2023. [1: "MV Tern sank at Greyholm with all hands on board"]'
MODEL = "compatible:test-chat"


@pytest.fixture
def index(sample_index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of the test's own: its usage log is written."""
    copy_index(sample_index, workdir / "index")
    monkeypatch.setenv("RAG_INDEX", "index")
    return workdir / "index"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer(reply=REPLY) as running:
        use(running, monkeypatch)
        yield running


def use(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_BASE_URL", server.base_url)
    monkeypatch.setenv("RAG_API_KEY", server.key)


def prices(folder: Path, monkeypatch: pytest.MonkeyPatch, dollars: float) -> None:
    """Dollars for a million tokens, in and out."""
    text = f'[models."{MODEL}"]\ninput = {dollars}\noutput = {dollars}\n'
    (folder / "prices.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("RAG_PRICES", "prices.toml")


def test_a_streamed_answer_is_proven(rag: Run, index: Path, server: OpenAIServer) -> None:
    done = rag("ask", ENGLISH, "--model", MODEL)
    assert done.code == 0
    assert "✓ MV Tern touched the breakwater on 19 October 2023. [1]" in done.out
    assert "harrow-sound-ferries-annual-report-2023.pdf, page 4" in done.out
    assert QUOTE in done.out
    assert "price unknown" in done.out
    (request,) = server.chat_requests()
    assert request.body["stream"] is True
    assert ENGLISH in request.messages[-1]["content"]


def test_a_reply_that_breaks_off_unseen_is_asked_for_again(
    rag: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(reply=REPLY, faults=[Fault("cut")]) as server:
        use(server, monkeypatch)
        done = rag("ask", ENGLISH, "--model", MODEL)
        assert len(server.chat_requests()) == 2
    assert done.code == 0
    assert "✓ MV Tern touched the breakwater on 19 October 2023. [1]" in done.out


def test_json_holds_the_proof_and_the_bill(rag: Run, index: Path, server: OpenAIServer) -> None:
    done = rag("ask", ENGLISH, "--model", MODEL, "--json")
    form = contract.check(done.json, contract.Answer)
    assert form["sentences"][0]["support"] == "verified"
    assert form["citations"][0]["page"] == 4
    assert form["prompt"] == "few-shot"
    assert form["usage"]["input_tokens"] == server.bill.input_tokens
    assert form["usage"]["output_tokens"] == server.bill.output_tokens
    assert form["usage"]["cost_usd"] is None


def test_an_invented_quote_is_never_shown_as_verified(
    rag: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(reply=LIE) as server:
        use(server, monkeypatch)
        form = rag("ask", ENGLISH, "--model", MODEL, "--json").json
        shown = rag("ask", ENGLISH, "--model", MODEL).out
    assert not form["verified"]
    assert any(not citation["verified"] for citation in form["citations"])
    assert all(sentence["support"] != "verified" for sentence in form["sentences"])
    assert "✓ MV Tern" not in shown


@pytest.mark.parametrize(("flags", "korean"), [((), False), (("--language", "ko"), True)])
def test_notes_of_the_search_are_in_the_language_that_is_set(
    rag: Run, index: Path, server: OpenAIServer, flags: tuple[str, ...], korean: bool
) -> None:
    done = rag("ask", ENGLISH, "--model", MODEL, "--expand", "rewrite", "--rerank", "chat", "--json", *flags)
    notes = done.json["notes"]
    assert len(notes) >= 3
    assert [bool(re.search("[가-힣]", note)) for note in notes] == [korean] * len(notes)


def test_the_usage_log_adds_up_to_what_was_billed(
    rag: Run, index: Path, workdir: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices(workdir, monkeypatch, 10.0)
    for question in (ENGLISH, KOREAN):
        rag("ask", question, "--model", MODEL)
    rag("doctor", "--model", MODEL, "--probe")
    form = rag("cost", "--json").json
    by_command = {line["key"]: line for line in form["by_command"]}
    assert by_command["ask"]["calls"] == 2
    assert by_command["doctor"]["calls"] == 1
    total = form["total"]
    assert total["input_tokens"] == server.bill.input_tokens
    assert total["output_tokens"] == server.bill.output_tokens
    assert total["cost_usd"] == pytest.approx(server.bill.cost(10.0, 10.0))
    assert [line["key"] for line in form["by_model"]] == [MODEL]
    assert [line["key"] for line in form["by_day"]] == [time.strftime("%Y-%m-%d", time.gmtime())]
    assert f"In all: ${total['cost_usd']:.4f}" in rag("cost").out
    assert rag("cost", "--by", "day", "--json").json.keys() == {"by_day", "total"}


def test_an_unknown_price_is_not_added_up_as_zero(rag: Run, index: Path, server: OpenAIServer) -> None:
    rag("ask", ENGLISH, "--model", MODEL)
    assert rag("cost", "--json").json["total"]["cost_usd"] is None
    shown = rag("cost").out
    assert "$" not in shown
    assert "1 calls" in shown


def test_ctrl_c_ends_a_run_with_a_hung_server_and_says_what_is_kept(index: Path, workdir: Path) -> None:
    questions = [{"id": str(n), "question": ENGLISH, "answers": ["19 October 2023"]} for n in range(3)]
    (workdir / "set.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions), encoding="utf-8")
    with OpenAIServer(reply=REPLY, faults=lambda r: Fault("hang") if r.number > 0 else None) as server:
        env = {"RAG_BASE_URL": server.base_url, "RAG_API_KEY": server.key, "HOME": str(workdir / "home")}
        process = subprocess.Popen(
            [sys.executable, "-m", "rag.cli", "eval", "set.jsonl", "--model", MODEL, "--jobs", "1", "--out", "run",
             "--index", "index"],
            cwd=workdir, env=clean_environment(**env), stderr=subprocess.PIPE, text=True,
            # a shell starts background jobs with SIGINT ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        while len(server.chat_requests()) < 2 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=HANG_SECONDS * 0.7)  # else it has waited for the server
    assert process.returncode == 130
    assert message("command.stopped_eval", "en", count=1, all=3, folder="run") in error


def test_pictures_of_the_best_pages_are_shown_to_the_model(
    rag: Run, index: Path, server: OpenAIServer, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rag("ask", ENGLISH, "--model", MODEL, "--vision", "--no-check", "--json")
    assert done.code == 0
    (request,) = server.chat_requests()
    content = request.messages[-1]["content"]
    assert [block["type"] for block in content] == ["text", *["text", "image_url"] * 2]
    assert content[2]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert done.json["usage"]["input_tokens"] > 2 * PICTURE_TOKENS
    prices(workdir, monkeypatch, 1000.0)  # a picture alone is over the cap
    capped = rag("ask", ENGLISH, "--model", MODEL, "--vision", "--max-cost", "3")
    assert capped.code == 5
    refused = rag("ask", ENGLISH, "--model", "extractive", "--vision")
    assert refused.code == 1
    assert "--vision" in refused.err


def test_without_a_usage_log_cost_says_so(rag: Run, index: Path) -> None:
    done = rag("cost")
    assert done.code == 0
    assert "No model has been paid" in done.out


def test_the_cost_cap_ends_with_code_5(
    rag: Run, index: Path, workdir: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices(workdir, monkeypatch, 1000.0)
    done = rag("ask", ENGLISH, "--model", MODEL, "--max-cost", "0.01", "--json")
    assert done.code == 5
    assert done.out == ""
    assert "--max-cost" in done.err
    assert server.chat_requests() == []


@pytest.mark.parametrize(
    ("fault", "said"), [("401", "RAG_API_KEY"), ("404", "test-chat"), ("500", "try again")]
)
def test_a_server_error_is_one_sentence(
    rag: Run, index: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    with OpenAIServer(faults=lambda _: Fault(fault)) as server:
        use(server, monkeypatch)
        monkeypatch.setenv("RAG_RETRIES", "0")
        done = rag("ask", ENGLISH, "--model", MODEL)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert server.key not in done.err


def test_offline_refuses_what_is_not_this_machine_and_names_the_fix(
    rag_process: Run, sample_index: Path
) -> None:
    env = {"RAG_BASE_URL": "http://192.0.2.1:9/v1", "RAG_RETRIES": "0", "RAG_INDEX": str(sample_index)}
    done = rag_process("ask", ENGLISH, "--model", MODEL, "--offline", env=env)
    assert done.code == 1
    assert "ffline" in done.err
    assert "192.0.2.1" in done.err


def test_the_exact_messages_can_be_seen_beforehand(rag: Run, index: Path, server: OpenAIServer) -> None:
    done = rag("prompts", "show", "few-shot", "--render", ENGLISH, "--model", MODEL, "--json")
    assert done.code == 0
    rendered = done.json
    rag("ask", ENGLISH, "--model", MODEL)
    sent = server.chat_requests()[-1].messages
    assert [message["content"] for message in rendered["messages"]] == [m["content"] for m in sent]
    assert rendered["tokens"] == sum(message["tokens"] for message in rendered["messages"])


def test_embeddings_over_http_are_paid_once(
    rag: Run, workdir: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / "docs").mkdir()
    (workdir / "docs" / "notes.md").write_text("# Notes\n\nThe bakery opens at seven.\n", encoding="utf-8")
    arguments = ("ingest", "docs", "--index", "other", "--embeddings", "compatible:test-embed")
    assert rag(*arguments).code == 0
    assert rag(*arguments, "--rebuild").code == 0
    assert [count for text, count in server.bill.texts.items() if "bakery" in text] == [1]
    cost = rag("cost", "--index", "other", "--json").json
    assert [line["key"] for line in cost["by_command"]] == ["ingest"]
    assert cost["total"]["input_tokens"] == server.bill.input_tokens
    found = rag("search", "When does the bakery open?", "--index", "other", "--json").json
    assert found["passages"][0]["file"] == "notes.md"


def test_answers_are_kept_as_the_last_one(rag: Run, index: Path, server: OpenAIServer) -> None:
    rag("ask", ENGLISH, "--model", MODEL)
    shown = rag("show", "1")
    assert shown.code == 0
    assert f"»{QUOTE}«" in shown.out
    assert json.loads((index / "last-answer.json").read_text(encoding="utf-8"))["question"] == ENGLISH


@pytest.fixture
def few(workdir: Path) -> str:
    lines = (SAMPLE.parent / "questions" / "sample.jsonl").read_text(encoding="utf-8").splitlines()[:2]
    (workdir / "few.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "few.jsonl"


def test_a_sweep_may_mix_models_with_and_without_a_price(
    rag: Run, index: Path, workdir: Path, server: OpenAIServer, few: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices(workdir, monkeypatch, 1.0)
    done = rag("eval", few, "--model", MODEL, "--model", "compatible:other", "--out", "runs", "--json")
    assert done.code == 0, done.err
    assert {run["name"]: run["cost_usd"] is None for run in done.json["runs"]} == {
        f"model={MODEL.replace(':', '_')}": False,
        "model=compatible_other": True,
    }
    total = rag("cost", "--json").json["total"]
    assert total["calls"] == len(server.chat_requests()) == 4


def test_the_runs_of_a_sweep_share_one_cap(
    rag: Run, index: Path, workdir: Path, server: OpenAIServer, few: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices(workdir, monkeypatch, 10.0)
    done = rag("eval", few, "--model", MODEL, "-k", "2", "--out", "alone", "--max-cost", "1")
    assert done.code == 0, done.err
    calls = len(server.chat_requests())
    spent = rag("cost", "--json").json["total"]["cost_usd"]
    sweep = rag(
        "eval", few, "--model", MODEL, "-k", "2", "-k", "3", "-k", "4", "--out", "grid", "--jobs", "1",
        "--max-cost", str(1.9 * spent),
    )  # fmt: skip
    assert sweep.code == 5
    assert len(server.chat_requests()) - calls < 6


def test_a_run_has_the_model_help_the_search_and_says_so(
    rag: Run, index: Path, workdir: Path, server: OpenAIServer, few: str
) -> None:
    options = ("--expand", "rewrite", "--rerank", "chat", "--rerank-depth", "4")
    done = rag("eval", few, "--model", MODEL, "--no-answers", *options, "--out", "helped")
    assert done.code == 0, done.err
    settings = json.loads((workdir / "helped" / "run.json").read_text(encoding="utf-8"))["settings"]
    assert settings["expand"] == ["rewrite"]
    assert (settings["rerank"], settings["rerank_depth"], settings["model"]) == ("chat", 4, MODEL)
    assert server.chat_requests()


FILE = "harrow-sound-ferries-annual-report-2023.pdf"
CLAIMS = [
    {
        "id": "a",
        "sentence": "MV Tern touched the breakwater at Greyholm on 19 October 2023.",
        "quotes": [{"quote": QUOTE, "file": FILE, "page": 4}],
    },
    {
        "id": "b",
        "sentence": "MV Tern touched the breakwater at Greyholm on 19 October 2024.",
        "quotes": [{"quote": QUOTE, "file": FILE, "page": 4}],
    },
    {"id": "c", "sentence": "MV Tern touched the breakwater at Greyholm while berthing in a squall."},
]


def test_claims_are_checked_one_line_each(rag: Run, index: Path, tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_text("\n".join(json.dumps(claim) for claim in CLAIMS), encoding="utf-8")
    done = rag("check", str(path), "--json")
    assert done.code == 0
    first, second, third = (json.loads(line) for line in done.out.splitlines())
    assert (first["id"], first["support"], first["basis"]) == ("a", "verified", "entailed")
    assert [(c["file"], c["page"], c["verified"]) for c in first["citations"]] == [(FILE, 4, True)]
    assert (second["id"], second["support"], second["reason"]) == ("b", "unsupported", "contradicted")
    assert (third["id"], third["support"], third["basis"]) == ("c", "verified", "quoted")


def test_every_sentence_of_a_document_is_checked(rag: Run, index: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text(f"{CLAIMS[2]['sentence']}\n\nWhales sing in the harbour at night.\n", encoding="utf-8")
    lines = [json.loads(line) for line in rag("check", str(path), "--json").out.splitlines()]
    assert [line["support"] for line in lines] == ["verified", "unsupported"]


def test_an_answer_without_a_verified_sentence_has_its_own_code(
    rag: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(reply=LIE) as server:
        use(server, monkeypatch)
        done = rag("ask", ENGLISH, "--model", MODEL, "--json")
    assert done.code == 6
    assert done.json["status"] == "answered"
    assert done.json["verified"] is False
