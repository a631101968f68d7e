"""The READMEs run as written, and mention nothing that does not exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rag.cli.app import cli
from tests.conftest import ROOT, clean_environment
from tests.readme.console import Block, Command, blocks_of, missing_line

READMES = [path for path in (ROOT / "README.md", ROOT / "README.ko.md") if path.exists()]
_CODE = re.compile(r"^```[^\n]*\n(.*?)^```|`([^`\n]+)`", re.M | re.S)


def _copy_of_the_repository(destination: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)
    return destination


def _environment() -> dict[str, str]:
    """`rag` and `python` are this test's own; nothing may leave the machine."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return clean_environment(PATH=path, RAG_OFFLINE="1", COLUMNS="200")


def _check(command: Command, folder: Path, readme: Path) -> None:
    where = f"{readme.name}:{command.line}: $ {command.text}"
    if command.make_targets:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in command.make_targets:
            assert re.search(rf"^{re.escape(target)}:", makefile, re.M), f"{where}: there is no such target"
        return
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder, env=_environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    printed = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == command.exit_code, f"{where}: ended with {done.returncode}\n{printed}"
    missing = missing_line(command.output, printed)
    assert missing is None, f"{where}: does not print {missing!r}, but\n{printed}"


@pytest.mark.parametrize(
    "readme",
    [pytest.param(path, marks=[pytest.mark.slow] if ".ko" in path.name else []) for path in READMES],
    ids=lambda path: path.name,
)
def test_commands_run_as_written(readme: Path, tmp_path: Path) -> None:
    folder = _copy_of_the_repository(tmp_path)
    for block in blocks_of(readme):
        for command in () if block.not_run else block.commands:
            _check(command, folder, readme)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_command_and_option_that_is_mentioned_exists(readme: Path) -> None:
    for text in _mentions(readme):
        command, words = _command_of(_words(text), f"{readme.name}: `{text}`")
        known = {
            name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
        }
        given = {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][\w-]*(=.*)?", word)}
        assert given <= known | {"--help", "--version"}, f"{readme.name}: `{text}`: {sorted(given - known)}"


def _command_of(words: list[str], where: str) -> tuple[click.Command, list[str]]:
    """The command that the words call, and what is left of them."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None and command is not cli:  # `rag eval SET` is `rag eval run SET`
            return command.get_command(click.Context(command), "run") or command, words
        if found is None and not words[0].isalpha():
            break  # a placeholder such as `rag ...`
        assert found is not None, f"{where}: there is no command {words[0]}"
        command, words = found, words[1:]
    return command, words


def _mentions(readme: Path) -> list[str]:
    """Every `rag ...` in code, one command each."""
    lines = [
        line
        for block, span in _CODE.findall(readme.read_text(encoding="utf-8"))
        for line in (block or span).replace("\\\n", " ").splitlines()
    ]
    found = (re.match(r"(?:\$ )?(?:\w+=\S+ )*rag (?P<rest>.+)", line.strip()) for line in lines)
    return [match["rest"] for match in found if match]


def _words(text: str) -> list[str]:
    """The words of one command, up to a pipe or the like."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # prose with an apostrophe
        words = text.split()
    ends = [place for place, word in enumerate(words) if word in ("|", ">", "<", "&&", ";", ">>")]
    return words[: ends[0]] if ends else words


def test_the_convention(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "Try:\n\n```console\n$ printf 'a\\nb 3.14 s\\nc d e\\n'; exit 4  # exit 4\na\n...\nb 2.71 s\nc ... e\n"
        "$ echo one \\\n    two\none two\n```\n\n<!-- not run: needs a key -->\n```console\n$ false\n```\n"
    )
    first, second = blocks_of(readme)
    assert second == Block(16, (Command("false", 16),), "needs a key")
    assert [command.exit_code for command in first.commands] == [4, 0]
    for command in first.commands:
        _check(command, tmp_path, readme)
    wrong = Command("printf 'b\\na\\n'", 1, 0, ("a", "b"))
    with pytest.raises(AssertionError, match="does not print 'b'"):
        _check(wrong, tmp_path, readme)
    with pytest.raises(AssertionError, match="ended with 1"):
        _check(second.commands[0], tmp_path, readme)
