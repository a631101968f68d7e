"""A file that crashes, hangs or swells its reader costs that file alone."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from ingest.options import ReadOptions
from ingest.reading import Reading
from ingest.workers import ReaderPool
from rag.types import Status
from tests.ingest import pdfs
from tests.ingest.support import job, read_file

WORDS = "The ferry leaves the northern pier at seven."


def _read_all(folder: Path, *, use_pypdf: bool = True, **limits: object) -> dict[str, Reading]:
    jobs = [job(path, use_pypdf=use_pypdf) for path in sorted(folder.iterdir())]
    with ReaderPool(2, ReadOptions(**limits), lambda *_: None) as pool:
        return {outcome.job.file: outcome.reading for outcome in pool.read(jobs)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.pdf", "z.pdf"):
        pdfs.write_pdf(tmp_path / name, [pdfs.lines(WORDS)])
    return tmp_path


def _others_are_fine(found: dict[str, Reading]) -> bool:
    return all(
        found[name].status is Status.OK and WORDS in found[name].pages[0].text for name in ("a.pdf", "z.pdf")
    )


def test_a_file_that_takes_forever_is_timed_out(folder: Path) -> None:
    (folder / "endless.pdf").write_bytes(pdfs.endless_pdf())
    # the other files take less, also on a busy machine; pypdf might read this one in the end, and a fast machine
    # fills the usual 2 GiB before the time is over
    found = _read_all(folder, use_pypdf=False, seconds=5.0, memory_mib=8192)
    assert found["endless.pdf"].status is Status.TIMED_OUT
    assert "seconds" in found["endless.pdf"].reason
    assert _others_are_fine(found)


def test_a_decompression_bomb_is_too_large(folder: Path) -> None:
    (folder / "bomb.pdf").write_bytes(pdfs.bomb_pdf(600))
    found = _read_all(folder, memory_mib=300, seconds=60)
    assert found["bomb.pdf"].status is Status.TOO_LARGE
    assert "300 MiB" in found["bomb.pdf"].reason
    assert _others_are_fine(found)


def test_a_file_of_a_million_pages_is_too_large(folder: Path) -> None:
    (folder / "million.pdf").write_bytes(pdfs.counting_pdf(1_000_000))
    found = _read_all(folder)
    assert found["million.pdf"].status is Status.TOO_LARGE
    assert "1,000,000 pages" in found["million.pdf"].reason
    assert _others_are_fine(found)


@pytest.mark.parametrize("second_opinion", [False, True])
def test_a_reader_that_dies_costs_its_file_unless_pypdf_can_read_it(
    second_opinion: bool, folder: Path
) -> None:
    (folder / "endless.pdf").write_bytes(pdfs.endless_pdf())
    stop = threading.Event()

    def kill_the_first_reader() -> None:
        while not stop.wait(0.1):
            for pid in _readers_of("endless.pdf"):
                os.kill(pid, signal.SIGSEGV)
                stop.set()

    killer = threading.Thread(target=kill_the_first_reader)
    killer.start()
    try:
        found = _read_all(folder, use_pypdf=second_opinion, seconds=30)
    finally:
        stop.set()
        killer.join()
    reading = found["endless.pdf"]
    if second_opinion:
        assert reading.status is Status.OK
        assert reading.pages[0].text.startswith("x")
    else:
        assert reading.status is Status.DAMAGED
        assert "SIGSEGV" in reading.reason
    assert _others_are_fine(found)


def _readers_of(name: str) -> list[int]:
    """Child processes that hold a file of this name open (it tells which of the readers is at it)."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            files = (
                [os.readlink(link) for link in (process / "fd").iterdir()] if parent == os.getpid() else []
            )
        except (OSError, ValueError, IndexError):
            continue
        if any(file.endswith(name) for file in files):
            found.append(int(process.name))
    return found


def test_readers_end_with_the_pool(folder: Path) -> None:
    (folder / "endless.pdf").write_bytes(pdfs.endless_pdf())
    jobs = [job(path) for path in sorted(folder.iterdir())]
    # a pool that waited for the file that takes forever would wait for an hour
    with ReaderPool(2, ReadOptions(seconds=3600), lambda *_: None) as pool:
        next(pool.read(jobs))
    assert _readers_of("endless.pdf") == []


def test_readers_know_no_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-readers")
    (folder / "endless.pdf").write_bytes(pdfs.endless_pdf())
    jobs = [job(folder / "endless.pdf", passwords=("open sesame",), use_pypdf=False)]
    seen: list[bytes] = []
    with ReaderPool(1, ReadOptions(seconds=60), lambda *_: None) as pool:
        watcher = threading.Thread(target=lambda: list(pool.read(jobs)))
        watcher.start()
        while watcher.is_alive():
            for pid in _readers_of("endless.pdf"):
                seen += [Path(f"/proc/{pid}/{part}").read_bytes() for part in ("environ", "cmdline")]
                os.kill(pid, signal.SIGKILL)
            watcher.join(0.05)
    assert seen
    assert not any(b"sk-not-for-readers" in part or b"sesame" in part for part in seen)


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("empty.pdf", b"", Status.DAMAGED),
        ("text.pdf", b"This is no PDF at all, whatever its name says.", Status.DAMAGED),
        ("cut.pdf", pdfs.raw_pdf(pdfs.CATALOG, pdfs.PAGES)[:80], Status.DAMAGED),
    ],
)
def test_what_is_no_pdf_is_damaged(name: str, data: bytes, status: Status, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    reading = read_file(tmp_path / name)
    assert (reading.status, bool(reading.reason), reading.chunks) == (status, True, ())


def test_a_cut_file_gives_what_is_left(tmp_path: Path) -> None:
    path = pdfs.write_pdf(tmp_path / "whole.pdf", [pdfs.lines(WORDS)] * 3, pageCompression=0)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"xref\n0")])  # without its cross-reference table
    reading = read_file(path)
    assert reading.status is Status.OK
    assert sum(WORDS in page.text for page in reading.pages) == 3
