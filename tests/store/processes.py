"""Starting `tests.store.worker`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """A worker with its standard streams piped."""
    command = [sys.executable, "-m", "tests.store.worker", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options)


def run(*arguments: object, all_lines: bool = False, **options: Any) -> Any:
    """The JSON of the last line that a worker prints, or a list with that of each line."""
    worker = start(*arguments, **options)
    out, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    lines = [json.loads(line) for line in (out.splitlines() if all_lines else out.splitlines()[-1:])]
    return lines if all_lines else lines[0]
