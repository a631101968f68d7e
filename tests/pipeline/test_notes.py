"""What an answer tells its reader comes in the language that is set, else in that of the question."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.pipeline import Pipeline
from rag.types import Support
from tests.copies import copy_index
from tests.pipeline.conftest import Open
from tests.pipeline.replies import QUESTION, asked, number_of
from tests.providers.support import settings_for
from tests.servers.openai_server import OpenAIServer, Request

KOREAN = "연차 휴가는 근속 1년에 며칠인가요?"
HANGUL = re.compile("[가-힣]")


def loose(request: Request) -> str:
    """One sentence that holds, one that stands on no page, a wrong page, and a word that there is no answer."""
    korean = "연차" in asked(request)
    words = (
        "연차 휴가는 근속 1년에 15일이며"
        if korean
        else "The harbour bridge was opened to traffic on 24 October 1931"
    )
    n = number_of(request, words)
    return (
        f'{words}. [{n}, p. 9: "{words}"]\n'
        f'The whales sing at night. [{n}: "the whales sing in the harbour every single night"]\n'
        "NOT_IN_DOCUMENTS"
    )


@pytest.mark.parametrize(
    ("question", "setting", "korean"),
    [(QUESTION, "auto", False), (KOREAN, "auto", True), (QUESTION, "ko", True), (KOREAN, "en", False)],
)
def test_notes_follow_the_setting_else_the_question(
    opened: Open, question: str, setting: str, korean: bool
) -> None:
    with OpenAIServer(reply=loose) as server:
        pipeline = opened(server, language=setting)
        answer, strict = pipeline.ask(question), pipeline.ask(question, strict=True)
    noted = [*(citation.note for citation in answer.citations if citation.note), *answer.notes, *strict.notes]
    assert len(noted) >= 3
    assert {bool(HANGUL.search(note)) for note in noted} == {korean}


@pytest.mark.parametrize(("setting", "korean"), [("auto", False), ("ko", True)])
def test_so_does_the_reason_for_declining(opened: Open, setting: str, korean: bool) -> None:
    with OpenAIServer(reply="NOT_IN_DOCUMENTS") as server:
        answer = opened(server, language=setting).ask(QUESTION)
    assert not answer.answered
    assert bool(HANGUL.search(answer.reason)) is korean


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When did MV Tern hit the breakwater?", "On 19 October 2023 MV Tern touched the breakwater"),
        ("How many lifeboats does MV Northern Fulmar carry?", ""),
    ],
)
def test_what_the_page_surely_says_is_told_when_a_model_declines(
    sample_index: Path, tmp_path: Path, question: str, told: str
) -> None:
    index = copy_index(sample_index, tmp_path / "index")
    with OpenAIServer(reply="NOT_IN_DOCUMENTS") as server:
        settings = settings_for(server, model="openai:gpt-4o-mini", retries=0)
        with Pipeline.open(index, settings) as pipeline:
            answer = pipeline.ask(question)
            summary = pipeline.ask(question, prompt="explain")
    assert answer.text.startswith(told)
    assert answer.answered == bool(told)
    assert [(s.support, s.basis) for s in answer.sentences] == [(Support.VERIFIED, "quoted")] * bool(told)
    assert len(answer.notes) == bool(told)
    assert not summary.answered


@pytest.mark.parametrize(
    ("question", "cited", "reply", "text"),
    [
        (
            "When did MV Tern hit the breakwater?",
            "",
            "MV Tern did so in bad weather.",
            "On 19 October 2023 MV Tern touched the breakwater",
        ),
        ("How many lifeboats does MV Northern Fulmar carry?", "Fulmar", "MV Northern Fulmar has some.", ""),
        (
            "When did MV Tern hit the breakwater?",
            "touched the breakwater",
            "It was MV Tern by all accounts.",
            "It was MV Tern by all accounts.",
        ),
    ],
    ids=["another sentence is sure", "none is", "the likeliest is quoted"],
)
def test_where_nothing_is_verified_the_built_in_answerer_decides(
    sample_index: Path, tmp_path: Path, question: str, cited: str, reply: str, text: str
) -> None:
    def unverified(request: Request) -> str:
        prompt = str(request.messages[-1]["content"])
        numbered = re.findall(r"^\[(\d+)\] (.*)$", prompt, re.M)
        n = next(n for n, told in reversed(numbered) if cited in told)
        return f"{reply} [{n}]"

    index = copy_index(sample_index, tmp_path / "index")
    with OpenAIServer(reply=unverified) as server:
        settings = settings_for(server, model="openai:gpt-4o-mini", retries=0, check="off")
        with Pipeline.open(index, settings) as pipeline:
            answer = pipeline.ask(question)
            asked = len(server.chat_requests())
    assert asked
    assert answer.text.startswith(text)
    assert answer.answered == bool(text)
    assert answer.verified == (text not in (reply, ""))
