"""Cells of tables in PDFs, compared with those that pdfplumber reads from the same places.

Tables are drawn by chance from the files of a folder. The rows of each are cut out of its page for pdfplumber, which
finds rows and columns by the alignment of words. A cell is the label of its row, its column and its value; columns
of the two readers are matched by the values that they share. Prints one JSON line: how many cells agree, and how many
only one has, or each has in another column. With `--show`, so many differing cells are printed with the words of the
page on that line, for the eye to decide who is right. Needs `pip install pdfplumber`.

    python benchmarks/table_cells.py FOLDER --tables 200 --show 40
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pdfplumber

from ingest.options import ReadOptions
from ingest.pdf.document import read_pdf
from ingest.raw import RawPage, RawTable
from rag.text.figures import is_figure

MARGIN = 2.0
"""Points around the lines of a table that are cut out with it."""
ALIGNED = {"vertical_strategy": "text", "horizontal_strategy": "text"}
"""How pdfplumber finds cells: filings have no rules between columns."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table of a page as this project reads it."""

    file: Path
    page: RawPage
    table: RawTable


@dataclass(frozen=True, slots=True)
class Value:
    """A figure of a table: the label of its row, its column, and the digits."""

    label: str
    column: int
    value: str


def tables_of(folder: Path) -> Iterator[Drawn]:
    """The tables of all PDFs of a folder, those with at least two rows and two columns."""
    for file in sorted(folder.rglob("*.pdf")):
        document = read_pdf(file, passwords=(), options=ReadOptions(), tell=lambda _stage, _count: None)
        for page in document.pages:
            for table in page.tables:
                if len(table.rows) > 1 and len(table.columns) > 1:
                    yield Drawn(file, page, table)


def ours(table: RawTable) -> list[Value]:
    """The figures of a table as this project reads them."""
    return [
        Value(_folded(row.path[-1] if row.path else ""), cell.column, _digits(cell.text))
        for row in table.rows
        for cell in row.cells
        if is_figure(cell.text) and _digits(cell.text)
    ]


def theirs(drawn: Drawn, page: Any) -> list[Value]:
    """The figures that pdfplumber reads from the place of the table's rows, its column headers left out."""
    lines = [line for row in drawn.table.rows for line in row.lines]
    box = (
        max(0.0, min(line.x0 for line in lines) - MARGIN),
        max(0.0, drawn.page.height - max(line.y1 for line in lines) - MARGIN),
        min(page.width, max(line.x1 for line in lines) + MARGIN),
        min(page.height, drawn.page.height - min(line.y0 for line in lines) + MARGIN),
    )
    found: list[Value] = []
    for row in page.crop(box).extract_table(ALIGNED) or ():
        texts = [(text or "").strip() for text in row]
        first = next(
            (i for i, text in enumerate(texts) if i and is_figure(text) and _digits(text)), len(texts)
        )
        label = _folded(" ".join(texts[:first]).rstrip("$€£( "))
        found += [
            Value(label, column, _digits(text))
            for column, text in enumerate(texts)
            if column >= first and is_figure(text) and _digits(text)
        ]
    return found


def _folded(label: str) -> str:
    """The letters at the end of a label: groups and lines above it are told apart differently."""
    return re.sub(r"[^a-z]", "", label.casefold())[-24:]


def _digits(text: str) -> str:
    return re.sub(r"[^\d.]", "", text).strip(".")


def compare(mine: Sequence[Value], other: Sequence[Value]) -> tuple[list[str], list[tuple[str, Value]]]:
    """How each cell fares: `agree`, `column` (another one), `ours` or `theirs` alone; and those that do not agree."""
    left: defaultdict[tuple[str, str], list[Value]] = defaultdict(list)
    for value in other:
        left[value.label, value.value].append(value)
    pairs = [(v, left[v.label, v.value].pop(0)) for v in mine if left[v.label, v.value]]
    votes: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for own, value in pairs:
        votes[own.column][value.column] += 1
    paired = {id(own) for own, _ in pairs}
    moved = [o for o, v in pairs if votes[o.column].most_common(1)[0][0] != v.column]
    differing = [("column", value) for value in moved]
    differing += [("ours", value) for value in mine if id(value) not in paired]
    differing += [("theirs", value) for values in left.values() for value in values]
    return ["agree"] * (len(pairs) - len(moved)) + [kind for kind, _ in differing], differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument(
        "--show", type=int, default=0, help="print so many differing cells, at most one a table"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the counts as JSON")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    found = list(tables_of(options.folder))
    drawn = chance.sample(found, min(options.tables, len(found)))
    counts: Counter[str] = Counter()
    shown: list[str] = []
    for number, one in enumerate(sorted(drawn, key=lambda d: (d.file, d.page.number))):
        with pdfplumber.open(one.file, pages=[one.page.number]) as document:
            page = document.pages[0]
            kinds, differing = compare(ours(one.table), theirs(one, page))
            counts.update(kinds)
            if differing:
                kind, value = chance.choice(differing)
                words = [
                    line for line in page.extract_text_lines() if value.value in _digits_of(line["text"])
                ]
                near = [
                    line["text"] for line in words if value.label[-8:] in _folded(line["text"] + " ")
                ] or [line["text"] for line in words]
                shown.append(
                    f"{number} {one.file.name} p.{one.page.number} {kind}: {value}\n"
                    f"    page: {near[:3]}\n    ours: {_row_of(one.table, value)}"
                )
    for text in chance.sample(shown, min(options.show, len(shown))):
        print(text)
    result = {
        "tables": len(drawn),
        "cells": sum(counts.values()),
        **{kind: counts[kind] for kind in ("agree", "column", "ours", "theirs")},
        "agree_share": round(counts["agree"] / max(1, sum(counts.values())), 4),
    }
    print(json.dumps(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _digits_of(text: str) -> str:
    return re.sub(r"[^\d. ]", "", text)


def _row_of(table: RawTable, value: Value) -> list[object]:
    return [
        (row.path, [(cell.column, cell.text) for cell in row.cells])
        for row in table.rows
        if any(_digits(cell.text) == value.value for cell in row.cells)
    ][:2]


if __name__ == "__main__":
    main()
