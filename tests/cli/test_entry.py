"""What holds for every command: help, laziness, exit codes, one-sentence errors, settings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rag.cli.app import cli, run
from tests.cli.conftest import Run
from tests.conftest import ROOT, clean_environment

HEAVY = (
    "numpy",
    "faiss",
    "langchain",
    "langchain_core",
    "pydantic",
    "onnxruntime",
    "tantivy",
    "pypdfium2",
    "rich",
)
COMMANDS = cli.list_commands(click.Context(cli))
SERVERS = {("ui",), ("mcp",), ("serve",)}
"""Commands that run until they are stopped: they have no result to print as JSON."""
_CONTEXT = click.Context(cli)


def _leaves() -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, those of groups too."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in COMMANDS:
        command = cli.get_command(_CONTEXT, name)
        assert command is not None
        found.append(((name,), command))
        if isinstance(command, click.Group):
            found.extend(((name, inner), command.commands[inner]) for inner in command.commands)
    return found


def _imported(folder: Path, *arguments: str) -> set[str]:
    """The top-level packages that `rag` imports for a command."""
    command = [sys.executable, "-X", "importtime", "-m", "rag.cli", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("ask", "--help"), ("asck",)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...], tmp_path: Path) -> None:
    imported = _imported(tmp_path, *arguments)
    assert "click" in imported
    assert not imported & set(HEAVY)


@pytest.mark.parametrize("command", ["ask", "search"])
def test_without_a_chat_model_nothing_of_langchain_is_imported(
    command: str, tmp_path: Path, sample_index: Path
) -> None:
    imported = _imported(tmp_path, command, "How long is the warranty?", "--index", str(sample_index))
    assert "faiss" in imported
    assert not {name for name in imported if name.startswith(("lang", "openai"))} | imported & {"pypdfium2"}


@pytest.mark.parametrize(
    ("words", "command"), _leaves(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_explains_itself(words: tuple[str, ...], command: click.Command) -> None:
    context = click.Context(command, info_name="rag " + " ".join(words))
    text = command.get_help(context)
    assert command.help
    assert re.search(rf"^  +rag {' '.join(words)}\b", text, re.M), "no example of its own"
    options = {name for parameter in command.params for name in parameter.opts}
    if not isinstance(command, click.Group):
        expected = {"--json", "--index", "--offline", "--debug"}
        assert (expected - {"--json"} if words in SERVERS else expected) <= options


def test_examples_name_only_options_that_exist() -> None:
    for words, command in _leaves():
        if isinstance(command, click.Group):
            continue
        for line in re.findall(rf"^  +rag {' '.join(words)}\b(.*)$", command.epilog or "", re.M):
            given = set(re.findall(r"(?<!\S)--[a-z][\w-]*", line.partition("&&")[0].partition("|")[0]))
            known = {name for parameter in command.params for name in parameter.opts}
            assert given <= known, f"rag {' '.join(words)}{line}"


def test_an_unknown_command_is_told_the_nearest(rag: Run) -> None:
    done = rag("serach", "x")
    assert done.code == 2
    assert "Did you mean 'search'?" in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask",), "either a question or --questions FILE"),
        (("ask", "a", "--questions", __file__), "either a question or --questions FILE"),
        (("ask", "a", "--tempreature", "1"), "--tempreature"),
        (("search", "a", "-k", "0"), "-k"),
        (("show",), "number of a citation, or --file and --page"),
        (("show", "1", "--file", "a.pdf"), "number of a citation, or --file and --page"),
        (("ask", "a", "--temperature", "9"), "--temperature (from the command line) cannot be 9"),
    ],
)
def test_wrong_usage_is_code_2(rag: Run, arguments: tuple[str, ...], said: str) -> None:
    done = rag(*arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "누가 이겼나요?"),
        ("search", "x"),
        ("status",),
        ("show", "--file", "a", "--page", "1"),
        ("chat",),
    ],
)
def test_without_an_index_the_error_says_how_to_make_one(
    rag: Run, arguments: tuple[str, ...], workdir: Path
) -> None:
    done = rag(*arguments)
    assert done.code == 1
    assert re.fullmatch(r"Error: [^\n]*rag ingest[^\n]*\n", done.err)
    assert done.out == ""
    assert not (workdir / ".rag").exists()


class TestSettings:
    def test_flags_win_over_environment_over_dotenv(
        self, rag: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (workdir / ".env").write_text("RAG_K=3\nRAG_PROMPT=concise\nRAG_INDEX=from-file\n", encoding="utf-8")
        monkeypatch.setenv("RAG_K", "4")
        rows = {row["name"]: row for row in rag("doctor", "--index", "from-flag", "--json").json["settings"]}
        assert (rows["k"]["value"], rows["k"]["origin"]) == (4, "environment")
        assert (rows["prompt"]["value"], rows["prompt"]["origin"]) == ("concise", ".env")
        assert (rows["index"]["value"], rows["index"]["origin"]) == ("from-flag", "flag")
        assert (rows["strict"]["value"], rows["strict"]["origin"]) == (False, "default")

    @pytest.mark.parametrize("where", ["environment", ".env"])
    def test_an_unknown_variable_is_told_the_nearest(
        self, rag: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        if where == ".env":
            (workdir / ".env").write_text("RAG_MODLE=extractive\n", encoding="utf-8")
        else:
            monkeypatch.setenv("RAG_MODLE", "extractive")
        done = rag("status")
        assert done.code == 2
        assert "RAG_MODLE" in done.err
        assert "RAG_MODEL" in done.err
        assert where in done.err

    def test_keys_are_never_shown(self, rag: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-live-0123456789")
        (workdir / ".env").write_text(
            "RAG_API_KEY=other-key-42\nRAG_BASE_URL=https://me:hunter2@host/v1\n", encoding="utf-8"
        )
        for arguments in (
            ("doctor",),
            ("doctor", "--json"),
            ("doctor", "--debug"),
            ("ask", "sk-live-0123456789", "--debug"),
        ):
            done = rag(*arguments)
            printed = done.out + done.err
            for secret in ("sk-live-0123456789", "other-key-42", "hunter2"):
                assert secret not in printed
        assert "set (hidden)" in rag("doctor").out

    def test_a_traceback_comes_only_with_debug(self, rag: Run) -> None:
        assert "Traceback" not in rag("status").err
        shown = rag("status", "--debug").err
        assert "Traceback" in shown
        assert shown.rstrip().splitlines()[-1].startswith("Error: ")

    @pytest.mark.parametrize("where", ["flag", "environment", ".env"])
    def test_debug_is_obeyed_wherever_it_is_set(
        self, rag: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        if where == "environment":
            monkeypatch.setenv("RAG_DEBUG", "1")
        elif where == ".env":
            (workdir / ".env").write_text("RAG_DEBUG=1\n", encoding="utf-8")
        assert "Traceback" in rag("status", *(["--debug"] if where == "flag" else [])).err

    def test_debug_shows_where_the_settings_themselves_are_wrong(
        self, rag: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAG_MODLE", "extractive")
        assert "Traceback" not in rag("status").err
        monkeypatch.setenv("RAG_DEBUG", "1")
        assert "Traceback" in rag("status").err

    def test_what_nobody_expected_offers_debug_until_it_is_on(
        self, workdir: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        @click.command()
        @click.option("--debug", is_flag=True)
        def broken(debug: bool) -> None:
            raise ZeroDivisionError("by nothing")

        assert run(broken, []) == 1
        offered = "Error: Unexpected ZeroDivisionError: by nothing. Run again with --debug to see where.\n"
        assert capfd.readouterr().err == offered
        assert run(broken, ["--debug"]) == 1
        err = capfd.readouterr().err
        assert "Traceback" in err
        assert err.endswith("Error: Unexpected ZeroDivisionError: by nothing.\n")


class TestPaths:
    def test_a_path_that_cannot_be_used_is_named_with_the_reason(self, rag: Run, workdir: Path) -> None:
        (workdir / "afile").write_text("in the way", encoding="utf-8")
        (workdir / ".env").write_text("RAG_PROMPTS_DIR=afile\n", encoding="utf-8")
        done = rag("prompts", "new", "mine")
        assert done.code == 1
        assert done.err == "Error: afile cannot be used: File exists.\n"
        named = rag("prompts", "new", "mine", "--folder", "afile")
        assert named.code == 2
        assert "'afile' is a file" in named.err

    def test_bytes_in_a_name_are_shown_as_text(
        self, workdir: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        @click.command()
        def reads() -> None:
            open("없는 파일".encode(), "rb")  # noqa: SIM115 - only `open` keeps the bytes of a name

        assert run(reads, []) == 1
        assert capfd.readouterr().err == "Error: 없는 파일 cannot be used: No such file or directory.\n"


class TestStatus:
    def test_when_nothing_failed_a_sentence_says_so(self, rag: Run, sample_index: Path) -> None:
        done = rag("status", "--failed", "--index", sample_index)
        assert done.code == 0
        assert done.out.startswith("Nothing failed: every page of every file is searchable.\n")
        assert "reason" not in done.out
        assert rag("status", "--failed", "--json", "--index", sample_index).json["files"] == []

    def test_an_empty_index_has_no_table(self, rag: Run, workdir: Path) -> None:
        (workdir / "docs").mkdir()
        (workdir / "docs" / "one.md").write_text("Only for a while.\n", encoding="utf-8")
        rag("ingest", "docs")
        (workdir / "docs" / "one.md").unlink()
        rag("ingest", "docs", "--prune")
        for arguments in (("status",), ("status", "--failed")):
            assert rag(*arguments).out == "The index .rag is empty: run `rag ingest FOLDER`.\n"


def test_python_m_ingest_is_rag_ingest(tmp_path: Path) -> None:
    texts = []
    for words in (["-m", "ingest"], ["-m", "rag.cli", "ingest"]):
        done = subprocess.run(
            [sys.executable, *words, "--help"],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout.partition("\n")[2])
    assert texts[0] == texts[1]
