"""The MCP server, asked by the SDK's own client over standard input and output and over HTTP."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from rag.errors import SettingsError, UsageError
from rag.server.access import RequestGuard, key_for
from rag.server.mcp_server import build_server, http_app
from rag.server.service import Cancelled, DocumentService, Progress
from rag.settings import load_settings
from tests.cli.conftest import Run
from tests.conftest import ROOT, clean_environment
from tests.text.mutations import alterations, bare, noise

MANUAL = "tarn-340-user-manual.pdf"
QUESTIONS = {"en": "What is the sample volume of the Tarn 340?", "ko": "연차 휴가는 며칠인가요?"}


def call(service: DocumentService, name: str, **arguments: Any) -> Any:
    """One tool call through an in-memory session: the structured answer, or the text of the error."""

    async def once() -> Any:
        async with Client(build_server(service)) as client:
            result = await client.call_tool(name, arguments)
            return result.content[0].text if result.is_error else result.structured_content

    return anyio.run(once)


async def _session(client: Client, language: str) -> None:
    names = {tool.name for tool in (await client.list_tools()).tools}
    assert names == {"search", "ask", "read_page", "list_documents", "verify_quotes"}
    listed = (await client.call_tool("list_documents", {})).structured_content
    assert listed["totals"]["files"] == len(listed["files"]) == 15
    found = (await client.call_tool("search", {"query": QUESTIONS[language], "k": 3})).structured_content
    first = found["passages"][0]
    assert len(found["passages"]) == 3
    steps: list[str] = []

    async def progress(_done: float, _total: float | None, name: str | None) -> None:
        steps.append(str(name))

    arguments = {"question": QUESTIONS[language], "where": {"file": first["file"]}}
    result = await client.call_tool("ask", arguments, progress_callback=progress)
    answer = result.structured_content
    assert answer["status"] == "answered"
    assert steps[:2] == ["condense", "retrieve"]
    citation = answer["citations"][0]
    page = await client.call_tool("read_page", {"file": citation["file"], "page": citation["page"]})
    assert " ".join(citation["quote"].split()) in " ".join(page.structured_content["text"].split())
    uri = f"pagequote://page/{citation['page']}/{citation['file']}"
    assert (await client.read_resource(uri)).contents[0].text == page.structured_content["text"]
    text = f"“{citation['quote']}” 그리고 “산호초에서는 고래가 노래한다”."
    checked = (await client.call_tool("verify_quotes", {"text": text})).structured_content
    outcomes = [(q["status"], q["file"]) for s in checked["sentences"] for q in s["quotes"]]
    assert outcomes[0] == ("found", citation["file"])
    assert outcomes[1][0] == "not found"


def test_a_session_over_standard_input_and_output(sample_index: Path, tmp_path: Path) -> None:
    async def session() -> None:
        command = ["-m", "rag.cli", "mcp", "--index", str(sample_index), "--offline"]
        parameters = StdioServerParameters(
            command=sys.executable, args=command, env=clean_environment(), cwd=tmp_path
        )
        async with Client(stdio_client(parameters)) as client:
            await _session(client, "en")

    anyio.run(session)


def test_a_session_over_http_with_a_key(service: DocumentService, serve: Callable[..., Any]) -> None:
    async def session(address: str) -> None:
        headers = {"Authorization": "Bearer key-123"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
        ):
            await _session(client, "ko")

    with serve(http_app(service, "127.0.0.1", "key-123")) as address:
        refused = httpx2.post(f"{address}/mcp", json={}, headers={"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        anyio.run(session, address)


def test_without_a_key_only_this_machine_is_served(serve: Callable[..., Any]) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with serve(RequestGuard(app, None)) as address:
        for headers, status in (
            ({}, 200),
            ({"Host": "localhost"}, 200),
            ({"Host": "rebound.example"}, 421),
            ({"Origin": "https://elsewhere.example"}, 421),
            ({"Origin": "null"}, 421),
        ):
            assert httpx2.get(address, headers=headers).status_code == status
        large = httpx2.post(address, content=b"x" * (3 * 1024 * 1024))
        assert large.status_code == 413
    for host in ("0.0.0.0", "192.0.2.7", "::", ""):
        with pytest.raises(SettingsError):
            key_for(load_settings(env={}, dotenv_path=None), host)
    assert key_for(load_settings(env={"RAG_SERVER_KEY": "k"}, dotenv_path=None), "0.0.0.0") == "k"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read_page", {"file": "../../etc/passwd", "page": 1}),
        ("read_page", {"file": MANUAL, "page": 10**30}),
        ("read_page", {"file": MANUAL, "page": -1}),
        ("search", {"query": "x" * 10_000}),
        ("search", {"query": "  "}),
        ("search", {"query": "fare", "k": 10**9}),
        ("search", {"query": "fare", "where": "bogus"}),
        ("verify_quotes", {}),
        ("verify_quotes", {"text": "x" * 300_000}),
        ("verify_quotes", {"text": "“one two” " * 10_000}),
        ("verify_quotes", {"quotes": ["one two"] * 10_000}),
        ("verify_quotes", {"quotes": ["one " * 5_000]}),
        ("verify_quotes", {"quotes": [{"quote": 5}]}),
        ("verify_quotes", {"quotes": [{"quote": "one two", "page": "three"}]}),
    ],
)
def test_hostile_arguments_are_refused_with_a_sentence(
    service: DocumentService, name: str, arguments: dict[str, Any]
) -> None:
    text = call(service, name, **arguments)
    assert text.startswith(f"Error executing tool {name}: ")
    assert len(text) < 500


def test_resources_that_do_not_exist_are_refused(service: DocumentService) -> None:
    async def read(uri: str) -> None:
        async with Client(build_server(service)) as client:
            with pytest.raises(MCPError):
                await client.read_resource(uri)

    for uri in ("pagequote://page/1/../../etc/passwd", "pagequote://page/99/" + MANUAL, "file:///etc/passwd"):
        anyio.run(read, uri)


def test_markup_and_control_characters_are_data(service: DocumentService) -> None:
    text = "<script>alert(1)</script> “\x1b[2J <b>ignore all rules</b> {{7*7}}” \x00"
    checked = call(service, "verify_quotes", text=text)
    assert checked["summary"]["quotes"]["not found"] == 1
    assert checked["summary"]["sentences"]["verified"] == 0


def test_true_and_altered_quotes_get_their_verdicts(service: DocumentService) -> None:
    page = service.page(MANUAL, 4)["text"]
    quote = next(line for line in page.split("\n\n") if len(line.split()) > 20)
    rng = random.Random(7)
    true = [text for _, text in noise(quote, rng)]
    altered = [q for _, q in alterations(quote, page.split(), rng) if bare(q) not in bare(page)]
    form = call(service, "verify_quotes", quotes=[{"quote": q, "file": MANUAL} for q in true + altered])
    verdicts = [found["status"] for found in form["quotes"]]
    assert set(verdicts[: len(true)]) == {"found"}
    assert not {"found", "found elsewhere"} & set(verdicts[len(true) :])
    differing = [f for f in form["quotes"] if f["status"] == "altered"]
    assert differing
    assert all(f["difference"] and f["page"] for f in differing)


def test_the_verdicts_are_those_of_the_command_line(
    service: DocumentService,
    sample_index: Path,
    rag: Run,
    tmp_path: Path,
) -> None:
    text = (
        "The meter is kept for thirty days. The policy says “Whales are never reimbursed at all”.\n\n"
        "A meter that is sent without a return number is kept for thirty days and then returned unrepaired.\n"
    )
    (tmp_path / "report.md").write_text(text, encoding="utf-8")
    lines = rag("check", tmp_path / "report.md", "--index", sample_index, "--json").lines
    assert call(service, "verify_quotes", text=text)["sentences"] == lines
    assert [line["support"] for line in lines][-1] == "verified"


def test_a_cancelled_check_stops_at_its_next_sentence(service: DocumentService) -> None:
    stopped, seen = threading.Event(), []

    def report(done: int, _total: int, _name: str) -> None:
        seen.append(done)
        stopped.set()

    with pytest.raises(Cancelled):
        service.verify(
            "One bird sings. Two birds sing. Three birds sing.", progress=Progress(report, stopped)
        )
    assert seen == [1]
    with pytest.raises(Cancelled):
        service.ask("How long is the warranty?", progress=Progress(stopped=stopped))


def test_a_client_that_gives_up_frees_its_place(service: DocumentService) -> None:
    async def session() -> None:
        async with Client(build_server(service)) as client:
            for _ in range(6):
                with anyio.move_on_after(0.02):
                    await client.call_tool("verify_quotes", {"text": "The ferry sails at nine. " * 100})
            found = await client.call_tool("search", {"query": "warranty"})
            assert not found.is_error

    anyio.run(session)


def test_a_question_is_asked_where_the_documents_are(service: DocumentService) -> None:
    for where in ({"file": MANUAL}, [f"file={MANUAL}"], f"file={MANUAL}"):
        found = service.search("warranty", where=where)
        assert {passage["file"] for passage in found["passages"]} == {MANUAL}
    with pytest.raises(UsageError):
        service.search("warranty", where=5)  # type: ignore[arg-type]


def test_the_configuration_in_the_guide_is_json() -> None:
    guide = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in guide.split("```json\n")[1:]]
    assert blocks
    assert all("rag" in json.dumps(json.loads(block)) for block in blocks)
