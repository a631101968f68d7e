"""Passages reranked by a chat model over a real socket, and what can be said without the extra packages."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.errors import BadResponse, MissingCapability, MissingExtra, SettingsError
from rag.retrieval.model_calls import read_ratings
from rag.retrieval.reranking import rerank
from rag.types import Passage
from tests.retrieval.shelf import DAYS_OFF, GUARANTEE, LEAVE, WARRANTY, build, pipeline, texts
from tests.servers.openai_server import OpenAIServer, Request


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shelf") / "index")


def shown(request: Request) -> dict[int, str]:
    """The passages of a prompt by their numbers."""
    content = str(request.messages[-1]["content"])
    return {int(n): text for n, text in re.findall(r"^\[(\d+)\] (.*)$", content, re.M)}


def favouring(*words: str) -> object:
    """A model that rates 9 what holds one of the words, and 2 the rest."""

    def reply(request: Request) -> str:
        rated = {n: 9 if any(w in text for w in words) else 2 for n, text in shown(request).items()}
        return "\n".join(f"{n}: {rating}" for n, rating in rated.items())

    return reply


# -- the chat model -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "wanted"), [(GUARANTEE, "counter 11,"), (DAYS_OFF, "11번 창구"), (GUARANTEE, "warranty")]
)
def test_the_best_rated_passage_comes_first(index: Path, question: str, wanted: str) -> None:
    flags = {"rerank": "chat", "rerank_depth": 60}
    with OpenAIServer(reply=favouring(wanted)) as server, pipeline(index, server, **flags) as opened:  # type: ignore[arg-type]
        found = opened.search(question, k=5)
    assert wanted in found[0].text
    assert [p.rerank_score for p in found] == [9.0, 2.0, 2.0, 2.0, 2.0]


def test_ties_and_the_rest_keep_their_order(index: Path) -> None:
    with OpenAIServer(reply=favouring("counter 3,", "counter 8,")) as server:  # type: ignore[arg-type]
        with pipeline(index, server) as opened:
            usual = texts(opened.search(GUARANTEE, k=20))
        with pipeline(index, server, rerank="chat", rerank_depth=12) as opened:
            found = opened.search(GUARANTEE, k=20)
        asked = server.chat_requests()
    head = usual[:12]
    best = [text for text in head if "counter 3," in text or "counter 8," in text]
    assert texts(found) == best + [text for text in head if text not in best] + usual[12:]
    assert [p.rerank_score is None for p in found] == [False] * 12 + [True] * 8
    assert sorted(len(shown(request)) for request in asked) == [2, 10]


def test_ratings_are_compared_across_calls(index: Path) -> None:
    def by_number(request: Request) -> str:
        """Rates a passage by the number that it prints, whichever call it is in."""
        found = {n: re.search(r"counter (\d+)", text) for n, text in shown(request).items()}
        return "\n".join(f"[{n}] {int(m[1]) * 0.4 if m else 0:.1f}/10" for n, m in found.items())

    with (
        OpenAIServer(reply=by_number) as server,
        pipeline(index, server, rerank="chat", rerank_depth=40) as opened,
    ):
        found = opened.search(GUARANTEE, where=["file=shop.pdf"], k=6)
        assert len(server.chat_requests()) == 3
    counters = [int(re.search(r"counter (\d+)", p.text)[1]) for p in found]  # type: ignore[index]
    assert counters == [24, 23, 22, 21, 20, 19]


def test_a_context_that_is_too_long_is_asked_in_halves(index: Path) -> None:
    """The server refuses what the table of models says would fit."""
    reply = favouring("counter 7,")
    with (
        OpenAIServer(reply=reply, context_tokens=330) as server,  # type: ignore[arg-type]
        pipeline(index, server, rerank="chat", rerank_depth=24) as opened,
    ):
        found = opened.search(GUARANTEE, k=3)
        assert all(len(shown(request)) <= 10 for request in server.chat_requests())
        assert server.bill.replies - len(server.embedding_requests()) < len(server.chat_requests())
    assert "counter 7," in found[0].text


def test_what_a_passage_says_of_itself_is_no_markup(index: Path) -> None:
    with (
        OpenAIServer(reply=favouring("warranty")) as server,  # type: ignore[arg-type]
        pipeline(index, server, rerank="chat", rerank_depth=60) as opened,
    ):
        opened.search(GUARANTEE, k=3)
        (request,) = [r for r in server.chat_requests() if "Ignore what was said" in str(r.messages[-1])]
    content = str(request.messages[-1]["content"])
    assert "[1]: 10" not in content
    assert "\nsystem:" not in content
    assert len(re.findall(r"^\[1\]", content, re.M)) == 1
    assert content.endswith(f"Question: {GUARANTEE}")


MALFORMED = ["", "I cannot rate these.", "[2] > [1] > [3]", "77: 5", '{"ratings": [1, 2', "1: high"]


@pytest.mark.parametrize(("question", "note"), [(GUARANTEE, "could not be read"), (DAYS_OFF, "읽을 수 없어")])
def test_ratings_that_cannot_be_read_change_nothing_and_are_noted(
    index: Path, question: str, note: str
) -> None:
    replies = iter([reply for reply in MALFORMED for _ in range(3)])
    with OpenAIServer(reply=lambda _: next(replies)) as server:
        with pipeline(index, server) as opened:
            usual = opened.search(question, k=8)
        with pipeline(index, server, rerank="chat") as opened:
            for reply in MALFORMED:
                retrieval = opened.runnable.steps.retriever.retrieve(question, k=8)
                assert list(retrieval.passages) == usual, reply
                assert note in retrieval.notes[0], reply
                assert retrieval.model_steps[0].usage.calls == 3


@pytest.mark.parametrize(
    ("reply", "ratings"),
    [
        ("1: 7\n2: 0\n3: 10", {1: 7, 2: 0, 3: 10}),
        ("[1] 7/10\n[3] - 2.5", {1: 7, 3: 2.5}),
        ("**Passage 1**: 7\n**Passage 2**: 3 (on the subject)", {1: 7, 2: 3}),
        ("구절 1: 7점\n구절 2: 점수 3", {1: 7, 2: 3}),
        ("1: 7, 2: 3; 3: 9", {1: 7, 2: 3, 3: 9}),
        ("<think>1: 0, 2: 0</think>\n1. 8\n2. 4", {1: 8, 2: 4}),
        ('```json\n{"1": 7, "3": 2}\n```', {1: 7, 3: 2}),
        ('{"ratings": {"1": "7", "3": 2}}', {1: 7, 3: 2}),
        ('[{"passage": 1, "score": 7}, {"passage": 2, "score": 3.5}]', {1: 7, 2: 3.5}),
        ("[7, 0, 3]", {1: 7, 2: 0, 3: 3}),
        ("1: 7\n1: 2\n4: 9\n2: 11\n3: 1", {1: 7, 3: 1}),
        ("[1]: 6", {1: 6}),
        ("[7, 0]", None),
        ("[NaN, Infinity, 1e999]", None),
        ("1" + "0" * 5000 + ": 3", None),
        ("[" * 100_000, None),
        ("The first passage is the best.", None),
    ],
)
def test_ratings_are_read_in_the_forms_that_models_write(
    reply: str, ratings: dict[int, float] | None
) -> None:
    assert read_ratings(reply, 3) == ratings


def test_the_cost_is_counted_and_shown(index: Path) -> None:
    def reply(request: Request) -> str:
        if "Passages:" in str(request.messages[-1]["content"]) and "`1: 7`" in str(
            request.messages[0]["content"]
        ):
            return favouring("warranty")(request)  # type: ignore[operator]
        return 'It holds 36 months. [1: "a warranty of 36 months"]'

    with (
        OpenAIServer(reply=reply) as server,
        pipeline(index, server, rerank="chat", rerank_depth=60, abstain=0.0, check="off") as opened,
    ):
        answer = opened.ask(GUARANTEE)
        assert answer.usage.input_tokens == server.bill.input_tokens
        assert answer.usage.output_tokens == server.bill.output_tokens
        calls = len(server.chat_requests()) - 1
    assert WARRANTY in answer.passages[0].text
    (step,) = answer.extra["retrieval_steps"]
    assert (step["step"], step["calls"]) == ("rerank", calls)
    assert 0 < step["cost_usd"] < (answer.usage.cost_usd or 0.0)
    assert any(note.startswith("Reranking (openai:gpt-4o-mini): ") for note in answer.notes)
    assert answer.seconds["rerank"] <= answer.seconds["retrieve"]


def test_expanded_searches_are_reranked(index: Path) -> None:
    def reply(request: Request) -> str:
        if shown(request):
            return favouring("15일")(request)  # type: ignore[operator, no-any-return]
        return "1. 연차 유급휴가 일수\n2. 근속 1년 유급휴가"

    with (
        OpenAIServer(reply=reply) as server,
        pipeline(index, server, expand="rewrite", rerank="chat") as opened,
    ):
        retrieval = opened.runnable.steps.retriever.retrieve(DAYS_OFF, k=3)
    assert retrieval.passages[0].text == LEAVE
    assert [model_step.step for model_step in retrieval.model_steps] == ["rewrite", "rerank"]


# -- any reranker -------------------------------------------------------------------


class Scripted:
    """A reranker with given ratings."""

    spec = "scripted"

    def __init__(self, *ratings: float) -> None:
        self.ratings = ratings

    def rate(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        return self.ratings


def passages(count: int) -> list[Passage]:
    return [Passage(n, "a.pdf", n, n, f"Text {n}.", (), header="A title") for n in range(1, count + 1)]


def test_ratings_decide_and_ties_keep_their_order() -> None:
    done = rerank(Scripted(0.1, 0.9, -3.0, 0.9), "Which?", passages(6), depth=4)
    assert [p.chunk_id for p in done.passages] == [2, 4, 1, 3, 5, 6]
    assert rerank(Scripted(), "Which?", [], depth=4).passages == ()


@pytest.mark.parametrize("ratings", [(0.1,), (0.1, float("nan")), (float("inf"), 0.0)])
def test_what_is_no_rating_for_each_passage_is_refused(ratings: tuple[float, ...]) -> None:
    with pytest.raises(BadResponse, match="scripted"):
        rerank(Scripted(*ratings), "Which?", passages(2))


# -- names and errors ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("cross-encode:x", "Did you mean cross-encoder:NAME?"),
        ("cross-encoder", "Did you mean cross-encoder:NAME?"),
        ("flashrank:", "flashrank:NAME"),
        ("chats", "Did you mean chat?"),
        ("chat:gpt", "chat"),
        ("nonsense", "cross-encoder:NAME_OR_FOLDER, flashrank:NAME_OR_FOLDER or chat."),
    ],
)
def test_an_unknown_reranker_is_answered_with_those_that_exist(index: Path, spec: str, hint: str) -> None:
    with OpenAIServer() as server, pytest.raises(SettingsError) as caught:
        pipeline(index, server, rerank=spec)
    assert hint in str(caught.value)


def test_the_extractive_answerer_cannot_rate(index: Path) -> None:
    with OpenAIServer() as server, pytest.raises(MissingCapability, match="--model"):
        pipeline(index, server, model="extractive", rerank="chat")


@pytest.mark.parametrize(
    ("spec", "package"),
    [
        ("cross-encoder:any/model", "sentence_transformers"),
        ("flashrank:ms-marco-MiniLM-L-12-v2", "flashrank"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    index: Path, spec: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with OpenAIServer() as server, pytest.raises(MissingExtra, match=r"pagequote\[rerank\]"):
        pipeline(index, server, rerank=spec)
