"""The page to ask on."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rag.providers.specs import EXTRACTIVE
from rag.types import Citation, Passage, Support
from rag.ui import markup
from rag.ui.asking import Asking
from rag.ui.evidence import Exhibit
from rag.ui.markup import label
from rag.ui.sessions import Turn
from rag.ui.views.exhibit import open_exhibit
from rag.ui.views.frame import Visit, go_to

_NAME = 34
"""Characters of a file name on a chip."""
_SNIPPET = 240
_TICK = 0.12
"""Seconds between two looks at what the model has written."""
_LONGEST_QUESTION = 4000


def show(visit: Visit) -> None:
    """Draw the chat."""
    index = visit.workspace.library.index()
    if index is None or not any(status.searchable for status in index.counts().files):
        _empty(visit)
        return
    above = st.empty()  # emptied at once, where what is no longer drawn would fade while an answer is written
    if not visit.session.turns and visit.session.asking is None:
        with above.container():
            _welcome(visit)
    for number, turn in enumerate(visit.session.turns):
        _turn(visit, number, turn)
    if visit.session.problem:
        st.error(label(visit.session.problem))
    with st.bottom:
        _tasks(visit)
    _input(visit)  # not inside the block above: Streamlit then keeps the chat scrolled to its end
    if visit.session.asking is not None:
        _live(visit, visit.session.asking)


def _empty(visit: Visit) -> None:
    st.title(visit.say("ask_title"))
    with st.container(border=True):
        st.markdown(f"**{visit.say('no_index')}**")
        st.write(visit.say("no_index_more"))
        if st.button(visit.say("add_documents"), type="primary", icon=":material/add:"):
            go_to(visit, "documents")


def _welcome(visit: Visit) -> None:
    index = visit.workspace.library.index()
    assert index is not None  # the caller has looked
    totals = index.counts()
    searchable = sum(count for status, count in totals.files.items() if status.searchable)
    missing = sum(totals.files.values()) - searchable
    st.title(visit.say("ask_title"))
    st.write(visit.say("ask_intro"))
    key = "coverage_missing" if missing else "coverage"
    pages = f"{totals.searchable_pages:,}"
    st.caption(visit.say(key, files=f"{searchable:,}", pages=pages, missing=f"{missing:,}"))
    with st.expander(visit.say("marks"), icon=":material/help:"):
        _legend(visit)


def _legend(visit: Visit) -> None:
    rows = []
    for support in Support:
        badge = markup.badge(f"{markup.MARKS[support]} {visit.say(support.value)}", support.value)
        rows.append(markup.element("div", badge, " ", visit.say(f"{support.value}_why")))
    derived = markup.badge(f"= {visit.say('derived')}", Support.WEAK.value)
    rows.insert(1, markup.element("div", derived, " ", visit.say("derived_why")))
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
            visit.say("task"),
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
            st.caption(visit.say("copies"))
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
        visit.say("ask_placeholder"),
        key="question",
        on_submit=ask,
        max_chars=_LONGEST_QUESTION,
        disabled=session.asking is not None,
    )


def _live(visit: Visit, asking: Asking) -> None:
    """The question on its way. Leaving this loop, by a click or a reload, does not end it."""
    _asked(asking.query.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        written = st.empty()
        st.button(visit.say("stop"), icon=":material/stop:", key="stop", on_click=asking.stop)
        shown = None
        while not asking.wait(_TICK):
            if asking.text != shown:
                shown = asking.text
                written.html(markup.draft(shown, visit.language))
    if asking.stopped and asking.answer is None and not asking.error:
        asking.error = visit.say("stopped")
    if visit.session.settle():
        visit.keep()
    st.rerun()


# -- the chat -----------------------------------------------------------------------------------------------------


def _asked(question: str) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.html(markup.question(question))


def _turn(visit: Visit, number: int, turn: Turn) -> None:
    answer, language = turn.answer, visit.language
    _asked(answer.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        if turn.stale:
            st.warning(visit.say("stale"))
        if answer.answered:
            st.html(markup.answer(answer, language))
            _chips(visit, number, answer.citations)
        else:
            st.html(markup.declined(answer, language))
            _nearest(visit, number, answer.passages)
        notes = [markup.note(one) for one in answer.notes]
        if answer.standalone_question:
            notes.append(markup.note(visit.say("searched_for", question=answer.standalone_question)))
        st.html("".join([*notes, markup.footer(answer, language)]))


def _chips(visit: Visit, number: int, citations: tuple[Citation, ...]) -> None:
    """The quotes; a press shows the page."""
    with st.container(horizontal=True, gap="xsmall", key=f"chips-{number}"):
        for citation in citations:
            mark = "✓" if citation.verified else "✗"
            # the page before the name: a narrow screen cuts the end off
            place = f"{visit.say('page', page=citation.page)} {mark} {_short(citation.file)}"
            status = markup.status_words(citation, visit.language)
            pressed = st.button(
                label(f"[{citation.n}] {place}"),
                key=f"cite-{number}-{citation.n}",
                help=label(f"{status}: {citation.quote}"[:400]),
                icon=":material/format_quote:",
            )
            if pressed:
                open_exhibit(visit, Exhibit.of_citation(citation), citation)


def _nearest(visit: Visit, number: int, passages: tuple[Passage, ...]) -> None:
    if not passages:
        return
    st.html(markup.note(visit.say("nearest")))
    for rank, passage in enumerate(passages[:3], start=1):
        words = " ".join(passage.text.split())
        snippet = words if len(words) <= _SNIPPET else f"{words[:_SNIPPET]}…"
        with st.container(border=True, gap="xsmall"):
            st.html(markup.element("p", markup.text(snippet), class_="pq-question"))
            place = f"{visit.say('page', page=passage.page)} · {_short(passage.file)}"
            if st.button(label(place), key=f"near-{number}-{rank}", icon=":material/find_in_page:"):
                open_exhibit(visit, Exhibit.of_passage(passage))


def _short(file: str) -> str:
    name = file.rpartition("/")[2]
    return name if len(name) <= _NAME else f"{name[: _NAME - 12]}…{name[-11:]}"
