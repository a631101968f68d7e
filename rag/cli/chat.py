"""`rag chat`: questions that may refer to those before, answered while they come, saved and resumed."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.app import EXIT_DONE
from rag.cli.ask import save_answer, show_stream
from rag.cli.options import ANSWERING, examples, json_option, variables_option, where_option, with_settings
from rag.cli.output import command_language, print_json, tell
from rag.cli.render import citation_line, passage_line
from rag.cli.show import draw_page, numbered, page_around, recheck
from rag.errors import RagError, UsageError
from rag.index_location import redacted
from rag.messages import Language, message, translated
from rag.pipeline import Pipeline
from rag.pipeline.forms import answer_form, citations_of
from rag.pipeline.state import LAST_ANSWER, read_state_file, state_file_names, write_state
from rag.prompting.catalogue import load_template
from rag.rendering.safe import safe_text
from rag.text.language import language_for

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.types import Answer, Citation

_FOLDER = "sessions"
_FORMAT = 1
_NAME = re.compile(r"[\w.-]{1,80}")
_PROMPT = "» "


@click.command(
    epilog=examples(
        "rag chat",
        "rag chat --resume",
        "rag chat --model ollama:exaone3.5 --prompt concise",
        "printf '연차는 며칠인가요?\\n그 다음 해에는요?\\n' | rag chat --json",
        note="Inside, /help lists the commands. Ctrl-C stops an answer, Ctrl-D ends the chat; all of it is saved.",
    )
)
@click.option(
    "--resume", is_flag=False, flag_value="", metavar="[NAME]", help="Go on with a session (the last)."
)
@where_option
@variables_option
@json_option
@with_settings(*ANSWERING)
def command(
    settings: Settings,
    resume: str | None,
    where: tuple[str, ...],
    variables: dict[str, str],
    as_json: bool,
) -> int:
    """Ask questions one after the other; each may refer to those before it."""
    log = ChatLog(settings.index) if resume is None else ChatLog.resume(settings.index, resume or None)
    return Chat(settings, log, {"where": where, "variables": variables}, as_json).run()


@dataclass(slots=True)
class ChatLog:
    """The questions of one chat with their answers, in the JSON form of `rag ask --json`."""

    index: str
    name: str = field(default_factory=lambda: datetime.now().strftime("%Y-%m-%d-%H%M%S"))
    answers: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def resume(cls, index: str, name: str | None = None) -> ChatLog:
        """The chat `name`, or the newest one. Raises UsageError when there is none, or it cannot be read."""
        names = [Path(found).stem for found in state_file_names(index, _FOLDER)]
        if not names:
            raise UsageError(
                f"There is no session of the index {redacted(index)} to resume: begin one with `rag chat`."
            )
        chosen = names[0] if name is None else name
        if chosen not in names or not _NAME.fullmatch(chosen):
            raise UsageError(f"There is no session {chosen!r}: the newest are {', '.join(names[:5])}.")
        form = read_state_file(index, f"{_FOLDER}/{chosen}.json")
        answers = form.get("turns") if isinstance(form, Mapping) and form.get("format") == _FORMAT else None
        if not isinstance(answers, list) or not all(
            isinstance(answer, dict)
            and all(isinstance(answer.get(key), str) for key in ("question", "answer"))
            for answer in answers
        ):
            raise UsageError(f"The session {chosen!r} cannot be read: begin another one with `rag chat`.")
        return cls(index, chosen, answers)

    @property
    def history(self) -> list[tuple[str, str]]:
        """Questions and answers so far, oldest first."""
        return [(answer["question"], answer["answer"]) for answer in self.answers]

    def add(self, answer: Answer) -> bool:
        """Append an answer and write the file at once. False when it cannot be written."""
        self.answers.append(answer_form(answer) | {"at": time.time()})
        write_state(self.index, LAST_ANSWER, self.answers[-1])
        form = {"format": _FORMAT, "name": self.name, "turns": self.answers}
        return write_state(self.index, f"{_FOLDER}/{self.name}.json", form) is not None


class Chat:
    """The loop: reads a line, answers it or runs its command; an error ends that one answer, not the chat."""

    def __init__(self, settings: Settings, log: ChatLog, given: Mapping[str, Any], as_json: bool) -> None:
        """`given`: arguments of `Pipeline.ask` that hold for every question."""
        self.settings = settings
        self.log = log
        self._given = given
        self._as_json = as_json
        self._answer: Answer | None = None
        self._code = EXIT_DONE
        self._commands: dict[str, Callable[[str], None]] = {
            "/sources": self._show_sources,
            "/open": self._open,
            "/alone": self._ask_alone,
            "/prompt": self._use_prompt,
            "/model": self._use_model,
            "/save": self._save,
            "/help": lambda _: self._print(message("command.chat_help", self._language())),
        }

    def run(self) -> int:
        """Read and answer until the end. At a terminal 0; from a pipe the code of the last error, if any."""
        typed = sys.stdin.isatty()
        self.pipeline: Pipeline = self._opened(self.settings)
        try:
            if self.log.answers:
                name, count = self.log.name, len(self.log.answers)
                tell(message("command.chat_resumed", self._language(), name=name, count=count))
                question, answer = self.log.history[-1]
                tell(click.style(f"{_PROMPT}{safe_text(question)}\n{safe_text(answer)}", dim=True))
            if typed:
                model, prompt = self.pipeline.model, self.settings.prompt
                tell(message("command.chat_header", self._language(), model=model, prompt=prompt))
            for line in _lines():
                if line == "/quit":
                    break
                if not typed and not self._as_json:  # from a pipe nobody sees what was asked
                    click.echo(f"\n{_PROMPT}{safe_text(line)}")
                self._handle(line)
        finally:
            self.pipeline.close()
        if self.log.answers:
            tell(message("command.chat_saved", self._language(), name=self.log.name))
        return EXIT_DONE if typed else self._code

    def _opened(self, settings: Settings) -> Pipeline:
        return Pipeline.open(settings=settings, notify=tell, command="chat")

    def _handle(self, line: str) -> None:
        """Answer one line, or run its command; neither an error nor Ctrl-C ends the chat."""
        try:
            if not line.startswith("/"):
                self._ask(line)
                return
            name, _, argument = line.partition(" ")
            if name not in self._commands:
                raise UsageError(f"There is no command {name}: /help lists those that exist.")
            self._commands[name](argument.strip())
        except KeyboardInterrupt:
            tell("\n" + message("command.chat_interrupted", language_for(line, self.settings.language)))
        except RagError as error:
            self._code = error.exit_code
            language = language_for(line, self.settings.language)
            tell(message("command.error", language, sentence=safe_text(translated(str(error), language))))

    def _ask(self, question: str, *, alone: bool = False) -> None:
        history = [] if alone else self.log.history
        given = {**self._given, "history": history, "prompt": self.settings.prompt}
        if self._as_json:
            self._answer = self.pipeline.ask(question, **given)
            print_json(answer_form(self._answer))
        else:
            self._answer = show_stream(self.pipeline, question, given)
            if self._answer.standalone_question:
                tell(message("command.chat_alone", language_for(question, self.settings.language)))
        if not self.log.add(self._answer):
            tell(message("command.chat_not_saved", self._language()))

    # -- the commands -----------------------------------------------------------------------------------------

    def _print(self, text: str) -> None:
        """Print the output of a command; with --json standard output is for answers alone."""
        click.echo(text, err=self._as_json)

    def _show_sources(self, _: str) -> None:
        citations, language = self._citations(), self._language()
        for citation in citations:
            self._print(citation_line(citation, language))
        if self._answer is not None and self._answer.passages:
            self._print(message("command.chat_passages", language))
            for rank, passage in enumerate(self._answer.passages, start=1):
                self._print(passage_line(rank, passage, language))

    def _open(self, number: str) -> None:
        chosen = numbered(self._citations(), number)
        index, language = self.pipeline.index, self._language()
        citation = recheck(index, chosen, language)
        self._print(page_around(index, citation, language))
        picture = draw_page(index, citation)
        self._print(str(picture))
        if sys.stdout.isatty():
            click.launch(str(picture))

    def _ask_alone(self, question: str) -> None:
        if not question and not self.log.answers:
            raise UsageError("There is no question yet to ask alone: ask one, or write it after /alone.")
        self._ask(question or self.log.answers[-1]["question"], alone=True)

    def _use_prompt(self, name: str) -> None:
        if name:
            load_template(
                name, self.settings.prompts_dir
            )  # a mistake in it shows now, not at the next question
            self.settings = self.settings.model_copy(update={"prompt": name})
        self._print(f"Prompt: {self.settings.prompt}")

    def _use_model(self, spec: str) -> None:
        if spec:
            settings = self.settings.model_copy(update={"model": spec})
            pipeline = self._opened(settings)  # when that fails, the chat goes on with the old one
            self.pipeline.close()
            self.settings, self.pipeline = settings, pipeline
        self._print(f"Model: {self.pipeline.model}")

    def _save(self, file: str) -> None:
        if self._answer is None:
            raise UsageError("There is no answer of this run to save: ask first.")
        path = Path(file or f"answer-{datetime.now():%Y-%m-%d-%H%M%S}.json")
        self._print(save_answer(self.pipeline, self._answer, path))

    def _citations(self) -> list[Citation]:
        if not self.log.answers:
            raise UsageError("There is no answer yet: ask first.")
        return citations_of(self.log.answers[-1])

    def _language(self) -> Language:
        """That of the last question; before the first one, that of the system."""
        if not self.log.answers:
            return command_language(self.settings)
        return language_for(self.log.answers[-1]["question"], self.settings.language)


def _lines() -> Iterator[str]:
    """The lines that are typed, without blank ones. Ctrl-C at the prompt drops the line, Ctrl-D ends."""
    typed = sys.stdin.isatty()
    if typed:
        with contextlib.suppress(ImportError):  # not on Windows, where the console edits lines by itself
            import readline  # noqa: F401  makes input() edit lines, Hangul included
    while True:
        try:
            line = input(_PROMPT) if typed else sys.stdin.readline()
        except KeyboardInterrupt:
            tell("")
            continue
        except EOFError:
            return
        if not line and not typed:
            return
        if line.strip():
            yield line.strip()
