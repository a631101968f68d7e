"""The script that Streamlit runs for every visitor and click: navigation, language and the visitor's session."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from rag.errors import RagError, UsageError
from rag.messages import LANGUAGES, Language, choose_language
from rag.ui.access import LOGOUT
from rag.ui.markup import element, label
from rag.ui.session_store import SessionEntry
from rag.ui.sessions import LARGEST, Session
from rag.ui.views import ask, documents, runs, settings
from rag.ui.views.answers import DOCX
from rag.ui.views.visit import OpenPage, Visit, shell, visitor
from rag.ui.workspace import VARIABLE, Workspace, workspace_for

_STYLE = Path(__file__).parents[1] / "style.css"
_ICON = _STYLE.with_name("icon.svg")
_WORDMARK = _STYLE.with_name("wordmark.svg")
_SIDEBAR = 270
"""Pixels: what is beside the answer matters more."""
_SESSION = "session"
_LANGUAGE = "lang"
_SHOWN = "page-shown"
_NAME = 60
"""Characters of a session's name in the list."""


def show() -> None:
    """Draw the page that the address names."""
    options = os.environ.get(VARIABLE)
    if options is None:  # not started by the server, which checks the password
        st.error("Start this page with `rag ui`.")
        st.stop()
    st.set_page_config(
        page_title="pagequote", page_icon=str(_ICON), layout="centered", initial_sidebar_state=_SIDEBAR
    )
    st.logo(str(_WORDMARK), icon_image=str(_ICON))
    st.html(_STYLE)
    try:
        workspace = workspace_for(options)
        visit = Visit(workspace, _session(workspace), _language(workspace))
        st.html(_streamlit_texts(visit))
        _linked_page(visit)
        drawn: list[tuple[str, Callable[[Visit], None], str]] = [
            ("ask", ask.show, "forum"),
            ("documents", documents.show, "folder_open"),
            ("evaluation", runs.show, "analytics"),
            ("settings", settings.show, "tune"),
        ]
        for name, draw, icon in drawn:
            visit.pages[name] = st.Page(
                partial(draw, visit),
                title=visit.text(f"page.{name}"),
                icon=f":material/{icon}:",
                url_path=name,
                default=name == "ask",
            )
        chosen = st.navigation(list(visit.pages.values()), position="top")
        if st.session_state.get(_SHOWN, chosen.url_path) != chosen.url_path:
            visit.show_page(None)  # it belongs to where it was opened
        st.session_state[_SHOWN] = chosen.url_path
        _sidebar(visit)
        chosen.run()
    except RagError as error:
        st.error(label(str(error)))


def _session(workspace: Workspace) -> Session:
    """The session of the address; a reload finds it again there."""
    session = st.session_state.get(_SESSION)
    if not isinstance(session, Session):
        session = workspace.session(st.query_params.get(_SESSION), visitor())
        st.session_state[_SESSION] = session
    if st.query_params.get(_SESSION) != session.id:
        st.query_params[_SESSION] = session.id
    index = workspace.shared_index.index()
    answered = session.settle()
    if (index is not None and session.refresh(index)) or answered:
        workspace.sessions.save(session)
    return session


def use(session: Session | None) -> None:
    """Go on with another session; None begins a new one."""
    st.session_state.pop("pane", None)
    if session is None:
        st.query_params.pop(_SESSION, None)
        st.session_state.pop(_SESSION, None)
    else:
        st.session_state[_SESSION] = session
        st.query_params[_SESSION] = session.id


def _linked_page(visit: Visit) -> None:
    """The page that a shared link names, once."""
    given = {name: st.query_params[name] for name in ("file", "page", "marks") if name in st.query_params}
    if "file" not in given:
        return
    visit.show_page(OpenPage.of_address(urlencode(given)))
    for name in given:
        del st.query_params[name]


def _language(workspace: Workspace) -> Language:
    """The visitor's choice, else the setting's, else the browser's."""
    chosen = st.session_state.get(_LANGUAGE) or st.query_params.get(_LANGUAGE)
    for code, name in LANGUAGES.items():
        if chosen in (code, name):  # Streamlit puts the name into the address
            return code
    return choose_language(workspace.settings.language, st.context.locale)


def _streamlit_texts(visit: Visit) -> str:
    """Streamlit's own English words in the visitor's language, as variables of the style sheet."""
    words = {name: visit.text(f"page.streamlit_{name}") for name in ("browse", "drop")}
    rules = "".join(f'--pq-{name}: "{word}";' for name, word in words.items())
    return f"<style>:root {{ {rules} }}</style>"


# -- the sidebar --------------------------------------------------------------------------------------------------


def _sidebar(visit: Visit) -> None:
    with st.sidebar:
        _said(visit)
        st.button(
            visit.text("page.new_session"),
            icon=":material/add:",
            on_click=use,
            args=(None,),
            width="stretch",
        )
        _recent(visit)
        with st.expander(visit.text("page.this_session"), icon=":material/more_horiz:"):
            _name(visit)
            _export(visit)
            _reopen(visit)
        st.segmented_control(
            visit.text("page.language"),
            list(LANGUAGES),
            format_func=lambda code: LANGUAGES[code],
            default=visit.language,
            key=_LANGUAGE,
            required=True,
            bind="query-params",
        )
        if visit.workspace.options.public:
            st.caption(visit.text("page.shared_note"))
        if visit.workspace.settings.ui_password is not None:
            st.html(element("a", visit.text("page.sign_out"), href=LOGOUT, target="_self", class_="pq-chip"))


def _said(visit: Visit) -> None:
    """Mount the part that runs in the browser, with what a screen reader is to hear of the last answer."""
    session = visit.session
    said = visit.text("page.searching") if session.running is not None else ""
    if session.running is None and session.exchanges:
        last = session.exchanges[-1]
        reason = visit.problem(last.failed, last.answer.reason) if last.failed else last.answer.reason
        said = last.answer.text if last.answer.answered else reason or visit.text("answer.declined")
    shell(visit, said)


def _recent(visit: Visit) -> None:
    """This visitor's sessions: a press opens one."""
    sessions = visit.workspace.sessions
    words = ""
    if len(sessions.recent(visitor(), count=6)) > 5:
        words = st.text_input(
            visit.text("page.find_session"),
            key="find-session",
            placeholder=visit.text("page.find_session"),
            label_visibility="collapsed",
            icon=":material/search:",
        )
    with st.container(gap="xsmall", key="sessions"):
        for day, entries in groupby(sessions.recent(visitor(), words), lambda entry: _day(visit, entry)):
            st.caption(day)
            for entry in entries:
                _entry(visit, entry)


def _day(visit: Visit, entry: SessionEntry) -> str:
    at = datetime.fromtimestamp(entry.at)
    return visit.text("page.date", month=f"{at:%b}" if visit.language == "en" else at.month, day=at.day)


def _entry(visit: Visit, entry: SessionEntry) -> None:
    def open_it() -> None:
        use(visit.workspace.session(entry.id, visitor()))

    def delete() -> None:
        visit.workspace.sessions.delete(entry.id, visitor())
        if entry.id == visit.session.id:
            use(None)

    here = entry.id == visit.session.id
    with st.container(horizontal=True, wrap=False, gap="xsmall", vertical_alignment="center"):
        shown = entry.name if len(entry.name) <= _NAME else f"{entry.name[: _NAME - 1]}…"
        st.button(
            label(shown),
            key=f"session-{entry.id}",
            help=label(entry.name),
            type="secondary" if here else "tertiary",
            on_click=open_it,
            width="stretch",
        )
        with st.popover(
            visit.text("page.delete_session"),
            icon=":material/delete:",
            type="tertiary",
            help=visit.text("page.delete_session"),
            key=f"icon-delete-{entry.id}",
        ):
            st.write(visit.text("page.delete_sure"))
            st.button(
                visit.text("page.delete_session"), key=f"delete-{entry.id}", type="primary", on_click=delete
            )


def _name(visit: Visit) -> None:
    def rename() -> None:
        visit.session.name = " ".join(str(st.session_state[key]).split())[:100]
        visit.save()

    key = f"name-{visit.session.id}"
    st.text_input(
        visit.text("page.session_name"), visit.session.name, key=key, on_change=rename, max_chars=100
    )


def _export(visit: Visit) -> None:
    st.download_button(
        visit.text("page.export_session"),
        data=visit.session.export,
        file_name="pagequote-session.zip",
        mime="application/zip",
        icon=":material/download:",
        disabled=not visit.session.exchanges,
        on_click="ignore",
        width="stretch",
    )
    answered = [one for one in visit.session.exchanges if not one.failed]
    st.download_button(
        visit.text("page.export_document"),
        data=partial(visit.workspace.export_docx, answered, visit.language),
        file_name="pagequote-session.docx",
        mime=DOCX,
        icon=":material/description:",
        disabled=not answered,
        on_click="ignore",
        width="stretch",
    )


def _reopen(visit: Visit) -> None:
    given = st.file_uploader(
        visit.text("page.open_session"),
        type=["zip", "json"],
        max_upload_size=LARGEST // 2**20,
        key="reopen",
    )
    # the uploader goes on holding the file: open it once
    if given is not None and st.session_state.get("reopened") != given.file_id:
        st.session_state["reopened"] = given.file_id
        try:
            session = visit.workspace.reopen(given.getvalue(), visitor())
        except UsageError as error:
            visit.error(error)
        else:
            use(session)
            st.rerun()


show()
