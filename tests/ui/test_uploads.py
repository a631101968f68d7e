"""Uploads keep to their folder, their kinds and their size, whatever a browser sends."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import UsageError
from rag.ui.documents import MIB, discard_upload, safe_name, store_upload

PDF = b"%PDF-1.7\n%a few bytes"


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("..\\..\\windows\\win.pdf", "win.pdf"),
        ("/absolute/report.PDF", "report.pdf"),
        ("C:\\Users\\a\\report.pdf", "report.pdf"),
        ("....pdf", None),
        (".pdf", None),
        (".hidden.pdf", "hidden.pdf"),
        ("nul\x00byte.pdf", "nulbyte.pdf"),
        ("line\nbreak.pdf", "line break.pdf"),
        ("CON.pdf", "_CON.pdf"),
        ("lpt1.notes.pdf", "_lpt1.notes.pdf"),
        ('<img src=x onerror="alert(1)">.pdf', "_img src=x onerror=_alert(1)__.pdf"),
        ("가람시립박물관 안내.pdf", "가람시립박물관 안내.pdf"),
        ("invoice\u202efdp.exe.pdf", "invoicefdp.exe.pdf"),
        ("report.exe", None),
        ("report.pdf.exe", None),
        ("report", None),
        ("pdf", None),
        ("", None),
    ],
)
def test_a_name_becomes_a_plain_file_name(given_name: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(UsageError):
            safe_name(given_name)
    else:
        assert safe_name(given_name) == kept


def test_decomposed_hangul_is_composed() -> None:
    assert safe_name("\u1112\u1161\u11ab.pdf") == "한.pdf"


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_no_name_leaves_the_folder(text: str) -> None:
    folder = Path("/srv/uploads")
    try:
        name = safe_name(f"{text}.pdf")
    except UsageError:
        return
    assert os.path.normpath(folder / name) == str(folder / name)
    assert (folder / name).parent == folder
    assert len(name.encode()) <= 160
    assert not name.startswith(".")
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)


def test_another_file_of_the_name_gets_a_number_and_the_same_one_is_kept_once(tmp_path: Path) -> None:
    first = store_upload(tmp_path, "a.pdf", PDF, largest=MIB)
    again = store_upload(tmp_path, "x/a.pdf", PDF, largest=MIB)
    other = store_upload(tmp_path, "a.pdf", PDF + b"!", largest=MIB)
    assert (first.new, again.new, other.new) == (True, False, True)
    assert again.path == first.path
    assert other.path.name == "a (2).pdf"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a (2).pdf", "a.pdf"]
    assert first.path.read_bytes() == PDF


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.pdf"
    outside.write_bytes(b"precious")
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "a.pdf").symlink_to(outside)
    stored = store_upload(folder, "a.pdf", PDF, largest=MIB)
    assert outside.read_bytes() == b"precious"
    assert stored.path.name == "a (2).pdf"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("large.pdf", PDF + b"0" * MIB),
        ("empty.pdf", b""),
        ("program.pdf", b"MZ\x90\x00" + b"0" * 2000),
        ("late.pdf", b"0" * 5000 + PDF),
        ("word.docx", b"not a zip"),
    ],
)
def test_what_is_too_large_or_of_another_kind_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(UsageError, match=name):
        store_upload(tmp_path, name, content, largest=MIB)
    assert list(tmp_path.iterdir()) == []


def test_only_uploads_are_deleted(tmp_path: Path) -> None:
    folder, outside = tmp_path / "uploads", tmp_path / "report.pdf"
    kept = store_upload(folder, "a.pdf", PDF, largest=MIB).path
    outside.write_bytes(PDF)
    assert not discard_upload(folder, str(outside))
    assert not discard_upload(folder, str(folder / ".." / "report.pdf"))
    assert outside.exists()
    assert discard_upload(folder, str(kept))
    assert not kept.exists()


def test_deleting_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    outside = tmp_path / "report.pdf"
    outside.write_bytes(PDF)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "link.pdf").symlink_to(outside)
    assert discard_upload(folder, str(folder / "link.pdf"))
    assert outside.exists()
