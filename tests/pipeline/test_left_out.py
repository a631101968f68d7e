"""A question of an evaluation that leaves documents out is asked of the others that the filter allows."""

from __future__ import annotations

from rag.evaluation.running import EvaluatedPipeline
from tests.evaluation.builders import question
from tests.pipeline.conftest import Open
from tests.servers.openai_server import OpenAIServer


def test_leaving_out_and_a_filter_apply_both(opened: Open) -> None:
    with OpenAIServer() as server:
        pipeline = opened(server)
        left_out = question("q", leave_out=("bridges/harbour.pdf",))

        def files(*where: str) -> set[str]:
            return {passage.file for passage in EvaluatedPipeline(pipeline, where=where).search(left_out)}

        everything = files()
        assert "bridges/harbour.pdf" not in everything
        assert {"manuals/kettle.pdf", "규정/휴가.pdf"} <= everything
        assert files("file=kettle.pdf") == {"manuals/kettle.pdf"}
        assert files("file=harbour.pdf") == set()
