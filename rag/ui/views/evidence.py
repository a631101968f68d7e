"""The pane beside the chat: the page that a citation points to, with the quote in view, and the rest of its document.

On a wide screen it stands beside the answer, on a phone it is a sheet over it; `style.css` does both.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from rag.answering.originals import original_of
from rag.errors import RagError
from rag.rendering.footnotes import distinct
from rag.store import Snapshot
from rag.types import Citation
from rag.ui import markup
from rag.ui.markup import element, label
from rag.ui.pages import PICTURE, CitedPage, DrawnPage, find_in_document, view_page
from rag.ui.views.visit import OpenPage, Visit

_THUMBNAILS = 40
"""Pages around the one that is shown that have a thumbnail."""
_MOST_FOUND = 30


def show(visit: Visit) -> None:
    """Draw the pane when a page is open. Turning pages draws it alone again, not the chat."""
    if visit.pane is None:
        return
    with st.container(key="pane", gap="small"):
        _pane(visit)


@st.fragment
def _pane(visit: Visit) -> None:
    page, index = visit.pane, visit.index
    if page is None or index is None:
        return
    _head(visit, page, index)
    citation = _citation(visit, page)
    if citation is not None:
        st.html(markup.quote(citation, visit.language))
    if index.document(page.cited.file) is None:
        st.warning(visit.text("page.document_removed", file=label(page.cited.file)))
        return
    try:
        words = visit.workspace.passwords_for(page.cited.file)
        view = view_page(index, page.cited, page.number, visit.workspace.pictures, words)
    except RagError as error:
        visit.error(error)
        return
    _turn(visit, page, view, index)
    _picture(visit, page, view)
    _more(visit, page, view)


def _head(visit: Visit, page: OpenPage, index: Snapshot) -> None:
    """The document's name, a link to this page, the document itself, and the way out; then all citations."""
    file = page.cited.file

    def close() -> None:
        visit.show_page(None)

    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False, key="pane-head"
    ):
        name = file.rpartition("/")[2]
        st.html(element("h2", markup.text(name), class_="pq-file", tabindex="-1", title=file))
        address = f"/?{replace(page.cited, page=page.number).address()}"
        link = markup.icon_button("link", visit.text("page.copy_link"), data_copy_link=address)
        st.html(link, width="content")
        _download(visit, original_of(index, file), name)
        if st.button(
            visit.text("page.close"),
            icon=":material/close:",
            key="icon-pane-close",
            help=visit.text("page.close"),
            type="tertiary",
            on_click=close,
        ):
            st.rerun()
    exchanges = visit.session.exchanges
    if 0 <= page.exchange < len(exchanges):
        citations = distinct(exchanges[page.exchange].answer.citations)
        links = [_chip(visit, page, citation) for citation in citations]
        st.html(element("nav", *links, class_="pq-chips", aria_label=visit.text("page.citations")))


def _chip(visit: Visit, page: OpenPage, citation: Citation) -> str:
    mark = "✓" if citation.verified else "✗"
    place = markup.place(citation, visit.language)
    here = page.citation == citation.n and page.number == citation.page
    return markup.link(
        CitedPage.of_citation(citation),
        markup.text(f"[{citation.n}] {place} {mark}"),
        f"{page.exchange}.{citation.n}",
        class_="pq-chip pq-here" if here else "pq-chip",
        name=f"[{citation.n}] {citation.file}, {place}",
    )


def _citation(visit: Visit, page: OpenPage) -> Citation | None:
    exchanges = visit.session.exchanges
    if not 0 <= page.exchange < len(exchanges):
        return None
    citations = exchanges[page.exchange].answer.citations
    return next((c for c in citations if c.n == page.citation), None)


def _download(visit: Visit, original: Path | None, name: str) -> None:
    if original is None:
        return
    st.download_button(
        visit.text("page.download"),
        data=original.read_bytes,
        file_name=name,
        # whatever it is, a browser is to keep it and not to run it
        mime="application/pdf" if original.suffix.lower() == ".pdf" else "application/octet-stream",
        icon=":material/download:",
        help=visit.text("page.download"),
        on_click="ignore",
        type="tertiary",
        key="icon-pane-download",
    )


def _turn(visit: Visit, page: OpenPage, view: DrawnPage, index: Snapshot) -> None:
    """The page box with a step back and forth, the size, and words to find in the document."""

    def go(number: int) -> None:
        visit.show_page(replace(page, number=number))

    def jump() -> None:
        go(int(st.session_state[key]))

    key = f"pane-page-{page.cited.file}-{view.number}"
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="pane-turn"):
        for icon, text, by, end in (("left", "previous", -1, 1), ("right", "next", 1, view.pages)):
            st.button(
                visit.text(f"page.{text}"),
                icon=f":material/chevron_{icon}:",
                help=visit.text(f"page.{text}"),
                key=f"icon-pane-{text}",
                on_click=go,
                args=(view.number + by,),
                disabled=view.number == end,
            )
            if by < 0:
                box = visit.text("page.page_box")
                st.number_input(
                    box,
                    1,
                    view.pages,
                    view.number,
                    key=key,
                    on_change=jump,
                    label_visibility="collapsed",
                    width=76,
                )
                st.html(markup.note(visit.text("page.of_pages", pages=view.pages)), width="content")
        steps = (("remove", "-0.25", "smaller"), ("fit_width", "0", "fit"), ("add", "0.25", "larger"))
        zoom = [
            markup.icon_button(icon, visit.text(f"page.{name}"), data_zoom=step) for icon, step, name in steps
        ]
        st.html(element("span", *zoom, class_="pq-zoom"), width="content")
        words = st.text_input(
            visit.text("page.find_in_document"),
            key=f"pane-find-{page.cited.file}",
            placeholder=visit.text("page.find_in_document"),
            label_visibility="collapsed",
            icon=":material/search:",
        )
    _found(visit, page, index, words)


def _found(visit: Visit, page: OpenPage, index: Snapshot, words: str) -> None:
    """The pages of the document that hold the words, each a link."""
    if not words.strip():
        return
    found = list(find_in_document(index, page.cited.file, words))
    links = [
        markup.link(
            one,
            f"{visit.text('page.page_short', page=one.page)} · {len(one.spans)}",
            f"{page.exchange}.{page.citation}",
            class_="pq-chip pq-here" if one.page == page.number else "pq-chip",
        )
        for one in found[:_MOST_FOUND]
    ]
    key = "page.found_pages" if found else "page.found_none"
    st.html(markup.note(visit.text(key, count=len(found))) + element("nav", *links, class_="pq-chips"))


def _picture(visit: Visit, page: OpenPage, view: DrawnPage) -> None:
    cited = replace(page.cited, page=view.number)
    if cited.spans and not view.ranges:
        back = markup.link(
            page.cited, visit.text("page.back_to_quote"), f"{page.exchange}.{page.citation}", class_=""
        )
        st.html(element("p", markup.text(visit.text("page.not_marked")), " ", back, class_="pq-note"))
    if view.picture is None:
        if view.problem in ("changed", "no_pages"):
            st.info(visit.text(f"page.original_{view.problem}"))
        else:
            st.warning(label(view.problem))
        st.html(element("div", markup.marked(view.text, view.ranges), class_="pq-view"))
        return
    quote = " ".join(" ".join(view.text[start:end] for start, end in view.ranges).split())
    key = "page.picture_alt" if quote else "page.picture_alt_plain"
    alt = visit.text(key, page=view.number, file=cited.file, quote=quote)
    left = min((box[0] for box in view.picture.boxes), default=0.0)
    source = f"{PICTURE}?{cited.address()}"
    whole = element(
        "img", src=source, alt=alt, data_top=f"{view.top:.4f}", data_left=f"{left:.4f}", class_="pq-whole"
    )
    crop = ""
    if view.picture.boxes:
        crop = element("img", src=f"{PICTURE}?{cited.address(crop=1)}", alt=alt, class_="pq-crop")
    st.html(crop + element("div", whole, class_="pq-view"))


def _more(visit: Visit, page: OpenPage, view: DrawnPage) -> None:
    """The pages at a glance, and the text that was indexed."""
    if view.picture is not None and view.pages > 1:
        first = max(1, min(view.number - _THUMBNAILS // 2, view.pages - _THUMBNAILS + 1))
        small = [
            markup.link(
                CitedPage(page.cited.file, number),
                element(
                    "img",
                    src=f"{PICTURE}?{CitedPage(page.cited.file, number).address(small=1)}",
                    loading="lazy",
                    alt="",
                )
                + str(number),
                f"{page.exchange}.{page.citation}",
                class_="pq-thumbnail pq-here" if number == view.number else "pq-thumbnail",
                name=visit.text("page.page_of", page=number, pages=view.pages),
            )
            for number in range(first, min(view.pages, first + _THUMBNAILS - 1) + 1)
        ]
        strip = element("div", *small, class_="pq-strip")
        summary = element("summary", markup.text(visit.text("page.thumbnails")))
        st.html(element("details", summary, strip, class_="pq-details"))
    if view.picture is not None:
        summary = element("summary", markup.text(visit.text("page.page_text")))
        st.html(element("details", summary, markup.marked(view.text, view.ranges), class_="pq-details"))
