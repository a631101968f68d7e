"""What several rooms' tests share: settings that no environment changes, and the sample documents indexed."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from rag.store import Index, open_index
from rag.usage.log import FILE_NAME as USAGE_LOG
from scripts.offline import WATCHED, refused
from tests.disks import SmallDisk
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"
SAMPLE_QUESTIONS = [
    json.loads(line) for line in (ROOT / "data/questions/sample.jsonl").read_text("utf-8").splitlines()
]

# The examples of a property are the same in every run, and none fails because the machine was busy. For new ones:
# pytest --hypothesis-profile=default
settings.register_profile(
    "pagequote", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("pagequote")


def _is_setting(name: str) -> bool:
    if name == "PYTHONDONTWRITEBYTECODE":  # every process that a test starts would compile all modules again
        return True
    return name.startswith(("RAG_", "OPENAI_", "AZURE_OPENAI_")) and name != "RAG_CACHE_DIR"


ONE_READER = {"RAG_WORKERS": "1"}
"""Readers for a few files: each process takes half a second to start, and tests run side by side."""


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without settings and keys of whoever runs the tests, for processes that tests start.

    The cache of the converted model stays where it is: to make it again takes seconds and shows nothing.
    """
    kept = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    return kept | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | ONE_READER | extra


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail when a test is skipped")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With `--no-skips`, a program or package that a test did not find fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("no_skips") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("\nThe run fails because tests were skipped (--no-skips).", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in filter(_is_setting, list(os.environ)):
        monkeypatch.delenv(name)
    for name, value in ONE_READER.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine() -> Iterator[None]:
    """Under `make test-offline` the kernel counts what tries to: the test that did fails.

    Tests that run at the same time share the count, so that one beside it may fail, too.
    """
    if WATCHED not in os.environ:
        yield
        return
    before = refused()
    yield
    assert refused() == before, "during this test something tried to leave this machine"


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample documents in an index, made by the real `rag ingest` once for all workers of a run.

    For reading only; `copy_index` gives a test one of its own to write. A model that is paid writes its usage
    log beside the documents, which other tests would then find: the run ends with an error when one did.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    index = shared / "sample-index"
    with FileLock(shared / "sample-index.lock"):
        if not (shared / "sample-index.done").exists():
            command = [sys.executable, "-m", "rag.cli", "ingest", str(SAMPLE), "--index", str(index)]
            made = subprocess.run(
                command, cwd=shared, env=clean_environment(), capture_output=True, text=True, check=False
            )
            assert made.returncode == 0, made.stderr
            (shared / "sample-index.done").touch()
    yield index
    assert not (index / USAGE_LOG).exists(), "a test paid a model in the index that all tests share"


@pytest.fixture(scope="module")
def sample(sample_index: Path) -> Iterator[Index]:
    """The index of the sample documents, opened for reading."""
    with open_index(sample_index) as opened:
        yield opened


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of its own, with the size that the test gives it."""
    (tmp_path / "disk").mkdir()
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real server, one for each process of a run; every test makes a schema of its own in it."""
    server = PostgresServer()
    yield server
    server.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    kinds = getattr(metafunc.module, "KINDS", None)
    if kinds and "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "folder")


@pytest.fixture(scope="module")
def new_location(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path | str]:
    """Gives a place for an index whenever it is called."""
    if kind == "folder":
        return lambda: tmp_path_factory.mktemp("index") / "색인"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = request.module.__name__.removeprefix("tests.").replace(".", "_")  # a schema is the module's own
    numbers = itertools.count()
    return lambda: server.url(f"{name}_{next(numbers)}_색인")
