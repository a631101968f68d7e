"""Starting the page: what is refused before anything is served."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rag.ui.options import UiOptions
from rag.ui.server import configuration
from tests.conftest import clean_environment


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rag.cli", "ui", *arguments]
    return subprocess.run(
        command, cwd=folder, env=clean_environment(**environment), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org"])
def test_other_machines_are_not_served_without_a_password(host: str, tmp_path: Path) -> None:
    done = _run(tmp_path, "--host", host)
    assert done.returncode == 2
    assert "RAG_UI_PASSWORD" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_help_names_every_option(tmp_path: Path) -> None:
    text = _run(tmp_path, "--help").stdout
    for option in (
        "--host",
        "--port",
        "--uploads",
        "--folder",
        "--runs",
        "--max-upload",
        "--no-browser",
        "--max-cost",
    ):
        assert option in text


def test_nothing_is_reported_and_errors_show_nothing_of_the_inside() -> None:
    chosen = configuration(UiOptions(host="[::1]", port=9000, upload_mib=7))
    assert chosen["browser.gatherUsageStats"] is False
    assert chosen["client.showErrorDetails"] == "none"
    assert chosen["server.enableXsrfProtection"] is True
    # with an address Streamlit does not ask the internet for one
    assert (chosen["server.address"], chosen["server.port"], chosen["server.maxUploadSize"]) == (
        "::1",
        9000,
        7,
    )
