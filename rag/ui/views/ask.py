"""The page to ask on: the chat, what is around the input, and files that are dropped into it."""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rag.messages import translated
from rag.providers.specs import EXTRACTIVE
from rag.types import Support
from rag.ui import markup
from rag.ui.documents import KINDS, IngestJob, JobState
from rag.ui.markup import element, label
from rag.ui.questions import RunningQuestion
from rag.ui.suggestions import SAMPLE
from rag.ui.views import answers, evidence
from rag.ui.views.documents import progress
from rag.ui.views.visit import Visit, polled

_TICK = 0.6
"""Seconds between two looks at what the model has written, or at an ingest."""
_LONGEST_QUESTION = 4000
_SLOW = 4.0
"""Seconds after which a model is said to be waited for; the search takes less."""
_PROBLEMS = "upload-problems"
_SAMPLE_QUESTIONS = 3


def show(visit: Visit) -> None:
    """Draw the chat, with the pane beside it when a page is open."""
    index = visit.index
    has_documents = index is not None and any(status.searchable for status in index.counts().files)
    session, running, live = visit.session, visit.session.running, None
    above = st.empty()  # emptied at once, where what is no longer drawn would fade while an answer is written
    if not session.exchanges and running is None:
        with above.container():
            _welcome(visit, has_documents=has_documents)
    for number, exchange in enumerate(session.exchanges):
        if running is not None and running.instead == number:
            live = _asked(running)
        else:
            answers.exchange(visit, number, exchange)
    if running is not None and running.instead is None:
        live = _asked(running)
    work = st.container()
    with st.bottom:
        for problem in st.session_state.pop(_PROBLEMS, []):
            st.error(label(translated(problem, visit.language)), icon=":material/error:")
        if has_documents:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="around"):
                _scope(visit)
                _tasks(visit)
    _input(visit, has_documents=has_documents)
    evidence.show(visit)
    with work:
        _work(visit)
    if running is not None and live is not None:
        with live:
            polled(_writing, _TICK)(visit, running)


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
            visit.watch(visit.workspace.try_sample())
            st.rerun()


def _suggestions(visit: Visit, questions: list[str], key: str) -> None:
    """Questions to begin with, one press each."""
    if not questions:
        return
    st.caption(visit.text("page.try_these"))
    for number, question in enumerate(questions):
        st.button(
            label(question),
            key=f"suggested-{key}-{number}",
            icon=":material/arrow_forward:",
            on_click=visit.workspace.ask,
            args=(visit.session, question),
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


# -- around the input ---------------------------------------------------------------------------------------------


def _scope(visit: Visit) -> None:
    """The chip that says which documents are searched, with the way to choose others."""
    session, index = visit.session, visit.index
    if index is None:
        return
    known = [record.file for record in index.documents() if record.status.searchable]
    folders = sorted({file.rpartition("/")[0] for file in known if "/" in file})
    choices = session.choices
    chosen = [c.removeprefix(answers.FOLDER) for c in choices.conditions if c.startswith(answers.FOLDER)]
    files = [file for file in choices.files if file in known]
    everything = visit.text("page.all_count", count=len(known))
    limited = (*files, *choices.conditions)

    def choose() -> None:
        folder = [f"{answers.FOLDER}{one}" for one in st.session_state.get("scope-folders", ())]
        others = [c for c in choices.conditions if not c.startswith(answers.FOLDER)]
        session.choices = replace(
            choices, files=tuple(st.session_state["scope-files"]), conditions=(*folder, *others)
        )
        visit.save()

    def lift() -> None:
        session.choices = replace(choices, files=(), conditions=())
        visit.save()

    name = answers.scope_words(visit, limited) if limited else everything
    with st.popover(label(name), icon=":material/filter_list:", key="scope"):
        st.markdown(f"**{visit.text('page.filters')}**")
        if folders:
            st.multiselect(
                visit.text("page.folders"),
                folders,
                default=[one for one in chosen if one in folders],
                format_func=label,
                key="scope-folders",
                on_change=choose,
                placeholder=visit.text("page.choose"),
            )
        st.multiselect(
            visit.text("page.only_files"),
            known,
            default=files,
            format_func=label,
            key="scope-files",
            on_change=choose,
            placeholder=visit.text("page.choose_documents"),
        )
        st.button(everything, key="scope-all", on_click=lift, disabled=not limited)


def _tasks(visit: Visit) -> None:
    """The templates as tasks, each one click away. The built-in answerer follows none."""
    session, workspace = visit.session, visit.workspace
    if (session.choices.model or workspace.model) == EXTRACTIVE:
        return

    def choose() -> None:
        session.choices = session.choices.with_prompt(st.session_state["task"])
        visit.save()

    offered = workspace.templates()
    names = [name for name in answers.TASKS if name in offered]
    if session.choices.prompt not in names:
        names = [session.choices.prompt, *names]
    st.pills(
        visit.text("page.task"),
        names,
        default=session.choices.prompt,
        format_func=visit.task_name,
        key="task",
        on_change=choose,
        required=True,
        wrap=False,
        label_visibility="collapsed",
    )
    variables = workspace.variables(session.choices.prompt, visit.language)
    if not variables:
        return
    given = dict(session.choices.variables)
    with st.popover(visit.text("page.variables"), icon=":material/tune:", key="variables"):
        for name, usual in variables.items():
            written = st.text_input(
                label(name), given.get(name, usual), key=f"var-{session.choices.prompt}-{name}"
            )
            if written and written != given.get(name, usual):
                given[name] = written
    session.choices = replace(session.choices, variables=tuple(given.items()))


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
                visit.watch(job)
        workspace.ask(session, given.text)

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


def _work(visit: Visit) -> None:
    """Ingests in place: those that run, and how those that were begun here have ended."""
    jobs = [job for job in visit.workspace.jobs.newest() if job.active or job.id in visit.watched]
    if jobs:
        active = {job.id for job in jobs if job.active}
        busy = active or any(not visit.workspace.suggestions.ready(job) for job in jobs)
        polled(_jobs, _TICK * 2 if busy else None)(visit, jobs, active, bool(busy))


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


# -- an answer on its way -----------------------------------------------------------------------------------------


def _asked(running: RunningQuestion) -> DeltaGenerator:
    """Draw the question on its way; gives the place for its answer."""
    answers.question(running.question)
    return st.chat_message("assistant", avatar=":material/menu_book:")


def _writing(visit: Visit, running: RunningQuestion) -> None:
    """What is written so far. Leaving it, by a click or a reload, does not end it."""
    if running.done:
        st.rerun()  # the script takes the answer in
    (kind, seconds), wait = running.pause, ""
    if kind:
        key = "page.rate_limited" if kind == "RateLimited" else "page.trying_again"
        wait = visit.text(key, seconds=seconds)
    elif not running.text and (running.choices.model or visit.workspace.model) != EXTRACTIVE:
        waited = round(time.time() - running.started)
        wait = visit.text("page.waiting_for_model", seconds=waited) if waited > _SLOW else ""
    st.html(markup.draft(running.text, visit.language, wait))
    st.button(visit.text("page.stop"), icon=":material/stop:", key="stop", on_click=running.stop)
