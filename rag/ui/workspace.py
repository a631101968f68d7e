"""Everything that all visitors share: the index, open pipelines, the queue of ingests, sessions, the bill."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rag.answering.originals import CurrentPages
from rag.errors import RagError, UsageError
from rag.prompting.catalogue import list_templates, load_template
from rag.providers.registry import default_specs, new_meter
from rag.providers.specs import EXTRACTIVE
from rag.settings import Settings, load_settings
from rag.store import Filter
from rag.ui import uploads
from rag.ui.asking import Asking, Query
from rag.ui.choices import Choices
from rag.ui.evidence import Pictures
from rag.ui.jobs import Job, Jobs
from rag.ui.options import UiOptions, folder_to_ingest
from rag.ui.pool import Library, PipelinePool, open_pipeline
from rag.ui.sessions import Session, SessionStore, read_session
from rag.ui.words import Language
from rag.usage.log import FILE_NAME, UsageLog
from rag.usage.meter import UsageTotal

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from rag.prompting.template import Template

_SESSIONS = "ui-sessions"
_WAIT_TO_REMOVE = 3.0
"""Seconds to wait for an ingest before removing documents is refused."""
_log = logging.getLogger(__name__)


class Workspace:
    """One for each served page."""

    def __init__(self, options: UiOptions) -> None:
        self.options = options
        self.settings: Settings = load_settings(options.flags)
        self.meter = new_meter(self.settings)
        self.library = Library(self.settings.index, _log.info)
        self.pool = PipelinePool(self._open, self.library.generation)
        self.jobs = Jobs(options.flags)
        self.pictures = Pictures()
        self.uploads = options.uploads_for(self.settings)
        self.sessions = SessionStore(self.settings.folder / _SESSIONS)
        self._ledger = UsageLog(self.settings.folder / FILE_NAME)

    # -- asking -----------------------------------------------------------------------------------------------

    def _open(self, changes: Mapping[str, object]) -> Any:
        settings = load_settings({**self.options.flags, **changes})
        return open_pipeline(settings, self.meter, _log.info)

    def ask(self, query: Query) -> Asking:
        """Start a query."""
        return Asking(query, self.pool.lend, self._keep_receipt)

    def _keep_receipt(self, tally: UsageTotal) -> None:
        with suppress(RagError, OSError):  # a read-only index: the answer is worth more than its receipt
            self._ledger.record("ui", tally)

    def receipts(self) -> list[Any]:
        """What was spent on this index so far, by model."""
        with suppress(RagError, OSError):
            return self._ledger.summary("model")
        return []

    @property
    def model(self) -> str:
        """The model in force."""
        return default_specs(self.settings)[0]

    def models(self) -> list[str]:
        """Models that can be chosen without typing: the one in force, and the built-in answerer."""
        return list(dict.fromkeys([self.model, EXTRACTIVE]))

    # -- templates --------------------------------------------------------------------------------------------

    def templates(self) -> list[str]:
        """Names of the templates that answer questions, the one in force first."""
        names = [
            entry.name for entry in list_templates(self.settings.prompts_dir) if self._answers(entry.name)
        ]
        return list(dict.fromkeys([self.settings.prompt, *names]))

    def _answers(self, name: str) -> bool:
        template = self._template(name)
        return template is not None and template.file.purpose == "answer"

    def _template(self, name: str) -> Template | None:
        try:
            return load_template(name, self.settings.prompts_dir)
        except RagError:
            return None  # a mistake in one file of the user's must not take the page down

    def descriptions(self) -> dict[str, str]:
        """What each template is for, by name."""
        found = {name: self._template(name) for name in self.templates()}
        return {name: template.description for name, template in found.items() if template is not None}

    def variables(self, name: str, language: Language) -> dict[str, str]:
        """The variables of a template with their usual values in that language."""
        template = self._template(name)
        given = {} if template is None else template.file.variables
        return {
            variable: value
            if isinstance(value, str)
            else value.get(language) or next(iter(value.values()), "")
            for variable, value in given.items()
        }

    @staticmethod
    def check_conditions(conditions: Sequence[str]) -> None:
        """Raise UsageError for a condition that cannot be read."""
        Filter.parse(conditions)

    def render(self, question: str, choices: Choices) -> tuple[list[BaseMessage], list[int], int]:
        """The messages that a model would get for a question, the tokens of each, and of its context."""
        with self.pool.lend(choices.flags()) as pipeline:
            messages = pipeline.render(
                question,
                prompt=choices.prompt,
                where=choices.where(),
                k=choices.k,
                variables=dict(choices.variables),
            )
            reader = pipeline.runnable.steps.reader
            return messages, [reader.count_tokens(m.text) for m in messages], reader.context_tokens

    # -- sessions ---------------------------------------------------------------------------------------------

    def session(self, identity: str | None, visitor: str = "") -> Session:
        """The session of that id, or a new one; a copy of one that another visitor began."""
        index = self.library.index()
        pages = None if index is None else CurrentPages(index)
        session = self.sessions.get(identity, Choices.of(self.settings), pages, visitor)
        session.choices = self.allowed(session.choices)
        return session

    def reopen(self, content: bytes) -> Session:
        """The session of an exported file, proven again. Raises UsageError."""
        index = self.library.index()
        if index is None:
            raise UsageError("There is no index to prove this session against: add its documents first.")
        session = read_session(content, CurrentPages(index))
        session.choices = self.allowed(session.choices)
        self.sessions.adopt(session)
        return session

    def allowed(self, choices: Choices) -> Choices:
        """The choices without what a visitor from another machine may not name: files of this machine."""
        if not self.options.public:
            return choices
        templates, models = self.templates(), self.models()
        return replace(
            choices,
            prompt=choices.prompt if choices.prompt in templates else self.settings.prompt,
            model=choices.model if choices.model in models else None,
        )

    # -- documents --------------------------------------------------------------------------------------------

    def upload(self, files: Sequence[tuple[str, bytes]]) -> tuple[Job | None, list[str]]:
        """Keep uploaded files and ingest them. Returns the job, and a sentence for each file not taken."""
        kept, problems = [], []
        for name, content in files:
            try:
                largest = self.options.upload_mib * uploads.MIB
                kept.append(uploads.store(self.uploads, name, content, largest=largest))
            except UsageError as error:
                problems.append(str(error))
            except OSError as error:
                problems.append(f"{self.uploads} cannot be written: {error.strerror}.")
        if not kept:
            return None, problems
        label = ", ".join(one.path.name for one in kept)
        return self.jobs.submit(label, [str(self.uploads)]), problems

    def ingest(self, name: str, *, retry: bool = False) -> Job:
        """Ingest a folder of this machine. Raises UsageError when it may not be named."""
        path = folder_to_ingest(name, self.options)
        return self.jobs.submit(str(path), [str(path)], retry=retry)

    def remove(self, files: Sequence[str]) -> None:
        """Take documents out of the index, and uploaded ones off the disk. Raises IndexLocked."""
        index = self.library.index()
        if index is None or not files:
            return
        paths = [source.path for file in files if (source := index.source(file)) is not None]
        with index.writer(wait=_WAIT_TO_REMOVE) as writer:
            writer.prune(files)
            # within the writer's turn: an ingest that starts later must not find them again
            for path in paths:
                uploads.discard(self.uploads, path)
