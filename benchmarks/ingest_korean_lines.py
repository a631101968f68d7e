"""Korean line breaks: how often ingest rightly decides whether a line ends between words or inside one.

    python benchmarks/ingest_korean_lines.py FOLDER QUESTIONS

FOLDER holds PDFs whose lines break inside words; QUESTIONS is a question set (JSON Lines) whose evidence texts have
the true spacing. Every line break inside an evidence text is judged; `--kiwi` also asks Kiwi's `glue`.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ingest.clean.lines import LineJoiner
from ingest.options import ReadOptions
from ingest.pdf.document import read_pdf
from ingest.raw import RawPage


class Break(NamedTuple):
    """A line break, and whether the true text has a space there."""

    file: str
    left: str
    right: str
    space: bool


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--kiwi", action="store_true", help="compare with Kiwi (pip install kiwipiepy)")
    options = parser.parse_args()
    pages = {path.name: read(path) for path in sorted(options.folder.glob("*.pdf"))}
    joiners = {name: joiner_of(found) for name, found in pages.items()}
    breaks = list(dict.fromkeys(breaks_of(pages, options.questions)))
    result = {
        "breaks": len(breaks),
        "between_words": round(share(breaks, lambda b: b.space), 4),
        "always_a_space": round(share(breaks, lambda b: b.space), 4),
        "never_a_space": round(share(breaks, lambda b: not b.space), 4),
        "ingest": round(
            share(breaks, lambda b: bool(joiners[b.file].between(b.left, b.right)) == b.space), 4
        ),
    }
    if options.kiwi:
        result["kiwi"] = round(share(breaks, kiwi()), 4)
    print(json.dumps(result, indent=2))


def read(path: Path) -> list[RawPage]:
    return read_pdf(path, passwords=(), options=ReadOptions(), tell=lambda *_: None).pages


def joiner_of(pages: list[RawPage]) -> LineJoiner:
    return LineJoiner(lambda: [line.text for page in pages for line in page.lines])


def breaks_of(pages: dict[str, list[RawPage]], questions: Path) -> Iterator[Break]:
    evidence: dict[tuple[str, int], set[str]] = defaultdict(set)
    for line in questions.read_text(encoding="utf-8").splitlines():
        for found in json.loads(line).get("evidence") or ():
            evidence[found["file"], found["page"]].add(found["text"])
    for (file, number), texts in evidence.items():
        lines = [line.text for line in pages[file][number - 1].lines]
        for text in texts:
            yield from breaks_inside(file, lines, text)


def breaks_inside(file: str, lines: list[str], text: str) -> Iterator[Break]:
    """The line breaks of a page that fall inside `text`, which is found by its solid characters."""
    solid = "".join("".join(line.split()) for line in lines)
    start = solid.find("".join(text.split()))
    if start < 0:
        return
    spaces = {len("".join(text[:at].split())) for at, character in enumerate(text) if character.isspace()}
    end, place = start + len("".join(text.split())), 0
    for left, right in itertools.pairwise(lines):
        place += len("".join(left.split()))
        if start < place < end:
            yield Break(file, left, right, place - start in spaces)


def share(breaks: list[Break], right: Callable[[Break], bool]) -> float:
    return sum(map(right, breaks)) / max(1, len(breaks))


def kiwi() -> Callable[[Break], bool]:
    from kiwipiepy import Kiwi

    model = Kiwi()
    return lambda b: model.glue([b.left, b.right], return_space_insertions=True)[1][0] == b.space


if __name__ == "__main__":
    main()
