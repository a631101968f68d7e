"""A dry run: what an ingest would read, embed and cost. It reads on this machine, whatever the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from ingest.engines.local import reader_pool
from ingest.limits import ReadOptions
from ingest.plan import Plan
from ingest.progress import FileResult
from ingest.report import Report
from ingest.run import PagesOf, Run, jobs_of
from ingest.workers import Outcome
from rag.errors import IndexLocked, IndexReadOnly
from rag.types import Page, Source, Usage


class Preview(Run):
    """A run that changes nothing."""

    def run(self, paths: Sequence[str | Path]) -> Report:
        """Read what a real run would read, and count."""
        discovery = self.discover(paths)
        with ExitStack() as stack:
            index = self.target.peek()
            ledger: Sequence[Source] = []
            pages_of: PagesOf = _no_pages
            cached: Callable[[Sequence[str]], Collection[int]] = _none_cached
            if index is not None:
                stack.enter_context(index)
                ledger, pages_of = index.sources(), index.pages
                with suppress(IndexLocked, IndexReadOnly):
                    cached = stack.enter_context(index.writer(wait=False)).cached_vectors
            read = self.target.reading(self.options.read, self.target.made_with)
            self._count(self.plan(discovery, ledger, pages_of), read, cached)
        self.report.usage = self._priced(self.report.tokens_embedded)
        self.conclude()
        return self.report

    def _count(
        self, plan: Plan, read: ReadOptions, cached: Callable[[Sequence[str]], Collection[int]]
    ) -> None:
        self.report.renamed = [(old.file, known.found.file) for old, known in plan.renamed]
        gone = [source.file for source in plan.vanished]
        self.report.removed, self.report.pruned = ([], gone) if self.options.prune else (gone, [])
        seen: set[str] = set()
        passwords = self.options.passwords
        jobs = (replace(job, passwords=passwords.for_file(job.file)) for job in jobs_of(plan))
        with reader_pool(self.settings, read, self.teller.pages_read) as pool:
            for outcome in pool.read(jobs):
                texts = list(dict.fromkeys(chunk.indexed_text for chunk in outcome.reading.chunks))
                fresh = [text for text in texts if text not in seen]
                known = cached(fresh)
                self.report.chunks_cached += len(known)
                paid = [text for place, text in enumerate(fresh) if place not in known]
                seen.update(fresh)
                self.report.chunks_embedded += len(paid)
                self.report.tokens_embedded += sum(map(self.target.provider.count_tokens, paid))
                self.report.files.append(_previewed(outcome))
                self.teller.file_done(self.report.files[-1])

    def _priced(self, tokens: int) -> Usage:
        from rag.usage.prices import load_prices

        price = load_prices(self.settings.prices).find(self.target.provider.spec)
        return Usage(tokens, 0, None if price is None else price.cost(tokens))


def _previewed(outcome: Outcome) -> FileResult:
    reading = outcome.reading
    searchable = sum(page.status.searchable for page in reading.pages)
    return FileResult(
        outcome.job.file,
        reading.status,
        reading.reason,
        len(reading.pages),
        searchable,
        len(reading.chunks),
        outcome.seconds,
    )


def _no_pages(_file: str) -> list[Page]:
    return []


def _none_cached(_texts: Sequence[str]) -> Collection[int]:
    return ()
