"""The public entrance: an index opened for questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rag.errors import RagError
from rag.pipeline.turn import Ask, History, Turn, as_ask
from rag.settings import Settings, load_settings

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

    from rag.pipeline.chain import AnswerChain
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import Filter, Index
    from rag.types import Answer, Passage
    from rag.usage.meter import Meter

Notify = Callable[[str], None]


class Pipeline:
    """Answers questions from one index. A context manager; safe to share between threads.

    `runnable` is the chain itself, for use in other LangChain programs.
    """

    def __init__(self, chain: AnswerChain, meter: Meter, command: str, notify: Notify) -> None:
        self.runnable = chain
        self.meter = meter
        self._command = command
        self._notify = notify

    @classmethod
    def open(
        cls,
        index: str | Path | None = None,
        settings: Settings | None = None,
        *,
        notify: Notify | None = None,
        command: str = "ask",
        **flags: Any,
    ) -> Self:
        """Open the index at `index` (by default the one that the settings name).

        `flags` are settings by name, such as `model="openai:gpt-4o-mini"`, over environment and `.env`; give
        them or ready `settings`. `notify` gets sentences about what was mended on the way. `command` is the
        name under which the receipt is kept.

        Raises IndexMissing, IndexMismatch, IndexDamaged, SettingsError, MissingExtra, AuthenticationFailed.
        """
        if settings is not None and flags:
            raise TypeError("Pipeline.open takes ready settings or settings by name, not both")
        chosen = settings or load_settings(flags)
        if index is not None:
            chosen = chosen.model_copy(update={"index": str(index)})
        return cls._open(chosen, notify or (lambda _: None), command)

    @classmethod
    def _open(cls, settings: Settings, notify: Notify, command: str) -> Self:
        from rag.pipeline.chain import AnswerChain
        from rag.pipeline.opening import open_steps
        from rag.providers.offline import apply_offline
        from rag.providers.registry import new_meter

        apply_offline(settings)
        meter = new_meter(settings)
        return cls(AnswerChain(open_steps(settings, meter, notify)), meter, command, notify)

    @property
    def settings(self) -> Settings:
        return self.runnable.steps.settings

    @property
    def index(self) -> Index:
        return self.runnable.steps.index

    @property
    def model(self) -> str:
        """The `provider:model` that answers, or `extractive`."""
        return self.runnable.steps.model

    @property
    def embeddings(self) -> EmbeddingProvider:
        return self.runnable.steps.embeddings

    def ask(
        self,
        question: str,
        *,
        history: History = (),
        where: Sequence[str] | Filter | None = None,
        prompt: str | None = None,
        k: int | None = None,
        strict: bool | None = None,
        variables: Mapping[str, str] | None = None,
        config: RunnableConfig | None = None,
    ) -> Answer:
        """The answer, proven sentence by sentence.

        `history` are earlier (question, answer) pairs, `where` conditions such as `folder=reports`, `variables`
        values for the template's own. `config` is LangChain's: callbacks, tags, metadata.

        Raises ProviderError, BudgetReached, NetworkRefused, UsageError.
        """
        return self.runnable.invoke(_ask(question, history, where, prompt, k, strict, variables), config)

    def stream(
        self,
        question: str,
        *,
        history: History = (),
        where: Sequence[str] | Filter | None = None,
        prompt: str | None = None,
        k: int | None = None,
        strict: bool | None = None,
        variables: Mapping[str, str] | None = None,
        config: RunnableConfig | None = None,
    ) -> Iterator[str | Answer]:
        """The model's words as they come, which nothing has proven yet, then the answer. As `ask` otherwise."""
        return self.runnable.stream(_ask(question, history, where, prompt, k, strict, variables), config)

    def search(
        self, query: str, *, where: Sequence[str] | Filter | None = None, k: int | None = None
    ) -> list[Passage]:
        """The passages for a query, best first. A model is asked only when the settings have it help the search."""
        steps = self.runnable.steps
        turn = steps.retrieve(Turn(_ask(query, (), where, None, k), standalone=query))
        for note in turn.notes:
            self._notify(note)
        return list(turn.passages)

    def render(
        self,
        question: str,
        *,
        prompt: str | None = None,
        where: Sequence[str] | Filter | None = None,
        k: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> list[BaseMessage]:
        """The exact messages that a chat model would get for this question."""
        from rag.pipeline.generation import turn_prompt

        steps = self.runnable.steps
        ask = _ask(question, (), where, prompt, k, None, variables)
        turn = steps.retrieve(Turn(ask, standalone=question))
        made = turn_prompt(turn, self.settings, steps.reader)
        return made.messages(made.pack(turn.passages, made.room(), self.index))

    def close(self) -> None:
        """Keep the receipt of what was spent, and let go of the index."""
        from rag.usage.ledger import FILE_NAME, Ledger

        try:
            Ledger(Path(self.settings.index) / FILE_NAME).record(self._command, self.meter.tally)
        except (RagError, OSError) as error:
            self._notify(f"The receipt could not be kept: {error}")
        finally:
            self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ask(
    question: str,
    history: History,
    where: Sequence[str] | Filter | None,
    prompt: str | None,
    k: int | None,
    strict: bool | None = None,
    variables: Mapping[str, str] | None = None,
) -> Ask:
    return as_ask(
        {
            "question": question,
            "history": history,
            "where": where,
            "prompt": prompt,
            "k": k,
            "strict": strict,
            "variables": variables or {},
        }
    )
