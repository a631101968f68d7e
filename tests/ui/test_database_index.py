"""The page over an index in a database: its own files lie in the user's folder, and no name holds the password."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rag.index_location import user_folder
from rag.ui.questions import Choices
from rag.ui.workspace import UiOptions, Workspace

PASSWORD = "geheim7"
URL = f"postgresql://reader:{PASSWORD}@127.0.0.1:1/docs"


def test_no_folder_is_named_after_the_address_of_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    workspace = Workspace(UiOptions(flags={"index": URL, "model": "extractive"}))
    workspace.sessions.save(workspace.sessions.get(None, Choices.of(workspace.settings), None))
    job, problems = workspace.upload([("note.txt", b"The gate is locked at six.")])
    assert problems == []
    while job is not None and job.active:  # it cannot reach the database
        time.sleep(0.05)
    own = user_folder(URL)
    assert own.is_relative_to(home)
    assert list(own.rglob("*.json"))  # the session
    assert workspace.uploads.joinpath("note.txt").read_bytes() == b"The gate is locked at six."
    assert list(here.iterdir()) == []
    names = [path.name for path in home.rglob("*")]
    assert not [name for name in names if PASSWORD in name or "postgres" in name]
