"""kill -9 at any moment: the next runs end with the index that an uninterrupted run makes, and pay nothing twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disks import SmallDisk
from tests.ingest import pdfs
from tests.ingest.killed_run import BATCH
from tests.ingest.support import content_of, run, vector_of
from tests.kinds import BOTH_KINDS

KINDS = BOTH_KINDS

ROOT = Path(__file__).parents[2]
SUBJECTS = ("pier", "coal", "gulls", "ferry", "harbour", "lighthouse", "dredger", "customs")


def _corpus(folder: Path) -> Path:
    folder.mkdir()
    for number, subject in enumerate(SUBJECTS):
        _write(folder, subject, 1900 + number)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing follows")
    return folder


def _write(folder: Path, subject: str, year: int) -> None:
    pages = [
        pdfs.lines(*(f"The {subject} was seen {line} times in the year {year}{page}." for line in range(30)))
        for page in range(3 + year % 3)
    ]
    pdfs.write_pdf(folder / f"{subject}.pdf", pages, invariant=1)


def _start(folder: Path, index: Path | str, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.ingest.killed_run", str(folder), str(index), str(log)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def _interrupted_runs(folder: Path, index: Path | str, log: Path, kills: int, seed: int) -> int:
    """Kill runs at random moments until so many were killed; then let one end. Returns kills while embedding.

    A run that ends before its moment came leaves the next one nothing to do, so files are changed then.
    """
    moments = random.Random(seed)
    log.touch()
    done = embedding = 0
    while done < kills:
        size = log.stat().st_size
        process = _start(folder, index, log)
        if moments.random() < 0.7:  # else somewhere in its start
            while process.poll() is None and log.stat().st_size == size:
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 0.3))
        else:
            time.sleep(moments.uniform(0, 1.0))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
            embedding += log.stat().st_size > size
        else:
            assert process.returncode == 0
            _write(folder, moments.choice(SUBJECTS), moments.randrange(2000, 9000))
    assert _start(folder, index, log).wait(120) == 0
    return embedding


def _check(new_location: Callable, tmp_path: Path, kills: int, seed: int) -> None:
    folder, index, log = _corpus(tmp_path / "documents"), new_location(), tmp_path / "log"
    other = new_location()
    assert _interrupted_runs(folder, index, log, kills, seed) >= kills // 3
    run(folder, other)
    assert content_of(index) == content_of(other)

    paid = Counter(json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    chunks = [chunk for _, _, found in content_of(index).values() for chunk in found]
    assert {f"{header}\n{text}" if header else text for text, _, header, _, _ in chunks} <= set(paid)
    assert sum(paid.values()) - len(paid) <= kills * BATCH
    text, _, header, _, vector = chunks[0]
    whole = vector_of(f"{header}\n{text}")
    assert vector == (whole / (whole @ whole) ** 0.5).astype("float32").tobytes()


def test_a_few_kills(new_location: Callable, tmp_path: Path) -> None:
    _check(new_location, tmp_path, kills=4, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_many_kills(seed: int, new_location: Callable, tmp_path: Path) -> None:
    _check(new_location, tmp_path, kills=30, seed=seed)


@pytest.mark.slow
def test_a_disk_that_is_full_at_twenty_moments(small_disk: SmallDisk, tmp_path: Path) -> None:
    """Each ends with one sentence, what was finished can be read, and the next runs finish the rest."""
    folder, log = _corpus(tmp_path / "documents"), tmp_path / "log"
    run(folder, tmp_path / "whole")
    size = sum(path.stat().st_size for path in (tmp_path / "whole").rglob("*") if path.is_file())
    index = small_disk.resized(1 << 30) / "index"
    moments = random.Random(5)
    failures: list[str] = []
    for _ in range(20):
        used = shutil.disk_usage(small_disk.path).used
        small_disk.resized(used + moments.randrange(4096, size // 2) // 4096 * 4096)
        command = [sys.executable, "-m", "tests.ingest.killed_run", str(folder), str(index), str(log)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            failures.append(done.stderr.splitlines()[-1])
        small_disk.resized(1 << 30)
        if moments.random() < 0.4:
            shutil.rmtree(index, ignore_errors=True)
    assert len(failures) >= 10
    assert all(failure.startswith("rag.errors.") for failure in failures), failures
    assert _start(folder, index, log).wait(120) == 0
    assert content_of(index) == content_of(tmp_path / "whole")
