"""The page of settings: how questions are answered, the prompt that results, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st
from pydantic import SecretStr

from rag.errors import RagError
from rag.messages import price_text
from rag.providers.specs import EXTRACTIVE
from rag.store import Filter
from rag.ui import markup
from rag.ui.views.visit import Visit

_MOST_PASSAGES = 40
_ROLES = {"system": "page.role_system", "human": "page.role_human", "ai": "page.role_ai"}


def show(visit: Visit) -> None:
    """Draw the page."""
    st.title(visit.text("page.settings_title"))
    names = ("page.answers", "page.preview", "page.cost", "page.in_force")
    answers, preview, cost, in_force = st.tabs([visit.text(name) for name in names])
    with answers:
        _answers(visit)
        _conditions(visit)
        visit.save()
    with preview:
        _preview(visit)
    with cost:
        _cost(visit)
    with in_force:
        _in_force(visit)


def _change(visit: Visit, **changes: Any) -> None:
    visit.session.choices = replace(visit.session.choices, **changes)


def _answers(visit: Visit) -> None:
    choices = visit.session.choices
    _model(visit)
    names = list(dict.fromkeys([choices.prompt, *visit.workspace.templates()]))
    prompt = st.selectbox(
        visit.text("page.template"),
        names,
        index=0,
        format_func=visit.task_name,
    )
    k = st.slider(visit.text("page.k"), 1, max(_MOST_PASSAGES, choices.k), choices.k)
    strict = st.toggle(visit.text("page.strict"), choices.strict)
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
        visit.text("page.model"),
        names,
        index=names.index(chosen or workspace.model),
        accept_new_options=not workspace.options.public,
        format_func=lambda name: visit.text("page.builtin") if name == EXTRACTIVE else name,
        help=visit.text("page.model_help"),
    )
    _change(visit, model=None if model in (None, workspace.model) else str(model))


def _own(
    visit: Visit, name: str, chosen: float | None, low: float, high: float, usual: float, step: float
) -> float | None:
    """A number that follows the template, or the calibration, until it is set."""
    if st.checkbox(visit.text(f"page.own_{name}"), chosen is None, key=f"own-{name}"):
        return None
    return float(
        st.number_input(visit.text(f"page.{name}"), low, high, usual if chosen is None else chosen, step=step)
    )


def _conditions(visit: Visit) -> None:
    """Conditions beyond the documents and folders, which are chosen above the input."""
    choices = visit.session.choices
    written = st.text_area(
        visit.text("page.conditions"),
        "\n".join(choices.conditions),
        help=visit.text("page.conditions_help"),
        height=90,
    )
    conditions = tuple(line.strip() for line in written.splitlines() if line.strip())
    try:
        Filter.parse(conditions)
    except RagError as error:
        visit.error(error)
        return
    _change(visit, conditions=conditions)


def _preview(visit: Visit) -> None:
    earlier = visit.session.exchanges
    with st.form("preview"):
        question = st.text_input(
            visit.text("page.preview_question"), earlier[-1].answer.question if earlier else ""
        )
        sent = st.form_submit_button(visit.text("page.preview_button"), icon=":material/visibility:")
    if not sent or not question.strip():
        return
    try:
        messages, counts, context = visit.workspace.render(question, visit.session.choices)
    except RagError as error:
        visit.error(error)
        return
    st.html(markup.note(visit.text("page.preview_tokens", tokens=sum(counts), context=context)))
    for one, count in zip(messages, counts, strict=True):
        st.caption(f"{visit.text(_ROLES.get(one.type, 'page.role_human'))} · {count:,}")
        st.code(one.text, language=None, wrap_lines=True)


# -- money --------------------------------------------------------------------------------------------------------


def _cost(visit: Visit) -> None:
    here, meter = visit.session.usage, visit.workspace.meter
    columns = st.columns(3)
    columns[0].metric(visit.text("page.this_session"), price_text(here.cost_usd, visit.language))
    columns[1].metric(visit.text("page.cost_server"), price_text(meter.usage.cost_usd, visit.language))
    columns[2].metric(visit.text("page.cost_cap"), f"${meter.cap:g}")
    st.caption(visit.text("page.cost_cap_note"))
    lines = visit.workspace.usage_by_model()
    if lines:
        rows = [_usage_row(visit, line) for line in lines]
        head = [visit.text(f"page.{k}") for k in ("model", "calls", "input_tokens", "output_tokens", "cost")]
        with st.expander(visit.text("page.usage_log"), icon=":material/receipt_long:"):
            st.html(markup.table(head, rows, numbers=(1, 2, 3, 4)))


def _usage_row(visit: Visit, line: Any) -> list[str]:
    cost = f"${line.cost_usd:.4f}"
    if line.unpriced_calls:
        cost += f" + {visit.text('page.unpriced', count=line.unpriced_calls)}"
    counts = [f"{n:,}" for n in (line.calls, line.input_tokens, line.output_tokens)]
    return [markup.text(line.key), *counts, markup.text(cost)]


def _in_force(visit: Visit) -> None:
    """What the page was started with, and where each value comes from. Keys show as set, never as themselves."""
    settings = visit.workspace.settings
    rows = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            shown = visit.text("page.hidden")
        else:
            value = settings.shown_index if name == "index" else value  # an address may hold a password
            shown = visit.text("page.unset") if value is None else str(value)
        rows.append([markup.text(name), markup.text(shown), markup.text(settings.origin(name))])
    st.html(
        markup.table([visit.text(name) for name in ("page.setting", "report.value", "page.origin")], rows)
    )
