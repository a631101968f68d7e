"""The public API: a question in, an answer out whose quotes and sentences are checked.

    with Pipeline.open(".rag") as pipeline:
        answer = pipeline.ask("How long is the warranty?")

Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.pipeline.chain import AnswerChain
    from rag.pipeline.pipeline import Pipeline

__all__ = ["AnswerChain", "Pipeline"]


def __getattr__(name: str) -> Any:
    if name == "Pipeline":
        from rag.pipeline.pipeline import Pipeline

        return Pipeline
    if name == "AnswerChain":
        from rag.pipeline.chain import AnswerChain

        return AnswerChain
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
