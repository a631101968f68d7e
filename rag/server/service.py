"""What the servers offer, over one open pipeline that all requests share. Every method blocks and changes nothing.

Whatever comes in is checked here against limits, so that both servers refuse the same things with the same sentences.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler

from rag.answering.checking import check_cited, claims_from, claims_of
from rag.answering.originals import original_of
from rag.errors import ProviderError, RagError, UsageError
from rag.pipeline.forms import Form, checked_form, search_form, status_form
from rag.pipeline.query import History, as_query
from rag.rendering.pages import render_page
from rag.text.matching import find_quote
from rag.types import Answer, Page, Support

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.store import Snapshot
    from rag.store.filters import Where

LONGEST_QUESTION = 8_000
"""Characters of a question or query: longer ones are texts, not questions."""
LONGEST_TEXT = 200_000
"""Characters of a text to be verified, some sixty pages."""
MOST_CLAIMS = 500
"""Sentences, or quotes, of one request: each takes up to a few tenths of a second."""
MOST_PASSAGES = 100
MOST_DOCUMENTS = 500
"""Documents in one part of a list; further ones are asked for with an offset."""
STEPS = ("condense", "retrieve", "assess", "generate", "parse", "verify", "decide")
"""The steps of a question, in order."""

Report = Callable[[int, int, str], None]
"""Called with what is done, of how much, and what is being done."""


class Cancelled(RagError):
    """The client has gone, or has cancelled the request."""


class Progress(BaseCallbackHandler):
    """Reports the steps of a request, and stops the request at its next step or word once `stopped` is set."""

    raise_error = True

    def __init__(self, report: Report = lambda *_: None, stopped: threading.Event | None = None) -> None:
        self.report = report
        self.stopped = stopped or threading.Event()

    def step(self, done: int, total: int, name: str) -> None:
        """Say how far the request is. Raises Cancelled when it is to stop."""
        self.check()
        self.report(done, total, name)

    def check(self) -> None:
        """Raise Cancelled when the request is to stop."""
        if self.stopped.is_set():
            raise Cancelled("The request was cancelled.")

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if (name := kwargs.get("name")) in STEPS:
            self.step(STEPS.index(name), len(STEPS), name)

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self.check()


class DocumentService:
    """Search, answers, pages and checks of one index.

    Every method raises UsageError for what cannot be asked, and the RagErrors of the pipeline.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def search(self, query: str, k: int | None = None, where: Where = None) -> Form:
        """Passages for a query, as `rag search --json`."""
        return search_form(query, self.pipeline.search(check_question(query), k=_count(k), where=where))

    def ask(
        self,
        question: str,
        k: int | None = None,
        where: Where = None,
        *,
        history: History = (),
        progress: Progress | None = None,
    ) -> Answer:
        """An answer with its citations."""
        progress = progress or Progress()
        config: Any = {"callbacks": [progress]}
        given: Any = {"k": _count(k), "where": where, "history": history, "config": config}
        try:  # as a stream, so that a cancelled request reads no further word of the model
            for part in self.pipeline.stream(check_question(question), **given):
                progress.check()
                if not isinstance(part, str):
                    return part
        except ProviderError as error:
            if not error.transient:
                raise
        return self.pipeline.ask(question, **given)

    def verify(
        self,
        text: str = "",
        quotes: Sequence[Any] = (),
        where: Where = None,
        progress: Progress | None = None,
    ) -> Form:
        """Every sentence of `text` with its mark, and every quote in it and in `quotes` with what became of it.

        The verdicts are those of `rag check`.
        """
        if len(text) > LONGEST_TEXT:
            raise UsageError(f"The text has {len(text):,} characters: the most is {LONGEST_TEXT:,}.")
        if len(quotes) > MOST_CLAIMS:
            raise UsageError(f"{len(quotes):,} quotes are too many: send at most {MOST_CLAIMS} at a time.")
        claims = claims_of(text) + claims_from(quotes)
        count = sum(max(1, len(claim.quotes)) for claim in claims)
        if count > MOST_CLAIMS:
            raise UsageError(
                f"The text has {count:,} sentences and quotes: send at most {MOST_CLAIMS} at a time."
            )
        if not claims:
            raise UsageError("There is nothing to verify: give a text with sentences, or quotes.")
        if longest := next((q for c in claims for q in c.quotes if len(q.quote) > LONGEST_QUESTION), None):
            raise UsageError(
                f"A quote has {len(longest.quote):,} characters: the most is {LONGEST_QUESTION:,}."
            )
        progress = progress or Progress()
        snapshot = self.pipeline.steps.snapshot()
        search = partial(self.pipeline.search, where=where)
        checked = []
        for result in check_cited(claims, snapshot, search, snapshot):
            checked.append(result)
            progress.step(len(checked), len(claims), "verify")
        sentences = checked[: len(claims) - len(quotes)]
        marks = {mark.value: sum(s.sentence.support is mark for s in sentences) for mark in Support}
        found = [quote for one in checked for quote in one.quotes]
        outcomes = {status: sum(q.status.value == status for q in found) for status in _OUTCOMES}
        return {
            "sentences": [checked_form(one) for one in sentences],
            "quotes": [checked_form(one)["quotes"][0] for one in checked[len(sentences) :]],
            "summary": {"sentences": marks, "quotes": outcomes},
        }

    def documents(self, offset: int = 0, limit: int = MOST_DOCUMENTS) -> Form:
        """The files of the index from `offset` on with what became of each, as `rag status --json`."""
        form = status_form(self._snapshot())
        start, most = max(0, offset), max(1, min(limit, MOST_DOCUMENTS))
        more = start + most < len(form["files"])
        files = form["files"][start : start + most]
        return {**form, "files": files, "next_offset": start + most if more else None}

    def page(self, file: str, page: int) -> Form:
        """The stored text of a page, the words that quotes are looked up in."""
        snapshot = self._snapshot()
        found = self._page(snapshot, file, page)
        return {
            "file": file,
            "page": found.number,
            "page_label": found.label or None,
            "pages": len(snapshot.pages(file)),
            "status": found.status.value,
            "text": found.text,
        }

    def document_text(self, file: str) -> str:
        """All pages of a document, each under a line with its number."""
        pages = self._snapshot().pages(file)
        if not pages:
            raise self._no_page(file)
        return "\n\n".join(f"[page {page.number}]\n{page.text}" for page in pages)

    def picture(self, file: str, page: int, quote: str = "") -> bytes:
        """The page as a PNG, with the quote marked. Raises UsageError when the quote is not on the page."""
        snapshot = self._snapshot()
        found = self._page(snapshot, file, page)
        match = find_quote(quote, found.text) if quote else None
        if quote and match is None:
            raise UsageError(f"{file}, page {page} does not hold this quote.")
        original = original_of(snapshot, file)
        if original is None:
            raise UsageError(f"{file} has changed or is gone since it was indexed, so its page is not drawn.")
        parts = [found.text[start:end] for start, end in match.parts] if match else []
        return render_page(original, page, parts)

    def sentence_of(self, error: Exception) -> str:
        """An error as a sentence for the client, without keys."""
        text = str(error)
        for secret in self.pipeline.settings.secrets():
            text = text.replace(secret, "****")
        return text

    def _snapshot(self) -> Snapshot:
        return self.pipeline.steps.snapshot()

    def _page(self, snapshot: Snapshot, file: str, number: int) -> Page:
        found = snapshot.page(file, number) if 0 < number < 2**31 else None
        if found is None:
            raise self._no_page(file, number)
        return found

    def _no_page(self, file: str, number: int | None = None) -> UsageError:
        count = len(self._snapshot().pages(file))
        if count and number is not None:
            return UsageError(f"{file} has the pages 1 to {count}: there is no page {number}.")
        return UsageError(f"The index has no pages of {file[:200]!r}: ask for the list of documents.")


_OUTCOMES = ("found", "found elsewhere", "altered", "not found")


def check_question(text: str) -> str:
    """The question as it is. Raises UsageError when it is too long or holds no letter."""
    if len(text) > LONGEST_QUESTION:
        raise UsageError(f"The question has {len(text):,} characters: the most is {LONGEST_QUESTION:,}.")
    return as_query(text).question


def _count(k: int | None) -> int | None:
    if k is not None and not 1 <= k <= MOST_PASSAGES:
        raise UsageError(f"k is {k}: choose 1 to {MOST_PASSAGES} passages.")
    return k
