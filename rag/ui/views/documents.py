"""The page for documents: bring them in, watch them being read, see what can be searched, take them out."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rag.errors import RagError, UsageError
from rag.store import DocumentStatus
from rag.ui import markup
from rag.ui.jobs import Job, State
from rag.ui.markup import label
from rag.ui.uploads import KINDS
from rag.ui.views.frame import Visit

_ROWS = 50
_EVERY = 0.6
"""Seconds between two looks at an ingest."""
_JOBS = 3
_FILTERS = ("show_all", "show_searchable", "show_failed")
_BADGES = {State.RUNNING: "weak", State.DONE: "verified", State.FAILED: "unsupported"}


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.say("documents_title"))
    _upload(visit)
    _folder(visit)
    _work(visit)
    _ledger(visit)


def _upload(visit: Visit) -> None:
    size = visit.workspace.options.upload_mib
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            visit.say("upload"),
            type=list(KINDS),
            accept_multiple_files=True,
            help=visit.say("upload_help", kinds=", ".join(k.upper() for k in KINDS), size=size),
            max_upload_size=size,
        )
        sent = st.form_submit_button(visit.say("upload_button"), type="primary", icon=":material/upload:")
    if sent and files:
        _, problems = visit.workspace.upload([(file.name, file.getvalue()) for file in files])
        for problem in problems:
            st.error(label(problem))


def _folder(visit: Visit) -> None:
    options = visit.workspace.options
    if options.public and not options.folders:
        st.caption(visit.say("folder_none"))
        return
    with st.form("folder"), st.container(horizontal=True, vertical_alignment="bottom"):
        if options.public:
            name = str(st.selectbox(visit.say("folder"), options.folders))
        else:
            name = st.text_input(visit.say("folder"), placeholder="~/Documents/reports")
        sent = st.form_submit_button(visit.say("folder_button"), icon=":material/folder_open:")
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
    st.subheader(visit.say("work"))
    every = _EVERY if visit.workspace.jobs.busy else None
    st.fragment(_jobs, run_every=every)(visit, watched=every is not None)


def _jobs(visit: Visit, watched: bool) -> None:
    jobs = visit.workspace.jobs.all()
    for job in jobs[:_JOBS]:
        _job(visit, job)
    if watched and not visit.workspace.jobs.busy:
        st.rerun()  # the ledger below has changed


def _job(visit: Visit, job: Job) -> None:
    with st.container(border=True, key=f"job-{job.id}"):
        state = markup.badge(visit.say(f"state_{job.state.value}"), _BADGES.get(job.state, "plain"))
        name = markup.text(job.label if len(job.label) <= 120 else f"{job.label[:119]}…")
        st.html(markup.element("p", markup.element("strong", name), " ", state, class_="pq-question"))
        if job.state is State.RUNNING:
            st.progress(job.fraction, text=_far(visit, job))
        if job.active:
            stop = visit.workspace.jobs.cancel
            st.button(
                visit.say("cancel"),
                key=f"cancel-{job.id}",
                on_click=stop,
                args=(job.id,),
                icon=":material/close:",
            )
        if job.state is State.DONE and job.report:
            st.html(markup.note(_outcome(visit, job)))
        for note in job.notes[-3:]:
            st.html(markup.note(note))
        if job.error:
            st.error(label(job.error))
        _failures(visit, job)


def _far(visit: Visit, job: Job) -> str:
    tally = job.tally
    if not tally:
        return visit.say("planning")
    words = visit.say(
        "progress",
        done=tally["files_done"],
        files=tally["files"],
        pages=f"{tally['pages']:,}",
        chunks=f"{tally['chunks_done']:,}",
    )
    left = tally.get("seconds_left")
    return words if left is None or left < 1 else f"{words}, {visit.say('seconds_left', seconds=round(left))}"


def _outcome(visit: Visit, job: Job) -> str:
    counts = job.report.get("by_status", {})
    read = sum(count for status, count in counts.items() if status in ("ok", "ocr"))
    failed = sum(counts.values()) - read
    words = visit.say("finished_files", read=read, failed=failed, unchanged=job.report.get("unchanged", 0))
    stopped = job.report.get("stopped")
    return f"{words}. {stopped}" if stopped else words


def _failures(visit: Visit, job: Job) -> None:
    failed = [(file, status, reason) for file, status, reason in job.files if status not in ("ok", "ocr")]
    if not failed:
        return
    rows = [[markup.text(f), markup.badge(s, "unsupported"), markup.text(r)] for f, s, r in failed[:20]]
    st.html(markup.table([visit.say("file"), visit.say("status"), visit.say("why")], rows))
    if not job.active and st.button(visit.say("retry"), key=f"retry-{job.id}", icon=":material/refresh:"):
        visit.workspace.jobs.submit(job.label, job.paths, retry=True)
        st.rerun()


# -- the ledger ---------------------------------------------------------------------------------------------------


def _ledger(visit: Visit) -> None:
    st.subheader(visit.say("ledger"))
    index = visit.workspace.library.index()
    entries = [] if index is None else index.document_statuses()
    if not entries:
        st.caption(visit.say("ledger_empty"))
        return
    shown = _filtered(visit, entries)
    parts = max((len(shown) + _ROWS - 1) // _ROWS, 1)
    part = st.number_input(visit.say("page_number"), 1, parts, key="part") if parts > 1 else 1
    rows = [_row(visit, entry) for entry in shown[(int(part) - 1) * _ROWS : int(part) * _ROWS]]
    head = [visit.say(key) for key in ("file", "status", "pages", "passages", "why")]
    st.html(markup.table(head, rows, numbers=(2, 3)))
    st.caption(visit.say("more_files", shown=f"{len(shown):,}", all=f"{len(entries):,}"))
    _remove(visit, [entry.record.file for entry in entries])


def _filtered(visit: Visit, entries: Sequence[DocumentStatus]) -> list[DocumentStatus]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(visit.say("find_file"), key="find-file")
        which = st.segmented_control(
            visit.say("show"),
            _FILTERS,
            default=_FILTERS[0],
            format_func=visit.say,
            key="which",
            required=True,
        )
    wanted = {"show_searchable": (True,), "show_failed": (False,)}.get(str(which), (True, False))
    return [
        entry
        for entry in entries
        if words.casefold() in entry.record.file.casefold() and entry.record.status.searchable in wanted
    ]


def _row(visit: Visit, entry: DocumentStatus) -> list[str]:
    source = entry.record
    kind, word = (
        ("verified", "yes_searchable") if source.status.searchable else ("unsupported", "not_searchable")
    )
    plain = source.status.value in ("ok", "ocr") and not source.reason
    reason = "" if plain else f"{source.status.value}{': ' if source.reason else ''}{source.reason}"
    pages = (
        f"{entry.pages:,}"
        if entry.pages == entry.searchable_pages
        else f"{entry.searchable_pages:,}/{entry.pages:,}"
    )
    return [
        markup.text(source.file),
        markup.badge(visit.say(word), kind),
        pages,
        f"{entry.chunks:,}",
        markup.text(reason),
    ]


def _remove(visit: Visit, files: list[str]) -> None:
    with st.expander(visit.say("remove"), icon=":material/delete:"):
        st.caption(visit.say("remove_note"))
        chosen = st.multiselect(
            visit.say("remove_choose"),
            files,
            format_func=label,
            key="remove-files",
            placeholder=visit.say("choose"),
        )
        if st.button(visit.say("remove_button"), disabled=not chosen, key="remove"):
            try:
                visit.workspace.remove(chosen)
            except RagError as error:
                st.error(label(str(error)))
            else:
                st.toast(visit.say("removed", count=len(chosen)))
                del st.session_state["remove-files"]
                st.rerun()
