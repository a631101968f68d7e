"""pagequote as a part of LangChain programs: tools for agents, schemas, retriever, embeddings, callbacks, async."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests

import rag.evaluation
import rag.pipeline
from rag.errors import RagError
from rag.evaluation.compare import compare
from rag.evaluation.metrics import summarise
from rag.evaluation.question_sets import load_questions
from rag.evaluation.running import EvaluatedPipeline, describe, evaluate
from rag.evaluation.runs import load_run
from rag.pipeline import Pipeline
from rag.pipeline.query import Query
from rag.providers.e5 import E5Embeddings, E5Model
from rag.retrieval.retriever import HybridRetriever
from rag.settings import load_settings
from rag.store import Index, open_index
from rag.store.vectorstore import IndexVectorStore
from rag.types import Answer
from tests.conftest import ROOT
from tests.pipeline.conftest import Open
from tests.pipeline.replies import KOREAN, both, right_reply
from tests.pipeline.replies import QUESTION as BRIDGE
from tests.servers.openai_server import OpenAIServer

MANUAL = "tarn-340-user-manual.pdf"
QUESTION = "What is the sample volume of the Tarn 340?"

for suite in (EmbeddingsIntegrationTests, RetrieversIntegrationTests):
    for method in vars(suite).values():
        if inspect.iscoroutinefunction(method):
            pytest.mark.anyio(method)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared(sample_index: Path) -> Iterator[Pipeline]:
    settings = load_settings({"index": str(sample_index), "model": "extractive"}, env={}, dotenv_path=None)
    with Pipeline.open(settings=settings) as pipeline:
        yield pipeline


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return E5Embeddings


class TestRetriever(RetrieversIntegrationTests):
    index: ClassVar[Index]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _open(cls, sample_index: Path) -> Iterator[None]:
        with open_index(sample_index) as cls.index:
            yield

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return HybridRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"index": self.index, "embed_query": E5Embeddings().embed_query}

    @property
    def retriever_query_example(self) -> str:
        return "sample volume"


def test_a_tool_answers_with_numbers_that_go_on(shared: Pipeline) -> None:
    tool = shared.as_tool()
    first = tool.invoke({"name": tool.name, "args": {"question": QUESTION}, "id": "1", "type": "tool_call"})
    answer = first.artifact
    assert isinstance(answer, Answer)
    assert f"[1] {MANUAL}" in first.content
    question = {"question": "연차 휴가는 며칠인가요?", "where": {"format": "pdf"}}
    again = tool.invoke({"name": tool.name, "args": question, "id": "2", "type": "tool_call"})
    assert {c.n for c in again.artifact.citations}.isdisjoint({c.n for c in answer.citations})
    assert first.content == tool.invoke({"question": QUESTION})


@pytest.mark.parametrize("where", [{"file": MANUAL}, [f"file={MANUAL}"], f"file={MANUAL}"])
def test_a_search_tool_is_called_several_times(shared: Pipeline, where: Any) -> None:
    tool = shared.as_search_tool()
    found = [
        tool.invoke(
            {"name": tool.name, "args": {"query": query, "where": where}, "id": query, "type": "tool_call"}
        )
        for query in ("sample volume", "warranty", "sample volume")
    ]
    numbers = [[document.metadata["citation"] for document in message.artifact] for message in found]
    assert numbers[0] == numbers[2]
    assert numbers[0][0] == 1
    assert {document.metadata["file"] for message in found for document in message.artifact} == {MANUAL}
    assert found[0].content.startswith(f"[1] {MANUAL}")


def test_the_chain_says_what_it_takes_and_is_a_tool(shared: Pipeline) -> None:
    schema = shared.runnable.get_input_schema().model_json_schema()
    assert set(schema["properties"]) == {
        "question", "history", "where", "prompt", "k", "strict", "variables",
    }  # fmt: skip
    assert schema == shared.runnable.input_schema.model_json_schema()
    assert MANUAL in shared.runnable.as_tool(name="handbook").invoke({"question": QUESTION})


def test_async_forms_answer_alike(shared: Pipeline) -> None:
    async def ask() -> tuple[Answer, list[Any], list[str], str]:
        parts = [part async for part in shared.astream(QUESTION)]
        passages = await shared.asearch(QUESTION, where={"file": MANUAL})
        return (
            await shared.aask(QUESTION),
            parts,
            [p.file for p in passages],
            await shared.as_tool().ainvoke({"question": QUESTION}),
        )

    answer, parts, files, content = asyncio.run(ask())
    expected = shared.ask(QUESTION)
    assert answer.text == parts[-1].text == expected.text
    assert answer.citations == expected.citations
    assert set(files) == {MANUAL}
    assert MANUAL in content


def test_callbacks_reach_every_step(shared: Pipeline) -> None:
    class Seen(BaseCallbackHandler):
        def __init__(self) -> None:
            self.names: list[str] = []

        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            self.names.append(kwargs["name"])

    expected = [
        "pagequote",
        "read",
        "condense",
        "retrieve",
        "assess",
        "generate",
        "parse",
        "verify",
        "decide",
    ]
    for ask in (shared.ask, lambda *a, **k: asyncio.run(shared.aask(*a, **k))):
        seen = Seen()
        ask(QUESTION, config={"callbacks": [seen]})
        assert [name for name in seen.names if name in expected] == expected


def test_the_runnable_does_what_every_runnable_does(opened: Open) -> None:
    async def apart(chain: Any) -> tuple[Answer, list[Any], list[Answer]]:
        one = await chain.ainvoke(BRIDGE)
        streamed = [part async for part in chain.astream({"question": BRIDGE})]
        return one, streamed, await chain.abatch([BRIDGE, KOREAN])

    with OpenAIServer(reply=both) as server:
        chain = opened(server).runnable
        invoked = chain.invoke(BRIDGE)
        batch = chain.batch([BRIDGE, {"question": KOREAN}])
        composed = (chain | RunnableLambda(lambda answer: answer.text.upper())).invoke(BRIDGE)
        one, streamed, many = asyncio.run(apart(chain))
    assert invoked.text == one.text == streamed[-1].text == batch[0].text == many[0].text
    assert batch[1].text == many[1].text == "근속 1년에 15일입니다."
    assert composed == invoked.text.upper()
    assert "".join(streamed[:-1]).startswith("It was opened")
    assert invoked.usage == one.usage == batch[0].usage == streamed[-1].usage


def test_langchains_callbacks_see_every_step(opened: Open) -> None:
    class Trace(BaseCallbackHandler):
        def __init__(self) -> None:
            self.names: list[str] = []
            self.models = 0
            self.tags: set[str] = set()
            self.ended: list[Any] = []

        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            self.names.append(str(kwargs.get("name")))
            self.tags |= set(kwargs.get("tags") or ())

        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            if kwargs.get("parent_run_id") is None:
                self.ended.append(outputs)

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            self.models += 1
            assert kwargs.get("parent_run_id") is not None

    for how in ("ask", "stream"):
        trace = Trace()
        with OpenAIServer(reply=right_reply) as server:
            given = getattr(opened(server), how)(BRIDGE, config={"callbacks": [trace], "tags": ["mine"]})
            assert isinstance([*given][-1] if how == "stream" else given, Answer)
        assert trace.models == 1
        assert {"condense", "retrieve", "assess", "parse", "verify", "decide", "pagequote"} <= set(
            trace.names
        )
        assert "mine" in trace.tags
        assert isinstance(trace.ended[-1], Answer)


def test_after_closing_every_entry_is_a_rag_error(sample_index: Path) -> None:
    settings = load_settings({"index": str(sample_index), "model": "extractive"}, env={}, dotenv_path=None)
    pipeline = Pipeline.open(settings=settings)
    tool, retriever = pipeline.as_tool(), pipeline.runnable.steps.retriever
    pipeline.close()
    pipeline.close()
    calls: list[Callable[[], Any]] = [
        lambda: pipeline.ask(QUESTION),
        lambda: list(pipeline.stream(QUESTION)),
        lambda: pipeline.search(QUESTION),
        lambda: asyncio.run(pipeline.aask(QUESTION)),
        lambda: tool.invoke({"question": QUESTION}),
        lambda: pipeline.runnable.invoke(QUESTION),
        lambda: retriever.retrieve(QUESTION),
    ]
    for call in calls:
        with pytest.raises(RagError):
            call()


_FENCE = re.compile(r"(?P<before>[^\n]*)\n```python\n(?P<code>.*?)^```", re.M | re.S)


@pytest.fixture
def in_sample_folder(sample_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".rag").symlink_to(sample_index, target_is_directory=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("in_sample_folder")
def test_the_snippets_of_the_guide_run(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "guide"}
    for block in _FENCE.finditer(guide):
        if "not run:" not in block["before"]:
            exec(compile(block["code"], "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert f"[1] {MANUAL}" in printed
    assert "['answered', 'answered']" in printed
    assert "['question'] ask_documents" in printed


@pytest.mark.usefixtures("in_sample_folder")
@pytest.mark.parametrize(
    "home",
    [
        rag.pipeline,
        Pipeline,
        Query,
        Answer,
        HybridRetriever,
        Index,
        IndexVectorStore,
        E5Model,
        E5Embeddings,
        rag.evaluation,
    ],
)
def test_the_examples_in_docstrings_run(home: Any, sample_index: Path) -> None:
    example = re.search(r"(?:^    .*\n|^\n(?=    ))+", inspect.cleandoc(home.__doc__ or "") + "\n", re.M)
    assert example is not None, f"{home} shows no example"
    questions = (ROOT / "data" / "questions" / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    Path("questions.jsonl").write_text("\n".join(questions[::8]) + "\n", encoding="utf-8")
    public = (Pipeline, Query, HybridRetriever, E5Model, E5Embeddings, open_index, load_questions, EvaluatedPipeline,
              describe, evaluate, summarise, compare, load_run)  # fmt: skip
    names: dict[str, Any] = {one.__name__: one for one in public}
    with (
        Pipeline.open(sample_index, model="extractive") as pipeline,
        open_index(sample_index, embeddings=E5Embeddings()) as index,
    ):
        exec(
            compile(inspect.cleandoc(example[0]), str(home), "exec"),
            names | {"pipeline": pipeline, "index": index},
        )
