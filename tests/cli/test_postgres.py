"""The commands with an index in PostgreSQL, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, clean_environment
from tests.servers.postgres import PASSWORD, PostgresServer

pytestmark = pytest.mark.slow

GUIDE = """# Harbour guide

The northern pier opens at seven in the morning. Dogs travel free of charge on every ferry.
"""


def rag(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rag.cli", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=clean_environment(**variables), capture_output=True, text=True, check=False
    )


def json_of(*arguments: object, **variables: str) -> Any:
    done = rag(*arguments, "--json", **variables)
    assert done.returncode == 0, done.stderr
    assert "w0rd" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_ingest_ask_search_and_status(postgres_server: PostgresServer, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "guide.md").write_text(GUIDE, encoding="utf-8")
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    postgres_server.admin(f"CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")
    postgres_server.admin("GRANT CREATE ON DATABASE index TO clerk")
    url = postgres_server.url("commands", user="clerk", password=PASSWORD)
    assert json_of("ingest", documents, "--index", url, "--offline", **home)["files"]
    asked = json_of("ask", "When does the northern pier open?", "--offline", RAG_INDEX=url, **home)
    assert asked["status"] == "answered"
    assert asked["citations"][0]["verified"]
    (found,) = json_of("search", "dogs", "--index", url, **home)["passages"][:1]
    assert (found["file"], found["page"]) == ("guide.md", 1)
    assert json_of("status", "--index", url, **home)["totals"]["files"] == 1
    copied = json_of("index", "copy", url, tmp_path / "copy", **home)
    assert (copied["same"], copied["copied_files"]) == (True, 1)
    doctor = rag("doctor", "--index", url, **home)
    assert "w0rd" not in doctor.stdout + doctor.stderr
    wrong = rag("status", "--index", url.replace("w0rd", "wrong"), **home)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "PGPASSWORD" in wrong.stderr
    assert "wrong" not in wrong.stderr


def test_offline_refuses_a_server_elsewhere() -> None:
    refused = rag("status", "--index", "postgresql://db.example.com/library", "--offline")
    assert refused.returncode == 1
    assert "db.example.com" in refused.stderr
    assert "--offline" in refused.stderr
