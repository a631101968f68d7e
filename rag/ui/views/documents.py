"""The page for documents: bring them in, watch them being read, open, unlock, replace and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from rag.errors import RagError, UsageError
from rag.messages import translated
from rag.store import DocumentStatus
from rag.types import Status
from rag.ui import markup
from rag.ui.documents import KINDS, IngestJob, JobState
from rag.ui.markup import element, label
from rag.ui.pages import CitedPage
from rag.ui.views import evidence
from rag.ui.views.visit import OpenPage, Visit, polled

_ROWS = 25
_EVERY = 0.6
"""Seconds between two looks at an ingest."""
_JOBS = 3
_NAMED = 10
"""Files that cannot be searched and are named with an ingest; the list below has all."""
_FILTERS = ("page.show_all", "page.show_searchable", "page.show_failed")
_BADGES = {JobState.RUNNING: "weak", JobState.DONE: "verified", JobState.FAILED: "unsupported"}


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.text("page.documents"))
    _upload(visit)
    _folder(visit)
    work = st.container()
    _indexed(visit)
    evidence.show(visit)
    with work:
        _work(visit)


def _upload(visit: Visit) -> None:
    size = visit.workspace.options.upload_mib
    kinds = ", ".join(k.upper() for k in KINDS if k != "htm")
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            visit.text("page.upload_here", kinds=kinds, size=size),
            type=list(KINDS),
            accept_multiple_files=True,
            max_upload_size=size,
        )
        sent = st.form_submit_button(
            visit.text("page.upload_button"), type="primary", icon=":material/upload:"
        )
    if sent and files:
        _, problems = visit.workspace.upload([(file.name, file.getvalue()) for file in files])
        for problem in problems:
            st.error(label(translated(problem, visit.language)), icon=":material/error:")


def _folder(visit: Visit) -> None:
    options = visit.workspace.options
    if options.public and not options.folders:
        st.caption(visit.text("page.folder_none"))
        return
    with st.form("folder"), st.container(horizontal=True, vertical_alignment="bottom"):
        if options.public:
            name = str(st.selectbox(visit.text("page.folder"), options.folders))
        else:
            name = st.text_input(visit.text("page.folder"), placeholder="~/Documents/reports")
        sent = st.form_submit_button(visit.text("page.folder_button"), icon=":material/folder_open:")
    if sent:
        try:
            visit.workspace.ingest(name)
        except UsageError as error:
            visit.error(error)


# -- ingests ------------------------------------------------------------------------------------------------------


def _work(visit: Visit) -> None:
    jobs = visit.workspace.jobs.all()
    if not jobs:
        return
    st.subheader(visit.text("page.work"))
    every = _EVERY if visit.workspace.jobs.busy else None
    polled(_jobs, every)(visit, every is not None)


def _jobs(visit: Visit, watched: bool) -> None:
    jobs = visit.workspace.jobs.newest()
    for job in [*(j for j in jobs if j.active), *(j for j in jobs if not j.active)][:_JOBS]:
        with st.container(border=True, key=f"job-{job.id}"):
            progress(visit, job)
    if watched and not visit.workspace.jobs.busy:
        st.rerun()  # the list below has changed


def progress(visit: Visit, job: IngestJob) -> None:
    """An ingest: what it reads, how far it is, how it ended, and what could not be read."""
    state = markup.badge(visit.text(f"page.state_{job.state.value}"), _BADGES.get(job.state, "plain"))
    name = visit.text("page.sample") if job.label == "sample" else job.label
    shown = markup.text(name if len(name) <= 120 else f"{name[:119]}…")
    st.html(element("p", element("strong", shown), " ", state, class_="pq-job"))
    if job.state is JobState.RUNNING:
        st.progress(job.fraction, text=_far(visit, job))
    if job.active:
        st.button(
            visit.text("page.cancel"),
            key=f"cancel-{job.id}",
            on_click=visit.workspace.jobs.cancel,
            args=(job.id,),
            icon=":material/close:",
        )
    if job.state is JobState.DONE and job.report:
        st.html(markup.note(_outcome(visit, job)))
    for note in job.notes[-3:] if visit.language == "en" else []:
        st.html(markup.note(note))
    if job.error:
        st.error(label(visit.problem(job.error_kind, job.error)), icon=":material/error:")
    _failures(visit, job)


def _far(visit: Visit, job: IngestJob) -> str:
    counts = job.counts
    if not counts:
        return visit.text("page.planning")
    words = visit.text("page.progress", **counts)
    left = counts.get("seconds_left")
    if left is None or left < 1:
        return words
    return f"{words}, {visit.text('page.seconds_left', seconds=round(left))}"


def _outcome(visit: Visit, job: IngestJob) -> str:
    counts = job.report.get("by_status", {})
    read = sum(count for status, count in counts.items() if status in ("ok", "ocr"))
    failed = sum(counts.values()) - read
    words = visit.text(
        "page.finished_files", read=read, failed=failed, unchanged=job.report.get("unchanged", 0)
    )
    stopped = job.report.get("stopped")
    return f"{words}. {stopped}" if stopped else words


def _failures(visit: Visit, job: IngestJob) -> None:
    """Every file that cannot be searched with its reason: the first ten, and how many more."""
    failed = [(file, status, reason) for file, status, reason in job.files if status not in ("ok", "ocr")]
    if job.report:
        failed = [(f["file"], f["status"], f["reason"]) for f in job.report.get("not_searchable", ())]
    handled = visit.workspace.jobs.handled_since(job)
    failed = [one for one in failed if one[0] not in handled]
    if not failed:
        return
    rows = [
        [
            markup.text(file),
            markup.badge(translated(status, visit.language), "unsupported"),
            markup.text(
                visit.why_not(file, status, reason).removeprefix(f"{translated(status, visit.language)}: ")
            ),
        ]
        for file, status, reason in failed[:_NAMED]
    ]
    head = [visit.text(f"page.{name}") for name in ("file", "status", "reason")]
    st.html(markup.table(head, rows))
    if len(failed) > _NAMED:
        st.caption(visit.text("page.more_failed", count=len(failed) - _NAMED))
    if job.active:
        return
    index = visit.index
    for file, status, _ in failed[:_NAMED]:
        record = None if index is None else index.document(file)
        if visit.is_locked(file, status) and record is not None and record.status is Status.ENCRYPTED:
            _password(visit, file, f"{file}-{job.id}", visit.text("page.password_of", file=label(file)))
    if any(not visit.is_locked(file, status) for file, status, _ in failed) and st.button(
        visit.text("page.retry"), key=f"retry-job-{job.id}", icon=":material/refresh:"
    ):
        visit.watch(visit.workspace.jobs.submit(job.label, job.paths, retry=True))
        st.rerun()


# -- the index ----------------------------------------------------------------------------------------------------


def _indexed(visit: Visit) -> None:
    st.subheader(visit.text("page.indexed"))
    index = visit.index
    entries = [] if index is None else index.document_statuses()
    if not entries:
        st.caption(visit.text("page.indexed_none"))
        return
    shown = _filtered(visit, entries)
    parts = max((len(shown) + _ROWS - 1) // _ROWS, 1)
    part = st.pagination(parts, key="part") if parts > 1 else 1
    for entry in shown[(part - 1) * _ROWS : part * _ROWS]:
        _document(visit, entry)
    st.caption(visit.text("page.more_files", shown=len(shown), all=len(entries)))


def _filtered(visit: Visit, entries: Sequence[DocumentStatus]) -> list[DocumentStatus]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(visit.text("page.find_file"), key="find-file", icon=":material/search:")
        which = st.segmented_control(
            visit.text("page.show"),
            _FILTERS,
            default=_FILTERS[0],
            format_func=visit.text,
            key="which",
            required=True,
        )
    wanted = {"page.show_searchable": (True,), "page.show_failed": (False,)}.get(str(which), (True, False))
    return [
        entry
        for entry in entries
        if words.casefold() in entry.record.file.casefold() and entry.record.status.searchable in wanted
    ]


def _document(visit: Visit, entry: DocumentStatus) -> None:
    """One document: its name opens it, a menu holds the rest."""
    record = entry.record
    file = record.file

    with st.container(border=True, gap="xsmall", key=f"document-{file}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            st.button(
                label(file),
                key=f"open-{file}",
                type="tertiary",
                icon=":material/description:",
                help=visit.text("page.open_document"),
                on_click=visit.show_page,
                args=(OpenPage(CitedPage(file, 1), 1),),
                disabled=not entry.pages,
                width="stretch",
            )
            _menu(visit, entry)
        st.html(_line(visit, entry))
        if visit.is_locked(file, record.status):
            _password(visit, file, file, visit.text("page.pdf_password"))


def _line(visit: Visit, entry: DocumentStatus) -> str:
    record = entry.record
    kind, word = (
        ("verified", "page.show_searchable")
        if record.status.searchable
        else ("unsupported", "page.show_failed")
    )
    pages = (
        visit.text("page.count_pages", pages=entry.pages)
        if entry.pages == entry.searchable_pages
        else visit.text("page.count_searchable", searchable=entry.searchable_pages, pages=entry.pages)
    )
    passages = visit.text("page.count_passages", passages=entry.chunks)
    why = visit.why_not(record.file, record.status, record.reason)
    read = markup.text(f"{pages} · {passages}") if entry.pages else ""
    parts = [markup.badge(visit.text(word), kind), " ", read]
    return element("p", *parts, class_="pq-note") + (
        element("p", markup.text(why), class_="pq-why") if why else ""
    )


def _password(visit: Visit, file: str, key: str, words: str) -> None:
    with (
        st.form(f"password-{key}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        word = st.text_input(words, type="password", key=f"word-{key}", autocomplete="off")
        if st.form_submit_button(visit.text("page.unlock"), icon=":material/lock_open:") and word:
            job = visit.workspace.unlock(file, word)
            if job is not None:
                visit.watch(job)
            st.rerun()


def _menu(visit: Visit, entry: DocumentStatus) -> None:
    file = entry.record.file
    with st.popover(
        visit.text("page.more"),
        icon=":material/more_vert:",
        help=visit.text("page.more"),
        type="tertiary",
        key=f"icon-menu-{file}",
    ):
        if visit.workspace.is_upload(file):
            kind = file.rpartition(".")[2].lower()
            given = st.file_uploader(
                visit.text("page.replace", size=visit.workspace.options.upload_mib),
                type=[kind],
                key=f"replace-{file}",
                max_upload_size=visit.workspace.options.upload_mib,
            )
            if given is not None and st.button(visit.text("page.replace_button"), key=f"do-replace-{file}"):
                _, problems = visit.workspace.upload([(given.name, given.getvalue())], replace=file)
                for problem in problems:
                    st.error(label(translated(problem, visit.language)))
                if not problems:
                    st.rerun()
        if st.button(visit.text("page.remove"), icon=":material/delete:", key=f"remove-{file}"):
            st.dialog(visit.text("page.remove"))(partial(_confirm, visit, file))()


def _confirm(visit: Visit, file: str) -> None:
    st.write(visit.text("page.remove_sure", file=label(file)))
    st.caption(visit.text("page.remove_upload" if visit.workspace.is_upload(file) else "page.remove_folder"))
    with st.container(horizontal=True):
        if st.button(visit.text("page.remove_button"), type="primary", key="confirm-remove"):
            try:
                visit.workspace.remove([file])
            except RagError as error:
                visit.error(error)
            else:
                visit.show_page(None)
                st.toast(visit.text("page.removed"))
                st.rerun()
        if st.button(visit.text("page.cancel"), key="keep"):
            st.rerun()
