"""Names that collide, or are no UTF-8, lose no file and stay the same from run to run."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from ingest.discovery import discover, unique_names
from rag.store import open_index
from rag.text.paths import path_of, stored_path
from rag.types import Status
from tests.ingest.support import run


def _write(path: Path, text: str) -> Path:
    os.makedirs(os.fsencode(path.parent), exist_ok=True)
    with open(os.fsencode(path), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _texts(index: Path) -> dict[str, str]:
    """The text of each document, by name."""
    with open_index(index) as opened:
        return {source.file: opened.pages(source.file)[0].text for source in opened.documents()}


def _cp949(folder: Path, name: str) -> Path:
    return folder / os.fsdecode(name.encode("cp949"))


def test_names_from_a_korean_archive_are_read_as_korean(tmp_path: Path) -> None:
    folder, index = tmp_path / "문서", tmp_path / "index"
    for name in ("예산", "결산", "회의", "보고"):
        _write(_cp949(folder, f"{name}.txt"), f"{name} 자료는 금요일에 나온다.")
    report = run(folder, index)
    assert (report.exit_code, len(report.files)) == (0, 4)
    assert sorted(_texts(index)) == ["결산.txt", "보고.txt", "예산.txt", "회의.txt"]
    assert run(folder, index).unchanged == 4
    with open_index(index) as opened:
        source = opened.document("예산.txt")
    assert source is not None
    assert path_of(source.path) == _cp949(folder, "예산.txt")


def test_names_that_no_code_page_reads_stay_apart(tmp_path: Path) -> None:
    folder, index = tmp_path / "docs", tmp_path / "index"
    for byte in (0xFD, 0xFE, 0xFF):
        _write(folder / os.fsdecode(b"a" + bytes([byte]) + b".txt"), f"Number {byte} is here.")
    assert [r.status for r in run(folder, index).files] == [Status.OK] * 3
    assert sorted(_texts(index)) == ["a%FD.txt", "a%FE.txt", "a%FF.txt"]


def test_the_same_readable_name_twice_in_a_folder(tmp_path: Path) -> None:
    folder, index = tmp_path / "docs", tmp_path / "index"
    _write(folder / "회의.txt", "composed")
    _write(folder / unicodedata.normalize("NFD", "회의.txt"), "decomposed")
    _write(_cp949(folder, "회의.txt"), "bytes")
    run(folder, index)
    before = _texts(index)
    assert sorted(before.values()) == ["bytes", "composed", "decomposed"]
    assert run(folder, index).unchanged == 3
    bearer = {"composed": folder / "회의.txt", "bytes": _cp949(folder, "회의.txt")}.get(before["회의.txt"])
    os.remove(os.fsencode(bearer or folder / unicodedata.normalize("NFD", "회의.txt")))
    run(folder, index, prune=True)
    assert _texts(index) == {name: text for name, text in before.items() if name != "회의.txt"}


@pytest.mark.parametrize("together", [True, False])
def test_the_same_name_in_three_folders(together: bool, tmp_path: Path) -> None:
    index, stamp = tmp_path / "index", 1_700_000_000
    folders = [tmp_path / letter / "docs" for letter in "xyz"]
    for folder in folders:
        os.utime(_write(folder / "a.txt", f"The answer of {folder.parent.name} is here."), (stamp, stamp))
    reports = [run(folders, index)] if together else [run(folder, index) for folder in folders]
    assert all(report.exit_code == 0 for report in reports)
    expected = {
        "a.txt": "The answer of x is here.",
        "docs/a.txt": "The answer of y is here.",
        "z/docs/a.txt": "The answer of z is here.",
    }
    assert _texts(index) == expected
    for order in (folders, folders[::-1], folders[1:]):
        assert run(order, index).files == []
    assert _texts(index) == expected


def test_another_file_of_the_same_size_and_time_is_read(tmp_path: Path) -> None:
    index, stamp = tmp_path / "index", 1_700_000_000
    for folder, text in (("one", "Dogs are allowed."), ("two", "Dogs are banned!!")):
        path = _write(tmp_path / folder / "rules.txt", text)
        os.utime(path, (stamp, stamp))
    run(tmp_path / "one", index)
    (tmp_path / "one" / "rules.txt").unlink()
    run(tmp_path / "two", index)
    assert _texts(index) == {"rules.txt": "Dogs are banned!!"}


def test_a_folder_keeps_its_names_when_a_part_of_it_is_ingested(tmp_path: Path) -> None:
    index = tmp_path / "index"
    _write(tmp_path / "docs" / "sub" / "a.txt", "One answer.")
    run(tmp_path / "docs", index)
    assert run(tmp_path / "docs" / "sub", index).unchanged == 1
    assert list(_texts(index)) == ["sub/a.txt"]


def test_a_path_is_found_again_as_stored(tmp_path: Path) -> None:
    for name in ("가.txt", os.fsdecode(b"\xb0\xa1.txt"), "literal\\udcb0.txt"):
        path = _write(tmp_path / name, "x")
        stored_path(path).encode("utf-8")
        assert path_of(stored_path(path)) == path


def test_a_row_of_an_older_index_gets_a_readable_name(tmp_path: Path) -> None:
    from dataclasses import replace

    folder, index = tmp_path / "docs", tmp_path / "index"
    _write(_cp949(folder, "예산.txt"), "예산 자료")
    run(folder, index)
    with open_index(index) as opened, opened.writer() as writer:
        (source,) = writer.documents()
        writer.rename(source.file, replace(source, file="����.txt"))
    report = run(folder, index)
    assert report.renamed == [("����.txt", "예산.txt")]
    assert [found.file for found in unique_names(discover([folder]).files)] == ["예산.txt"]
