"""`rag` as a process: pipes, exit codes, hostile indexes, terminals."""

from __future__ import annotations

import os
import pickle
import pty
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rag.messages import message
from tests.cli.conftest import Run
from tests.conftest import SAMPLE, clean_environment
from tests.copies import copy_index
from tests.servers.openai_server import Fault, OpenAIServer

ENGLISH = "When did MV Tern hit the breakwater?"


class TestPipes:
    def test_a_reader_that_leaves_early_is_no_error(self, sample_index: Path, workdir: Path) -> None:
        """`rag status --json | true`: more than a pipe holds, and nobody reads it."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "rag.cli", "search", ENGLISH, "-k", "100", "--index", str(sample_index)],
            stdout=write, stderr=subprocess.PIPE, cwd=workdir, env=clean_environment(), text=True, check=False,
        )  # fmt: skip
        os.close(write)
        assert done.returncode == 0
        assert done.stderr == ""

    def test_help_into_a_closed_pipe(self, workdir: Path) -> None:
        command = f"{sys.executable} -m rag.cli --help | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=workdir,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == "0"
        assert done.stderr == ""

    def test_json_is_utf_8_and_alone_whatever_the_locale(self, rag_process: Run, sample_index: Path) -> None:
        env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "RAG_INDEX": str(sample_index)}
        done = rag_process("ask", "병가가 며칠 이상이면 진단서를 내야 하나요?", "--json", env=env)
        assert done.code == 0
        assert "4일" in done.json["answer"]
        text = rag_process("ask", ENGLISH, env=env)
        assert text.code == 0
        assert "19 October 2023" in text.out

    def test_progress_and_notes_stay_off_standard_output(self, rag_process: Run, workdir: Path) -> None:
        (workdir / "docs").mkdir()
        shutil.copy(SAMPLE / "wexcombe-volunteer-faq.md", workdir / "docs")
        (workdir / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
        done = rag_process("ingest", "docs", "--json")
        assert done.code == 3
        assert done.json["by_status"] == {"damaged": 1, "ok": 1}
        assert [(one["file"], one["status"]) for one in done.json["not_searchable"]] == [
            ("broken.pdf", "damaged")
        ]


class TestTerminal:
    def _on_a_terminal(self, arguments: list[str], folder: Path, code: int = 0, **env: str) -> str:
        """What a terminal of 100 columns would be sent."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "rag.cli", *arguments],
            stdin=follower, stdout=follower, stderr=follower, cwd=folder,
            env=clean_environment(TERM="xterm", COLUMNS="100", **env),
        )  # fmt: skip
        os.close(follower)
        seen = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # Linux says so when the last writer has closed
                break
            if not part:
                break
            seen += part
        os.close(leader)
        assert process.wait(60) == code
        return seen.decode("utf-8", "replace")

    def test_a_bar_shows_files_pages_and_chunks(self, workdir: Path) -> None:
        (workdir / "docs").mkdir()
        shutil.copy(SAMPLE / "wexcombe-volunteer-faq.md", workdir / "docs")
        seen = self._on_a_terminal(["ingest", "docs"], workdir)
        assert "1/1 files · 1 pages" in seen
        assert "chunks" in seen
        assert "Read 1 file: 1 of 1 page searchable" in seen

    def test_words_that_were_shown_before_a_stream_broke_stay_and_are_called_unverified(
        self, workdir: Path, sample_index: Path
    ) -> None:
        reply = "MV Tern hit the breakwater on 19 October 2023, said the harbour master of Greyholm."
        index = workdir / "paid-index"
        copy_index(sample_index, index)
        with OpenAIServer(reply=reply, faults=lambda _: Fault("cut")) as server:
            seen = self._on_a_terminal(
                ["ask", "When did MV Tern hit the breakwater?", "--model", "compatible:m"], workdir, code=1,
                RAG_INDEX=str(index), RAG_BASE_URL=server.base_url, RAG_API_KEY=server.key,
            )  # fmt: skip
            assert len(server.requests) == 1  # a reply cannot be taken up in the middle
        words, said, error = (
            seen.index(text) for text in ("MV Tern hit", message("command.unverified_text", "en"), "Error: ")
        )
        assert words < said < error
        assert "broke off during an answer" in seen

    def test_an_answer_fits_the_width_in_korean_too(self, workdir: Path, sample_index: Path) -> None:
        seen = self._on_a_terminal(
            ["search", "병가 진단서", "-k", "2"], workdir, RAG_INDEX=str(sample_index), NO_COLOR="1"
        )
        from rich.cells import cell_len

        body = [line for line in seen.splitlines() if line.startswith("   ") and "진단서" in line]
        assert body
        assert max(map(cell_len, body)) <= 100


class TestHostileIndex:
    """An index that came from elsewhere: no code in it runs, and the error is one sentence."""

    def _bomb(self, folder: Path) -> bytes:
        class Bomb:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.system, (f"touch {folder / 'exploded'}",)

        return pickle.dumps(Bomb())

    @pytest.mark.parametrize("name", ["index.db", "vectors.faiss", "index.pkl", "last-answer.json"])
    def test_a_pickle_is_never_loaded(self, rag: Run, sample_index: Path, workdir: Path, name: str) -> None:
        copy_index(sample_index, workdir / "index")
        (workdir / "index" / name).write_bytes(self._bomb(workdir))
        asked = rag("ask", ENGLISH, "--index", "index")
        shown = rag("show", "1", "--index", "index")
        assert not (workdir / "exploded").exists()
        assert "Traceback" not in asked.err + shown.err
        if name == "index.db":
            assert asked.code == 1
            assert asked.err.startswith("Error: ")
            assert "--rebuild" in asked.err
        else:
            assert asked.code == 0

    def test_a_tampered_database_is_a_sentence(self, rag: Run, sample_index: Path, workdir: Path) -> None:
        copy_index(sample_index, workdir / "index")
        database = sqlite3.connect(workdir / "index" / "index.db")
        database.execute("update pages set furniture = '{\"__class__\": 1}', status = 'nonsense'")
        database.commit()
        database.close()
        done = rag("status", "--index", "index")
        assert done.code == 1
        assert done.err.startswith("Error: ")
        assert done.err.count("\n") == 1
        assert done.out == ""

    def test_an_index_of_a_later_format_says_so(self, rag: Run, sample_index: Path, workdir: Path) -> None:
        copy_index(sample_index, workdir / "index")
        database = sqlite3.connect(workdir / "index" / "index.db")
        (version,) = database.execute("pragma user_version").fetchone()
        database.execute(f"pragma user_version = {version + 1}")
        database.commit()
        database.close()
        done = rag("ask", ENGLISH, "--index", "index")
        assert done.code == 1
        assert done.err.startswith("Error: ")


@pytest.mark.slow
def test_the_demo_ends_with_two_verified_answers_and_one_declined(sample_index: Path, workdir: Path) -> None:
    """The script of `make demo`, on an index that is already up to date."""
    root = SAMPLE.parents[1]
    copy_index(sample_index, workdir / "index")
    rag = workdir / "rag"
    rag.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rag.cli "$@"\n', encoding="utf-8")
    rag.chmod(0o755)
    done = subprocess.run(
        ["sh", "scripts/demo.sh", str(workdir / "index")], cwd=root, env=clean_environment(RAG=str(rag)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "page 4 (printed as 2)  ✓ found on the page" in done.stdout
    assert "19 October 2023" in done.stdout
    assert "3쪽  ✓ 페이지에서 확인됨" in done.stdout
    assert "4일 이상" in done.stdout
    assert "These documents do not hold the answer." in done.stdout


@pytest.mark.parametrize("way", ["flag", "environment"])
@pytest.mark.slow
def test_offline_ingests_and_evaluations_reach_no_server(rag_process: Run, workdir: Path, way: str) -> None:
    (workdir / "docs").mkdir()
    (workdir / "docs" / "tern.md").write_text("MV Tern is the ferry to Greyholm.\n", encoding="utf-8")
    (workdir / "set.jsonl").write_text('{"id": "1", "question": "Which ferry?", "answers": ["MV Tern"]}\n')
    env = {"RAG_BASE_URL": "http://models.example/v1"} | (
        {"RAG_OFFLINE": "1"} if way == "environment" else {}
    )
    flag = ["--offline"] if way == "flag" else []
    refused = rag_process(
        "ingest", "docs", "--embeddings", "compatible:e", "--index", "remote", *flag, env=env
    )
    assert refused.code != 0
    assert "--offline" in refused.out + refused.err
    assert rag_process("ingest", "docs", *flag, env=env).code == 0
    done = rag_process("eval", "set.jsonl", "--model", "compatible:chat", "--out", "run", *flag, env=env)
    assert done.code != 0
    assert "--offline" in done.out + done.err
