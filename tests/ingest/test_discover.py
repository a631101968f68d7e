"""Which files a run finds."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from ingest.discovery import Format, discover
from rag.errors import UsageError
from rag.types import Status
from tests.ingest import pdfs


def _touch(path: Path, content: bytes = b"words") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _names(*paths: Path, **options: object) -> list[str]:
    return [found.file for found in discover(list(paths), **options).files]


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
    _touch(tmp_path / "old.hwp", b"\xd0\xcf\x11\xe0")
    _touch(tmp_path / "NOTES.TXT")
    found = {file.file: file for file in discover([tmp_path]).files}
    assert found["scan.0001"].format is Format.PDF
    assert found["NOTES.TXT"].format is Format.TEXT
    assert found["old.hwp"].problem is Status.UNSUPPORTED
    assert "PDF" in found["old.hwp"].reason


def test_the_index_inside_the_folder_is_not_a_document(tree: Path) -> None:
    _touch(tree / "index" / "notes.txt")
    assert "index/notes.txt" not in _names(tree, skip=[tree / "index"])


def test_what_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        discover([tmp_path / "nowhere"])
