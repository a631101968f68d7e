"""Who looks at the page: what every page needs to know of a visit, and how it says what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, wraps
from itertools import count
from pathlib import Path
from urllib.parse import parse_qsl

import streamlit as st

from rag.errors import RagError
from rag.messages import Language, catalogue, message, translated
from rag.store import Snapshot
from rag.types import Status
from rag.ui.access import VISITOR
from rag.ui.documents import IngestJob
from rag.ui.markup import label
from rag.ui.pages import CitedPage
from rag.ui.sessions import Session
from rag.ui.workspace import Workspace

_PANE = "pane"
_WATCHED = "watched-jobs"
_SCRIPT = Path(__file__).parents[1] / "page.js"
_NUMBERS = count()
"""Tells the fragments of one run of the script from those of the next."""


def visitor() -> str:
    """The secret in this browser's cookie."""
    return str(st.context.cookies.get(VISITOR, ""))


@dataclass(frozen=True, slots=True)
class OpenPage:
    """What the pane beside the chat shows."""

    cited: CitedPage
    number: int
    """The page that is turned to, from 1."""
    exchange: int = -1
    """The answer that it belongs to, from 0; -1 for none."""
    citation: int = 0
    """The number of the citation within the answer."""

    @classmethod
    def of_address(cls, address: str) -> OpenPage | None:
        """What a link of `rag.ui.markup.link` opens; None for anything else."""
        query = dict(parse_qsl(address))
        cited = CitedPage.of_address(query)
        exchange, _, citation = query.get("at", "").partition(".")
        if cited is None:
            return None
        at = (int(exchange), int(citation)) if exchange.isdecimal() and citation.isdecimal() else (-1, 0)
        return cls(cited, cited.page, *at)


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's session in the shared workspace, with the language of the texts."""

    workspace: Workspace
    session: Session
    language: Language
    pages: dict[str, st.Page] = field(default_factory=dict)
    """The pages by name, for going from one to another."""

    @property
    def index(self) -> Snapshot | None:
        """The index at its newest state; None when there is none yet."""
        return self.workspace.shared_index.index()

    @property
    def pane(self) -> OpenPage | None:
        """The page that is open beside the chat."""
        shown = st.session_state.get(_PANE)
        return shown if isinstance(shown, OpenPage) else None

    def show_page(self, page: OpenPage | None) -> None:
        """Open a page beside the chat; None closes it."""
        st.session_state[_PANE] = page

    def text(self, key: str, **values: object) -> str:
        """The message `key` in the visitor's language."""
        return message(key, self.language, **values)

    def save(self) -> None:
        """Write the session to the disk."""
        if self.session.exchanges:
            self.workspace.sessions.save(self.session)

    def problem(self, kind: str, words: str) -> str:
        """What an error of the class `kind` means, in the visitor's language; else its own English sentence."""
        key = f"page.error_{kind}"
        shown = translated(words, self.language)
        if self.language == "en" or shown != words or key not in catalogue():
            return shown
        return f"{self.text(key)} ({words})" if words else self.text(key)

    def error(self, error: RagError) -> None:
        """Show an error where it happened."""
        st.error(label(self.problem(type(error).__name__, str(error))), icon=":material/error:")

    def task_name(self, template: str) -> str:
        """A template as people call what it does; one of their own by its name."""
        key = f"page.task_{template.replace('-', '_')}"
        return self.text(key) if key in catalogue() else label(template.rpartition("/")[2])

    @property
    def watched(self) -> tuple[int, ...]:
        """The ingests that were begun in this chat and stay in it when they have ended."""
        return tuple(st.session_state.get(_WATCHED, ()))

    def watch(self, job: IngestJob) -> None:
        """Show an ingest in this chat, and how it ends."""
        st.session_state[_WATCHED] = [*self.watched, job.id]

    def why_not(self, file: str, status: str, reason: str) -> str:
        """Why a document, or part of it, cannot be searched; empty when all of it can."""
        if status in (Status.OK, Status.OCR) and not reason:
            return ""
        if self.is_locked(file, status):
            wrong = self.workspace.passwords_for(file) and not self.workspace.jobs.busy
            return self.text("page.wrong_password" if wrong else "page.locked")
        return ": ".join(translated(one, self.language) for one in (status, reason) if one)

    @staticmethod
    def is_locked(file: str, status: str) -> bool:
        """Whether a password would open the document: that of a PDF can be given, of other formats none."""
        return status == Status.ENCRYPTED and file.lower().endswith(".pdf")


def polled(draw: Callable[..., None], seconds: float | None) -> Callable[..., None]:
    """A fragment that is drawn again every so many seconds, under another identity in each run of the script.

    Draw it last. A request for a fragment that comes between the end of a run and its last messages to the browser
    makes Streamlit drop these (streamlit/streamlit#9921), and the page stays as it was. Requests for fragments that a
    run has replaced are ignored.
    """

    @wraps(draw)
    def drawn(*given: object) -> None:
        draw(*given)

    drawn.__qualname__ = f"{draw.__qualname__}-{next(_NUMBERS)}"  # Streamlit makes the identity of it
    return st.fragment(drawn, run_every=seconds)


@cache
def _shell() -> st.components.v2.types.ComponentRenderer:
    return st.components.v2.component(
        "pagequote", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False
    )


def shell(visit: Visit, said: str = "") -> None:
    """Mount what runs in the browser. `said` is what a screen reader is to hear."""
    session = visit.session

    def opened() -> None:
        address = st.session_state["shell"].open
        visit.show_page(OpenPage.of_address(address) if address else None)

    limit = visit.workspace.options.upload_mib
    texts = {
        "copied": visit.text("page.copied"),
        "pane": visit.text("page.quote_title"),
        "large": visit.text("page.upload_too_large", file="{file}", size=limit),
    }
    busy = session.running is not None
    data = {
        "lang": visit.language,
        "busy": busy,
        "questions": len(session.exchanges) + busy,
        "say": said,
        "text": texts,
        "limit": limit,
    }
    _shell()(key="shell", data=data, height="content", on_open_change=opened)
