"""Damaged and strange PDFs: one run, a status and a reason for each, and no fewer characters than either reader.

    python benchmarks/ingest_odd_files.py FOLDER

pypdf and PDFium read every file by themselves, each in a process with a time limit; characters that are not white
space are compared with those that ingest reports having extracted.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.discovery import discover
from ingest.options import ReadOptions
from ingest.reading import ReadJob
from ingest.workers import ReaderPool

SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    files = discover([parser.parse_args().folder], globs=["*.pdf"]).files
    began = time.perf_counter()
    with ReaderPool(2, ReadOptions(), lambda *_: None) as pool:
        found = {o.job.file: o.reading for o in pool.read([ReadJob(f.file, f.path, f.format) for f in files])}
    seconds = time.perf_counter() - began
    fewer = {}
    for file in files:
        best = max(limited(reader, file.path) for reader in (by_pdfium, by_pypdf))
        mine = sum(page.characters for page in found[file.file].pages)
        if mine < best:
            fewer[file.file] = {"ingest": mine, "best": best}
    result = {
        "files": len(files),
        "seconds": round(seconds, 1),
        "statuses": Counter(reading.status.value for reading in found.values()),
        "without_a_reason": [f for f, r in found.items() if r.status != "ok" and not r.reason],
        "at_least_the_better_reader": round(1 - len(fewer) / max(1, len(files)), 4),
        "fewer": fewer,
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))


def limited(reader: Callable[[Path], int], path: Path) -> int:
    """What a reader counts, or 0 when it fails, crashes or hangs."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(attempt(reader, path)))
    process.start()
    sender.close()
    try:
        return int(receiver.recv()) if receiver.poll(SECONDS) else 0
    except EOFError:
        return 0
    finally:
        process.kill()
        process.join()


def attempt(reader: Callable[[Path], int], path: Path) -> int:
    logging.disable(logging.CRITICAL)
    try:
        return reader(path)
    except Exception:
        return 0


def by_pdfium(path: Path) -> int:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    return sum(visible(lambda n=n: document[n].get_textpage().get_text_range()) for n in range(len(document)))


def by_pypdf(path: Path) -> int:
    from pypdf import PdfReader

    pages: Any = PdfReader(path).pages
    return sum(visible(lambda n=n: pages[n].extract_text()) for n in range(len(pages)))


def visible(page: Callable[[], str]) -> int:
    try:
        return len("".join(page().split()))
    except Exception:
        return 0


if __name__ == "__main__":
    main()
