"""Reads a source file: a YAML head, then blocks of light markup separated by blank lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_HEAD = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^(#{1,3}) (.+)$")
_ITEM = re.compile(r"^(-|\d+\.|[①-⑳]|\([a-z]\)|[가-하]\.) +(.+)$", re.DOTALL)
_NOTE = re.compile(r"^\[\^(\d+)\]: (.+)$")
_STYLED = re.compile(r"^!(\w+) (.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its kind, its text, and what belongs to it."""

    kind: str
    text: str = ""
    label: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A document to lay out: the settings of its head and its blocks in reading order."""

    path: Path
    settings: dict[str, object]
    blocks: tuple[Block, ...]

    @property
    def korean(self) -> bool:
        return self.settings["language"] == "ko"


def read_source(path: Path) -> Source:
    """Parse one file; raises ValueError naming the file when its head is missing."""
    match = _HEAD.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path} does not begin with a YAML head between two lines of ---")
    settings = yaml.safe_load(match.group(1))
    # A list may be written without blank lines between its items.
    pieces = re.split(r"\n\s*\n|\n(?=- )", match.group(2).strip())
    return Source(path, settings, tuple(_block(piece.strip()) for piece in pieces))


def _block(piece: str) -> Block:
    lines = piece.split("\n")
    if set(piece) == {"="}:
        return Block("pagebreak")
    if piece == "+++":
        return Block("columns")
    if lines[0].startswith(("|", "{")):
        return _table(lines)
    if heading := _HEADING.match(piece):
        return Block("heading", heading.group(2), level=len(heading.group(1)))
    notes = tuple((m.group(1), m.group(2)) for line in lines if (m := _NOTE.match(line)))
    text = " ".join(line.strip() for line in lines if not _NOTE.match(line))
    if item := _ITEM.match(text):
        return Block("item", item.group(2), label=item.group(1), notes=notes)
    if styled := _STYLED.match(text):
        return Block("styled", styled.group(2), label=styled.group(1), notes=notes)
    return Block("paragraph", text, notes=notes)


def _table(lines: list[str]) -> Block:
    options: dict[str, str] = {}
    if lines[0].startswith("{"):
        for part in lines[0].strip("{}").split(";"):
            name, _, value = part.partition("=")
            options[name.strip()] = value.strip()
        lines = lines[1:]
    rows = tuple(tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in lines)
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"the rows of the table that begins {lines[0]!r} differ in length")
    return Block("table", rows=rows, options=options)
