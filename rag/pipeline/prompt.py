"""A prompt template made ready for a question: its messages, and how many passages they have room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rag.answering.context import Packed, pack
from rag.errors import UsageError
from rag.messages import Language
from rag.pipeline.query import QueryState
from rag.prompting.catalogue import load_template
from rag.prompting.template import Template
from rag.prompting.template_file import ExamplePassage
from rag.providers.specs import DEFAULT_REPLY_TOKENS
from rag.text.language import language_of
from rag.types import Passage

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.prompts import ChatPromptTemplate

    from rag.answering.citations import PageSource
    from rag.settings import Settings

_SLACK = 64
"""Tokens of the context left free, since counts are estimates for most models."""
LEAST_ROOM = 64
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """How the model reads: its tokens and its context window."""

    count_tokens: Callable[[str], int]
    context_tokens: int
    embed: Callable[[Sequence[str]], Any] | None = None
    """Vectors of texts at no cost, for choosing worked examples by meaning; None leaves words for it."""


class Prompt:
    """A template made ready for a question."""

    def __init__(
        self,
        template: Template,
        question: str,
        settings: Settings,
        reader: ModelLimits,
        variables: Mapping[str, str],
    ) -> None:
        self.template = template
        self.question = question
        self._settings = settings
        self._reader = reader
        self._variables = variables
        # what was set says in which language to answer; else the answer follows the question
        self._question_language = language_of(question) if settings.language == "auto" else settings.language

    @cached_property
    def language(self) -> Language:
        return self.template.language_for(self._question_language)

    @cached_property
    def chat(self) -> ChatPromptTemplate:
        """The LangChain prompt; `values` gives its input."""
        return self.template.prompt(
            self.language,
            format_passages=self._example_block,
            count_tokens=self._reader.count_tokens,
            embed=self._reader.embed,
        )

    def values(self, **filled: str) -> dict[str, Any]:
        """The input of `chat`: what is filled in now, and what the template fixes."""
        fixed = self.template.fixed_values(self.language, self._question_language, self._variables)
        return {**fixed, "question": self.question, **filled}

    def messages(self, packed: Packed) -> list[BaseMessage]:
        return self.chat.format_messages(**self.values(passages=packed.block))

    def room(self) -> int:
        """Tokens that the passages may have: the context without the rest of the prompt and the reply."""
        from rag.providers.calls import prompt_tokens  # LangChain takes long to import

        if self._settings.context_tokens is not None:
            return self._settings.context_tokens
        rest = prompt_tokens(self.chat.format_messages(**self.values(passages="")), self._reader.count_tokens)
        reply = self._settings.max_tokens or self.template.sampling.max_tokens or DEFAULT_REPLY_TOKENS
        return max(self._reader.context_tokens - rest - reply - _SLACK, LEAST_ROOM)

    def pack(self, passages: Sequence[Passage], room: int, pages: PageSource) -> Packed:
        """As many passages as fit into `room` tokens."""
        return pack(passages, room, self._reader.count_tokens, pages, numbered=self.template.numbered)

    def _example_block(self, passages: Sequence[ExamplePassage]) -> str:
        """Passages of a worked example, laid out exactly as those of a question."""
        given = [Passage(i, p.file, p.page, p.page, p.text, ()) for i, p in enumerate(passages)]
        return pack(given, _NO_LIMIT, self._reader.count_tokens, numbered=self.template.numbered).block


def prompt_for(state: QueryState, settings: Settings, reader: ModelLimits) -> Prompt:
    """The prompt for a turn. Raises UsageError or TemplateError for its template."""
    template = load_template(state.query.prompt or settings.prompt, settings.prompts_dir)
    if template.file.purpose != "answer":
        raise UsageError(
            f"The template {template.name} is not for answers: `rag prompts list` shows those that are."
        )
    return Prompt(template, state.standalone or state.query.question, settings, reader, state.query.variables)
