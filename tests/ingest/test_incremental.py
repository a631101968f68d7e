"""A run does what has changed and no more, and what could not be done is tried again when it may help."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.options import Passwords
from rag.errors import BudgetReached, IndexMismatch, RateLimited, UsageError
from rag.store import open_index
from rag.types import DocumentRecord, Status
from tests.ingest import pdfs
from tests.ingest.support import HashEmbedder, run
from tests.kinds import BOTH_KINDS, exists, stored_bytes

KINDS = BOTH_KINDS

TEXTS = {
    "pier.txt": "The northern pier opens at seven in the morning.",
    "coal.md": "# Coal\n\nCoal was landed here until 1968.\n\nThe last ship was the Maryport.",
    "집.txt": "항구 사무소는 평일 아홉 시에 문을 연다.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "documents"
    home.mkdir()
    for name, text in TEXTS.items():
        (home / name).write_text(text, encoding="utf-8")
    pdfs.write_pdf(
        home / "ferry.pdf", [pdfs.lines("Ferries sail every hour."), pdfs.lines("Dogs travel free.")]
    )
    return home


@pytest.fixture
def index(new_location: Callable[[], Path | str]) -> Path | str:
    return new_location()


def _sources(index: Path | str) -> dict[str, DocumentRecord]:
    with open_index(index) as opened:
        return {source.file: source for source in opened.documents()}


def _texts(index: Path | str, file: str) -> str:
    with open_index(index) as opened:
        return "\n".join(page.text for page in opened.pages(file))


def test_the_first_run_indexes_everything(folder: Path, index: Path | str) -> None:
    report = run(folder, index)
    assert report.by_status == {Status.OK: 4}
    assert (report.pages, report.exit_code) == (5, 0)
    with open_index(index) as opened:
        assert opened.counts().searchable_pages == 5
        hits = opened.search_keywords(["maryport"], 3)
        assert "Maryport" in opened.passages([hits[0].chunk_id])[0].text
        assert opened.verify() == []


def test_an_unchanged_folder_costs_nothing(folder: Path, index: Path | str) -> None:
    run(folder, index)
    again = HashEmbedder()
    report = run(folder, index, embedder=again)
    assert (report.files, report.unchanged, again.texts) == ([], 4, [])


def test_one_changed_file_costs_one_file(folder: Path, index: Path | str) -> None:
    run(folder, index)
    (folder / "pier.txt").write_text("The northern pier is closed.", encoding="utf-8")
    again = HashEmbedder()
    report = run(folder, index, embedder=again)
    assert [result.file for result in report.files] == ["pier.txt"]
    assert len(again.texts) == 1
    assert _texts(index, "pier.txt") == "The northern pier is closed."


def test_new_bytes_of_the_same_content_are_not_embedded_again(folder: Path, index: Path | str) -> None:
    run(folder, index)
    os.utime(folder / "pier.txt", (1, 1))
    shutil.copy(folder / "coal.md", folder / "coal-copy.md")
    again = HashEmbedder()
    report = run(folder, index, embedder=again)
    assert [result.file for result in report.files] == ["coal-copy.md"]
    assert not [text for text in again.texts if "pier" in text]


def test_a_renamed_file_is_not_read_again(folder: Path, index: Path | str) -> None:
    run(folder, index)
    (folder / "old").mkdir()
    (folder / "ferry.pdf").rename(folder / "old" / "boats.pdf")
    again = HashEmbedder()
    report = run(folder, index, embedder=again)
    assert report.renamed == [("ferry.pdf", "old/boats.pdf")]
    assert (report.files, report.removed, again.texts) == ([], [], [])
    assert "Dogs travel free." in _texts(index, "old/boats.pdf")
    assert "ferry.pdf" not in _sources(index)


def test_vanished_files_stay_searchable_until_pruned(folder: Path, index: Path | str) -> None:
    run(folder, index)
    (folder / "pier.txt").unlink()
    assert run(folder, index).removed == ["pier.txt"]
    assert _sources(index)["pier.txt"].status is Status.REMOVED
    with open_index(index) as opened:
        assert opened.search_keywords(["northern"], 3)
    assert run(folder, index, prune=True).pruned == ["pier.txt"]
    assert "pier.txt" not in _sources(index)
    with open_index(index) as opened:
        assert opened.search_keywords(["northern"], 3) == []


def test_a_file_that_comes_back_is_searchable_again(folder: Path, index: Path | str) -> None:
    run(folder, index)
    text = (folder / "pier.txt").read_text(encoding="utf-8")
    (folder / "pier.txt").unlink()
    run(folder, index)
    (folder / "harbour.txt").write_text(text, encoding="utf-8")
    run(folder, index)
    sources = _sources(index)
    assert sources["harbour.txt"].status is Status.OK
    assert "pier.txt" not in sources


def test_another_folder_is_added_and_the_first_is_left_alone(
    folder: Path, index: Path | str, tmp_path: Path
) -> None:
    run(folder, index)
    other = tmp_path / "annex"
    other.mkdir()
    (other / "pier.txt").write_text("The southern pier has no railing.", encoding="utf-8")
    report = run(other, index)
    assert (report.removed, [result.file for result in report.files]) == ([], ["annex/pier.txt"])
    assert run(other, index).unchanged == 1
    assert run(folder, index).unchanged == 4
    assert _texts(index, "pier.txt") != _texts(index, "annex/pier.txt")


def test_narrower_globs_remove_nothing(folder: Path, index: Path | str) -> None:
    run(folder, index)
    report = run(folder, index, globs=("*.pdf",))
    assert (report.removed, report.unchanged) == ([], 1)


def test_a_rebuild_pays_for_nothing_twice(folder: Path, index: Path | str) -> None:
    run(folder, index)
    again = HashEmbedder()
    report = run(folder, index, embedder=again, rebuild=True)
    assert (len(report.files), again.texts) == (4, [])
    assert report.chunks_cached > 0
    with open_index(index) as opened:
        assert opened.verify() == []


def test_decomposed_names_are_cited_composed(tmp_path: Path, index: Path | str) -> None:
    folder = tmp_path / "mac"
    folder.mkdir()
    (folder / unicodedata.normalize("NFD", "보고서.txt")).write_text("매출은 늘었다.", encoding="utf-8")
    run(folder, index)
    assert list(_sources(index)) == ["보고서.txt"]
    assert run(folder, index).unchanged == 1


def test_every_file_has_a_reason(folder: Path, index: Path | str) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing follows")
    (folder / "tables.xls").write_bytes(b"PK\x03\x04")
    (folder / "empty.txt").write_bytes(b"")
    pdfs.write_pdf(folder / "blank.pdf", [lambda canvas: None])
    report = run(folder, index)
    sources = _sources(index)
    assert sources["broken.pdf"].status is Status.DAMAGED
    assert sources["tables.xls"].status is Status.UNSUPPORTED
    assert "XLSX" in sources["tables.xls"].reason
    assert {sources[name].status for name in ("empty.txt", "blank.pdf")} == {Status.EMPTY}
    assert report.exit_code == 3
    unread = ["blank.pdf", "broken.pdf", "empty.txt", "tables.xls"]
    assert [result.file for result in report.not_searchable] == unread
    later = run(folder, index)
    assert (later.files, later.failed_before, later.exit_code) == ([], 3, 3)
    assert [result.file for result in later.not_searchable] == unread
    assert [result.file for result in run(folder, index, retry=True).files] == [
        "blank.pdf",
        "broken.pdf",
        "empty.txt",
    ]


# -- passwords ---------------------------------------------------------------------------------------------


@pytest.fixture
def locked(folder: Path) -> Path:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(folder / "ferry.pdf"))
    writer.encrypt("seven gulls", "owner", algorithm="RC4-128")
    writer.write(folder / "locked.pdf")
    return folder


def test_an_encrypted_file_is_read_once_there_is_a_password(
    locked: Path, index: Path | str, tmp_path: Path
) -> None:
    run(locked, index)
    assert _sources(index)["locked.pdf"].status is Status.ENCRYPTED
    assert run(locked, index, passwords=Passwords(["wrong"])).not_searchable
    words = tmp_path / "passwords.txt"
    words.write_text("# ours\nother*.pdf: nine: terns\n\nlocked.pdf: seven gulls\n", encoding="utf-8")
    report = run(locked, index, passwords=Passwords.load(file=words))
    assert [result.status for result in report.files] == [Status.OK]
    assert "Dogs travel free." in _texts(index, "locked.pdf")
    assert b"gulls" not in stored_bytes(index)
    assert "gulls" not in repr(Passwords.load(file=words)) + repr(report.as_dict())


def test_a_wrong_password_file_names_the_line_and_not_the_password(tmp_path: Path) -> None:
    path = tmp_path / "passwords.txt"
    path.write_text("a.pdf: one\nhunter2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=":2: ") as caught:
        Passwords.load(file=path)
    assert "hunter2" not in str(caught.value)


# -- providers that fail -----------------------------------------------------------------------------------


def _fail_after(count: int, error: Exception) -> HashEmbedder:
    def before(done: int) -> None:
        if done >= count:
            raise error

    return HashEmbedder(batch=1, before=before)


def test_a_transient_failure_keeps_what_was_paid_and_goes_on_next_time(
    folder: Path, index: Path | str
) -> None:
    failing = _fail_after(2, RateLimited("The server asked to slow down."))
    report = run(folder, index, embedder=failing)
    assert len(failing.texts) == 2
    assert report.exit_code == 3
    assert {result.status for result in report.not_searchable} == {Status.FAILED}
    assert all("slow down" in result.reason for result in report.not_searchable)
    statuses = {source.status for source in _sources(index).values()}
    assert statuses <= {Status.OK, Status.FAILED}
    again = HashEmbedder()
    report = run(folder, index, embedder=again)
    assert report.exit_code == 0
    assert not set(again.texts) & set(failing.texts)
    assert {source.status for source in _sources(index).values()} == {Status.OK}


def test_a_changed_file_that_cannot_be_embedded_stays_searchable_as_it_was(
    folder: Path, index: Path | str
) -> None:
    run(folder, index)
    (folder / "pier.txt").write_text("The northern pier is closed.", encoding="utf-8")
    run(folder, index, embedder=_fail_after(0, RateLimited("The server asked to slow down.")))
    assert _sources(index)["pier.txt"].status is Status.FAILED
    with open_index(index) as opened:
        (hit, *_) = opened.search_keywords(["northern"], 1)
        assert "seven in the morning" in opened.passages([hit.chunk_id])[0].text


def test_a_met_budget_keeps_what_is_finished(folder: Path, index: Path | str) -> None:
    capped = _fail_after(2, BudgetReached("The cap of $1 is met."))
    with pytest.raises(BudgetReached):
        run(folder, index, embedder=capped)
    assert Status.FAILED in {source.status for source in _sources(index).values()}
    again = HashEmbedder()
    run(folder, index, embedder=again)
    assert not set(again.texts) & set(capped.texts)
    assert {source.status for source in _sources(index).values()} == {Status.OK}


# -- asking first ------------------------------------------------------------------------------------------


def test_a_dry_run_counts_and_changes_nothing(folder: Path, index: Path | str) -> None:
    report = run(folder, index, dry_run=True)
    assert (report.pages, len(report.files)) == (5, 4)
    assert report.tokens_embedded > 20
    assert not exists(index)
    run(folder, index)
    before = _sources(index)
    (folder / "pier.txt").write_text("The northern pier is closed.", encoding="utf-8")
    report = run(folder, index, dry_run=True)
    assert ([result.file for result in report.files], report.chunks_embedded) == (["pier.txt"], 1)
    assert _sources(index) == before


def test_an_index_made_otherwise_is_refused_with_the_fix(folder: Path, index: Path | str) -> None:
    run(folder, index)
    other = HashEmbedder()
    other.spec = other.id = "test:other"
    with pytest.raises(IndexMismatch, match="--rebuild"):
        run(folder, index, embedder=other)


def test_a_path_that_does_not_exist_is_wrong_usage(index: Path | str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        run(tmp_path / "nowhere", index)
    assert not exists(index)
