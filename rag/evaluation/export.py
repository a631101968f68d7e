"""Runs in the forms of other tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rag.evaluation.runs import Record


def ragas_rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """The rows of a RAGAS evaluation dataset (version 0.2 and later): one for each question that was answered.

    `EvaluationDataset.from_jsonl(path)` reads them.
    """
    for record in records:
        if record.answer is None:
            continue
        evidence = [e.text for e in record.question.evidence if e.text]
        row = {
            "user_input": record.question.question,
            "retrieved_contexts": [passage.text for passage in record.answer.passages],
            "response": record.answer.text,
        }
        if record.question.answers:
            row["reference"] = record.question.answers[0]
        if evidence:
            row["reference_contexts"] = evidence
        yield row


def write_ragas(records: Iterable[Record], path: str | Path) -> int:
    """Write the rows as JSON Lines; returns how many."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in ragas_rows(records)]
    Path(path).write_text("".join(lines), encoding="utf-8")
    return len(lines)
