"""The page that a citation points to, in a drawer beside the chat."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rag.answering.originals import original_of
from rag.errors import RagError
from rag.types import Citation
from rag.ui import markup
from rag.ui.evidence import Exhibit, PageView, view_page
from rag.ui.markup import label
from rag.ui.views.frame import Visit

_PAGE = "exhibit-page"
_WIDTH = 760
"""Pixels of the drawer to begin with: a page is readable, and the answer stays in sight on a wide screen."""


def open_exhibit(visit: Visit, exhibit: Exhibit, citation: Citation | None = None) -> None:
    """Open the drawer at the exhibit's page."""
    st.session_state[_PAGE] = exhibit.page
    drawer = st.dialog(visit.say("evidence_title"), width=_WIDTH, position="right")
    drawer(_draw)(visit, exhibit, citation)


def _draw(visit: Visit, exhibit: Exhibit, citation: Citation | None) -> None:
    number = int(st.session_state.get(_PAGE, exhibit.page))
    st.html(markup.element("p", markup.element("strong", markup.text(exhibit.file))))
    if citation is not None:
        st.html(markup.quote(citation, visit.language))
    index = visit.workspace.library.index()
    if index is None:
        st.warning(visit.say("no_index"))
        return
    try:
        view = view_page(index, exhibit, number, visit.workspace.pictures)
    except RagError as error:
        st.warning(label(str(error)))
        return
    _turning(visit, view, exhibit)
    _picture(visit, view, exhibit)
    _download(visit, original_of(index, exhibit.file), exhibit.file)


def _turning(visit: Visit, view: PageView, exhibit: Exhibit) -> None:
    def turn(by: int) -> None:
        st.session_state[_PAGE] = view.number + by

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        first, last = view.number <= 1, view.number >= view.pages
        st.button(
            visit.say("previous"), icon=":material/chevron_left:", on_click=turn, args=(-1,), disabled=first
        )
        st.button(visit.say("next"), icon=":material/chevron_right:", on_click=turn, args=(1,), disabled=last)
        words = visit.say("page_of", page=view.number, pages=view.pages)
        if exhibit.label and view.number == exhibit.page and exhibit.label != str(exhibit.page):
            words += f" ({visit.say('printed', label=exhibit.label)})"
        st.html(markup.note(words), width="content")


def _picture(visit: Visit, view: PageView, exhibit: Exhibit) -> None:
    quote = " ".join(" ".join(view.text[start:end] for start, end in view.ranges).split())
    if exhibit.spans and not view.ranges:
        st.caption(visit.say("not_marked"))
    if view.picture is not None:
        key = "picture_alt" if quote else "picture_alt_plain"
        st.image(
            view.picture,
            width="stretch",
            alt=visit.say(key, page=view.number, file=exhibit.file, quote=quote),
        )
    elif view.problem in ("changed", "no_pages"):
        st.info(visit.say(f"original_{view.problem}"))
    else:
        st.warning(label(view.problem))
    with st.expander(visit.say("page_text"), expanded=view.picture is None, icon=":material/notes:"):
        st.html(markup.marked(view.text, view.ranges))


def _download(visit: Visit, original: Path | None, file: str) -> None:
    if original is None:
        return
    st.download_button(
        visit.say("download"),
        data=original.read_bytes,
        file_name=file.rpartition("/")[2],
        # whatever it is, a browser is to keep it and not to run it
        mime="application/pdf" if original.suffix.lower() == ".pdf" else "application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
    )
