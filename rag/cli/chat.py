"""`rag chat`: questions that may lean on those before, answered while they come, kept and resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rag.cli.options import ANSWERING, examples, json_option, variables_option, where_option, with_settings

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag chat",
        "rag chat --resume",
        "rag chat --model ollama:exaone3.5 --prompt concise",
        "printf '연차는 며칠인가요?\\n그 다음 해에는요?\\n' | rag chat --json",
        note="Inside, /help lists the commands. Ctrl-C stops an answer, Ctrl-D ends the chat; every turn is kept.",
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
    from rag.cli.conversation import Conversation
    from rag.cli.sessions import Session
    from rag.cli.sessions import resume as resume_session

    session = Session(settings.index) if resume is None else resume_session(settings.index, resume or None)
    talk = Conversation(settings, session, where=where, variables=variables, as_json=as_json)
    return talk.run()
