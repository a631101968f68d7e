"""Questions written by a chat model, kept only when code finds the answer and the quote on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.evaluation.asking import load_prompt
from rag.evaluation.drafting.draft import Writer
from rag.evaluation.drafting.rules import Draft
from rag.text.facts import facts
from rag.text.language import language_of
from rag.text.matching import find_quote

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_PAGE_CHARACTERS = 6000


def model_writer(model: BaseChatModel, prompt: str = "make") -> Writer:
    """A writer that asks `model`; a question whose answer does not stand in its quote on the page is dropped."""
    template = load_prompt(prompt, ("page", "language"))

    def write(text: str) -> Draft | None:
        language = "Korean" if language_of(text) == "ko" else "English"
        reply = template.ask(model, page=text[:_PAGE_CHARACTERS], language=language)
        if reply is None:
            return None
        question, answer, quote = (
            str(reply.get(name) or "").strip() for name in ("question", "answer", "quote")
        )
        if not question or not answer or find_quote(quote, text) is None or find_quote(answer, quote) is None:
            return None
        return Draft(question, answer, _kind(answer), quote)

    return write


def _kind(answer: str) -> str:
    kinds = {fact.kind for fact in facts(answer)}
    return "date" if "date" in kinds else "figure" if "number" in kinds else "fact"
