"""What stands around the chat: the documents to search, the tasks, and what can be done with an answer."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rag.errors import RagError
from rag.messages import catalogue
from rag.providers.specs import EXTRACTIVE
from rag.ui import markup
from rag.ui.markup import label
from rag.ui.questions import Choices
from rag.ui.sessions import Exchange
from rag.ui.views.visit import Visit

_FOLDER = "folder="
_FILE = "file=./"
_NAMED = 34
"""Characters of a document's name on a chip."""
_TASKS = ("few-shot", "concise", "table", "compare", "summarize", "explain", "translate")
"""Templates that stand above the input, as tasks; the others are in the settings."""


# -- which documents ----------------------------------------------------------------------------------------------


def scope_words(visit: Visit, where: tuple[str, ...]) -> str:
    """The documents that a question was, or will be, searched in."""
    if not where:
        return visit.text("page.all_documents")
    names = [
        markup.short(condition.removeprefix(_FILE).removeprefix(_FOLDER).rpartition("/")[2])
        for condition in where
    ]
    return (
        names[0]
        if len(names) == 1
        else visit.text("page.some_documents", first=names[0], more=len(names) - 1)
    )


def scope(visit: Visit) -> None:
    """The chip that says which documents are searched, with the way to choose others."""
    session, index = visit.session, visit.index
    if index is None:
        return
    known = [record.file for record in index.documents() if record.status.searchable]
    folders = sorted({file.rpartition("/")[0] for file in known if "/" in file})
    choices = session.choices
    chosen_folders = [c.removeprefix(_FOLDER) for c in choices.conditions if c.startswith(_FOLDER)]
    files = [file for file in choices.files if file in known]
    count = len(known)
    if files or choices.conditions:
        name = scope_words(visit, (*files, *choices.conditions))
    else:
        name = visit.text("page.all_count", count=count)

    def choose() -> None:
        folder = [f"{_FOLDER}{one}" for one in st.session_state.get("scope-folders", ())]
        others = [c for c in choices.conditions if not c.startswith(_FOLDER)]
        session.choices = replace(
            choices, files=tuple(st.session_state["scope-files"]), conditions=(*folder, *others)
        )
        visit.save()

    def all_of_them() -> None:
        session.choices = replace(choices, files=(), conditions=())
        visit.save()

    with st.popover(label(name), icon=":material/filter_list:", key="scope"):
        st.markdown(f"**{visit.text('page.filters')}**")
        if folders:
            st.multiselect(
                visit.text("page.folders"),
                folders,
                default=[one for one in chosen_folders if one in folders],
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
        st.button(
            visit.text("page.all_count", count=count),
            key="scope-all",
            on_click=all_of_them,
            disabled=not (files or choices.conditions),
        )


# -- how to answer ------------------------------------------------------------------------------------------------


def task_name(visit: Visit, template: str) -> str:
    """A template as people call what it does; one of their own by its name."""
    name = template.replace("-", "_")
    return (
        visit.text(f"page.task_{name}")
        if f"page.task_{name}" in catalogue()
        else label(template.rpartition("/")[2])
    )


def tasks(visit: Visit) -> None:
    """The templates as tasks, each one click away. The built-in answerer follows none."""
    session, workspace = visit.session, visit.workspace
    if (session.choices.model or workspace.model) == EXTRACTIVE:
        return

    def choose() -> None:
        session.choices = session.choices.with_prompt(st.session_state["task"])
        visit.save()

    offered = workspace.templates()
    names = [name for name in _TASKS if name in offered]
    if session.choices.prompt not in names:
        names = [session.choices.prompt, *names]
    st.pills(
        visit.text("page.task"),
        names,
        default=session.choices.prompt,
        format_func=lambda name: task_name(visit, name),
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


# -- what can be done with an answer ------------------------------------------------------------------------------


def ask_again(visit: Visit, number: int, choices: Choices, *, instead: bool = False) -> None:
    """Ask the question of an exchange once more; `instead` of the one that failed."""
    session = visit.session
    if session.running is not None:
        return
    question = session.withdraw(number) if instead else session.exchanges[number].answer.question
    kept, session.choices = session.choices, choices
    session.begin(question, visit.workspace.ask)
    session.choices = kept


def actions(visit: Visit, number: int, exchange: Exchange) -> None:
    """Copy, edit, ask again in another way, export, and say whether the answer is right."""

    def edit() -> None:
        st.session_state["question"] = exchange.answer.question

    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"actions-{number}"):
        words = visit.text("page.copy")
        markdown = markup.answer_markdown(exchange.answer, visit.language)
        st.html(markup.icon_button("content_copy", words, data_copy=markdown), width="content")
        st.button(
            visit.text("page.edit_question"),
            icon=":material/edit:",
            help=visit.text("page.edit_question"),
            key=f"icon-edit-{number}",
            on_click=edit,
            type="tertiary",
        )
        _again(visit, number)
        st.download_button(
            visit.text("page.export_answer"),
            data=f"# {exchange.answer.question}\n\n{markdown}\n".encode(),
            file_name="answer.md",
            mime="text/markdown",
            icon=":material/download:",
            help=visit.text("page.export_answer"),
            key=f"icon-export-{number}",
            on_click="ignore",
            type="tertiary",
        )
        _rating(visit, number, exchange)


def _again(visit: Visit, number: int) -> None:
    """Answer once more, with another template or model."""
    workspace, choices = visit.workspace, visit.session.choices
    with st.popover(
        visit.text("page.regenerate"),
        icon=":material/refresh:",
        type="tertiary",
        help=visit.text("page.regenerate"),
        key=f"icon-again-{number}",
    ):
        names = list(dict.fromkeys([*(n for n in _TASKS if n in workspace.templates()), choices.prompt]))
        models = list(dict.fromkeys([choices.model or workspace.model, *workspace.models()]))
        model = st.selectbox(
            visit.text("page.model"),
            models,
            key=f"again-model-{number}",
            format_func=lambda name: visit.text("page.builtin") if name == EXTRACTIVE else name,
        )
        prompt = choices.prompt
        if model != EXTRACTIVE:
            prompt = st.selectbox(
                visit.text("page.task"),
                names,
                index=names.index(choices.prompt),
                format_func=lambda name: task_name(visit, name),
                key=f"again-task-{number}",
            )
        changed = replace(choices.with_prompt(str(prompt)), model=None if model == workspace.model else model)
        st.button(
            visit.text("page.answer_again"),
            type="primary",
            key=f"answer-again-{number}",
            on_click=ask_again,
            args=(visit, number, changed),
            disabled=visit.session.running is not None,
        )


def _rating(visit: Visit, number: int, exchange: Exchange) -> None:
    """Thumbs; with a note they become a question of a set for `rag eval`."""

    def rate() -> None:
        given = st.session_state[f"rate-{number}"]
        exchange.rating = "" if given is None else ("down", "up")[given]
        visit.save()
        if exchange.rating == "up":
            _keep(visit, exchange, "", answerable=exchange.answer.answered)

    st.feedback(
        "thumbs", key=f"rate-{number}", default={"down": 0, "up": 1}.get(exchange.rating), on_change=rate
    )
    if exchange.rating != "down":
        return
    with (
        st.popover(visit.text("page.what_is_right"), key=f"note-{number}", type="tertiary"),
        st.form(f"note-form-{number}", border=False),
    ):
        note = st.text_input(visit.text("page.right_answer_is"), key=f"right-{number}")
        absent = st.checkbox(visit.text("page.not_in_documents"), key=f"absent-{number}")
        st.caption(visit.text("page.feedback_note", file=str(visit.workspace.feedback_file)))
        if st.form_submit_button(visit.text("page.keep")) and (note.strip() or absent):
            _keep(visit, exchange, note.strip(), answerable=not absent)


def _keep(visit: Visit, exchange: Exchange, right: str, *, answerable: bool) -> None:
    try:
        visit.workspace.keep_feedback(exchange.answer, right, answerable=answerable)
    except RagError as error:
        visit.error(error)
    else:
        st.toast(visit.text("page.feedback_kept"))
