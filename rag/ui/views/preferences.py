"""The page of settings: how questions are answered, the prompt that results, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st
from pydantic import SecretStr

from rag.errors import RagError
from rag.types import Usage
from rag.ui import markup
from rag.ui.markup import label
from rag.ui.views.frame import Visit

_MOST_PASSAGES = 40
_ROLES = {"system": "role_system", "human": "role_human", "ai": "role_ai"}


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.say("settings_title"))
    _answers(visit)
    _filters(visit)
    visit.keep()
    _preview(visit)
    _cost(visit)
    _in_force(visit)


def _change(visit: Visit, **changes: Any) -> None:
    visit.session.choices = replace(visit.session.choices, **changes)


def _answers(visit: Visit) -> None:
    choices = visit.session.choices
    st.subheader(visit.say("answers"))
    _model(visit)
    names = list(dict.fromkeys([choices.prompt, *visit.workspace.templates()]))
    described = visit.workspace.descriptions()
    prompt = st.selectbox(
        visit.say("template"),
        names,
        index=0,
        format_func=lambda name: f"{name} – {described[name]}" if name in described else name,
    )
    k = st.slider(visit.say("passages_number"), 1, max(_MOST_PASSAGES, choices.k), choices.k)
    strict = st.toggle(visit.say("strict"), choices.strict)
    left, middle, right = st.columns(3)
    with left:
        temperature = _own(visit, "temperature", choices.temperature, 0.0, 2.0, 0.2, 0.1)
    with middle:
        longest = _own(visit, "max_tokens", choices.max_tokens, 50.0, 4000.0, 600.0, 50.0)
    with right:
        abstain = _own(visit, "abstain", choices.abstain, 0.0, 1.0, 0.5, 0.05)
    max_tokens = None if longest is None else int(longest)
    visit.session.choices = visit.session.choices.with_prompt(str(prompt))
    _change(visit, k=k, strict=strict, temperature=temperature, max_tokens=max_tokens, abstain=abstain)


def _model(visit: Visit) -> None:
    """Known models to choose from; on this machine any can be named."""
    workspace, chosen = visit.workspace, visit.session.choices.model
    names = list(dict.fromkeys([*([chosen] if chosen else []), *workspace.models()]))
    model = st.selectbox(
        visit.say("model"),
        names,
        index=names.index(chosen or workspace.model),
        accept_new_options=not workspace.options.public,
        help=visit.say("model_help"),
    )
    _change(visit, model=None if model in (None, workspace.model) else str(model))


def _own(
    visit: Visit, name: str, chosen: float | None, low: float, high: float, usual: float, step: float
) -> float | None:
    """A number that follows the template, or the calibration, until it is set."""
    if st.checkbox(visit.say(f"own_{name}"), chosen is None, key=f"own-{name}"):
        return None
    return float(st.number_input(visit.say(name), low, high, usual if chosen is None else chosen, step=step))


def _filters(visit: Visit) -> None:
    choices = visit.session.choices
    st.subheader(visit.say("filters"))
    index = visit.workspace.library.index()
    known = [] if index is None else [s.file for s in index.documents() if s.status.searchable]
    files = st.multiselect(
        visit.say("only_files"),
        known,
        default=[file for file in choices.files if file in known],
        format_func=label,
        placeholder=visit.say("choose"),
    )
    written = st.text_area(
        visit.say("conditions"), "\n".join(choices.conditions), help=visit.say("conditions_help"), height=90
    )
    conditions = tuple(line.strip() for line in written.splitlines() if line.strip())
    try:
        visit.workspace.check_conditions(conditions)
    except RagError as error:
        st.error(label(str(error)))
        return
    _change(visit, files=tuple(files), conditions=conditions)


def _preview(visit: Visit) -> None:
    st.subheader(visit.say("preview"))
    turns = visit.session.turns
    with st.form("preview"):
        question = st.text_input(visit.say("preview_question"), turns[-1].answer.question if turns else "")
        sent = st.form_submit_button(visit.say("preview_button"), icon=":material/visibility:")
    if not sent or not question.strip():
        return
    try:
        messages, counts, context = visit.workspace.render(question, visit.session.choices)
    except RagError as error:
        st.error(label(str(error)))
        return
    st.html(markup.note(visit.say("preview_tokens", tokens=f"{sum(counts):,}", context=f"{context:,}")))
    for message, count in zip(messages, counts, strict=True):
        st.caption(f"{visit.say(_ROLES.get(message.type, 'role_human'))} · {count:,}")
        st.code(message.text, language=None, wrap_lines=True)


# -- money --------------------------------------------------------------------------------------------------------


def _cost(visit: Visit) -> None:
    st.subheader(visit.say("cost"))
    here, meter = visit.session.usage, visit.workspace.meter
    columns = st.columns(3)
    columns[0].metric(visit.say("cost_session"), _price(visit, here))
    columns[1].metric(visit.say("cost_server"), _price(visit, meter.usage))
    columns[2].metric(visit.say("cost_cap"), f"${meter.cap:g}")
    st.caption(visit.say("cost_cap_note"))
    lines = visit.workspace.receipts()
    if lines:
        rows = [_receipt(visit, line) for line in lines]
        head = [visit.say(k) for k in ("model", "calls", "input_tokens", "output_tokens", "cost")]
        with st.expander(visit.say("receipts"), icon=":material/receipt_long:"):
            st.html(markup.table(head, rows, numbers=(1, 2, 3, 4)))


def _price(visit: Visit, usage: Usage) -> str:
    # a dollar sign in a label would begin a formula
    return markup.price(usage.cost_usd, visit.language)


def _receipt(visit: Visit, line: Any) -> list[str]:
    cost = f"${line.cost_usd:.4f}"
    if line.unpriced_calls:
        cost += f" + {visit.say('unpriced', count=line.unpriced_calls)}"
    counts = [f"{n:,}" for n in (line.calls, line.input_tokens, line.output_tokens)]
    return [markup.text(line.key), *counts, markup.text(cost)]


def _in_force(visit: Visit) -> None:
    """What the page was started with, and where each value comes from. Keys show as set, never as themselves."""
    settings = visit.workspace.settings
    rows = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            shown = visit.say("hidden")
        else:
            shown = visit.say("unset") if value is None else str(value)
        rows.append([markup.text(name), markup.text(shown), markup.text(settings.origin(name))])
    with st.expander(visit.say("in_force"), icon=":material/fact_check:"):
        st.html(markup.table([visit.say("setting"), visit.say("value"), visit.say("origin")], rows))
