"""Which files a run finds."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.discovery import Format, discover, unique_names
from rag.errors import UsageError
from rag.text.paths import is_on_disk, stored_path
from rag.types import Status
from tests.ingest import pdfs
from tests.ingest.support import run


def _touch(path: Path, content: bytes = b"words") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _names(*paths: Path, **options: object) -> list[str]:
    return [found.file for found in unique_names(discover(list(paths), **options).files)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.txt", "sub/b.md", "sub/deep/c.csv", ".hidden.txt", ".git/d.txt", "sub/~$lock.docx"):
        _touch(tmp_path / "tree" / name)
    return tmp_path / "tree"


def test_folders_are_walked_and_hidden_files_left_alone(tree: Path) -> None:
    assert _names(tree) == ["a.txt", "sub/b.md", "sub/deep/c.csv"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"globs": ["*.md"]}, ["sub/b.md"]),
        ({"globs": ["sub/**"]}, ["sub/b.md", "sub/deep/c.csv"]),
        ({"globs": ["**/*.txt"]}, ["a.txt"]),
        ({"excludes": ["deep"]}, ["a.txt", "sub/b.md"]),
        ({"excludes": ["sub/"]}, ["a.txt"]),
        ({"excludes": ["*.csv", "a.*"]}, ["sub/b.md"]),
    ],
)
def test_globs_choose(options: dict[str, list[str]], names: list[str], tree: Path) -> None:
    assert _names(tree, **options) == names


def test_symlinks_are_followed_once(tree: Path, tmp_path: Path) -> None:
    (tree / "sub" / "loop").symlink_to(tree)
    (tree / "again").symlink_to(tree / "sub" / "deep")
    (tree / "dangling.txt").symlink_to(tmp_path / "nowhere")
    _touch(tmp_path / "elsewhere" / "e.txt")
    (tree / "out").symlink_to(tmp_path / "elsewhere")
    names = _names(tree)
    assert sorted(Path(name).name for name in names) == ["a.txt", "b.md", "c.csv", "e.txt"]


def test_names_are_composed_and_patterns_match_either_form(tmp_path: Path) -> None:
    _touch(tmp_path / unicodedata.normalize("NFD", "연차 보고서.txt"))
    assert _names(tmp_path) == ["연차 보고서.txt"]
    assert _names(tmp_path, globs=[unicodedata.normalize("NFD", "연차*")]) == ["연차 보고서.txt"]


def test_a_file_given_by_hand_is_taken_whatever_its_name(tree: Path) -> None:
    assert _names(tree / ".hidden.txt") == [".hidden.txt"]


def test_two_folders_with_the_same_names_stay_apart(tmp_path: Path) -> None:
    _touch(tmp_path / "one" / "a.txt")
    _touch(tmp_path / "two" / "a.txt", b"others")
    assert _names(tmp_path / "one", tmp_path / "two") == ["a.txt", "two/a.txt"]


def test_formats_are_told_by_name_and_pdfs_by_their_header(tmp_path: Path) -> None:
    pdf = pdfs.write_pdf(tmp_path / "x.pdf", [pdfs.lines("Hello there")]).read_bytes()
    _touch(tmp_path / "scan.0001", pdf)
    _touch(tmp_path / "old.doc", b"\xd0\xcf\x11\xe0")
    _touch(tmp_path / "NOTES.TXT")
    found = {file.file: file for file in discover([tmp_path]).files}
    assert found["scan.0001"].format is Format.PDF
    assert found["NOTES.TXT"].format is Format.TEXT
    assert found["old.doc"].problem is Status.UNSUPPORTED
    assert "PDF" in found["old.doc"].reason


def test_the_index_inside_the_folder_is_not_a_document(tree: Path) -> None:
    _touch(tree / "index" / "notes.txt")
    assert "index/notes.txt" not in _names(tree, skip=[tree / "index"])


def test_what_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        discover([tmp_path / "nowhere"])


def test_a_link_to_itself_is_reported_and_ends_nothing(tree: Path, tmp_path: Path) -> None:
    (tree / "self").symlink_to("self")
    report = run(tree, tmp_path / "index")
    statuses = {result.file: result.status for result in report.files}
    assert statuses == {
        "a.txt": Status.OK,
        "self": Status.UNREADABLE,
        "sub/b.md": Status.OK,
        "sub/deep/c.csv": Status.EMPTY,
    }
    assert report.exit_code == 3
    assert discover([tree / "self"]).files[0].problem is Status.UNREADABLE


@contextmanager
def _without_rights() -> Iterator[None]:
    """Files are looked at by a user who is not the administrator, to whom every folder is open."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_folders_without_rights_are_reported_and_end_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        _touch(home / "docs" / "a.txt")
        _touch(home / "docs" / "listed" / "b.txt")
        _touch(home / "secret" / "inner" / "c.txt")
        (home / "docs" / "closed").mkdir()
        (home / "docs" / "link").symlink_to(home / "secret" / "inner")
        closed = {home / "docs" / "listed": 0o744, home / "docs" / "closed": 0, home / "secret": 0}
        for folder, mode in closed.items():
            folder.chmod(mode if os.geteuid() == 0 else mode & 0o477)
        try:
            with _without_rights():
                found = discover([home / "docs"])
        finally:
            for folder in closed:
                folder.chmod(0o700)
    problems = {file.file: file.problem for file in found.files}
    unreadable = Status.UNREADABLE
    assert problems == {"a.txt": None, "link": unreadable, "listed/b.txt": unreadable}
    assert len(found.notes) == 1
    assert "closed" in found.notes[0]


def test_a_document_in_a_folder_that_cannot_be_entered_is_not_gone() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        stored = stored_path(_touch(home / "closed" / "a.txt"))
        (home / "closed").chmod(0)
        try:
            with _without_rights():
                assert is_on_disk(stored)
                assert not is_on_disk(stored_path(home / "b.txt"))
        finally:
            (home / "closed").chmod(0o700)
