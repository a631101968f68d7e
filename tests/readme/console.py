"""The commands of a README and what it says they print.

The convention, for README.md and README.ko.md alike:

- A fenced block marked `console` holds commands, one on each line that begins with `$ ` (a backslash at the end
  continues it), each followed by what it prints.
- The commands of one README run from the top in one copy of the repository, so a later one sees what an earlier
  one made. `# exit N` at the end of a command says that it ends with code N; without it the code is 0.
- A line of output must appear, in this order, in what the command prints (standard output or standard error).
  White space counts as one blank, and every number that is a time, a rate, a score
  or a price for every other such number.
  `...` on a line of its own stands for any lines left out, within a line for any words.
- `<!-- not run: WHY -->` on the line above the block leaves it out: it needs a key, a model or the network.
- `make TARGET` is not run but looked up: the target must exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"(?P<before>[^\n]*)\n+^```console[ \t]*\n(?P<body>.*?)^```", re.M | re.S)
_NOT_RUN = re.compile(r"<!--\s*not run:\s*(?P<why>.+?)\s*-->")
_EXIT = re.compile(r"\s+#\s*exit (?P<code>\d+)\s*$")
# What differs from run to run or machine to machine; figures of the documents must not be among it.
_VARIES = re.compile(
    r"(?P<kept>\b(?:score|cosine|evidence|점수|코사인|근거) |\$)\d[\d,.]*"
    r"|\d[\d,.]*(?=\s*(?:s|ms|seconds|minutes|초|pages/s|chunks/s|쪽/초)\b)|\b[0-9a-f]{12,64}\b",
    re.I,
)


@dataclass(frozen=True)
class Command:
    """One command with the lines that should appear in what it prints."""

    text: str
    line: int
    exit_code: int = 0
    output: tuple[str, ...] = ()

    @property
    def make_targets(self) -> tuple[str, ...]:
        words = self.text.split()
        return tuple(words[1:]) if words[:1] == ["make"] else ()


@dataclass(frozen=True)
class Block:
    """A console block: its commands, or why it is not run."""

    line: int
    commands: tuple[Command, ...] = field(default_factory=tuple)
    not_run: str = ""


def blocks_of(readme: Path) -> list[Block]:
    """The console blocks of a README, in order."""
    text = readme.read_text(encoding="utf-8")
    blocks = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("body")) + 1
        reason = _NOT_RUN.search(match["before"])
        commands = tuple(_commands(match["body"], line))
        blocks.append(Block(line, commands, reason["why"] if reason else ""))
    return blocks


def _commands(body: str, first_line: int) -> Iterator[Command]:
    text, at, output = "", 0, list[str]()
    for number, line in enumerate(body.splitlines(), start=first_line):
        if text.endswith("\\"):
            text = f"{text}\n{line}"
        elif line.startswith("$ "):
            if text:
                yield _command(text, at, output)
            text, at, output = line[2:], number, []
        else:
            output.append(line)
    if text:
        yield _command(text, at, output)


def _command(text: str, line: int, output: list[str]) -> Command:
    code = _EXIT.search(text)
    shown = tuple(stripped for one in output if (stripped := one.strip()))
    return Command(_EXIT.sub("", text), line, int(code["code"]) if code else 0, shown)


def missing_line(expected: tuple[str, ...], printed: str) -> str | None:
    """The first expected line that does not appear in `printed` after those before it; None when all do."""
    actual = [_normal(line) for line in printed.splitlines()]
    position = 0
    for line in expected:
        if line in ("...", "…"):
            continue
        pattern = re.compile(r".*?".join(map(re.escape, re.split(r"\s*(?:\.\.\.|…)\s*", _normal(line)))))
        found = next((i for i in range(position, len(actual)) if pattern.search(actual[i])), None)
        if found is None:
            return line
        position = found + 1
    return None


def _normal(line: str) -> str:
    return re.sub(r"\s+", " ", _VARIES.sub(lambda m: (m["kept"] or "") + "0", line)).strip()
