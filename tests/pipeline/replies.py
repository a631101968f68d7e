"""Replies that the scripted model gives; whether they hold up is for the code under test to find out."""

from __future__ import annotations

import re

from tests.servers.openai_server import Request

QUESTION = "When was the harbour bridge opened?"
KOREAN = "연차 휴가는 근속 1년에 며칠인가요?"


def right_reply(request: Request | None) -> str:
    """A true answer to QUESTION. The first sentence of the best passage holds it."""
    return "It was opened on 24 October 1931. [1]"


def asked(request: Request) -> str:
    """The question at the end of the prompt."""
    last = str(request.messages[-1]["content"])
    return re.split(r"(?:question|Question|질문)[^:\n]*:", last)[-1].strip()


def number_of(request: Request, words: str) -> int:
    """The number of the sentence in the prompt that holds `words`."""
    last = str(request.messages[-1]["content"])
    numbered = re.findall(r"^\[(\d+)\] (.*)$", last, re.M)
    return next(int(n) for n, text in numbered if words in text)


def both(request: Request) -> str:
    """Right replies in both languages, citing the passage by its number in the prompt."""
    if "연차" in asked(request):
        n = number_of(request, "15일이며")
        return f"근속 1년에 15일입니다. [{n}]"
    n = number_of(request, "24 October 1931")
    return f"It was opened on 24 October 1931. [{n}]"
