"""What all visitors share: the options of the page, the index, the queue of ingests, sessions and the cost."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from glob import escape
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rag.answering.originals import CurrentPages
from rag.errors import IndexMissing, RagError, UsageError
from rag.evaluation.question_sets import Evidence, Question, load_questions
from rag.messages import Language
from rag.pipeline import Pipeline
from rag.pipeline.export import Exporter
from rag.pipeline.opening import open_steps
from rag.prompting.catalogue import list_templates, load_template
from rag.providers.registry import default_specs, new_meter
from rag.providers.specs import EXTRACTIVE
from rag.rendering.footnotes import as_docx
from rag.settings import Settings, load_settings
from rag.store import Index, Snapshot, open_index
from rag.text.paths import path_of, write_whole
from rag.ui.documents import KINDS, MIB, IngestJob, IngestQueue, discard_upload, store_upload
from rag.ui.pages import Pictures, picture_png
from rag.ui.questions import Choices, History, PipelinePool, RunningQuestion
from rag.ui.session_store import SessionStore
from rag.ui.sessions import Exchange, Session, read_session
from rag.ui.suggestions import SAMPLE, Suggestions
from rag.usage.log import FILE_NAME, UsageLog
from rag.usage.meter import UsageTotal

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from rag.prompting.template import Template
    from rag.types import Answer

VARIABLE = "PAGEQUOTE_UI"
"""Hands the options on to the script, which Streamlit runs again for every visitor and click."""
LARGEST_UPLOAD_MIB = 100
_SESSIONS = "ui-sessions"
_WAIT_TO_REMOVE = 3.0
"""Seconds to wait for an ingest before removing documents is refused."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UiOptions:
    """What `rag ui` was started with, beyond the settings."""

    host: str = "127.0.0.1"
    port: int = 8501
    uploads: str = ""
    """Folder that keeps uploaded documents; empty: beside the index."""
    folders: tuple[str, ...] = ()
    """Folders that visitors from other machines may name; on loopback any may be named."""
    runs: str = "runs"
    """Folder with evaluation runs."""
    upload_mib: int = LARGEST_UPLOAD_MIB
    """Largest uploaded file."""
    browser: bool = False
    """Whether to open the page in a browser once it is served."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Settings given on the command line."""

    @property
    def public(self) -> bool:
        """Whether other machines can reach the page."""
        return not is_loopback(self.host)

    def uploads_for(self, settings: Settings) -> Path:
        """The folder of the uploads of the index in force."""
        return (
            Path(self.uploads)
            if self.uploads
            else settings.folder.with_name(f"{settings.folder.name}-uploads")
        )

    def to_json(self) -> str:
        """For handing over to the process that serves the page."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        return cls(**(given | {"folders": tuple(given["folders"])}))


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def folder_to_ingest(name: str, options: UiOptions) -> Path:
    """The folder or file that a visitor names. Raises UsageError when it is not there or not allowed."""
    if not name.strip() or "\0" in name:
        raise UsageError("Name a folder on the machine that serves this page.")
    path = Path(name.strip()).expanduser().resolve()
    allowed = [Path(folder).expanduser().resolve() for folder in options.folders]
    # the same words for both cases: they must not tell which folders exist
    refused = UsageError(
        f"{name.strip()} cannot be read from here: name a folder that was allowed with --folder."
    )
    if options.public and not any(path == folder or folder in path.parents for folder in allowed):
        raise refused
    if not path.exists():
        raise refused if options.public else UsageError(f"{path} does not exist: give a folder or a file.")
    return path


class SharedIndex:
    """The index as the pages show it, at the newest published state."""

    def __init__(self, location: str, notify: Callable[[str], None]) -> None:
        self._location = location
        self._notify = notify
        self._index: Index | None = None
        self._opening = threading.Lock()

    def opened(self) -> Index | None:
        """The open index; None when there is none yet. Raises IndexDamaged, IndexMismatch."""
        with self._opening:
            if self._index is None:
                with suppress(IndexMissing):
                    self._index = open_index(self._location, notify=self._notify)
            return self._index

    def index(self) -> Snapshot | None:
        """The newest published state of the index; None when there is none yet.

        Raises IndexDamaged, IndexMismatch.
        """
        index = self.opened()
        return None if index is None else index.snapshot()

    def embedding(self) -> str | None:
        """Identity of the embeddings that the index is made with; None without an index."""
        index = self.index()
        return None if index is None else index.spec.embedding_id


@cache
def workspace_for(options: str) -> Workspace:
    """The one workspace of a served page, by its options as JSON: for the script and for the pictures."""
    return Workspace(UiOptions.from_json(options))


def sample_folder() -> Path:
    """The sample documents: beside the page in an installed package, in `data` of a working copy."""
    packaged = Path(__file__).parent / "sample"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "data" / "sample"


class Workspace:
    """One for each served page."""

    def __init__(self, options: UiOptions) -> None:
        self.options = options
        self.settings: Settings = load_settings(options.flags)
        self.meter = new_meter(self.settings)
        self.shared_index = SharedIndex(self.settings.index, _log.info)
        self.pool = PipelinePool(self._open, self.shared_index.embedding)
        self.jobs = IngestQueue(options.flags)
        self.pictures = Pictures()
        self.passwords: dict[str, str] = {}
        """Of documents, by their names; gone when the page ends."""
        self.suggestions = Suggestions(self.shared_index.index, self.pool.lend, self.model)
        self._rating = threading.Lock()
        self.uploads = options.uploads_for(self.settings)
        self.sessions = SessionStore(self.settings.folder / _SESSIONS)
        self._usage_log = UsageLog(self.settings.folder / FILE_NAME)
        self._resume_uploads()

    # -- asking -----------------------------------------------------------------------------------------------

    def _open(self, changes: Mapping[str, object]) -> Pipeline:
        """A pipeline that books on the page's one meter, so that its cap holds for all visitors together."""
        settings = load_settings({**self.options.flags, **changes})
        steps = open_steps(settings, self.meter, _log.info)
        return Pipeline(steps, self.meter, "ui", _log.info)

    def ask(
        self, session: Session, question: str, choices: Choices | None = None, instead: int | None = None
    ) -> None:
        """Start answering a question of a session, unless one is on its way; parameters as in `Session.begin`.

        The session is saved with the question, and with the answer once it is there, whether or not anybody looks.
        """

        def settle() -> None:
            if session.settle():
                self.sessions.save(session)

        if session.begin(question, self.start, choices=choices, instead=instead, then=settle):
            self.sessions.save(session)

    def start(
        self, question: str, choices: Choices, history: History, then: Callable[[], None]
    ) -> RunningQuestion:
        """Start answering a question."""

        def log_usage(total: UsageTotal) -> None:
            with suppress(RagError, OSError):  # a read-only index: the answer is worth more than the log
                self._usage_log.record("ui", total)

        return RunningQuestion(question, choices, history, self.pool.lend, log_usage, then)

    def usage_by_model(self) -> list[Any]:
        """What was spent on this index so far."""
        with suppress(RagError, OSError):
            return self._usage_log.summary("model")
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
        names = [entry.name for entry in list_templates(self.settings.prompts_dir)]
        found = {name: self._template(name) for name in names}
        answering = [name for name, one in found.items() if one and one.file.purpose == "answer"]
        return list(dict.fromkeys([self.settings.prompt, *answering]))

    def _template(self, name: str) -> Template | None:
        try:
            return load_template(name, self.settings.prompts_dir)
        except RagError:
            return None  # a mistake in one file of the user's must not take the page down

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
            reader = pipeline.steps.reader
            return messages, [reader.count_tokens(m.text) for m in messages], reader.context_tokens

    # -- sessions ---------------------------------------------------------------------------------------------

    def session(self, identity: str | None, visitor: str = "") -> Session:
        """The session of that id, or a new one; a copy of one that another visitor began."""
        index = self.shared_index.index()
        pages = None if index is None else CurrentPages(index)
        session = self.sessions.get(identity, Choices.of(self.settings), pages, visitor)
        session.choices = self.allowed(session.choices)
        return session

    def reopen(self, content: bytes, visitor: str = "") -> Session:
        """The session of an exported file, verified again, now of this visitor. Raises UsageError."""
        index = self.shared_index.index()
        if index is None:
            raise UsageError("There is no index to verify this session against: add its documents first.")
        session = read_session(content, CurrentPages(index))
        session.choices = self.allowed(session.choices)
        self.sessions.adopt(session, visitor)
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

    def export_docx(self, exchanges: Sequence[Exchange], language: Language) -> bytes:
        """Answers as a DOCX with a footnote for each citation, every one looked up again; empty without an index."""
        index = self.shared_index.opened()
        if index is None:
            return b""
        exporter = Exporter(index, lambda _: (), language)
        return as_docx([exporter.answer(one.saved().answer) for one in exchanges])

    # -- documents --------------------------------------------------------------------------------------------

    def upload(
        self, files: Sequence[tuple[str, bytes]], replace: str = ""
    ) -> tuple[IngestJob | None, list[str]]:
        """Store uploaded files and ingest them. Returns the job, and a sentence for each file not taken.

        `replace` is the uploaded document that a single file takes the place of.
        """
        stored, problems = [], []
        for name, content in files:
            try:
                largest = self.options.upload_mib * MIB
                stored.append(store_upload(self.uploads, name, content, largest=largest, replace=replace))
            except UsageError as error:
                problems.append(str(error))
            except OSError as error:
                problems.append(f"{self.uploads} cannot be written: {error.strerror}.")
        if not stored:
            return None, problems
        label = ", ".join(one.path.name for one in stored)
        return self.jobs.submit(label, [str(self.uploads)]), problems

    def ingest(self, name: str, *, retry: bool = False) -> IngestJob:
        """Ingest a folder of this machine. Raises UsageError when it may not be named."""
        path = folder_to_ingest(name, self.options)
        return self.jobs.submit(str(path), [str(path)], retry=retry)

    def try_sample(self) -> IngestJob:
        """Ingest the sample documents that come with the program."""
        return self.jobs.submit(SAMPLE, [str(sample_folder())])

    def unlock(self, file: str, password: str) -> IngestJob | None:
        """Ingest a document again with its password, which is kept in memory alone."""
        index = self.shared_index.index()
        source = None if index is None else index.document(file)
        if source is None or not password:
            return None
        self.passwords[file] = password
        folder = path_of(source.path)
        for _ in file.split("/"):
            folder = folder.parent
        return self.jobs.submit(file, [str(folder)], retry=True, passwords=((escape(file), password),))

    def passwords_for(self, file: str) -> tuple[str, ...]:
        """The password that was given for a document, if one was."""
        return (self.passwords[file],) if file in self.passwords else ()

    def _resume_uploads(self) -> None:
        """Ingest uploads that a server which ended before did not get to."""
        with suppress(RagError, OSError):  # whatever is wrong is said where the index is used
            stored = list(self.uploads.resolve().iterdir()) if self.uploads.is_dir() else []
            index = self.shared_index.index() if stored else None
            known = set() if index is None else {path_of(one.path) for one in index.documents()}
            left = sorted(one for one in stored if one.suffix[1:] in KINDS and one not in known)
            if left:
                self.jobs.submit(", ".join(one.name for one in left), [str(self.uploads)])

    def is_upload(self, file: str) -> bool:
        """Whether a document was uploaded here, so that it can be replaced and is deleted when it is removed."""
        index = self.shared_index.index()
        source = None if index is None else index.document(file)
        return source is not None and path_of(source.path).parent == self.uploads.resolve()

    def picture(self, query: Mapping[str, str]) -> bytes | None:
        """The PNG of a page, for the query of its address; None when there is none."""
        words = self.passwords_for(query.get("file", ""))
        return picture_png(self.shared_index.index(), query, self.pictures, words)

    # -- what visitors say of the answers ------------------------------------------------------------------------

    @property
    def feedback_file(self) -> Path:
        """The question set that answers rated by visitors go into."""
        return self.settings.folder / "feedback.jsonl"

    def keep_feedback(self, answer: Answer, right: str, *, answerable: bool) -> None:
        """Add a rated question to the set, or change it there. `right` is the right answer; empty for the one given.

        Raises QuestionSetError when the set cannot be read, UsageError when it cannot be written.
        """
        evidence = tuple(Evidence(c.file, c.page, c.quote) for c in answer.citations if c.verified)
        identity = f"feedback-{hashlib.sha256(answer.question.encode()).hexdigest()[:12]}"
        question = Question(
            identity,
            answer.question,
            (right or answer.text,) if answerable else (),
            answerable,
            evidence if answerable and not right else (),
        )
        with self._rating:
            known = load_questions(self.feedback_file) if self.feedback_file.exists() else []
            kept = [*(one for one in known if one.id != identity), question]
            lines = "".join(json.dumps(one.as_dict(), ensure_ascii=False) + "\n" for one in kept)
            try:
                write_whole(self.feedback_file, lines.encode("utf-8", "replace"))
            except OSError as error:
                raise UsageError(f"{self.feedback_file} cannot be written: {error.strerror}.") from None

    # -- taking documents out ------------------------------------------------------------------------------------

    def remove(self, files: Sequence[str]) -> None:
        """Take documents out of the index, and uploaded ones off the disk. Raises IndexLocked."""
        index = self.shared_index.opened()
        if index is None or not files:
            return
        snapshot = index.snapshot()
        paths = [source.path for file in files if (source := snapshot.document(file)) is not None]
        with index.writer(wait=_WAIT_TO_REMOVE) as writer:
            writer.prune(files)
            # while the index is locked for writing: an ingest that starts later must not find them again
            for path in paths:
                discard_upload(self.uploads, path)
