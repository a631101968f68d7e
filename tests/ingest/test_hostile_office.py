"""A hundred damaged, encrypted, oversized and hostile office files: each is in the report with a reason."""

from __future__ import annotations

import io
import multiprocessing
import random
import resource
import struct
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import docx
import pytest

from ingest.options import ReadOptions
from rag.types import Status
from tests.ingest import office_files
from tests.ingest.support import run

pytestmark = pytest.mark.slow

MEMORY_MIB = 768
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
BROKEN = {
    Status.DAMAGED,
    Status.ENCRYPTED,
    Status.TOO_LARGE,
    Status.EMPTY,
    Status.TIMED_OUT,
    Status.HIDDEN_TEXT,
}


def _samples(folder: Path) -> dict[str, bytes]:
    """A sound file of each kind."""
    folder.mkdir()
    document = docx.Document()
    document.add_paragraph("The northern pier opens at seven.")
    document.save(folder / "a.docx")
    office_files.budget(folder / "a.xlsx")
    office_files.deck(folder / "a.pptx")
    office_files.hwpx(folder / "a.hwpx", *office_files.rules())
    office_files.hwp_rules(folder / "a.hwp")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def _rezipped(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


def _is_body(name: str) -> bool:
    return name.endswith(("document.xml", "sheet1.xml", "slide1.xml", "section0.xml"))


def _entities(name: str, part: bytes) -> bytes:
    if not _is_body(name):
        return part
    return (
        ENTITIES.encode() + part.partition(b"?>")[2]
        if part.startswith(b"<?xml")
        else ENTITIES.encode() + part
    )


def _nested(name: str, part: bytes) -> bytes:
    return b"<a>" * 200_000 + b"</a>" * 200_000 if _is_body(name) else part


def _bomb(name: str, part: bytes) -> bytes:
    return part + b" " * 60_000_000 if _is_body(name) else part


def _hostile(suffix: str, data: bytes, number: int, chance: random.Random) -> tuple[bytes, bool]:
    """Bytes of a hostile file, and whether nothing of it may be searchable."""
    zipped = suffix != ".hwp"
    match number % 10:
        case 0:
            return data[: chance.randrange(30, len(data) // 2)], True
        case 1:
            return bytes.fromhex("d0cf11e0a1b11ae1") + chance.randbytes(3000), True
        case 2 if zipped:
            return _rezipped(data, _entities), True
        case 3 if zipped:
            return _rezipped(data, _nested), True
        case 4 if zipped and number < 50:
            return _rezipped(data, _bomb), True
        case 5:
            return chance.randbytes(chance.randrange(1, 5000)), True
        case 6 if zipped:  # the bit that says that an entry is encrypted, in the central directory
            at = data.index(b"PK\x01\x02")
            return data[: at + 8] + bytes([data[at + 8] | 1]) + data[at + 9 :], True
        case 7:
            return b"", True
    damaged = bytearray(data)
    for _ in range(40):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged), False


def test_a_hundred_hostile_files(tmp_path: Path) -> None:
    chance = random.Random(20)
    samples = _samples(tmp_path / "sound")
    folder = tmp_path / "files"
    folder.mkdir()
    hopeless: set[str] = set()
    for number in range(95):
        suffix = list(samples)[number % 5] if number < 50 else list(samples)[number // 10 % 5]
        data, nothing = _hostile(suffix, samples[suffix], number, chance)
        (folder / f"{number:02}{suffix}").write_bytes(data)
        hopeless.update([f"{number:02}{suffix}"] if nothing else [])
    far = office_files.hp_table((0, 0, 9_999_999, 9_999_999, "x"), (999_999, 999_999, 1, 1, "y"))
    office_files.hwpx(folder / "span.hwpx", office_files.hp("표", inner=far))
    office_files.hwp(folder / "bomb.hwp", bytes(120_000_000))
    office_files.hwp(folder / "record.hwp", struct.pack("<II", 66 | 0xFFF << 20, 0xFFFFFFFF))
    office_files.hwp(folder / "levels.hwp", b"".join(office_files.record(66, n % 1024) for n in range(5000)))
    office_files.hwp(folder / "password.hwp", b"", flags=3)
    hopeless |= {"bomb.hwp", "record.hwp", "levels.hwp", "password.hwp"}

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        files, reasons, peak = process.submit(_ingested, folder, tmp_path / "index").result()
    assert len(files) == 100
    assert all(reasons.values())
    assert {file: files[file][0] for file in hopeless if files[file][0] not in BROKEN} == {}
    assert {files["bomb.hwp"][0], files["password.hwp"][0]} == {Status.TOO_LARGE, Status.ENCRYPTED}
    assert not [f for f, (status, why) in files.items() if "crashed" in why or status is Status.TIMED_OUT]
    assert peak < MEMORY_MIB


def _ingested(folder: Path, index: Path) -> tuple[dict[str, tuple[Status, str]], dict[str, str], float]:
    """Statuses and reasons, the reasons of what cannot be searched, and the most MiB that a worker took.

    In a process of its own, whose children are the workers of this ingest alone.
    """
    report = run(folder, index, read=ReadOptions(seconds=30, memory_mib=MEMORY_MIB))
    files = {result.file: (result.status, result.reason) for result in report.files}
    reasons = {one.file: one.reason for one in report.not_searchable}
    return files, reasons, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
