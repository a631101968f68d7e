"""Starting the page: who may reach it, what may be named on it, and what is refused before anything is served."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import SettingsError, UsageError
from rag.settings import load_settings
from rag.ui.server import configuration, require_password
from rag.ui.workspace import UiOptions, folder_to_ingest, is_loopback
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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", "::1", "[::1]"])
def test_loopback_needs_no_password(host: str) -> None:
    assert is_loopback(host)
    assert require_password(UiOptions(host=host), load_settings(env={}, dotenv_path=None)) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "example.org", "localhost.example.org", ""])
def test_anything_else_needs_one(host: str) -> None:
    settings = load_settings(env={}, dotenv_path=None)
    with pytest.raises(SettingsError, match="RAG_UI_PASSWORD"):
        require_password(UiOptions(host=host), settings)
    settings = load_settings(env={"RAG_UI_PASSWORD": "열쇠"}, dotenv_path=None)
    assert require_password(UiOptions(host=host), settings) == "열쇠"


def test_the_password_shows_in_no_text_of_the_settings() -> None:
    settings = load_settings(env={"RAG_UI_PASSWORD": "only-for-guests"}, dotenv_path=None)
    assert "only-for-guests" not in f"{settings!r} {settings}"
    assert "only-for-guests" in settings.secrets()


def test_options_survive_the_way_to_the_server() -> None:
    options = UiOptions(host="::1", folders=("a", "b"), flags={"index": "문서", "k": 3})
    assert UiOptions.from_json(options.to_json()) == options


def test_on_this_machine_any_folder_may_be_named(tmp_path: Path) -> None:
    assert folder_to_ingest(f" {tmp_path} ", UiOptions()) == tmp_path.resolve()
    for wrong in (str(tmp_path / "missing"), "", "  ", "a\0b"):
        with pytest.raises(UsageError):
            folder_to_ingest(wrong, UiOptions())


def test_visitors_from_elsewhere_name_allowed_folders_alone(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    (allowed / "reports").mkdir(parents=True)
    secret.mkdir()
    (allowed / "way-out").symlink_to(secret)
    options = UiOptions(host="0.0.0.0", folders=(str(allowed),))
    assert folder_to_ingest(str(allowed / "reports"), options) == (allowed / "reports").resolve()
    refused = {}
    for name in (
        secret,
        allowed / ".." / "secret",
        allowed / "way-out",
        "/",
        tmp_path / "missing",
        allowed / "missing",
    ):
        with pytest.raises(UsageError) as error:
            folder_to_ingest(str(name), options)
        refused[name] = str(error.value).replace(str(name), "")
    assert len(set(refused.values())) == 1  # what exists and what does not cannot be told apart
