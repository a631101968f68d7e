"""The answer that a question ends with: what was checked, what it took, and the notes for who asked."""

from __future__ import annotations

import time
from typing import Any

from rag.answering.addressed import addresses_model
from rag.answering.verification import CheckedDraft
from rag.messages import message
from rag.pipeline.forms import retrieval_steps_form
from rag.pipeline.query import QueryState
from rag.pipeline.rewriting import is_small_talk
from rag.types import Answer


def final_answer(state: QueryState, shown: CheckedDraft | None, model: str) -> Answer:
    """The answer of `model` in which `shown` is shown; declined when that is None."""
    return Answer(
        question=state.query.question,
        answered=shown is not None,
        text=shown.text if shown is not None else "",
        sentences=shown.sentences if shown is not None else (),
        citations=shown.citations if shown is not None else (),
        passages=state.packed.passages if state.packed is not None else state.passages,
        model=model,
        prompt=state.template[0],
        usage=state.usage.total,
        seconds={**state.seconds, "total": time.perf_counter() - state.started},
        evidence_score=state.evidence,
        confidence=state.confidence if shown is not None else None,
        reason=state.declined,
        standalone_question=state.standalone if state.standalone != state.query.question else "",
        notes=tuple(dict.fromkeys((*_notes(state), *(shown.notes if shown is not None else ())))),
        extra=_extra(state, shown),
    )


def _extra(state: QueryState, shown: CheckedDraft | None) -> dict[str, Any]:
    kept = {sentence.text for sentence in shown.sentences} if shown is not None else set()
    checked = state.checked.sentences if state.checked is not None else ()
    extra = {
        "retrieval_steps": retrieval_steps_form(state.retrieval) if state.retrieval is not None else [],
        "small_talk": is_small_talk(state.query.question),
        "withheld": "\n".join(s.text for s in checked if s.text not in kept),  # for `rag eval`
        "prompt_fingerprint": state.template[1],
    }
    return {name: value for name, value in extra.items() if value}


def _notes(state: QueryState) -> list[str]:
    notes, language = list(state.notes), state.language
    cited = state.checked.citations if state.checked is not None else ()
    if any(addresses_model(citation.quote) for citation in cited if citation.verified):
        notes.append(message("answer.addressed_to_model", language))
    if state.packed is not None and state.packed.left_out:
        used = len(state.packed.passages)
        found = used + state.packed.left_out
        notes.append(message("answer.fewer_passages", language, used=used, found=found))
    if state.usage.estimated:
        notes.append(message("answer.estimated", language))
    counts = state.snapshot.counts()
    files = sum(count for status, count in counts.files.items() if not status.searchable)
    pages = counts.pages - counts.searchable_pages
    if files or pages:
        key = (
            "not_searchable"
            if files and pages
            else "files_not_searchable"
            if files
            else "pages_not_searchable"
        )
        every = {"all_files": sum(counts.files.values()), "all_pages": counts.pages}
        notes.append(message(f"answer.{key}", language, files=files, pages=pages, **every))
    return notes
