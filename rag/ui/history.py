"""Past evaluation runs, read from their folders; what takes long is computed once for each state of a run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from rag.errors import UsageError
from rag.evaluation.compare import Comparison, compare
from rag.evaluation.report.page import html_report
from rag.evaluation.runs import MANIFEST, RECORDS, Run, load_run
from rag.evaluation.summary import Summary, summarise
from rag.ui.words import Language

_DEPTH = 2
"""Levels of folders that runs are looked for in: a sweep has a folder of its own around its runs."""

State = tuple[int, int]


class History:
    """The runs below a folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def names(self) -> list[str]:
        """The runs by their path below the folder, the newest first."""
        found = [
            path.parent
            for depth in range(1, _DEPTH + 1)
            for path in self.folder.glob("/".join([*"*" * depth, MANIFEST]))
        ]
        found.sort(key=lambda run: -(run / MANIFEST).stat().st_mtime_ns)
        return [run.relative_to(self.folder).as_posix() for run in found]

    def run(self, name: str) -> Run:
        """A run with its records. Raises UsageError when there is none of that name, RagError when it is damaged."""
        return _run(*self._place(name))

    def summary(self, name: str) -> Summary:
        """The figures of a run."""
        return _summary(*self._place(name))

    def compare(self, before: str, after: str) -> Comparison:
        """Two runs side by side. Raises UsageError when they share no question."""
        return _comparison(*self._place(before), *self._place(after))

    def report(self, name: str, earlier: str | None, language: Language) -> str:
        """The HTML report of a run, against an earlier one when that is named."""
        comparison = None if earlier is None else self.compare(earlier, name)
        return html_report(self.run(name), self.summary(name), comparison=comparison, language=language)

    def _place(self, name: str) -> tuple[Path, State]:
        # the name comes back from a browser: only what was offered is opened
        if name not in self.names():
            raise UsageError(f"There is no run {name} in {self.folder}.")
        path = self.folder / name
        return path, (_stamp(path / MANIFEST), _stamp(path / RECORDS))


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=8)
def _run(path: Path, _state: State) -> Run:
    return load_run(path)


@lru_cache(maxsize=32)
def _summary(path: Path, state: State) -> Summary:
    return summarise(_run(path, state).records, slices=False)


@lru_cache(maxsize=16)
def _comparison(before: Path, b_state: State, after: Path, a_state: State) -> Comparison:
    return compare(_run(before, b_state), _run(after, a_state))
