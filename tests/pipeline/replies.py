"""Replies that the scripted model gives; whether they hold up is for the code under test to find out."""

from __future__ import annotations

import re

from tests.servers.openai_server import Request

QUESTION = "When was the harbour bridge opened?"


def right_reply(request: Request | None) -> str:
    """A true answer to QUESTION. Passage 1 is the best one found, which holds it."""
    return 'It was opened on 24 October 1931. [1: "was opened to traffic on 24 October 1931"]'


def asked(request: Request) -> str:
    """The question at the end of the prompt."""
    last = str(request.messages[-1]["content"])
    return re.split(r"(?:question|Question|질문)[^:\n]*:", last)[-1].strip()


def number_of(request: Request, words: str) -> int:
    """The number of the passage in the prompt that holds `words`."""
    last = str(request.messages[-1]["content"])
    blocks = re.findall(r'<passage n="(\d+)".*?</passage>', last, re.S)
    texts = re.split(r'<passage n="\d+"[^>]*>', last)[1:]
    return next(int(n) for n, text in zip(blocks, texts, strict=True) if words in text)
