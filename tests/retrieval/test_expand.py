"""Searches expanded by a chat model that answers over a real socket, rightly and wrongly, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.cli.app import cli, run
from rag.errors import BudgetReached, MissingCapability, SettingsError, UsageError
from rag.pipeline import Pipeline
from rag.retrieval.fusion import merge
from rag.retrieval.model_calls import read_parts, read_passage, read_queries
from rag.settings import load_settings
from rag.types import Passage
from rag.usage.log import UsageLog
from tests.providers.support import CHAT, price_file
from tests.retrieval.shelf import (
    DAYS_OFF,
    GUARANTEE,
    LEAVE,
    PENSION,
    TOLL,
    WARRANTY,
    build,
    pipeline,
    texts,
)
from tests.servers.openai_server import KEY, OpenAIServer, Request

COMPOUND = "How long does the guarantee hold that the shop keeps at its counter, and what does crossing cost?"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shelf") / "index")


@contextmanager
def helped(index: Path, reply: str | Callable[[Request], str], **flags: Any) -> Iterator[Pipeline]:
    """A pipeline whose chat model gives the scripted reply."""
    with OpenAIServer(reply=reply) as server, pipeline(index, server, **flags) as opened:
        yield opened


def plain(index: Path, question: str, k: int) -> list[Passage]:
    with helped(index, "unused") as opened:
        return opened.search(question, k=k)


def way_of(request: Request) -> str:
    """Which of the shipped templates a request was made with, by words of its instructions."""
    system = str(request.messages[0]["content"])
    marks = {
        "three other ways": "rewrite",
        "세 가지": "rewrite",
        "hypothetical": "hypothetical",
        "several things at once": "split",
        "나누어": "split",
    }
    return next((way for words, way in marks.items() if words in system), "hypothetical")


# -- what each way finds ------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "reply", "wanted"),
    [
        (GUARANTEE, "1. warranty of the kettle in months\n2. months of warranty\n3. warranty", WARRANTY),
        (DAYS_OFF, "1. 연차 유급휴가 일수\n2. 근속 1년 유급휴가\n3. 연차 유급휴가 부여", LEAVE),
    ],
)
def test_other_wordings_find_a_page_that_the_question_misses(
    index: Path, question: str, reply: str, wanted: str
) -> None:
    assert wanted not in texts(plain(index, question, k=8))
    with helped(index, reply, expand="rewrite") as opened:
        assert wanted in texts(opened.search(question, k=8))


@pytest.mark.parametrize(
    ("question", "reply", "wanted"),
    [
        (GUARANTEE, f"The guarantee holds long. {WARRANTY}", WARRANTY),
        (DAYS_OFF, f"쉬는 날을 말하자면, {LEAVE}", LEAVE),
    ],
)
def test_a_hypothetical_answer_finds_pages_like_itself(
    index: Path, question: str, reply: str, wanted: str
) -> None:
    assert wanted not in texts(plain(index, question, k=8))
    with helped(index, reply, expand="hypothetical") as opened:
        assert wanted in texts(opened.search(question, k=8))


def test_every_part_of_a_compound_question_is_found(index: Path) -> None:
    reply = "1. How long does the guarantee of the shop hold?\n2. What do motorists pay who are crossing?"
    with helped(index, reply, expand="split") as opened:
        found = opened.search(COMPOUND, k=3)
    assert TOLL in texts(found)
    assert any(passage.file == "shop.pdf" for passage in found)


def test_korean_parts_are_found_too(index: Path) -> None:
    question = "직원이 쉬는 날은 며칠이고, 퇴직 급여는 얼마인가요?"
    reply = "1. 직원이 쉬는 날은 며칠인가요?\n2. 퇴직 급여는 얼마인가요?"
    with helped(index, reply, expand="split") as opened:
        assert PENSION in texts(opened.search(question, k=2))


def test_the_same_replies_give_the_same_passages(index: Path) -> None:
    with helped(index, "1. warranty\n2. months of guarantee", expand="all") as opened:
        first, second = (opened.search(GUARANTEE, k=20) for _ in range(2))
    assert first == second
    assert [p.score for p in first] == sorted((p.score for p in first), reverse=True)


def test_cosines_stay_those_of_the_question_itself(index: Path) -> None:
    """Abstaining weighs them, so a wording of the model must not change what they are compared with."""
    with helped(index, "1. warranty of the kettle\n2. kettle warranty", expand="rewrite") as opened:
        retrieval = opened.runnable.steps.retriever.retrieve(GUARANTEE, k=8)
        vectors = opened.index.vectors([p.chunk_id for p in retrieval.passages])
        question = np.asarray(opened.embeddings.embeddings.embed_query(GUARANTEE), dtype=np.float32)
    cosines = vectors @ (question / np.linalg.norm(question))
    assert [p.similarity for p in retrieval.passages] == pytest.approx(cosines.tolist(), abs=1e-5)


def test_a_filter_holds_for_every_search(index: Path) -> None:
    with helped(index, "1. warranty of the kettle\n2. kettle warranty", expand="all") as opened:
        found = opened.search(GUARANTEE, where=["file=shop.pdf"], k=8)
    assert {p.file for p in found} == {"shop.pdf"}


# -- replies of every form ----------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        "1. kettle warranty\n2. months of warranty",
        "Here are two:\n\n1) kettle warranty\n2) months of warranty\n\nI hope this helps!",
        '- "kettle warranty"\n- **months of warranty**',
        '["kettle warranty", "months of warranty"]',
        'Sure!\n```json\n{"queries": ["kettle warranty", "months of warranty"]}\n```',
        "<think>Two lines are wanted.\n1. not this</think>\n1. kettle warranty\n2. months of warranty",
        "they want two lines\n1. not this</think>① kettle warranty\n② months of warranty",
        "1. Query 1: kettle warranty\n2. Query 2: months of warranty\n3. Kettle warranty",
    ],
)
def test_lists_are_read_in_the_forms_that_models_write(reply: str) -> None:
    assert read_queries(reply, GUARANTEE) == ("kettle warranty", "months of warranty")


def test_korean_lists_are_read() -> None:
    assert read_queries("1. 질문 1: 연차 휴가\n2. ‘유급휴가 일수’", DAYS_OFF) == (
        "연차 휴가",
        "유급휴가 일수",
    )
    assert read_parts("• 휴가는 며칠인가요?\n• 급여는 얼마인가요?", "휴가와 급여는?") == (
        "휴가는 며칠인가요?",
        "급여는 얼마인가요?",
    )


@pytest.mark.parametrize(
    "reply", [f"1. {GUARANTEE}", GUARANTEE, f'["{GUARANTEE.lower()}"]', f"Question: {GUARANTEE}"]
)
def test_a_question_that_is_only_repeated_adds_nothing(reply: str) -> None:
    assert read_queries(reply, GUARANTEE) == ()
    assert read_parts(reply, GUARANTEE) == ()


def test_a_made_up_passage_is_cut_and_told_from_a_refusal() -> None:
    long = "The guarantee holds for two years. " * 200
    (passage,) = read_passage(f"Passage: {long}", GUARANTEE) or ("",)
    assert passage.startswith("The guarantee holds")
    assert len(passage) < len(long) / 2
    assert read_passage("I am sorry, but I cannot assist with that request.", GUARANTEE) is None
    assert read_passage("guarantee", GUARANTEE) is None


MALFORMED = [
    "",
    "   \n ",
    "I'm sorry, but I can't help with that request.",
    "죄송하지만 도와드릴 수 없습니다.",
    '{"queries": [',
    "[[[[[[[[",
    "1.\n2.\n3.",
    "???",
    "<think>What could be meant here",
    "1. " + "x y " * 2000,
]


@pytest.mark.parametrize(
    ("question", "note"),
    [(GUARANTEE, "The model's reply held no"), (DAYS_OFF, "모델의 답에서")],
)
def test_malformed_replies_change_nothing_and_are_noted(index: Path, question: str, note: str) -> None:
    usual = texts(plain(index, question, k=8))
    replies = iter([reply for reply in MALFORMED for _ in range(3)])
    with helped(index, lambda _: next(replies), expand="all") as opened:
        for reply in MALFORMED:
            retrieval = opened.runnable.steps.retriever.retrieve(question, k=8)
            assert texts(retrieval.passages) == usual, reply
            assert [n.startswith(note) for n in retrieval.notes[:4]] == [True, True, True, False], reply


# -- what it costs ------------------------------------------------------------------


def scripted(request: Request) -> str:
    replies = {
        "rewrite": "1. warranty of the kettle\n2. kettle warranty in months",
        "hypothetical": "The guarantee of the kettle is a warranty of 36 months.",
        "split": "1. How long is the warranty?\n2. What is a guarantee?",
    }
    if "Passages" in str(request.messages[-1]["content"]) or "passage n=" in str(request.messages):
        return 'It holds 36 months. [1: "a warranty of 36 months"]'
    return replies[way_of(request)]


def test_every_call_is_counted_priced_and_shown(index: Path, tmp_path: Path) -> None:
    prices = price_file(
        tmp_path, **{"openai__gpt-4o-mini": (1.0, 4.0), "openai__text-embedding-3-small": (0.1, 0.0)}
    )
    with (
        OpenAIServer(reply=scripted) as server,
        pipeline(index, server, expand="all", prices=prices, abstain=0.0, check="off") as opened,
    ):
        answer = opened.ask(GUARANTEE)
        billed = server.bill
        chats = len(server.chat_requests())
    assert chats == 4
    assert answer.usage.input_tokens == billed.input_tokens
    assert answer.usage.output_tokens == billed.output_tokens
    steps = answer.extra["retrieval_steps"]
    assert [step["step"] for step in steps] == ["rewrite", "hypothetical", "split"]
    assert {step["model"] for step in steps} == {CHAT}
    assert all(step["calls"] == 1 and step["cost_usd"] > 0 for step in steps)
    for step in steps:
        priced = (step["input_tokens"] * 1.0 + step["output_tokens"] * 4.0) / 1e6
        assert step["cost_usd"] == pytest.approx(priced)
    assert any(
        note.startswith("Rewriting (openai:gpt-4o-mini): ") and "$0.0" in note for note in answer.notes
    )
    assert "expand" in answer.seconds
    assert answer.seconds["expand"] <= answer.seconds["retrieve"]


def test_a_model_without_a_price_is_said_to_have_none(index: Path) -> None:
    with helped(
        index, "1. kettle warranty\n2. warranty", model="compatible:mine", expand="rewrite"
    ) as opened:
        notes = opened.runnable.steps.retriever.retrieve(GUARANTEE).notes
    assert any("price unknown" in note for note in notes)


def test_the_cap_stops_before_an_expansion_that_could_pass_it(index: Path) -> None:
    with (
        OpenAIServer(reply="1. warranty\n2. guarantee") as server,
        pipeline(index, server, expand="rewrite", max_cost=0.000001) as opened,
    ):
        with pytest.raises(BudgetReached):
            opened.search(GUARANTEE)
        assert server.chat_requests() == []


def test_without_expansion_a_search_asks_no_chat_model(index: Path) -> None:
    with OpenAIServer() as server, pipeline(index, server) as opened:
        opened.search(GUARANTEE)
        assert server.chat_requests() == []


# -- settings, errors, the command line ---------------------------------------------


@pytest.mark.parametrize(
    ("given", "ways"),
    [
        ("rewrite", ("rewrite",)),
        ("split, Rewrite,split", ("rewrite", "split")),
        ("all", ("rewrite", "hypothetical", "split")),
        ("", ()),
    ],
)
def test_the_ways_are_read_from_flag_and_environment(given: str, ways: tuple[str, ...]) -> None:
    assert load_settings({"expand": given}, env={}, dotenv_path=None).expand == ways
    assert load_settings({}, env={"RAG_EXPAND": given}, dotenv_path=None).expand == ways


def test_an_unknown_way_is_named_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match=r"--expand .*'reword'.*rewrite.*hypothetical.*split"):
        load_settings({"expand": "rewrite,reword"}, env={}, dotenv_path=None)


def test_the_extractive_answerer_cannot_expand(index: Path) -> None:
    with OpenAIServer() as server, pytest.raises(MissingCapability) as caught:
        pipeline(index, server, model="extractive", expand="rewrite")
    assert "--model" in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_a_users_own_template_is_used_and_must_fit_its_name(index: Path, tmp_path: Path) -> None:
    own = tmp_path / "rewrite.yaml"
    text = (
        "description: Mine.\npurpose: {}\nmessages:\n  en:\n    system: Reword for my trade.\n"
        "    user: '{}{{question}}'\n"
    )
    own.write_text(text.format("rewrite", ""), encoding="utf-8")
    with OpenAIServer(reply="1. kettle warranty\n2. warranty") as server:
        with pipeline(index, server, expand="rewrite", prompts_dir=str(tmp_path)) as opened:
            opened.search(GUARANTEE)
        assert server.chat_requests()[0].messages[0]["content"] == "Reword for my trade."
        own.write_text(text.format("answer", "{passages}"), encoding="utf-8")
        with (
            pipeline(index, server, expand="rewrite", prompts_dir=str(tmp_path)) as opened,
            pytest.raises(UsageError, match="purpose"),
        ):
            opened.search(GUARANTEE)


def test_a_template_for_searches_cannot_answer(index: Path) -> None:
    with helped(index, "unused", abstain=0.0) as opened, pytest.raises(UsageError, match="not for answers"):
        opened.ask(GUARANTEE, prompt="rewrite")


def test_the_command_prints_json_alone_and_tells_the_rest_apart(
    index: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer(reply="1. warranty of the kettle\n2. kettle warranty") as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        arguments = ["search", GUARANTEE, "--index", str(index), "--expand", "rewrite", "--json"]
        assert run(cli, arguments) == 0
        spent = server.bill
    shown = capfd.readouterr()
    assert WARRANTY in [passage["text"] for passage in json.loads(shown.out)["passages"]]
    assert "Also searched for: warranty of the kettle · kettle warranty" in shown.err
    kept = UsageLog(index / "usage.db")
    assert kept.path.exists()
    assert spent.replies >= 2


# -- merging lists ------------------------------------------------------------------


def found(*scored: tuple[int, float]) -> list[Passage]:
    return [Passage(chunk, "a.pdf", 1, 1, "", (), score=score) for chunk, score in scored]


def test_the_question_counts_as_much_as_all_other_wordings_together() -> None:
    original = found((1, 4.0), (2, 3.0))
    astray = found((9, 8.0), (8, 1.0))
    scores = merge([[original, astray, astray, astray]])
    assert list(scores)[:2] == [1, 9]
    assert scores[1] == scores[9] == 1.0


def test_one_good_wording_is_enough() -> None:
    usual = found((1, 4.0), (2, 2.0))
    assert list(merge([[usual, found((9, 5.0)), found((1, 3.0)), found((1, 3.0))]])) == [1, 9, 2]


def test_agreement_between_wordings_wins() -> None:
    scores = merge([[found((1, 4.0), (2, 3.0)), found((2, 8.0), (3, 2.0))]])
    assert list(scores) == [2, 1, 3]


def test_the_best_of_each_part_comes_before_the_second_best_of_any() -> None:
    scores = merge([[found((1, 4.0), (2, 3.9))], [found((5, 0.2), (6, 0.1))], [found((7, 9.0), (1, 5.0))]])
    assert list(scores)[:3] == [1, 5, 7]


def test_what_a_search_moved_to_its_end_stays_there() -> None:
    """Near-duplicates keep their score when they are moved back; their place says more."""
    scores = merge([[found((1, 4.0), (3, 1.0), (2, 3.9))]])
    assert list(scores) == [1, 3, 2]


def test_lists_without_scores_keep_the_order_in_which_chunks_were_found() -> None:
    assert list(merge([[found((3, 0.0), (1, 0.0))], [found((2, 0.0))]])) == [3, 1, 2]
    assert merge([[[]], [[]]]) == {}
