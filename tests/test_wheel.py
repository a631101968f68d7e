"""The wheel in an empty virtual environment, as `pip install` gives it to somebody who has no checkout.

pip is used as this machine configures it, so this needs the network or a folder of wheels.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
import pytest

from tests.conftest import ROOT, SAMPLE, clean_environment
from tests.servers.postgres import PostgresServer
from tests.ui.served import serving

pytestmark = pytest.mark.slow

QUESTION = "When does the northern pier open?"
GUIDE = "# Harbour guide\n\nThe northern pier opens at seven in the morning.\n"


@dataclass(frozen=True)
class Installed:
    """A virtual environment, and a folder in which its commands run with a home of their own."""

    bin: Path
    folder: Path

    def pip(self, *arguments: object) -> None:
        """Run its pip, without the constraints of this checkout: a user gets the newest versions that are allowed."""
        command = [self.bin / "python", "-m", "pip", "-q", *arguments]
        subprocess.run(command, cwd=self.folder, env=_without_checkout(), check=True)

    def rag(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run its `rag`; it must end with `code`."""
        done = subprocess.run(
            [self.bin / "rag", *map(str, arguments)],
            cwd=self.folder,
            env=_without_checkout(HOME=str(self.folder)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    def json_of(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.rag(*arguments, "--json", code=code).stdout)


def _without_checkout(**extra: str) -> dict[str, str]:
    return {name: value for name, value in clean_environment(**extra).items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, env=_without_checkout(), check=True)
    (built,) = folder.glob("pagequote-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel without extras; the tests below add one after the other."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    (folder / "work").mkdir()
    made = Installed(folder / "venv" / "bin", folder / "work")
    made.pip("install", wheel)
    return made


def test_the_commands_work(installed: Installed) -> None:
    assert "ingest" in installed.rag("--help").stdout
    ferries = SAMPLE / "harrow-sound-ferries-annual-report-2023.pdf"
    korean = SAMPLE / "달무리정밀-휴가-및-휴직-규정.pdf"
    report = installed.json_of("ingest", ferries, korean, "--offline")
    assert [row["status"] for row in report["files"]] == ["ok", "ok"]
    for question, file in (
        ("When did MV Tern hit the breakwater?", ferries.name),
        ("병가가 며칠 이상이면 진단서를 내야 하나요?", korean.name),
    ):
        answer = installed.json_of("ask", question, "--offline")
        assert (answer["status"], answer["sentences"][0]["support"]) == ("answered", "verified")
        assert answer["citations"][0]["file"] == file
    assert installed.rag("prompts", "list").stdout


def test_word_files(installed: Installed, tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph(GUIDE)
    document.save(tmp_path / "guide.docx")
    index = ("--index", tmp_path / "index")
    (row,) = installed.json_of("ingest", tmp_path / "guide.docx", *index, "--offline")["files"]
    assert (row["file"], row["status"]) == ("guide.docx", "ok")


def test_an_index_in_postgresql_with_the_extra(
    installed: Installed, wheel: Path, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text(GUIDE, encoding="utf-8")
    index = ("--index", postgres_server.url("wheel"), "--offline")
    assert "pagequote[postgres]" in installed.rag("ingest", tmp_path, *index, code=1).stderr
    installed.pip("install", f"{wheel}[postgres]")
    installed.rag("ingest", tmp_path, *index)
    answer = installed.json_of("ask", QUESTION, *index)
    assert (answer["status"], answer["citations"][0]["verified"]) == ("answered", True)


def test_the_web_page_with_the_extra(installed: Installed, wheel: Path, tmp_path: Path) -> None:
    assert "pagequote[ui]" in installed.rag("ui", "--no-browser", code=1).stderr
    installed.pip("install", f"{wheel}[ui]")
    with serving(tmp_path, python=installed.bin / "python", PYTHONPATH=os.devnull):
        pass  # it answers
