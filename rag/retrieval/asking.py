"""Asks the chat model for help with a search, by a prompt template, and says what that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rag.errors import UsageError
from rag.prompting.catalogue import load_template
from rag.providers.calls import prompt_tokens
from rag.providers.capabilities import DEFAULT_REPLY_TOKENS
from rag.providers.specs import parse_spec
from rag.text.language import language_of
from rag.types import Usage
from rag.usage.meter import Tally, tallying

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from rag.prompting.schema import Purpose
    from rag.prompting.template import Template
    from rag.providers.chat import GuardedChat

S = TypeVar("S")
T = TypeVar("T")
_PARALLEL = 4
"""Calls under way at once, at most."""
_SLACK = 64
"""Tokens of the context left free, since counts are estimates for most models."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one step of a search with a model took."""

    step: Purpose
    model: str
    usage: Usage
    seconds: float


def measured(step: Purpose, model: str, work: Callable[[], T]) -> tuple[T, Effort]:
    """The outcome of `work` with the calls that it made in this thread and those that copy its context."""
    began = time.perf_counter()
    with tallying(Tally()) as tally:
        done = work()
    return done, Effort(step, model, tally.total, time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Asker:
    """A chat model with the templates it is asked by."""

    model: GuardedChat
    prompts_dir: str | None = None
    """The user's templates, which hide the shipped ones of the same name."""

    def at_once(self, work: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """`work` for each item, in order, as many at once as the model bears; calls are booked where this is."""
        from langchain_core.runnables.config import ContextThreadPoolExecutor

        # a model in this process shares its cores between calls, and each would only come nearer to its time limit
        parallel = 1 if parse_spec(self.model.spec).provider in ("gguf", "hf") else _PARALLEL
        with ContextThreadPoolExecutor(max_workers=parallel) as pool:
            return list(pool.map(work, items))

    def ask(self, purpose: Purpose, question: str, **filled: str) -> str:
        """The reply to the template named like its purpose. Raises ProviderError, BudgetReached, UsageError."""
        template = self._template(purpose)
        bound = self.model.bind(**template.sampling.arguments())
        return bound.invoke(self._messages(template, question, filled)).text

    def room(self, purpose: Purpose, question: str, **filled: str) -> int:
        """Tokens that may still be filled into the prompt of `ask`; it can be negative."""
        template = self._template(purpose)
        asked = prompt_tokens(self._messages(template, question, filled), self.count_tokens)
        reply = template.sampling.max_tokens or DEFAULT_REPLY_TOKENS
        return self.model.context_tokens - asked - reply - _SLACK

    def count_tokens(self, text: str) -> int:
        return self.model.get_num_tokens(text)

    def _template(self, purpose: Purpose) -> Template:
        template = load_template(purpose, self.prompts_dir)
        if template.file.purpose != purpose:
            raise UsageError(
                f"The template {template.path} has the purpose {template.file.purpose}, and its name stands for"
                f" {purpose}: change one of the two."
            )
        return template

    def _messages(self, template: Template, question: str, filled: dict[str, str]) -> list[BaseMessage]:
        asked_in = language_of(question)
        language = template.language_for(asked_in)
        chat = template.prompt(language, format_passages=lambda _: "", count_tokens=self.count_tokens)
        values = {**template.fixed_values(language, asked_in), "question": question, **filled}
        return chat.format_messages(**values)
