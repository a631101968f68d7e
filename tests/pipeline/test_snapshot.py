"""A question reads one state of the index to its end, whatever others ask and ingest meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.store import open_index
from rag.types import Answer
from tests.pipeline.conftest import Open
from tests.pipeline.replies import QUESTION, right_reply
from tests.servers.openai_server import OpenAIServer

CITED = "bridges/harbour.pdf"
OTHER_QUESTION = "How many litres does the Aria 2 kettle hold?"


@pytest.mark.parametrize(
    "shared", [False, True], ids=["another process's writer", "the pipeline's own index"]
)
def test_others_who_ask_and_ingest_do_not_change_what_a_question_sees(
    index: Path, opened: Open, shared: bool
) -> None:
    with OpenAIServer(reply=right_reply) as server, ThreadPoolExecutor(1) as visitor:
        pipeline = opened(server)
        parts = pipeline.stream(QUESTION)
        next(parts)  # the passages are found, the model is writing, nothing is verified yet
        writing = pipeline.index if shared else open_index(index)
        with writing.writer() as writer:
            writer.prune([CITED])
        if not shared:
            writing.close()
        found = visitor.submit(pipeline.search, OTHER_QUESTION).result()
        *_, answer = parts
        afterwards = pipeline.search(QUESTION)
    assert isinstance(answer, Answer)
    assert [(citation.file, citation.verified) for citation in answer.citations] == [(CITED, True)]
    assert CITED not in {passage.file for passage in (*found, *afterwards)}
