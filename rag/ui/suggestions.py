"""Questions that new documents answer, made from their tables and headings and tried before they are offered."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from rag.errors import RagError
from rag.messages import Language, choose_language, message
from rag.providers.specs import EXTRACTIVE
from rag.store import Snapshot
from rag.text.language import language_of
from rag.types import Answer, Support, Table
from rag.ui.documents import IngestJob, JobState
from rag.ui.questions import Lend

SAMPLE = "sample"
"""Label of the ingest of the sample documents; its questions are in the message catalogue."""
WANTED = 3
_TRIES = 8
"""Questions that are asked of the built-in answerer, at a fraction of a second each."""
_FILES = 4
_LOOKED_AT = 60
"""Documents of an index whose language is looked at."""
_PAGES = 40
"""Pages of each document that are looked at."""
_PERIOD = re.compile(r"(?:19|20)\d\d(?:년)?")
_FIGURE = re.compile(r"\d")
_LONGEST = 48
_log = logging.getLogger(__name__)
_NUMBERING = re.compile(r"^[\W\d]+|[\W]+$")


class Suggestions:
    """Questions to begin with, looked for in the background once for each ingest."""

    def __init__(self, index: Callable[[], Snapshot | None], lend: Lend, model: str) -> None:
        self._index = index
        # the pipeline that answers anyway, where it is the built-in one: opening another takes seconds
        self._flags = {} if model == EXTRACTIVE else {"model": EXTRACTIVE}
        self._lend = lend
        self._known: dict[object, list[str] | None] = {}
        self._changing = threading.Lock()

    def of_index(self, language: Language) -> list[str]:
        """Questions that some of the indexed documents answer, where possible in a language; empty until known."""
        index = self._index()
        if index is None:
            return []
        files = [one.file for one in index.documents() if one.status.searchable][:_LOOKED_AT]
        own = [file for file in files if _language(index, file) == language] or files
        return self._of((index.generation, language), own[:: max(len(own) // _FILES, 1)])

    def of_job(self, job: IngestJob) -> list[str]:
        """Questions that the documents of a finished ingest answer; empty until they are known."""
        files = [file for file, status, _ in job.files if status in ("ok", "ocr")]
        return self._of(job.id, [] if job.label == SAMPLE else files)

    def ready(self, job: IngestJob) -> bool:
        """Whether `of_job` will not change any more."""
        return job.state is not JobState.DONE or self._known.get(job.id) is not None

    def _of(self, key: object, files: Sequence[str]) -> list[str]:
        with self._changing:
            if key not in self._known:
                self._known[key] = None
                threading.Thread(target=self._look, args=(key, files), daemon=True).start()
            return self._known[key] or []

    def _look(self, key: object, files: Sequence[str]) -> None:
        found: list[str] = []
        try:
            index = self._index()
            if index is not None and files:
                with self._lend(self._flags) as pipeline:
                    found = answered_questions(index, files, pipeline.ask)
        except RagError as error:
            _log.info("No questions are suggested: %s", error)
        finally:
            self._known[key] = found


def answered_questions(index: Snapshot, files: Sequence[str], ask: Callable[[str], Answer]) -> list[str]:
    """At most `WANTED` questions that the documents answer with a verified sentence.

    `ask` answers a question without cost. Each document gives its first good one before any gives a second.
    """
    waiting = [_candidates(index, file) for file in files[:_FILES]]
    found: list[str] = []
    tries = 0
    while waiting and len(found) < WANTED and tries < _TRIES:
        candidates = waiting.pop(0)
        question = next(candidates, None)
        if question is None:
            continue
        waiting.append(candidates)
        tries += 1
        if question not in found and _is_answered(question, ask, files):
            found.append(question)
    return found


def _is_answered(question: str, ask: Callable[[str], Answer], files: Sequence[str]) -> bool:
    try:
        answer = ask(question)
    except RagError:
        return False
    verified = any(sentence.support is Support.VERIFIED for sentence in answer.sentences)
    return answer.answered and verified and any(citation.file in files for citation in answer.citations)


def _candidates(index: Snapshot, file: str) -> Iterator[str]:
    """A question from a table, one from a heading, and so on."""
    language = _language(index, file)
    sources = [_of_tables(index.tables(file), language), _of_headings(index, file, language)]
    while sources:
        source = sources.pop(0)
        question = next(source, None)
        if question is not None:
            sources.append(source)
            yield question


def _language(index: Snapshot, file: str) -> Language:
    page = index.page(file, 1)
    return choose_language("auto", language_of(page.text[:2000] if page else ""))


def _of_tables(tables: Sequence[Table], language: Language) -> Iterator[str]:
    """What a figure of a table is, for a row and a column that have short names; one question a table."""
    for table in tables[:_PAGES]:
        for row in table.rows:
            cell = next(
                (c for c in row.cells if _FIGURE.search(c.text) and c.column < len(table.columns)), None
            )
            column = table.columns[cell.column][-1] if cell and table.columns[cell.column] else ""
            if _is_name(row.label) and _PERIOD.search(column) and len(column) < _LONGEST:
                yield message("page.suggest_figure", language, row=row.label.strip(), column=column.strip())
                break


def _of_headings(index: Snapshot, file: str, language: Language) -> Iterator[str]:
    seen: set[str] = set()
    pages = [(file, page.number) for page in islice(index.pages(file), _PAGES)]
    chunks = [chunk for ids in index.chunks_of_pages(pages).values() for chunk in ids]
    for passage in index.passages(chunks):
        heading = _NUMBERING.sub("", passage.heading.rpartition(" > ")[2])
        if _is_name(heading) and heading not in seen:
            seen.add(heading)
            yield message("page.suggest_heading", language, heading=heading)


def _is_name(words: str) -> bool:
    return (
        3 <= len(words.strip()) <= _LONGEST
        and any(c.isalpha() for c in words)
        and not set(words) & set("\n()")
    )
