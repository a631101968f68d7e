"""An answer in the chat, and what can be done with it: copy, ask in another way, download, rate."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from rag.errors import RagError
from rag.pipeline.rewriting import carried_over
from rag.providers.specs import EXTRACTIVE
from rag.types import NearSentence
from rag.ui import markup
from rag.ui.markup import element, label
from rag.ui.pages import CitedPage
from rag.ui.sessions import INTERRUPTED, Exchange
from rag.ui.views.visit import Visit

TASKS = ("few-shot", "concise", "table", "compare", "summarize", "explain", "translate")
"""Templates that are offered as tasks; the others are in the settings."""
FOLDER = "folder="
_FILE = "file=./"
_SNIPPET = 240
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def question(words: str) -> None:
    """Draw a visitor's question."""
    with st.chat_message("user", avatar=":material/person:"):
        st.html(markup.question(words))


def exchange(visit: Visit, number: int, given: Exchange) -> None:
    """Draw a question with its answer, the one of number `number` in the session."""
    question(given.answer.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        if given.failed:
            _failed(visit, number, given)
        elif given.answer.extra.get("small_talk"):
            st.html(markup.small_talk(given.answer))
        else:
            _answered(visit, number, given)


def _answered(visit: Visit, number: int, given: Exchange) -> None:
    answer, language = given.answer, visit.language
    if given.stale:
        st.warning(visit.text("page.stale"), icon=":material/history:")
    if answer.answered:
        st.html(markup.answer(answer, language, number) + markup.citations(answer, language, number))
    else:
        st.html(markup.declined(answer, language))
        _nearest(visit, number, answer.nearest)
    notes = [markup.note(one) for one in answer.notes]
    if subject := carried_over(answer.question, answer.standalone_question):
        notes.append(markup.note(visit.text("answer.continuing", subject=subject)))
    elif answer.standalone_question:
        notes.append(markup.note(visit.text("answer.searched_for", question=answer.standalone_question)))
    searched = visit.text("page.searched_in", documents=scope_words(visit, given.where))
    st.html("".join([*notes, markup.footer(answer, language, searched)]))
    _actions(visit, number, given)


def scope_words(visit: Visit, where: tuple[str, ...]) -> str:
    """The documents that a question was, or will be, searched in."""
    if not where:
        return visit.text("page.all_documents")
    paths = [condition.removeprefix(_FILE).removeprefix(FOLDER) for condition in where]
    first = markup.short(paths[0].rpartition("/")[2])
    return first if len(paths) == 1 else visit.text("page.some_documents", first=first, more=len(paths) - 1)


def _failed(visit: Visit, number: int, given: Exchange) -> None:
    """Why there is no answer, and the way to try again."""
    if given.failed in ("Stopped", INTERRUPTED):
        st.html(markup.note(visit.text(f"page.{given.failed.lower()}")))
    else:
        st.error(label(visit.problem(given.failed, given.answer.reason)), icon=":material/error:")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.button(
            visit.text("page.ask_again"),
            icon=":material/refresh:",
            key=f"retry-{number}",
            on_click=visit.workspace.ask,
            args=(visit.session, given.answer.question, None, number),
            disabled=visit.session.running is not None,
        )
        _versions(visit, number, given)


def _nearest(visit: Visit, number: int, nearest: tuple[NearSentence, ...]) -> None:
    """The sentences that came nearest, below a declined answer."""
    if not nearest:
        return
    cards = []
    for rank, near in enumerate(nearest, start=1):
        passage, words = near.passage, " ".join(near.text.split())
        snippet = words if len(words) <= _SNIPPET else f"{words[:_SNIPPET]}…"
        place = markup.place(passage, visit.language)
        name = markup.text(f"{place} · {passage.file.rpartition('/')[2]}")
        opened = markup.link(CitedPage.of_passage(passage), name, f"{number}.{-rank}", class_="pq-chip")
        cards.append(element("div", element("p", markup.text(snippet)), opened, class_="pq-near"))
    st.html(markup.note(visit.text("answer.nearest")) + "".join(cards))


# -- what can be done with an answer ------------------------------------------------------------------------------


def _actions(visit: Visit, number: int, given: Exchange) -> None:
    """Copy, edit, ask in another way, download, and say whether the answer is right."""

    def edit() -> None:
        st.session_state["question"] = given.answer.question

    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"actions-{number}"):
        _versions(visit, number, given)
        markdown = markup.answer_markdown(given.answer, visit.language)
        copy = markup.icon_button("content_copy", visit.text("page.copy"), data_copy=markdown)
        st.html(copy, width="content")
        st.button(
            visit.text("page.edit_question"),
            icon=":material/edit:",
            help=visit.text("page.edit_question"),
            key=f"icon-edit-{number}",
            on_click=edit,
            type="tertiary",
        )
        _another_way(visit, number, given)
        with st.popover(
            visit.text("page.export_answer"),
            icon=":material/download:",
            type="tertiary",
            help=visit.text("page.export_answer"),
            key=f"icon-export-{number}",
        ):
            st.download_button(
                "Markdown (.md)",
                data=f"# {given.answer.question}\n\n{markdown}\n".encode("utf-8", "replace"),
                file_name="pagequote-answer.md",
                mime="text/markdown",
                key=f"export-md-{number}",
                on_click="ignore",
                width="stretch",
            )
            st.download_button(
                "Word (.docx)",
                data=partial(visit.workspace.export_docx, [given], visit.language),
                file_name="pagequote-answer.docx",
                mime=DOCX,
                key=f"export-docx-{number}",
                on_click="ignore",
                width="stretch",
            )
        _rating(visit, number, given)


def _versions(visit: Visit, number: int, given: Exchange) -> None:
    """Which of several answers to the question is shown, with a step to the one before and after."""
    versions = given.versions
    if len(versions) == 1:
        return
    shown = next(i for i, one in enumerate(versions) if one is given)

    def show(version: int) -> None:
        visit.session.show_version(number, version)
        if visit.pane is not None and visit.pane.exchange == number:
            visit.show_page(None)  # it shows a quote of the other answer
        visit.save()

    with st.container(horizontal=True, vertical_alignment="center", gap=None, width="content"):
        for icon, text, by, end in (("left", "earlier", -1, 0), ("right", "later", 1, len(versions) - 1)):
            st.button(
                visit.text(f"page.{text}_answer"),
                icon=f":material/chevron_{icon}:",
                help=visit.text(f"page.{text}_answer"),
                key=f"icon-{text}-{number}",
                on_click=show,
                args=(shown + by,),
                disabled=shown == end or visit.session.running is not None,
                type="tertiary",
            )
            if by < 0:
                place = visit.text("page.answer_of", shown=shown + 1, all=len(versions))
                st.html(element("span", f"{shown + 1}/{len(versions)}", title=place, class_="pq-note"))


def _another_way(visit: Visit, number: int, given: Exchange) -> None:
    """Answer the question once more, with another task or model; the answer that is there stays as a version."""
    workspace, choices = visit.workspace, visit.session.choices
    with st.popover(
        visit.text("page.regenerate"),
        icon=":material/refresh:",
        type="tertiary",
        help=visit.text("page.regenerate"),
        key=f"icon-again-{number}",
    ):
        models = list(dict.fromkeys([choices.model or workspace.model, *workspace.models()]))
        model = st.selectbox(
            visit.text("page.model"),
            models,
            key=f"again-model-{number}",
            format_func=lambda name: visit.text("page.builtin") if name == EXTRACTIVE else name,
        )
        prompt = choices.prompt
        if model != EXTRACTIVE:
            offered = workspace.templates()
            names = list(dict.fromkeys([*(name for name in TASKS if name in offered), choices.prompt]))
            prompt = st.selectbox(
                visit.text("page.task"),
                names,
                index=names.index(choices.prompt),
                format_func=visit.task_name,
                key=f"again-task-{number}",
            )
        changed = replace(choices.with_prompt(str(prompt)), model=None if model == workspace.model else model)
        st.button(
            visit.text("page.answer_again"),
            type="primary",
            key=f"answer-again-{number}",
            on_click=workspace.ask,
            args=(visit.session, given.answer.question, changed, number),
            disabled=visit.session.running is not None,
        )


def _rating(visit: Visit, number: int, given: Exchange) -> None:
    """Thumbs; with a note they become a question of a set for `rag eval`."""

    def rate() -> None:
        thumb = st.session_state[key]
        given.rating = "" if thumb is None else ("down", "up")[thumb]
        visit.save()
        if given.rating == "up":
            keep("", answerable=given.answer.answered)

    def keep(right: str, *, answerable: bool) -> None:
        try:
            visit.workspace.keep_feedback(given.answer, right, answerable=answerable)
        except RagError as error:
            visit.error(error)
        else:
            st.toast(visit.text("page.feedback_kept"))

    key = f"rate-{number}-{given.at}"
    st.feedback("thumbs", key=key, default={"down": 0, "up": 1}.get(given.rating), on_change=rate)
    if given.rating != "down":
        return
    with (
        st.popover(visit.text("page.what_is_right"), key=f"note-{number}", type="tertiary"),
        st.form(f"note-form-{number}", border=False),
    ):
        note = st.text_input(visit.text("page.right_answer_is"), key=f"right-{number}")
        absent = st.checkbox(visit.text("page.not_in_documents"), key=f"absent-{number}")
        st.caption(visit.text("page.feedback_note", file=str(visit.workspace.feedback_file)))
        if st.form_submit_button(visit.text("page.keep")) and (note.strip() or absent):
            keep(note.strip(), answerable=not absent)
