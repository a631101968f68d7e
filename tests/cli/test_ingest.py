"""`rag ingest` and `rag status`: what a person and a program are told of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli import contract
from tests.cli.conftest import Run
from tests.conftest import SAMPLE

FAQ, KOREAN_FAQ = "wexcombe-volunteer-faq.md", "달무리정밀-사내생활-faq.html"


@pytest.fixture
def folder(workdir: Path) -> Path:
    folder = workdir / "docs"
    folder.mkdir()
    for name in (FAQ, KOREAN_FAQ):
        shutil.copy(SAMPLE / name, folder)
    return folder


def test_a_first_run_and_an_unchanged_second_one(rag: Run, folder: Path) -> None:
    first = rag("ingest", folder)
    assert first.code == 0
    assert "Read 2 files: 2 of 2 pages searchable" in first.out
    second = rag("ingest", folder, "--json")
    assert second.code == 0
    assert second.json["unchanged"] == 2
    assert second.json["files"] == []
    assert second.json["chunks"]["embedded"] == 0


def test_a_damaged_file_costs_that_file_alone(rag: Run, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    done = rag("ingest", folder)
    assert done.code == 3
    assert "Read 2 files: 2 of 2 pages searchable" in done.out
    assert "1 file cannot be searched:\n  broken.pdf: damaged" in done.out
    assert "broken.pdf" not in done.err
    status = contract.check(rag("status", "--json").json, contract.Status)
    assert {row["file"]: row["status"] for row in status["files"]} == {
        "broken.pdf": "damaged",
        FAQ: "ok",
        KOREAN_FAQ: "ok",
    }
    assert status["totals"]["by_status"] == {"damaged": 1, "ok": 2}
    assert status["totals"]["searchable_pages"] == 2
    failed = rag("status", "--failed")
    assert "broken.pdf" in failed.out
    assert FAQ not in failed.out
    assert "2 of 2 pages searchable in 3 files (1 damaged, 2 ok)" in failed.out


def test_a_permanent_failure_is_remembered_until_retry(rag: Run, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    rag("ingest", folder)
    again = rag("ingest", folder, "--json").json
    assert again["files"] == []
    assert again["failed_before"] == 1
    assert "--retry" in rag("ingest", folder).out
    retried = rag("ingest", folder, "--retry", "--json").json
    assert [row["file"] for row in retried["files"]] == ["broken.pdf"]


def test_every_file_that_is_not_searchable_is_named_in_one_block(rag: Run, folder: Path) -> None:
    for number in range(12):
        (folder / f"scan-{number:02}.xyz").write_bytes(b"\x00\x01")
    (folder / "leer.txt").write_bytes(b"")
    for arguments in (("--dry-run",), (), ()):  # also when nothing has changed since
        done = rag("ingest", folder, *arguments)
        assert done.code == 3
        block = done.out.partition("13 files cannot be searched:\n")[2].splitlines()
        assert len(block) == 11
        assert block[0].startswith("  leer.txt: empty: ")
        assert block[-1].split()[:3] == ["and", "3", "more:"]
    report = rag("ingest", folder, "--json").json
    assert len(report["not_searchable"]) == 13
    assert {row["status"] for row in report["not_searchable"]} == {"unsupported", "empty"}


def test_what_the_tool_wrote_itself_is_no_document(rag: Run, folder: Path) -> None:
    rag("ingest", folder, "--index", folder / "first.rag")
    rag("ask", "Who runs the library?", "--index", folder / "first.rag", "--save", folder / "answer.json")
    assert (folder / "answer.json").is_file()
    done = rag("ingest", folder, "--json", "--index", folder / "second.rag")
    assert done.code == 0
    assert {row["file"] for row in done.json["files"]} == {FAQ, KOREAN_FAQ}


def test_a_korean_reader_is_told_in_korean(rag: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    monkeypatch.setenv("RAG_LANGUAGE", "ko")
    assert "broken.pdf: 손상됨: PDF가 아니거나 구조가 손상됨" in rag("ingest", folder).out
    assert "3쪽" not in rag("status").out
    assert "손상됨 1개, 정상 2개" in rag("status").out
    assert rag("ingest", "nowhere").err.startswith("오류: nowhere")


def test_a_dry_run_changes_nothing_and_tells_the_price(rag: Run, folder: Path, workdir: Path) -> None:
    done = rag("ingest", folder, "--dry-run")
    assert done.code == 0
    assert "Would read 2 files" in done.out
    assert not (workdir / ".rag").exists()
    priced = rag("ingest", folder, "--dry-run", "--json").json
    assert priced["dry_run"]
    assert priced["tokens"] > 500
    assert priced["cost_usd"] == 0


def test_glob_exclude_and_prune(rag: Run, folder: Path) -> None:
    rag("ingest", folder, "--glob", "*.md")
    assert [row["file"] for row in rag("status", "--json").json["files"]] == [FAQ]
    rag("ingest", folder)
    (folder / FAQ).unlink()
    kept = rag("ingest", folder)
    assert "still searchable (--prune takes them out): " + FAQ in kept.out
    pruned = rag("ingest", folder, "--prune")
    assert f"Took out of the index: {FAQ}." in pruned.out
    assert [row["file"] for row in rag("status", "--json").json["files"]] == [KOREAN_FAQ]


def test_other_chunk_sizes_want_a_rebuild(rag: Run, folder: Path) -> None:
    rag("ingest", folder)
    done = rag("ingest", folder, "--chunk-tokens", "100")
    assert done.code == 1
    assert "--rebuild" in done.err
    before = rag("status", "--json").json["totals"]["chunks"]
    assert rag("ingest", folder, "--chunk-tokens", "100", "--rebuild").code == 0
    assert rag("status", "--json").json["totals"]["chunks"] > before


def test_a_path_that_does_not_exist_is_wrong_usage(rag: Run, workdir: Path) -> None:
    done = rag("ingest", "nowhere")
    assert done.code == 2
    assert "nowhere does not exist" in done.err
    assert not (workdir / ".rag").exists()


def test_passwords_are_read_from_a_file_and_never_printed(rag: Run, folder: Path, workdir: Path) -> None:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=SAMPLE / "wexcombe-library-rules.pdf")
    writer.encrypt("s3cret-열쇠")
    with (folder / "locked.pdf").open("wb") as file:
        writer.write(file)
    locked = rag("ingest", folder, "--password", "wrong-guess")
    assert locked.code == 3
    assert "locked.pdf: encrypted" in locked.out
    (workdir / "passwords.txt").write_text("locked.pdf: s3cret-열쇠\n", encoding="utf-8")
    opened = rag("ingest", folder, "--passwords", "passwords.txt")
    assert opened.code == 0, opened.out
    for done in (locked, opened):
        assert "s3cret" not in done.out + done.err
        assert "wrong-guess" not in done.out + done.err
    stored = b"".join(path.read_bytes() for path in (workdir / ".rag").rglob("*") if path.is_file())
    assert "s3cret-열쇠".encode() not in stored
    wrong = rag("ingest", folder, "--passwords", FAQ)
    assert wrong.code == 2


def test_names_with_markup_and_line_breaks_stay_on_their_line(rag: Run, folder: Path) -> None:
    name = "[red]x\nok.pdf \x1b[31m"
    (folder / f"{name}.pdf").write_bytes(b"%PDF-1.7\nnothing")
    done = rag("ingest", folder)
    shown = rag("status").out
    assert "\x1b" not in done.out + shown
    rows = [line for line in shown.splitlines() if "red" in line]
    assert len(rows) == 1
    assert "[red]x" in rows[0]
