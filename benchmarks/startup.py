"""How long `rag search` and `rag ask` take as whole processes, against a Python that does nothing.

    python benchmarks/startup.py [--index DIR] [--rounds 10] [--against DIR] [--out benchmarks/results/startup.json]

The commands take turns, so that a busy machine slows them alike. Wall time counts on a quiet machine; on a busy one
the least CPU time does, of user and system together and of all threads. Without --index the sample documents are
indexed into a temporary folder. `--against` is another checkout, whose commands take turns with these. Then, from
`python -X importtime`, what a question imports that takes longest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
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


def seconds(arguments: list[str], folder: Path = ROOT) -> tuple[float, float]:
    """Wall and CPU time of a Python process that imports from `folder`."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, check=False
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = options.index or f"{folder}/index"
        rag = ["-m", "rag.cli"]
        if options.index is None:
            seconds([*rag, "ingest", "data/sample", "--index", index])
        asked = {f"rag {name}": [*rag, name, QUESTION, "--index", index] for name in ("search", "ask")}
        commands = {"python -c pass": (["-c", "pass"], ROOT)}
        commands |= {name: (arguments, ROOT) for name, arguments in asked.items()}
        if options.against is not None:
            other = options.against.resolve()
            commands |= {f"{name}, other": (arguments, other) for name, arguments in asked.items()}
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, (arguments, home) in commands.items():
                taken[name].append(seconds(arguments, home))
        results = {}
        for name, times in taken.items():
            wall, cpu = zip(*times, strict=True)
            found = {
                "wall_median": statistics.median(wall), "wall_least": min(wall), "cpu_least": min(cpu)
            }  # fmt: skip
            results[name] = {what: round(value, 3) for what, value in found.items()}
            print(f"{name:17}", ", ".join(f"{what} {value:.3f} s" for what, value in found.items()))
        imports = slowest_imports(asked["rag ask"])
        print(f"{len(imports)} modules imported in {sum(own for own, _ in imports):.3f} s, of these")
        for own, name in imports[:SHOWN]:
            print(f"  {own:6.3f} s  {name}")
    if options.out is not None:
        load = round(os.getloadavg()[0], 1)
        report = {"processors": os.cpu_count(), "load": load, "rounds": options.rounds, "seconds": results}
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
