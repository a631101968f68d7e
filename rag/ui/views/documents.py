"""The page for documents: bring them in, watch them being read, see what can be searched, take them out."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rag.errors import RagError, UsageError
from rag.messages import translated
from rag.store import DocumentStatus
from rag.ui import markup
from rag.ui.jobs import IngestJob, JobState
from rag.ui.markup import label
from rag.ui.uploads import KINDS
from rag.ui.views.visit import Visit

_ROWS = 50
_EVERY = 0.6
"""Seconds between two looks at an ingest."""
_JOBS = 3
_NAMED = 10
"""Files that cannot be searched and are named with an ingest; the table below has all."""
_FILTERS = ("page.show_all", "page.show_searchable", "page.show_failed")
_BADGES = {JobState.RUNNING: "weak", JobState.DONE: "verified", JobState.FAILED: "unsupported"}


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.text("page.documents_title"))
    _upload(visit)
    _folder(visit)
    _work(visit)
    _indexed(visit)


def _upload(visit: Visit) -> None:
    size = visit.workspace.options.upload_mib
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            visit.text("page.upload"),
            type=list(KINDS),
            accept_multiple_files=True,
            help=visit.text("page.upload_help", kinds=", ".join(k.upper() for k in KINDS), size=size),
            max_upload_size=size,
        )
        sent = st.form_submit_button(
            visit.text("page.upload_button"), type="primary", icon=":material/upload:"
        )
    if sent and files:
        _, problems = visit.workspace.upload([(file.name, file.getvalue()) for file in files])
        for problem in problems:
            st.error(label(problem))


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
            st.error(label(str(error)))


# -- ingests ------------------------------------------------------------------------------------------------------


def _work(visit: Visit) -> None:
    jobs = visit.workspace.jobs.all()
    if not jobs:
        return
    st.subheader(visit.text("page.work"))
    every = _EVERY if visit.workspace.jobs.busy else None
    st.fragment(_jobs, run_every=every)(visit, watched=every is not None)


def _jobs(visit: Visit, watched: bool) -> None:
    jobs = visit.workspace.jobs.all()
    for job in jobs[:_JOBS]:
        _job(visit, job)
    if watched and not visit.workspace.jobs.busy:
        st.rerun()  # the table below has changed


def _job(visit: Visit, job: IngestJob) -> None:
    with st.container(border=True, key=f"job-{job.id}"):
        state = markup.badge(visit.text(f"page.state_{job.state.value}"), _BADGES.get(job.state, "plain"))
        name = markup.text(job.label if len(job.label) <= 120 else f"{job.label[:119]}…")
        st.html(markup.element("p", markup.element("strong", name), " ", state, class_="pq-question"))
        if job.state is JobState.RUNNING:
            st.progress(job.fraction, text=_far(visit, job))
        if job.active:
            stop = visit.workspace.jobs.cancel
            st.button(
                visit.text("page.cancel"),
                key=f"cancel-{job.id}",
                on_click=stop,
                args=(job.id,),
                icon=":material/close:",
            )
        if job.state is JobState.DONE and job.report:
            st.html(markup.note(_outcome(visit, job)))
        for note in job.notes[-3:]:
            st.html(markup.note(note))
        if job.error:
            st.error(label(translated(job.error, visit.language)))
        _failures(visit, job)


def _far(visit: Visit, job: IngestJob) -> str:
    tally = job.tally
    if not tally:
        return visit.text("page.planning")
    words = visit.text("page.progress", **tally)
    left = tally.get("seconds_left")
    if left is None or left < 1:
        return words
    return f"{words}, {visit.text('page.seconds_left', seconds=round(left))}"


def _outcome(visit: Visit, job: IngestJob) -> str:
    counts = job.report.get("by_status", {})
    read = sum(count for status, count in counts.items() if status in ("ok", "ocr"))
    failed = sum(counts.values()) - read
    unchanged = job.report.get("unchanged", 0)
    words = visit.text("page.finished_files", read=read, failed=failed, unchanged=unchanged)
    stopped = job.report.get("stopped")
    return f"{words}. {stopped}" if stopped else words


def _failures(visit: Visit, job: IngestJob) -> None:
    """Every file that cannot be searched with its reason: the first ten, and how many more."""
    failed = [(file, status, reason) for file, status, reason in job.files if status not in ("ok", "ocr")]
    if job.report:
        failed = [(f["file"], f["status"], f["reason"]) for f in job.report.get("not_searchable", ())]
    if not failed:
        return
    rows = [
        [
            markup.text(file),
            markup.badge(translated(status, visit.language), "unsupported"),
            markup.text(translated(reason, visit.language)),
        ]
        for file, status, reason in failed[:_NAMED]
    ]
    head = [visit.text(f"page.{name}") for name in ("file", "status", "reason")]
    st.html(markup.table(head, rows))
    if len(failed) > _NAMED:
        st.caption(visit.text("page.more_failed", count=len(failed) - _NAMED))
    if not job.active and st.button(
        visit.text("page.retry"), key=f"retry-{job.id}", icon=":material/refresh:"
    ):
        visit.workspace.jobs.submit(job.label, job.paths, retry=True)
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
    part = st.number_input(visit.text("page.part"), 1, parts, key="part") if parts > 1 else 1
    rows = [_row(visit, entry) for entry in shown[(int(part) - 1) * _ROWS : int(part) * _ROWS]]
    head = [visit.text(f"page.{name}") for name in ("file", "status", "pages", "passages", "reason")]
    st.html(markup.table(head, rows, numbers=(2, 3)))
    st.caption(visit.text("page.more_files", shown=len(shown), all=len(entries)))
    _remove(visit, [entry.record.file for entry in entries])


def _filtered(visit: Visit, entries: Sequence[DocumentStatus]) -> list[DocumentStatus]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(visit.text("page.find_file"), key="find-file")
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


def _row(visit: Visit, entry: DocumentStatus) -> list[str]:
    source = entry.record
    kind, word = (
        ("verified", "page.show_searchable")
        if source.status.searchable
        else ("unsupported", "page.show_failed")
    )
    plain = source.status.value in ("ok", "ocr") and not source.reason
    words = [translated(text, visit.language) for text in (source.status.value, source.reason) if text]
    reason = "" if plain else ": ".join(words)
    pages = (
        f"{entry.pages:,}"
        if entry.pages == entry.searchable_pages
        else f"{entry.searchable_pages:,}/{entry.pages:,}"
    )
    return [
        markup.text(source.file),
        markup.badge(visit.text(word), kind),
        pages,
        f"{entry.chunks:,}",
        markup.text(reason),
    ]


def _remove(visit: Visit, files: list[str]) -> None:
    with st.expander(visit.text("page.remove"), icon=":material/delete:"):
        st.caption(visit.text("page.remove_note"))
        chosen = st.multiselect(
            visit.text("page.remove_choose"),
            files,
            format_func=label,
            key="remove-files",
            placeholder=visit.text("page.choose"),
        )
        if st.button(visit.text("page.remove_button"), disabled=not chosen, key="remove"):
            try:
                visit.workspace.remove(chosen)
            except RagError as error:
                st.error(label(str(error)))
            else:
                st.toast(visit.text("page.removed", count=len(chosen)))
                del st.session_state["remove-files"]
                st.rerun()
