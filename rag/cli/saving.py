"""Keeping an answer with its proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rag.cli.messages import say
from rag.cli.terms import language_for
from rag.errors import RagError

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.types import Answer


def save_answer(pipeline: Pipeline, answer: Answer, path: Path) -> str:
    """Write the answer as a receipt that `rag verify` proves again; returns a sentence that says so
    in the language of the answer.

    Raises RagError when the file cannot be written.
    """
    from rag.answering.saved import saved_answer_of, write_saved_answer

    fingerprints = {
        "model": answer.model,
        "prompt": str(answer.extra.get("prompt_fingerprint", "")),
        "embeddings": pipeline.embeddings.id,
    }
    given = {name: value for name, value in fingerprints.items() if value}
    try:
        write_saved_answer(saved_answer_of(answer, fingerprints=given), path)
    except OSError as error:
        raise RagError(f"The answer cannot be saved to {path}: {error.strerror}.") from None
    return say("saved", language_for(answer.question, pipeline.settings), path=path)
