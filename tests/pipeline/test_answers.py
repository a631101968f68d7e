"""Questions through the whole chain, with a scripted model over a real socket, and without any model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import (
    BadResponse,
    ContextTooLong,
    IndexMismatch,
    IndexMissing,
    ServerUnreachable,
    TemplateError,
    UsageError,
)
from rag.messages import texts
from rag.pipeline import Pipeline
from rag.pipeline.query import as_query
from rag.store import open_index
from rag.types import Answer, QuoteStatus, Support
from tests.pipeline.conftest import Open
from tests.pipeline.replies import KOREAN, QUESTION, both, number_of, right_reply
from tests.providers.support import CHAT, settings_for
from tests.servers.openai_server import Fault, OpenAIServer, Request


@pytest.mark.parametrize(
    ("question", "text", "file"),
    [
        (QUESTION, "It was opened on 24 October 1931.", "bridges/harbour.pdf"),
        (KOREAN, "근속 1년에 15일입니다.", "규정/휴가.pdf"),
    ],
)
def test_an_answer_is_proven_and_accounted_for(opened: Open, question: str, text: str, file: str) -> None:
    with OpenAIServer(reply=both) as server:
        answer = opened(server).ask(question)
        billed = server.bill
    assert (answer.status, answer.text) == ("answered", text)
    assert [s.support for s in answer.sentences] == [Support.VERIFIED]
    citation = answer.citations[0]
    assert (citation.file, citation.page, citation.status) == (file, 1, QuoteStatus.FOUND)
    assert (answer.model, answer.prompt) == (CHAT, "few-shot")
    assert answer.usage.input_tokens == billed.input_tokens
    assert answer.usage.output_tokens == billed.output_tokens
    assert answer.usage.cost_usd == pytest.approx(billed.cost(0.15, 0.60, 0.02))
    assert answer.usage.calls == 2
    assert {"retrieve", "generate", "verify", "total"} <= set(answer.seconds)
    assert 0 <= answer.evidence_score <= 1
    assert len(answer.extra["prompt_fingerprint"]) == 64


@pytest.mark.parametrize(("question", "file"), [(QUESTION, "bridges/harbour.pdf"), (KOREAN, "규정/휴가.pdf")])
def test_the_extractive_answerer_needs_no_model(opened: Open, question: str, file: str) -> None:
    with OpenAIServer() as server:
        pipeline = opened(server, model="extractive", abstain=0.0)
        answer = pipeline.ask(question)
        parts = list(pipeline.stream(question))
        assert server.chat_requests() == []
    assert answer.citations[0].file == file
    assert all(citation.verified for citation in answer.citations)
    assert isinstance(parts[-1], Answer)
    assert parts[-1].text == answer.text
    assert parts[:-1] == []


def test_a_sentence_that_others_fit_far_better_than_is_not_shown(opened: Open) -> None:
    with OpenAIServer() as server:
        steps = opened(server, model="extractive", abstain=0.0).steps
        state = steps.assess(steps.retrieve(steps.condense(as_query(QUESTION), {})))
        (part,) = state.parts
        assert part.assessment is not None
        part.assessment = replace(part.assessment, ranked=part.assessment.ranked[::-1])
        answer = steps.decide(steps.verify(steps.parse(state), {}))
    assert (answer.status, answer.text) == ("abstained", "")


def test_streaming_gives_the_words_and_then_the_answer(opened: Open) -> None:
    with OpenAIServer(reply=right_reply) as server:
        *words, answer = list(opened(server).stream(QUESTION))
    assert "".join(map(str, words)) == right_reply(None)
    assert len(words) > 5
    assert isinstance(answer, Answer)
    assert answer.text == "It was opened on 24 October 1931."
    assert answer.usage.output_tokens > 0
    assert answer.usage.cost_usd is not None


def test_the_documents_do_not_hold_it_says_the_model(opened: Open) -> None:
    for sentinel, question in (("NOT_IN_DOCUMENTS", QUESTION), ("문서에_없음", KOREAN)):
        with OpenAIServer(reply=sentinel) as server:
            answer = opened(server).ask(question)
        assert (answer.status, answer.text, answer.sentences) == ("abstained", "", ())
        assert ("모델" if question == KOREAN else "model") in answer.reason
        assert answer.passages


@pytest.mark.parametrize("how", ["ask", "stream"])
@pytest.mark.parametrize("empty", ["", "<think>Hm.</think>\n"])
def test_an_empty_reply_is_asked_for_again_once_and_then_a_failure(
    opened: Open, how: str, empty: str
) -> None:
    with OpenAIServer(reply=empty) as server:
        pipeline = opened(server)
        with pytest.raises(BadResponse):
            list(getattr(pipeline, how)(QUESTION))
        assert len(server.chat_requests()) == 2
    replies = iter([empty, "NOT_IN_DOCUMENTS"])
    with OpenAIServer(reply=lambda _: next(replies)) as server:
        assert opened(server).ask(QUESTION).status == "abstained"
        assert len(server.chat_requests()) == 2


REWORDED = "The harbour bridge has carried traffic since 24 October 1931."


def checked_reply(request: Request) -> str:
    """An answer in other words than the page's, and a yes to it."""
    checking = "Sentence: " in str(request.messages[-1]["content"])
    return "yes" if checking else f"{REWORDED} [{number_of(request, '24 October 1931')}]"


@pytest.mark.parametrize(
    ("confidence", "check", "calls", "reason"),
    [
        (0.97, "model", 2, "checked_by_model"),
        (None, "model", 2, "not_told_by_code"),
        (0.6, "model", 2, "not_told_by_code"),
        (0.97, "openai:gpt-4o", 2, "checked_by_model"),
        (0.97, "off", 1, "not_told_by_code"),
    ],
)
def test_the_chat_model_checks_what_rules_leave_open(
    opened: Open, confidence: float | None, check: str, calls: int, reason: str
) -> None:
    with OpenAIServer(reply=checked_reply, confidence=confidence) as server:
        answer = opened(server, check=check, temperature=0.0, cache=True).ask(QUESTION)
        again = opened(server, check=check, temperature=0.0, cache=True).ask(QUESTION)
        models = [str(request.body["model"]) for request in server.chat_requests()]
    assert answer.sentences[0].reason == again.sentences[0].reason == reason
    assert answer.verified is (reason == "checked_by_model")
    assert len(models) == answer.usage.calls - 1 == calls  # and one embedding
    assert models[1:] == ([] if check == "off" else ["gpt-4o" if "4o" in check else "gpt-4o-mini"])


def test_a_short_reply_is_checked_together_with_its_question(opened: Open) -> None:
    def reply(request: Request) -> str:
        checking = f"Question: {QUESTION}\nAnswer: " in str(request.messages[-1]["content"])
        return "yes" if checking else "Since 24 October 1931."

    with OpenAIServer(reply=reply, confidence=0.97) as server:
        answer = opened(server).ask(QUESTION)
        calls = len(server.chat_requests())
    assert calls == 2
    assert answer.sentences[0].reason == "checked_by_model"
    assert "24 October 1931" in answer.citations[0].quote


def test_an_answer_is_kept_when_its_check_fails(opened: Open) -> None:
    faults = lambda request: Fault("500") if "Sentence: " in str(request.body) else None  # noqa: E731
    with OpenAIServer(reply=checked_reply, faults=faults) as server:
        answer = opened(server).ask(QUESTION)
    assert (answer.status, answer.sentences[0].support) == ("answered", Support.WEAK)
    assert any(texts("answer.not_checked")["en"].partition(":")[0] in note for note in answer.notes)


def test_the_documents_do_not_hold_it_says_the_evidence_before_any_model(opened: Open) -> None:
    with OpenAIServer(reply=right_reply) as server:
        answer = opened(server, abstain=0.999).ask("Which glacier melts fastest in Patagonia?")
        assert server.chat_requests() == []
    assert answer.status == "abstained"
    assert answer.evidence_score < 0.999
    assert "glacier" in answer.reason
    assert answer.usage.output_tokens == 0


def test_the_documents_do_not_hold_it_says_the_proof(opened: Open) -> None:
    invented = "The queen danced all night. [91] Her dress was blue. [92]"
    with OpenAIServer(reply=invented) as server:
        answer = opened(server).ask(QUESTION)
    assert answer.status == "abstained"
    assert "none of its quotes" in answer.reason


def test_an_answer_that_nothing_is_founded_in_is_none(opened: Open) -> None:
    def unfounded(request: Request) -> str:
        return f"Sailors painted a whale on the wall. [{number_of(request, '24 October 1931')}]"

    with OpenAIServer(reply=unfounded) as server:
        answer = opened(server).ask(QUESTION)
    assert (answer.status, answer.sentences, answer.citations) == ("abstained", (), ())


def test_strict_withholds_what_is_not_verified(opened: Open) -> None:
    mixed = right_reply(None) + " Sailors painted a whale on the wall. [91]"
    with OpenAIServer(reply=mixed) as server:
        pipeline = opened(server)
        loose, strict = pipeline.ask(QUESTION), pipeline.ask(QUESTION, strict=True)
    assert [s.support for s in loose.sentences] == [Support.VERIFIED, Support.UNSUPPORTED]
    assert [s.support for s in strict.sentences] == [Support.VERIFIED]
    assert "whale" not in strict.text
    assert strict.notes
    with OpenAIServer(reply="It opened in October 1931 and cost 90 million. [1]") as server:
        declined = opened(server, strict=True).ask(QUESTION)
    assert declined.status == "abstained"
    assert "--strict" in declined.reason


def test_a_prompt_that_is_too_long_is_packed_with_fewer_passages(opened: Open) -> None:
    with OpenAIServer(reply=right_reply, context_tokens=500) as server:
        answer = opened(server).ask(QUESTION)
        prompts = len(server.chat_requests())
    assert answer.text == "It was opened on 24 October 1931."
    assert prompts > 1
    assert len(answer.passages) < 7
    assert any(f"Only {len(answer.passages)} of" in note for note in answer.notes)
    with OpenAIServer(reply=right_reply, context_tokens=10) as server, pytest.raises(ContextTooLong):
        opened(server).ask(QUESTION)


def test_a_model_reads_the_likeliest_passages_unless_its_template_wants_all(opened: Open) -> None:
    with OpenAIServer(reply=right_reply) as server:
        pipeline = opened(server)
        found = [passage.chunk_id for passage in pipeline.search(QUESTION)]
        answer = pipeline.ask(QUESTION)
        every = pipeline.ask(QUESTION, prompt="summarize")
    read = [passage.chunk_id for passage in answer.passages]
    assert answer.verified
    assert len(read) < len(found)
    assert read == [one for one in found if one in read]
    assert [passage.chunk_id for passage in every.passages] == found


def test_a_budget_of_passage_tokens_is_kept(opened: Open) -> None:
    with OpenAIServer(reply=both) as server:
        answer = opened(server, context_tokens=100).ask(KOREAN)
    assert 1 <= len(answer.passages) < 7
    assert any("문맥" in note for note in answer.notes)


def test_a_reply_cut_at_its_longest_is_said_to_be(opened: Open) -> None:
    long = right_reply(None) + " And more and more words follow here." * 4
    with OpenAIServer(reply=long) as server:
        answer = opened(server, max_tokens=26).ask(QUESTION)
    assert answer.answered
    assert any("--max-tokens" in note for note in answer.notes)


def test_templates_are_swapped_by_name_and_by_file(opened: Open, tmp_path: Path) -> None:
    own = tmp_path / "pirate.yaml"
    own.write_text(
        "description: Arr.\nlanguage: en\nsampling: {temperature: 0.7, seed: 5, max_tokens: 77}\n"
        "variables: {ship: Anna}\n"
        "messages: {en: {system: 'Talk like a pirate of the {ship}. {reply_form}', user: '{passages} {question}'}}\n",
        encoding="utf-8",
    )
    with OpenAIServer(reply=right_reply) as server:
        pipeline = opened(server)
        concise = pipeline.ask(QUESTION, prompt="concise")
        pirate = pipeline.ask(QUESTION, prompt=str(own), variables={"ship": "Berta"})
        body = server.chat_requests()[-1].body
        assert concise.prompt == "concise"
        assert pirate.prompt == "pirate"
        assert concise.extra["prompt_fingerprint"] != pirate.extra["prompt_fingerprint"]
        assert (body["temperature"], body["seed"], body["max_completion_tokens"]) == (0.7, 5, 77)
        assert body["messages"][0]["content"].startswith("Talk like a pirate of the Berta.")
        with pytest.raises(UsageError, match="no prompt template"):
            pipeline.ask(QUESTION, prompt="piratical")
        own.write_text("description: x\n", encoding="utf-8")
        with pytest.raises(TemplateError):
            pipeline.ask(QUESTION, prompt=str(own))


def test_the_json_form_of_a_reply_works_as_well(opened: Open, tmp_path: Path) -> None:
    own = tmp_path / "json.yaml"
    own.write_text(
        "description: JSON.\noutput: json\nmessages: {en: {system: '{reply_form}', user: '{passages} {question}'}}\n",
        encoding="utf-8",
    )
    reply = (
        '{"sentences": [{"text": "It opened on 24 October 1931.", "citations": [{"passage": 1, '
        '"quote": "was opened to traffic on 24 October 1931"}]}], "not_in_documents": false}'
    )
    with OpenAIServer(reply=reply) as server:
        answer = opened(server).ask(QUESTION, prompt=str(own))
        system = server.chat_requests()[0].messages[0]["content"]
    assert '"sentences"' in system
    assert answer.text == "It opened on 24 October 1931."
    assert answer.sentences[0].support is Support.VERIFIED


def test_what_is_rendered_is_what_is_sent(opened: Open) -> None:
    with OpenAIServer(reply=right_reply) as server:
        pipeline = opened(server)
        rendered = pipeline.render(QUESTION)
        assert server.chat_requests() == []
        pipeline.ask(QUESTION)
        sent = server.chat_requests()[0].messages
        without_model = opened(server, model="extractive").render(QUESTION)
    assert [m.text for m in rendered] == [m["content"] for m in sent]
    assert [m.text for m in without_model] == [m.text for m in rendered]


def test_where_and_k_narrow_what_is_found(opened: Open) -> None:
    with OpenAIServer(reply=right_reply) as server:
        pipeline = opened(server)
        assert {p.file for p in pipeline.search("kettle", where=["folder=규정"])} == {
            "규정/휴가.pdf",
            "규정/기숙사.pdf",
        }
        assert len(pipeline.search("kettle", k=3)) == 3
        assert {p.file for p in pipeline.ask(QUESTION, where=("file=*kettle*",)).passages} == {
            "manuals/kettle.pdf"
        }
        assert len(pipeline.ask(QUESTION, k=2).passages) == 2
        with pytest.raises(UsageError, match="--where"):
            pipeline.search("kettle", where=["nonsense"])


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_question_is_wrong_usage(opened: Open, empty: str) -> None:
    with OpenAIServer() as server:
        pipeline = opened(server)
        with pytest.raises(UsageError, match="empty"):
            pipeline.ask(empty)
        with pytest.raises(UsageError, match="foo is not known"):
            pipeline.runnable.invoke({"question": "x", "foo": 1})


def test_a_stream_that_breaks_is_one_error(opened: Open) -> None:
    with OpenAIServer(reply=right_reply, faults=[None, Fault("cut")]) as server:
        shown: list[Any] = []
        with pytest.raises(ServerUnreachable, match="broke off"):
            shown.extend(opened(server).stream(QUESTION))
        assert not any(isinstance(part, Answer) for part in shown)


def test_an_index_that_does_not_fit_is_one_sentence(index: Path, tmp_path: Path) -> None:
    with OpenAIServer() as server:
        with pytest.raises(IndexMissing):
            Pipeline.open(tmp_path / "none", settings_for(server))
        with pytest.raises(IndexMismatch, match="leave --embeddings"):
            Pipeline.open(index, settings_for(server, embeddings="e5-small"))


@pytest.mark.parametrize("follow", [True, False])
def test_an_open_pipeline_follows_what_is_published(index: Path, follow: bool) -> None:
    with (
        OpenAIServer() as server,
        Pipeline.open(index, settings_for(server, model="extractive"), follow=follow) as pipeline,
    ):
        before = pipeline.ask(QUESTION)
        file = before.passages[0].file
        with open_index(index) as other, other.writer() as writer:
            writer.prune([file])
        found = {passage.file for passage in pipeline.ask(QUESTION).passages}
        assert (file in found) is not follow
        assert (file in {passage.file for passage in pipeline.search(QUESTION)}) is not follow


# -- questions that cannot have an answer, and why --------------------------------------------------------------


@pytest.mark.parametrize("question", ["???", "…", "!", "🦄"])
def test_a_question_without_a_word_is_empty(opened: Open, question: str) -> None:
    with OpenAIServer() as server, pytest.raises(UsageError, match="question is empty"):
        opened(server, model="extractive").ask(question)


@pytest.mark.parametrize("question", ["the", "What is this?", "Who was it?", "어디에 있나요?", "누구인가요?"])
def test_a_question_that_names_nothing_is_declined(opened: Open, question: str) -> None:
    with OpenAIServer() as server:
        answer = opened(server, model="extractive").ask(question)
    assert (answer.status, answer.evidence_score) == ("abstained", 0.0)
    assert answer.reason in texts("answer.asks_nothing").values()


def test_a_filter_that_lets_nothing_through_is_named(opened: Open) -> None:
    where = ["file=no*.pdf", "page=2-", "format=docx"]
    with OpenAIServer() as server:
        answer = opened(server, model="extractive").ask(QUESTION, where=where)
    assert answer.reason == f"No page matches --where {' '.join(where)}: `rag status` lists the files."


@pytest.mark.parametrize("question", [QUESTION, "Which zebra won the race in Kyoto?"])
def test_a_wrong_template_is_told_whatever_the_answer(opened: Open, question: str) -> None:
    with OpenAIServer() as server:
        pipeline = opened(server, model="extractive")
        with pytest.raises(UsageError, match="condense is not for answers"):
            pipeline.ask(question, prompt="condense")
        with pytest.raises(UsageError, match="did you mean `persona`"):
            pipeline.ask(question, prompt="persona", variables={"persna": "x"})
