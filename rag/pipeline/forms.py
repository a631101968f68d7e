"""The JSON forms of the contract: what `--json` prints and the servers answer. Names and types are promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.types import Answer, CellReference, Citation, Derived, Passage, QuoteStatus, Sentence, Span, Usage

if TYPE_CHECKING:
    from rag.answering.checking import Checked
    from rag.retrieval.hybrid import Retrieval
    from rag.store import DocumentStatus, Index, Snapshot

Form = dict[str, Any]


def passage_form(rank: int, passage: Passage) -> Form:
    """`rank` counts from 1; `page` is the physical page from 1."""
    return {
        "rank": rank,
        "file": passage.file,
        "page": passage.page,
        "page_end": passage.page_end,
        "page_label": passage.page_label or None,
        "heading": passage.heading or None,
        "score": round(passage.score, 6),
        "text": passage.text,
        "why": {
            "dense_rank": passage.dense_rank,
            "keyword_rank": passage.keyword_rank,
            "similarity": None if passage.similarity is None else round(passage.similarity, 4),
            "routed": passage.routed,
            "rerank_score": None if passage.rerank_score is None else round(passage.rerank_score, 6),
        },
    }


def search_form(question: str, passages: Sequence[Passage], identity: str | None = None) -> Form:
    forms = [passage_form(rank, passage) for rank, passage in enumerate(passages, start=1)]
    return {"id": identity, "question": question, "passages": forms}


def citation_form(citation: Citation) -> Form:
    return {
        "n": citation.n,
        "file": citation.file,
        "page": citation.page,
        "page_label": citation.page_label or None,
        "quote": citation.quote,
        "verified": citation.verified,
        "status": citation.status.value,
        "note": citation.note or None,
        "claimed_page": citation.claimed_page,
        "claimed_file": citation.claimed_file or None,
        "difference": [list(step) for step in citation.difference],
        "spans": [{"page": s.page, "start": s.start, "end": s.end} for s in citation.spans],
        "ocr": citation.ocr,
        "page_hash": citation.page_hash or None,
    } | ({} if citation.cell is None else {"cell": cell_form(citation.cell)})


def cell_form(cell: CellReference) -> Form:
    """The cell of a table that a citation stands on."""
    return {
        "value": cell.value,
        "row": list(cell.row),
        "column": list(cell.column),
        "unit": cell.unit or None,
    } | ({"name": cell.name} if cell.name else {})


def citations_of(answer: Mapping[str, Any]) -> list[Citation]:
    """The citations of an answer in its JSON form. Raises UsageError when they have another one."""
    try:
        return [_read_citation(form) for form in answer["citations"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError("The saved answer cannot be read: ask again.") from None


def _read_citation(form: Mapping[str, Any]) -> Citation:
    return Citation(
        n=int(form["n"]),
        file=str(form["file"]),
        page=int(form["page"]),
        quote=str(form["quote"]),
        status=QuoteStatus(form["status"]),
        spans=tuple(Span(int(s["page"]), int(s["start"]), int(s["end"])) for s in form["spans"]),
        page_label=str(form["page_label"] or ""),
        note=str(form["note"] or ""),
        difference=tuple((str(op), str(claimed), str(there)) for op, claimed, there in form["difference"]),
        ocr=bool(form["ocr"]),
        page_hash=str(form["page_hash"] or ""),
        cell=_read_cell(form.get("cell")),
    )


def _read_cell(form: Mapping[str, Any] | None) -> CellReference | None:
    if form is None:
        return None
    row, column = (tuple(map(str, form[side])) for side in ("row", "column"))
    return CellReference(
        str(form["value"]), row, column, str(form.get("unit") or ""), str(form.get("name") or "")
    )


def sentence_form(sentence: Sentence) -> Form:
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "support": sentence.support.value,
        "basis": sentence.basis,
        "reason": sentence.reason or None,
        "unsupported_facts": list(sentence.unsupported_facts),
        "derived": [derived_form(one) for one in sentence.derived],
    }


def derived_form(derived: Derived) -> Form:
    """A computed figure: `from` are the figures of the quotes, `formula` is how it comes of them."""
    return {
        "figure": derived.figure,
        "from": list(derived.operands),
        "operation": derived.operation,
        "formula": derived.formula,
    }


def usage_form(usage: Usage) -> Form:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "calls": usage.calls,
        "cached_calls": usage.cached_calls,
    }


def answer_form(answer: Answer, identity: str | None = None) -> Form:
    form: Form = {} if identity is None else {"id": identity}
    return form | {
        "question": answer.question,
        "status": answer.status,
        "verified": answer.verified if answer.answered else None,
        "answer": answer.text,
        "reason": answer.reason or None,
        "sentences": [sentence_form(s) for s in answer.sentences],
        "citations": [citation_form(c) for c in answer.citations],
        "passages": [passage_form(rank, p) for rank, p in enumerate(answer.passages, start=1)],
        "nearest": [
            {"file": near.passage.file, "page": near.passage.page, "sentence": near.text}
            for near in answer.nearest
        ],
        "model": answer.model,
        "prompt": answer.prompt,
        "usage": usage_form(answer.usage),
        "seconds": {stage: round(value, 4) for stage, value in answer.seconds.items()},
        "evidence_score": round(answer.evidence_score, 6),
        "confidence": None if answer.confidence is None else round(answer.confidence, 6),
        "standalone_question": answer.standalone_question or None,
        "retrieval_steps": list(answer.extra.get("retrieval_steps", ())),
        "notes": list(answer.notes),
    }


def retrieval_steps_form(retrieval: Retrieval) -> list[Form]:
    """What each step of a search with a model took."""
    return [
        {
            "step": step.step,
            "model": step.model,
            "calls": step.usage.calls,
            "cached_calls": step.usage.cached_calls,
            "input_tokens": step.usage.input_tokens,
            "output_tokens": step.usage.output_tokens,
            "cost_usd": step.usage.cost_usd,
            "seconds": round(step.seconds, 4),
        }
        for step in retrieval.model_steps
    ]


def checked_form(checked: Checked) -> Form:
    """A checked claim: the sentence's verdict, why, the citations with their pages, and what became of its quotes."""
    form = sentence_form(checked.sentence)
    return {
        "id": checked.claim.id,
        "sentence": checked.claim.sentence,
        "support": form["support"],
        "basis": form["basis"],
        "reason": form["reason"],
        "unsupported_facts": form["unsupported_facts"],
        "derived": form["derived"],
        "citations": [citation_form(citation) for citation in checked.citations],
    } | ({"quotes": [citation_form(quote) for quote in checked.quotes]} if checked.quotes else {})


def status_form(index: Index | Snapshot) -> Form:
    """Every file of an index with what became of it, and the totals."""
    problems: dict[str, list[Form]] = {}
    for found in index.page_problems():
        problem = {"page": found.page, "status": found.status.value, "reason": found.reason}
        problems.setdefault(found.file, []).append(problem)
    characters = index.characters()
    files = [
        _file_form(entry, characters.get(entry.record.file, 0), problems.get(entry.record.file, []))
        for entry in index.document_statuses()
    ]
    counted = Counter(file["status"] for file in files)
    sums = {
        key: sum(file[key] for file in files) for key in ("pages", "searchable_pages", "chunks", "characters")
    }
    return {
        "files": files,
        "totals": {"files": len(files), "by_status": dict(sorted(counted.items())), **sums},
    }


def _file_form(entry: DocumentStatus, characters: int, problems: list[Form]) -> Form:
    return {
        "file": entry.record.file,
        "status": entry.record.status.value,
        "reason": entry.record.reason,
        "pages": entry.pages,
        "searchable_pages": entry.searchable_pages,
        "chunks": entry.chunks,
        "characters": characters,
        "page_problems": problems,
    }
