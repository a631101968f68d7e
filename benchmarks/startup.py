"""How long `rag search` and `rag ask` take as whole processes, against a Python that does nothing.

    python benchmarks/startup.py [--index DIR] [--rounds 10]

The commands take turns, so that a busy machine slows them alike: what counts is the ratio. Without --index the sample
documents are indexed into a temporary folder. Then, from `python -X importtime`, what a question imports that takes
longest.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What is the sample volume of the Tarn 340?"
SHOWN = 15
"""Modules that are listed."""


def seconds(arguments: list[str]) -> float:
    """Wall time of a Python process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=False)
    return time.perf_counter() - begun


def slowest_imports(arguments: list[str]) -> list[tuple[float, str]]:
    """Modules with the seconds that they take themselves, the longest first."""
    command = [sys.executable, "-X", "importtime", *arguments]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr.splitlines()
    fields = [line.removeprefix("import time:").split("|") for line in lines if line.count("|") == 2]
    timed = [(int(own) / 1e6, name.strip()) for own, _, name in fields if own.strip().isdigit()]
    return sorted(timed, reverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--index", help="an index; by default the sample documents")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = options.index or f"{folder}/index"
        rag = ["-m", "rag.cli"]
        if options.index is None:
            seconds([*rag, "ingest", "data/sample", "--index", index])
        commands = {
            "python -c pass": ["-c", "pass"],
            "rag search": [*rag, "search", QUESTION, "--index", index],
            "rag ask": [*rag, "ask", QUESTION, "--index", index],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, arguments in commands.items():
                taken[name].append(seconds(arguments))
        nothing = statistics.median(taken["python -c pass"])
        for name, times in taken.items():
            median = statistics.median(times)
            print(
                f"{name:16} median {median:6.3f} s, least {min(times):6.3f} s, {median / nothing:5.1f} times nothing"
            )
        imports = slowest_imports(commands["rag ask"])
        print(f"{len(imports)} modules imported in {sum(own for own, _ in imports):.3f} s, of these")
        for own, name in imports[:SHOWN]:
            print(f"  {own:6.3f} s  {name}")


if __name__ == "__main__":
    main()
