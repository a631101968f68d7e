"""The page to ask on, and the drawer beside it with the page that a citation points to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from rag.answering.originals import original_of
from rag.errors import RagError
from rag.messages import place_name
from rag.pipeline.condense import carried_over
from rag.providers.specs import EXTRACTIVE
from rag.types import Citation, Passage, Support
from rag.ui import markup
from rag.ui.markup import label
from rag.ui.pages import CitedPage, DrawnPage, view_page
from rag.ui.questions import RunningQuestion
from rag.ui.sessions import Exchange
from rag.ui.views.visit import Visit

_NAME = 34
"""Characters of a file name on a chip."""
_SNIPPET = 240
_TICK = 0.12
"""Seconds between two looks at what the model has written."""
_LONGEST_QUESTION = 4000
_PAGE_SHOWN = "page-shown"
_WIDTH = 760
"""Pixels of the drawer to begin with: a page is readable, and the answer stays in sight on a wide screen."""


def show(visit: Visit) -> None:
    """Draw the chat."""
    index = visit.index
    if index is None or not any(status.searchable for status in index.counts().files):
        _no_documents(visit)
        return
    above = st.empty()  # emptied at once, where what is no longer drawn would fade while an answer is written
    if not visit.session.exchanges and visit.session.running is None:
        with above.container():
            _welcome(visit)
    for number, exchange in enumerate(visit.session.exchanges):
        _exchange(visit, number, exchange)
    if visit.session.problem:
        st.error(label(visit.session.problem))
    with st.bottom:
        _tasks(visit)
    _input(visit)  # not inside the block above: Streamlit then keeps the chat scrolled to its end
    if visit.session.running is not None:
        _live(visit, visit.session.running)


def _no_documents(visit: Visit) -> None:
    st.title(visit.text("page.ask_title"))
    with st.container(border=True):
        st.markdown(f"**{visit.text('page.no_index')}**")
        st.write(visit.text("page.no_index_more"))
        if st.button(visit.text("page.add_documents"), type="primary", icon=":material/add:"):
            st.switch_page(visit.pages["documents"])


def _welcome(visit: Visit) -> None:
    index = visit.index
    assert index is not None  # the caller has looked
    totals = index.counts()
    searchable = sum(count for status, count in totals.files.items() if status.searchable)
    missing = sum(totals.files.values()) - searchable
    st.title(visit.text("page.ask_title"))
    st.write(visit.text("page.ask_intro"))
    key = "page.coverage_missing" if missing else "page.coverage"
    pages = totals.searchable_pages
    st.caption(visit.text(key, files=searchable, pages=pages, missing=missing))
    with st.expander(visit.text("page.marks"), icon=":material/help:"):
        _legend(visit)


def _legend(visit: Visit) -> None:
    rows = []
    for support in Support:
        badge = markup.badge(
            f"{markup.MARKS[support]} {visit.text(f'answer.{support.value}')}", support.value
        )
        rows.append(markup.element("div", badge, " ", visit.text(f"page.{support.value}_why")))
    derived = markup.badge(f"= {visit.text('answer.derived')}", Support.WEAK.value)
    rows.insert(1, markup.element("div", derived, " ", visit.text("page.derived_why")))
    st.html(markup.element("div", *rows, class_="pq-legend"))


# -- below the chat -----------------------------------------------------------------------------------------------


def _tasks(visit: Visit) -> None:
    """The templates, each one click away."""
    session = visit.session

    def choose() -> None:
        session.choices = session.choices.with_prompt(st.session_state["task"])

    names = visit.workspace.templates()
    if session.choices.prompt not in names:
        names = [session.choices.prompt, *names]
    with st.container(key="tasks"):
        st.pills(
            visit.text("page.task"),
            names,
            default=session.choices.prompt,
            format_func=lambda name: label(name.rpartition("/")[2]),
            key="task",
            on_change=choose,
            required=True,
            wrap=False,
            label_visibility="collapsed",
        )
    if (session.choices.model or visit.workspace.model) == EXTRACTIVE:
        if session.choices.prompt != visit.workspace.settings.prompt:
            st.caption(visit.text("page.copies"))
    else:
        _variables(visit)


def _variables(visit: Visit) -> None:
    """What the template leaves open, such as the persona."""
    session = visit.session
    given = dict(session.choices.variables)
    for name, usual in visit.workspace.variables(session.choices.prompt, visit.language).items():
        written = st.text_input(
            label(name), given.get(name, usual), key=f"var-{session.choices.prompt}-{name}"
        )
        if written and written != given.get(name, usual):
            given[name] = written
    session.choices = replace(session.choices, variables=tuple(given.items()))


def _input(visit: Visit) -> None:
    session = visit.session

    def ask() -> None:
        session.begin(st.session_state["question"] or "", visit.workspace.ask)

    st.chat_input(
        visit.text("page.ask_placeholder"),
        key="question",
        on_submit=ask,
        max_chars=_LONGEST_QUESTION,
        disabled=session.running is not None,
    )


def _live(visit: Visit, running: RunningQuestion) -> None:
    """The question on its way. Leaving this loop, by a click or a reload, does not end it."""
    _question(running.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        written = st.empty()
        st.button(visit.text("page.stop"), icon=":material/stop:", key="stop", on_click=running.stop)
        shown = None
        while not running.wait(_TICK):
            if running.text != shown:
                shown = running.text
                written.html(markup.draft(shown, visit.language))
    if running.stopped and running.answer is None and not running.error:
        running.error = visit.text("page.stopped")
    if visit.session.settle():
        visit.save()
    st.rerun()


# -- the chat -----------------------------------------------------------------------------------------------------


def _question(question: str) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.html(markup.question(question))


def _exchange(visit: Visit, number: int, exchange: Exchange) -> None:
    answer, language = exchange.answer, visit.language
    _question(answer.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        if exchange.stale:
            st.warning(visit.text("page.stale"))
        if answer.extra.get("small_talk"):
            st.html(markup.small_talk(answer))
            return
        if answer.answered:
            st.html(markup.answer(answer, language))
            _citations(visit, number, answer.citations)
        else:
            st.html(markup.declined(answer, language))
            _nearest(visit, number, answer.passages)
        notes = [markup.note(one) for one in answer.notes]
        if subject := carried_over(answer.question, answer.standalone_question):
            notes.append(markup.note(visit.text("answer.continuing", subject=subject)))
        elif answer.standalone_question:
            notes.append(markup.note(visit.text("answer.searched_for", question=answer.standalone_question)))
        st.html("".join([*notes, markup.footer(answer, language)]))


def _citations(visit: Visit, number: int, citations: tuple[Citation, ...]) -> None:
    """The quotes; a press shows the page."""
    with st.container(horizontal=True, gap="xsmall", key=f"chips-{number}"):
        for citation in citations:
            mark = "✓" if citation.verified else "✗"
            # the page before the name: a narrow screen cuts the end off
            name = f"{_place(visit, citation)} {mark} {_short(citation.file)}"
            status = markup.status_words(citation, visit.language)
            pressed = st.button(
                label(f"[{citation.n}] {name}"),
                key=f"cite-{number}-{citation.n}",
                help=label(f"{status}: {citation.quote}"[:400]),
                icon=":material/format_quote:",
            )
            if pressed:
                _open_page(visit, CitedPage.of_citation(citation), citation)


def _nearest(visit: Visit, number: int, passages: tuple[Passage, ...]) -> None:
    if not passages:
        return
    st.html(markup.note(visit.text("answer.nearest")))
    for rank, passage in enumerate(passages[:3], start=1):
        words = " ".join(passage.text.split())
        snippet = words if len(words) <= _SNIPPET else f"{words[:_SNIPPET]}…"
        with st.container(border=True, gap="xsmall"):
            st.html(markup.element("p", markup.text(snippet), class_="pq-question"))
            name = f"{_place(visit, passage)} · {_short(passage.file)}"
            if st.button(label(name), key=f"near-{number}-{rank}", icon=":material/find_in_page:"):
                _open_page(visit, CitedPage.of_passage(passage))


def _short(file: str) -> str:
    name = file.rpartition("/")[2]
    return name if len(name) <= _NAME else f"{name[: _NAME - 12]}…{name[-11:]}"


# -- the cited page -----------------------------------------------------------------------------------------------


def _open_page(visit: Visit, cited: CitedPage, citation: Citation | None = None) -> None:
    """Open the drawer at the cited page."""
    st.session_state[_PAGE_SHOWN] = cited.page
    drawer = st.dialog(visit.text("page.quote_title"), width=_WIDTH, position="right")
    drawer(_draw_drawer)(visit, cited, citation)


def _draw_drawer(visit: Visit, cited: CitedPage, citation: Citation | None) -> None:
    number = int(st.session_state.get(_PAGE_SHOWN, cited.page))
    st.html(markup.element("p", markup.element("strong", markup.text(cited.file))))
    if citation is not None:
        st.html(markup.quote(citation, visit.language))
    index = visit.index
    if index is None:
        st.warning(visit.text("page.no_index"))
        return
    try:
        view = view_page(index, cited, number, visit.workspace.pictures)
    except RagError as error:
        st.warning(label(str(error)))
        return
    _page_buttons(visit, view, cited)
    _picture(visit, view, cited)
    _download_button(visit, original_of(index, cited.file), cited.file)


def _place(visit: Visit, cited: Citation | Passage) -> str:
    """The page in short, or the slide, cell or paragraph."""
    plain = "page.page_short"
    return label(place_name(cited.file, cited.page, cited.page_label, visit.language, plain))


def _page_buttons(visit: Visit, view: DrawnPage, cited: CitedPage) -> None:
    def go(by: int) -> None:
        st.session_state[_PAGE_SHOWN] = view.number + by

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        first, last = view.number <= 1, view.number >= view.pages
        st.button(
            visit.text("page.previous"),
            icon=":material/chevron_left:",
            on_click=go,
            args=(-1,),
            disabled=first,
        )
        st.button(
            visit.text("page.next"),
            icon=":material/chevron_right:",
            on_click=go,
            args=(1,),
            disabled=last,
        )
        position = visit.text("page.page_of", page=view.number, pages=view.pages)
        if cited.label and view.number == cited.page and cited.label != str(cited.page):
            position += f" ({visit.text('page.printed', label=cited.label)})"
        st.html(markup.note(position), width="content")


def _picture(visit: Visit, view: DrawnPage, cited: CitedPage) -> None:
    quote = " ".join(" ".join(view.text[start:end] for start, end in view.ranges).split())
    if cited.spans and not view.ranges:
        st.caption(visit.text("page.not_marked"))
    if view.picture is not None:
        key = "page.picture_alt" if quote else "page.picture_alt_plain"
        st.image(
            view.picture,
            width="stretch",
            alt=visit.text(key, page=view.number, file=cited.file, quote=quote),
        )
    elif view.problem in ("changed", "no_pages"):
        st.info(visit.text(f"page.original_{view.problem}"))
    else:
        st.warning(label(view.problem))
    with st.expander(visit.text("page.page_text"), expanded=view.picture is None, icon=":material/notes:"):
        st.html(markup.marked(view.text, view.ranges))


def _download_button(visit: Visit, original: Path | None, file: str) -> None:
    if original is None:
        return
    st.download_button(
        visit.text("page.download"),
        data=original.read_bytes,
        file_name=file.rpartition("/")[2],
        # whatever it is, a browser is to keep it and not to run it
        mime="application/pdf" if original.suffix.lower() == ".pdf" else "application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
    )
