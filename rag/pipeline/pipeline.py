"""The public entrance: an index opened for questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rag.errors import RagError
from rag.pipeline.query import History, Query, QueryState, as_query
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

    def __init__(
        self, chain: AnswerChain, meter: Meter, command: str, notify: Notify, *, receipts: bool = False
    ) -> None:
        """`receipts`: keep one after each question; without it only `close` does, for who keeps them by itself."""
        self.runnable = chain
        self._receipts = receipts
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
        meter: Meter | None = None,
        follow: bool = True,
        **flags: Any,
    ) -> Self:
        """Open the index at `index` (by default the one that the settings name).

        `flags` are settings by name, such as `model="openai:gpt-4o-mini"`, over environment and `.env`; give
        them or ready `settings`. `notify` gets sentences about what was repaired on the way. `command` is the
        name under which receipts are kept. `meter` is a running bill with its cap, to be shared with other
        pipelines; by default this one has its own. `follow`: each question sees what was published before it;
        otherwise all are answered from the state at opening.

        Raises IndexMissing, IndexMismatch, IndexDamaged, SettingsError, MissingExtra, AuthenticationFailed.
        """
        if settings is not None and flags:
            raise TypeError("Pipeline.open takes ready settings or settings by name, not both")
        chosen = settings or load_settings(flags)
        if index is not None:
            chosen = chosen.model_copy(update={"index": str(index)})
        return cls._open(chosen, notify or (lambda _: None), command, meter, follow)

    @classmethod
    def _open(
        cls, settings: Settings, notify: Notify, command: str, meter: Meter | None, follow: bool
    ) -> Self:
        from rag.pipeline.chain import AnswerChain
        from rag.pipeline.opening import open_steps
        from rag.providers.offline import apply_offline
        from rag.providers.registry import new_meter

        apply_offline(settings)
        bill = meter or new_meter(settings)
        steps = open_steps(settings, bill, notify, follow=follow)
        return cls(AnswerChain(steps), bill, command, notify, receipts=True)

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
    def threshold(self) -> float:
        """The evidence score (0 to 1) below which a question is declined."""
        return self.runnable.steps.threshold

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
        with self._receipted():
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
        return self._stream(_ask(question, history, where, prompt, k, strict, variables), config)

    def _stream(self, ask: Query, config: RunnableConfig | None) -> Iterator[str | Answer]:
        with self._receipted():
            yield from self.runnable.stream(ask, config)

    def search(
        self, query: str, *, where: Sequence[str] | Filter | None = None, k: int | None = None
    ) -> list[Passage]:
        """The passages for a query, best first. A model is asked only when the settings have it help the search."""
        turn = self._found(_ask(query, (), where, None, k))
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
        from rag.pipeline.generation import prompt_for

        turn = self._found(_ask(question, (), where, prompt, k, None, variables))
        made = prompt_for(turn, self.settings, self.runnable.steps.reader)
        return made.messages(made.pack(turn.passages, made.room(), turn.snapshot))

    def close(self) -> None:
        """Keep the receipt of what was spent and not kept yet, and let go of the index."""
        try:
            self._keep_receipt()
        except (RagError, OSError) as error:
            self._notify(f"The receipt could not be kept: {error}")
        finally:
            self.index.close()

    def _found(self, ask: Query) -> QueryState:
        steps = self.runnable.steps
        with self._receipted():
            return steps.retrieve(QueryState(ask, steps.snapshot(), standalone=ask.question))

    @contextmanager
    def _receipted(self) -> Iterator[None]:
        """Keep the receipt of the block's question at once, so that a process that is killed later loses none."""
        try:
            yield
        finally:
            if self._receipts:
                with suppress(RagError, OSError):  # `close` tries again, and says why it cannot
                    self._keep_receipt()

    def _keep_receipt(self) -> None:
        from rag.usage.log import FILE_NAME, UsageLog

        with self.meter.keeping() as tally:
            UsageLog(self.settings.folder / FILE_NAME).record(self._command, tally)

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
) -> Query:
    return as_query(
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
