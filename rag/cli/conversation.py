"""The loop of `rag chat`: reads a line, answers it or obeys it, and survives whatever goes wrong with one answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.boundary import EXIT_DONE
from rag.cli.messages import Language, say
from rag.cli.opening import open_pipeline, tell
from rag.cli.render import citation_line, passage_line, plain
from rag.cli.saving import save_answer
from rag.cli.sessions import Session
from rag.cli.streaming import show_stream
from rag.cli.terms import language_for
from rag.errors import RagError, UsageError
from rag.types import Answer, Citation

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.settings import Settings

_PROMPT = "» "
_HELP = """\
/sources         the quotes of the last answer, and the other passages it was given
/open N          quote N on its page, and a picture of the page
/prompt [NAME]   use another prompt template, or say which one is in use
/model [SPEC]    use another model, or say which one is in use
/save [FILE]     keep the last answer with its proof
/help            this list
/quit            leave (so does Ctrl-D); the session is kept"""


class Conversation:
    """One run of `rag chat` over a session."""

    def __init__(
        self,
        settings: Settings,
        session: Session,
        *,
        where: Sequence[str],
        variables: Mapping[str, str],
        as_json: bool,
    ) -> None:
        self.settings = settings
        self.session = session
        self._where = tuple(where)
        self._variables = dict(variables)
        self._as_json = as_json
        self._answer: Answer | None = None
        self._code = EXIT_DONE
        self._commands: dict[str, Callable[[str], None]] = {
            "/sources": self._show_sources,
            "/open": self._open,
            "/prompt": self._use_prompt,
            "/model": self._use_model,
            "/save": self._save,
            "/help": self._show_help,
        }

    def run(self) -> int:
        """Read and answer until the end. At a terminal 0; from a pipe the code of the last error, if any."""
        self.pipeline: Pipeline = open_pipeline(self.settings, "chat")
        try:
            self._greet()
            for line in _lines():
                if line == "/quit":
                    break
                self._set_apart(line)
                self._guarded(line)
        finally:
            self.pipeline.close()
        if self.session.turns:
            tell(say("session_kept", self._language(), name=self.session.name))
        return EXIT_DONE if sys.stdin.isatty() else self._code

    def _greet(self) -> None:
        if self.session.turns:
            name, count = self.session.name, len(self.session.turns)
            tell(say("session_so_far", self._language(), name=name, count=count))
            asked, answered = self.session.history[-1]
            tell(click.style(f"{_PROMPT}{plain(asked)}\n{plain(answered)}", dim=True))
        if sys.stdin.isatty():
            tell(f"{self.pipeline.model}, prompt {self.settings.prompt}. /help lists the commands.")

    def _set_apart(self, line: str) -> None:
        """From a pipe nobody sees what was typed, so each turn begins with it; with --json it is in the answer."""
        if not sys.stdin.isatty() and not self._as_json:
            click.echo(f"\n{_PROMPT}{plain(line)}")

    def _guarded(self, line: str) -> None:
        """Answer or obey one line; neither an error nor Ctrl-C ends the session."""
        try:
            if line.startswith("/"):
                self._obey(line)
            else:
                self._answer_to(line)
        except KeyboardInterrupt:
            tell("\n" + say("interrupted", language_for(line, self.settings)))
        except RagError as error:
            self._code = error.exit_code
            tell(f"Error: {plain(str(error))}")

    def _obey(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        if name not in self._commands:
            raise UsageError(f"There is no command {name}: /help lists those that exist.")
        self._commands[name](argument.strip())

    def _answer_to(self, question: str) -> None:
        given: dict[str, Any] = {
            "history": self.session.history,
            "prompt": self.settings.prompt,
            "where": self._where,
            "variables": self._variables,
        }
        if self._as_json:
            from rag.cli.forms import answer_form, print_json

            answer = self.pipeline.ask(question, **given)
            print_json(answer_form(answer))
        else:
            answer = show_stream(self.pipeline, question, **given)
        self._answer = answer
        if self.session.add(answer) is None:
            tell("The session cannot be kept: no folder for it can be written.")

    # -- the commands -----------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        """Print what a command has to say; with --json standard output is for answers alone."""
        click.echo(text, err=self._as_json)

    def _show_help(self, _: str) -> None:
        self._say(_HELP)

    def _show_sources(self, _: str) -> None:
        citations, language = self._citations(), self._language()
        for citation in citations:
            self._say(citation_line(citation, language))
        if self._answer is not None and self._answer.passages:
            self._say(say("passages", language))
            for rank, passage in enumerate(self._answer.passages, start=1):
                self._say(passage_line(rank, passage, language))

    def _open(self, number: str) -> None:
        from rag.cli.evidence import chosen, current, evidence_text, picture_of

        language = self._language()
        citation = current(self.pipeline.index, chosen(self._citations(), number), language)
        self._say(evidence_text(self.pipeline.index, citation, language))
        picture = picture_of(self.pipeline.index, citation)
        self._say(str(picture))
        if sys.stdout.isatty():
            click.launch(str(picture))

    def _use_prompt(self, name: str) -> None:
        if name:
            from rag.prompting.catalogue import load_template

            load_template(
                name, self.settings.prompts_dir
            )  # a mistake in it shows now, not at the next question
            self.settings = self.settings.model_copy(update={"prompt": name})
        self._say(f"Prompt: {self.settings.prompt}")

    def _use_model(self, spec: str) -> None:
        if spec:
            settings = self.settings.model_copy(update={"model": spec})
            pipeline = open_pipeline(
                settings, "chat"
            )  # when that fails, the session goes on with the old one
            self.pipeline.close()
            self.settings, self.pipeline = settings, pipeline
        self._say(f"Model: {self.pipeline.model}")

    def _save(self, file: str) -> None:
        if self._answer is None:
            raise UsageError("There is no answer of this run to save: ask first.")
        path = Path(file or f"answer-{datetime.now():%Y-%m-%d-%H%M%S}.json")
        self._say(save_answer(self.pipeline, self._answer, path))

    def _citations(self) -> list[Citation]:
        if not self.session.turns:
            raise UsageError("There is no answer yet: ask first.")
        return self.session.citations

    def _language(self) -> Language:
        return language_for(self.session.turns[-1]["question"], self.settings)


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
