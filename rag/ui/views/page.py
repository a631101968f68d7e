"""The script that Streamlit runs for every visitor and click: navigation, language and the visitor's session."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from rag.errors import RagError, UsageError
from rag.messages import LANGUAGES, Language, choose_language
from rag.ui.access import VISITOR
from rag.ui.markup import label
from rag.ui.server import VARIABLE, UiOptions
from rag.ui.sessions import LARGEST, Session
from rag.ui.views import ask, documents, runs, settings
from rag.ui.views.visit import Visit
from rag.ui.workspace import Workspace

_STYLE = Path(__file__).parents[1] / "style.css"
_ICON = _STYLE.with_name("icon.svg")
_SESSION = "session"
_LANGUAGE = "lang"


@st.cache_resource(show_spinner=False)
def _workspace(options: str) -> Workspace:
    return Workspace(UiOptions.from_json(options))


def show() -> None:
    """Draw the page that the address names."""
    options = os.environ.get(VARIABLE)
    if options is None:  # not started by the server, which checks the password
        st.error("Start this page with `rag ui`.")
        st.stop()
    st.set_page_config(page_title="pagequote", page_icon=str(_ICON), layout="centered")
    st.html(_STYLE)
    try:
        workspace = _workspace(options)
        visit = Visit(workspace, _session(workspace), _language(workspace))
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
        _sidebar(visit)
        chosen.run()
    except RagError as error:
        st.error(label(str(error)))


def _session(workspace: Workspace) -> Session:
    """The session of the address; a reload finds it again there."""
    session = st.session_state.get(_SESSION)
    if not isinstance(session, Session):
        session = workspace.session(st.query_params.get(_SESSION), _visitor())
        st.session_state[_SESSION] = session
    if st.query_params.get(_SESSION) != session.id:
        st.query_params[_SESSION] = session.id
    if session.settle():
        workspace.sessions.save(session)
    return session


def _visitor() -> str:
    """The secret in this browser's cookie."""
    return str(st.context.cookies.get(VISITOR, ""))


def use(session: Session | None) -> None:
    """Go on with another session; None begins a new one."""
    if session is None:
        st.query_params.pop(_SESSION, None)
        st.session_state.pop(_SESSION, None)
    else:
        st.session_state[_SESSION] = session
        st.query_params[_SESSION] = session.id


def _language(workspace: Workspace) -> Language:
    """The visitor's choice, else the setting's, else the browser's."""
    chosen = st.session_state.get(_LANGUAGE) or st.query_params.get(_LANGUAGE)
    for code, name in LANGUAGES.items():
        if chosen in (code, name):  # Streamlit puts the name into the address
            return code
    return choose_language(workspace.settings.language, st.context.locale)


def _sidebar(visit: Visit) -> None:
    with st.sidebar:
        st.segmented_control(
            visit.text("page.language"),
            list(LANGUAGES),
            format_func=lambda code: LANGUAGES[code],
            default=visit.language,
            key=_LANGUAGE,
            required=True,
            bind="query-params",
        )
        st.subheader(visit.text("page.session"))
        st.button(
            visit.text("page.new_session"),
            icon=":material/add:",
            on_click=use,
            args=(None,),
            width="stretch",
        )
        _export(visit)
        _reopen(visit)
        if visit.workspace.options.public:
            st.caption(visit.text("page.shared_note"))
        else:
            _recent(visit)


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


def _reopen(visit: Visit) -> None:
    with st.expander(visit.text("page.open_session"), icon=":material/upload_file:"):
        given = st.file_uploader(
            visit.text("page.open_session"),
            type=["zip", "json"],
            max_upload_size=LARGEST // 2**20,
            label_visibility="collapsed",
            key="reopen",
        )
    # the uploader goes on holding the file: open it once
    if given is not None and st.session_state.get("reopened") != given.file_id:
        st.session_state["reopened"] = given.file_id
        try:
            use(visit.workspace.reopen(given.getvalue()))
        except UsageError as error:
            st.error(label(str(error)))
        else:
            st.rerun()


def _recent(visit: Visit) -> None:
    """Earlier sessions, where only one machine's own people see the page."""
    others = [entry for entry in visit.workspace.sessions.recent() if entry[0] != visit.session.id]
    if not others:
        return
    with st.expander(visit.text("page.recent_sessions"), icon=":material/history:"):
        for identity, question, _ in others:
            shown = question if len(question) <= 60 else f"{question[:59]}…"
            if st.button(label(shown), key=f"open-{identity}", type="tertiary"):
                use(visit.workspace.session(identity, _visitor()))
                st.rerun()


show()
