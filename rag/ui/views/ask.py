"""The page to ask on: the chat, what is around the input, and files that are dropped into it."""

from __future__ import annotations

import streamlit as st

from rag.pipeline.condense import carried_over
from rag.types import Passage, Support
from rag.ui import markup
from rag.ui.jobs import IngestJob, JobState
from rag.ui.markup import element, label
from rag.ui.pages import CitedPage
from rag.ui.questions import RunningQuestion
from rag.ui.sessions import Exchange
from rag.ui.suggestions import SAMPLE
from rag.ui.uploads import KINDS
from rag.ui.views import evidence
from rag.ui.views.controls import actions, ask_again, scope, scope_words, tasks
from rag.ui.views.documents import progress
from rag.ui.views.visit import Visit

_SNIPPET = 240
_TICK = 0.6
"""Seconds between two looks at what the model has written, or at an ingest."""
_LONGEST_QUESTION = 4000
_WATCHED = "watched-jobs"
_PROBLEMS = "upload-problems"
_SAMPLE_QUESTIONS = 3


def show(visit: Visit) -> None:
    """Draw the chat, with the pane beside it when a page is open."""
    index = visit.index
    has_documents = index is not None and any(status.searchable for status in index.counts().files)
    session = visit.session
    above = st.empty()  # emptied at once, where what is no longer drawn would fade while an answer is written
    if not session.exchanges and session.running is None:
        with above.container():
            _welcome(visit, has_documents=has_documents)
    for number, exchange in enumerate(session.exchanges):
        _exchange(visit, number, exchange)
    if session.running is not None:
        _live(visit, session.running)
    _work(visit)
    with st.bottom:
        for problem in st.session_state.pop(_PROBLEMS, []):
            st.error(label(problem), icon=":material/error:")
        if has_documents:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="around"):
                scope(visit)
                tasks(visit)
    _input(visit, has_documents=has_documents)
    evidence.show(visit)


# -- the beginning ------------------------------------------------------------------------------------------------


def _welcome(visit: Visit, *, has_documents: bool) -> None:
    st.title(visit.text("page.ask_title"))
    st.write(visit.text("page.ask_intro"))
    index = visit.index
    if not has_documents or index is None:
        _first_visit(visit)
        return
    totals = index.counts()
    searchable = sum(count for status, count in totals.files.items() if status.searchable)
    missing = sum(totals.files.values()) - searchable
    key = "page.coverage_missing" if missing else "page.coverage"
    st.caption(visit.text(key, files=searchable, pages=totals.searchable_pages, missing=missing))
    _suggestions(visit, visit.workspace.suggestions.of_index(visit.language), "start")
    with st.expander(visit.text("page.marks"), icon=":material/help:"):
        _legend(visit)


def _first_visit(visit: Visit) -> None:
    """No documents yet: drop some, or try the sample."""
    if visit.workspace.jobs.busy:
        return  # the progress is shown below
    left, right = st.columns(2, border=True)
    with left:
        st.markdown(f"**{visit.text('page.own_documents')}**")
        st.write(visit.text("page.own_documents_more", size=visit.workspace.options.upload_mib))
        if st.button(visit.text("page.add_documents"), type="primary", icon=":material/add:"):
            st.switch_page(visit.pages["documents"])
    with right:
        st.markdown(f"**{visit.text('page.sample')}**")
        st.write(visit.text("page.sample_more"))
        if st.button(visit.text("page.sample_button"), icon=":material/play_arrow:", key="sample"):
            _watch(visit.workspace.try_sample())
            st.rerun()


def _suggestions(visit: Visit, questions: list[str], key: str) -> None:
    """Questions to begin with, one press each."""

    def ask(question: str) -> None:
        visit.session.begin(question, visit.workspace.ask)

    if not questions:
        return
    st.caption(visit.text("page.try_these"))
    for number, question in enumerate(questions):
        st.button(
            label(question),
            key=f"suggested-{key}-{number}",
            icon=":material/arrow_forward:",
            on_click=ask,
            args=(question,),
            disabled=visit.session.running is not None,
        )


def _legend(visit: Visit) -> None:
    rows = []
    for support in Support:
        mark = markup.badge(f"{markup.MARKS[support]} {visit.text(f'answer.{support.value}')}", support.value)
        rows.append(element("div", mark, " ", visit.text(f"page.{support.value}_why")))
    derived = markup.badge(f"= {visit.text('answer.derived')}", Support.WEAK.value)
    rows.insert(1, element("div", derived, " ", visit.text("page.derived_why")))
    st.html(element("div", *rows, class_="pq-legend"))


# -- the input ----------------------------------------------------------------------------------------------------


def _input(visit: Visit, *, has_documents: bool) -> None:
    session, workspace = visit.session, visit.workspace

    def send() -> None:
        given = st.session_state["question"]
        if given is None:
            return
        if given.files:
            job, problems = workspace.upload([(file.name, file.getvalue()) for file in given.files])
            st.session_state[_PROBLEMS] = problems
            if job is not None:
                _watch(job)
        session.begin(given.text, workspace.ask)

    size = workspace.options.upload_mib
    st.chat_input(
        visit.text("page.ask_placeholder" if has_documents else "page.drop_placeholder", size=size),
        key="question",
        on_submit=send,
        max_chars=_LONGEST_QUESTION,
        disabled=session.running is not None,
        accept_file="multiple",
        file_type=list(KINDS),
        max_upload_size=size,
    )


def _watch(job: IngestJob) -> None:
    """Show the job's progress in this chat, and its end."""
    st.session_state[_WATCHED] = [*st.session_state.get(_WATCHED, ()), job.id]


def _work(visit: Visit) -> None:
    """Ingests in place: those that run, and how those that were begun here have ended."""
    watched = st.session_state.get(_WATCHED, ())
    jobs = [job for job in visit.workspace.jobs.all() if job.active or job.id in watched]
    if jobs:
        active = {job.id for job in jobs if job.active}
        busy = active or any(not visit.workspace.suggestions.ready(job) for job in jobs)
        st.fragment(_jobs, run_every=_TICK * 2 if busy else None)(visit, jobs, active, bool(busy))


def _jobs(visit: Visit, jobs: list[IngestJob], active: set[int], busy: bool) -> None:
    for job in jobs:
        with st.container(border=True, key=f"work-{job.id}"):
            progress(visit, job)
            if job.state is JobState.DONE:
                _ready(visit, job)
    done = busy and not any(job.active or not visit.workspace.suggestions.ready(job) for job in jobs)
    if done or {job.id for job in jobs if job.active} != active:
        st.rerun()  # there is more to ask now


def _ready(visit: Visit, job: IngestJob) -> None:
    """What can be asked now."""
    if job.label == SAMPLE:
        questions = [visit.text(f"page.sample_question_{n}") for n in range(1, _SAMPLE_QUESTIONS + 1)]
    else:
        questions = visit.workspace.suggestions.of_job(job)
    if any(status in ("ok", "ocr") for _, status, _ in job.files):
        st.markdown(f"**{visit.text('page.ask_now')}**")
    _suggestions(visit, questions, str(job.id))


# -- the chat -----------------------------------------------------------------------------------------------------


def _live(visit: Visit, running: RunningQuestion) -> None:
    """The question on its way. Leaving it, by a click or a reload, does not end it."""
    _question(running.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        st.fragment(_writing, run_every=_TICK)(visit, running)


def _writing(visit: Visit, running: RunningQuestion) -> None:
    def stop() -> None:
        running.stop()

    if running.done:
        st.rerun()  # the script takes the answer in
    (kind, seconds), wait = running.pause, ""
    if kind:
        key = "page.rate_limited" if kind == "RateLimited" else "page.trying_again"
        wait = visit.text(key, seconds=seconds)
    st.html(markup.draft(running.text, visit.language, wait))
    st.button(visit.text("page.stop"), icon=":material/stop:", key="stop", on_click=stop)


def _question(question: str) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.html(markup.question(question))


def _exchange(visit: Visit, number: int, exchange: Exchange) -> None:
    answer, language = exchange.answer, visit.language
    _question(answer.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        if exchange.failed:
            _failed(visit, number, exchange)
            return
        if answer.extra.get("small_talk"):
            st.html(markup.small_talk(answer))
            return
        if exchange.stale:
            st.warning(visit.text("page.stale"), icon=":material/history:")
        if answer.answered:
            st.html(markup.answer(answer, language, number) + markup.citations(answer, language, number))
        else:
            st.html(markup.declined(answer, language))
            _nearest(visit, number, answer.passages)
        notes = [markup.note(one) for one in answer.notes]
        if subject := carried_over(answer.question, answer.standalone_question):
            notes.append(markup.note(visit.text("answer.continuing", subject=subject)))
        elif answer.standalone_question:
            notes.append(markup.note(visit.text("answer.searched_for", question=answer.standalone_question)))
        searched = visit.text("page.searched_in", documents=scope_words(visit, exchange.where))
        st.html("".join([*notes, markup.footer(answer, language, searched)]))
        actions(visit, number, exchange)


def _failed(visit: Visit, number: int, exchange: Exchange) -> None:
    """Why there is no answer, and the way to try again."""
    if exchange.failed == "Stopped":
        st.html(markup.note(visit.text("page.stopped")))
    else:
        st.error(label(visit.problem(exchange.failed, exchange.answer.reason)), icon=":material/error:")

    def retry() -> None:
        ask_again(visit, number, visit.session.choices, instead=True)

    busy = visit.session.running is not None
    st.button(
        visit.text("page.ask_again"),
        icon=":material/refresh:",
        key=f"retry-{number}",
        on_click=retry,
        disabled=busy,
    )


def _nearest(visit: Visit, number: int, passages: tuple[Passage, ...]) -> None:
    if not passages:
        return
    cards = []
    for rank, passage in enumerate(passages[:3], start=1):
        words = " ".join(passage.text.split())
        snippet = words if len(words) <= _SNIPPET else f"{words[:_SNIPPET]}…"
        place = markup.place(passage, visit.language)
        name = markup.text(f"{place} · {passage.file.rpartition('/')[2]}")
        opened = markup.link(CitedPage.of_passage(passage), name, f"{number}.{-rank}", class_="pq-chip")
        cards.append(element("div", element("p", markup.text(snippet)), opened, class_="pq-near"))
    st.html(markup.note(visit.text("answer.nearest")) + "".join(cards))
