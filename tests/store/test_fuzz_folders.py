"""A hundred hostile or damaged index folders, made by seed: an answer or one error, never a crash or a hang."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment
from tests.copies import copy_index

FOLDERS = 100
_TABLES = ("state", "embedding_models", "embeddings", "contents", "sources", "pages", "chunks", "page_tables")
_NUMBERS = (-1, 0, 2, 99_999_999, 2**31, 2**63 - 1, -(2**63))
_TEXTS = (
    "",
    "\0",
    "../../etc/passwd",
    "[" * 60_000,
    '{"a":' * 20_000,
    "[[1e999,1]]",
    "9" * 5_000,
    "\ud7ff",
    "[]",
    "{}",
)


def _tampered(path: Path, pick: random.Random) -> str:
    """Set one column of some rows to a value that no ingest writes; returns the statement."""
    with sqlite3.connect(path) as connection:
        table = pick.choice(
            [name for name in _TABLES if connection.execute(f"SELECT 1 FROM {name}").fetchone()]
        )
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        _, column, kind, *_ = pick.choice(columns)
        if kind == "INTEGER":
            value: object = pick.choice(_NUMBERS)
        elif kind == "BLOB":
            value = pick.choice((b"", b"\xff" * 12, bytes(1 << 20)))
        else:
            value = pick.choice(_TEXTS)
        few = "" if pick.random() < 0.5 else f" WHERE rowid IN (SELECT rowid FROM {table} LIMIT 1)"
        statement = f"UPDATE OR IGNORE {table} SET {column} = ?{few}"
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement, (value,))
    connection.close()
    return f"{statement} {str(value)[:40]}"


def _damaged(path: Path, pick: random.Random) -> str:
    """Change, cut or empty one file of the folder; returns what was done."""
    file = pick.choice(sorted(each for each in path.rglob("*") if each.is_file()))
    content = bytearray(file.read_bytes())
    for _ in range(pick.randint(1, 20)):
        if content:
            at = pick.randrange(len(content))
            content[at : at + pick.randint(1, 64)] = pick.randbytes(pick.randint(0, 64))
    if pick.random() < 0.3:
        del content[pick.randrange(len(content) + 1) :]
    beside = path.parent / "beside"
    beside.write_bytes(content)
    beside.replace(file)
    return f"damaged {file.name}"


@pytest.mark.slow
def test_hostile_folders(sample_index: Path, tmp_path: Path) -> None:
    """Each is searched by one process that reports every outcome: were it to crash, the report would be short."""
    done: list[str] = []
    for seed in range(FOLDERS):
        pick = random.Random(seed)
        folder = copy_index(sample_index, tmp_path / f"index{seed}")
        done.append(_damaged(folder, pick) if seed % 3 == 0 else _tampered(folder / "index.db", pick))
    process = subprocess.run(
        [sys.executable, "-m", "tests.store.use_folders", *(str(tmp_path / f"index{n}") for n in range(FOLDERS))],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    outcomes = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(outcomes) == FOLDERS, (done[len(outcomes)], process.returncode, process.stderr[-2000:])
    for what, outcome in zip(done, outcomes, strict=True):
        assert outcome["error"] in (
            None,
            "IndexDamaged",
            "IndexError_",
            "IndexMismatch",
            "DocumentMissing",
        ), (
            what,
            outcome,
        )
        assert "\n" not in outcome["text"], what
    assert sum(outcome["error"] is None for outcome in outcomes) >= FOLDERS // 5
