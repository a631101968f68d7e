"""The HTTP server: OpenAI's chat completions over the documents, and search, answers, checks and pages as JSON.

    serve(service, "127.0.0.1", 8000, key=None)

A stock OpenAI client gets the checked answer as text with its citations as footnotes; the field `pagequote` of the
response holds the JSON form of `rag ask --json`. Nothing is sent before it is checked: a stream brings the sentences
of the checked answer one by one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field

import rag
from rag import errors
from rag.errors import MissingExtra, RagError, UsageError
from rag.pipeline.forms import Form, answer_form
from rag.rendering.footnotes import answer_lines
from rag.server.access import RequestGuard
from rag.server.docs_page import docs_page
from rag.server.service import MOST_DOCUMENTS, Cancelled, DocumentService, Progress, check_question
from rag.text.language import language_for

try:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
    from starlette.exceptions import HTTPException
except ImportError:
    raise MissingExtra("fastapi", "server", "The HTTP server") from None

if TYPE_CHECKING:
    from rag.types import Answer, Usage

T = TypeVar("T")
MODEL = "pagequote"
"""The name of the model that answers from the documents; that of the chat model behind it is accepted, too."""
CONCURRENCY = 4
"""Requests that work at once, by default: more threads than that only wait for each other."""
WAITING = 64
"""Requests that wait for their turn; further ones are refused at once."""
SECONDS = 300.0
"""The longest that a request may take, by default, waiting included."""

KEEP_ALIVE = 5.0
"""Seconds between comments in a stream whose answer is still made, so that no proxy cuts it."""

Condition = dict[str, str | list[str]] | list[str] | str | None
_STATUS: tuple[tuple[type[RagError], int, str], ...] = (
    (UsageError, 400, "invalid_request_error"),
    (errors.BudgetReached, 402, "budget_reached"),
    (errors.RateLimited, 429, "rate_limit_exceeded"),
    (errors.ProviderTimeout, 504, "provider_timeout"),
    (errors.ServerUnreachable, 503, "provider_unreachable"),
    (errors.ProviderError, 502, "provider_error"),
    (errors.IndexError_, 503, "index_error"),
)
"""HTTP status and code by class of error, the first that fits."""


class Overloaded(RagError):
    """More requests wait than the server keeps."""


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchInput(_Input):
    """What `rag search` takes."""

    query: str
    k: int | None = None
    where: Condition = None


class AskInput(_Input):
    """What `rag ask` takes; `history` are earlier questions with their answers."""

    question: str
    k: int | None = None
    where: Condition = None
    history: list[tuple[str, str]] = []


class VerifyInput(_Input):
    """A text whose sentences and quotes are checked, and quotes by themselves."""

    text: str = ""
    quotes: list[str | dict[str, Any]] = []
    where: Condition = None


class ChatOptions(_Input):
    """The field `pagequote` of a chat request."""

    k: int | None = None
    where: Condition = None


class ChatMessage(BaseModel):
    """A message as OpenAI has it; parts other than text are refused."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    def text(self) -> str:
        if not isinstance(self.content, list):
            return self.content or ""
        if other := next((part for part in self.content if part.get("type") != "text"), None):
            raise UsageError(f"A message may hold text alone, not {str(other.get('type'))[:40]!r}.")
        return "\n".join(str(part.get("text", "")) for part in self.content)


class ChatInput(BaseModel):
    """A chat request. The last message of the user is the question, the turns before it its history.

    System messages and sampling settings are accepted and change nothing: the template and the checks decide.
    """

    model: str = MODEL
    messages: list[ChatMessage] = Field(min_length=1, max_length=1_000)
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    n: int = 1
    tools: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    pagequote: ChatOptions = ChatOptions()

    def question(self) -> tuple[str, list[tuple[str, str]]]:
        """The question and the question and answer pairs before it. Raises UsageError for what cannot be answered."""
        if self.n != 1 or self.tools or (self.response_format or {}).get("type", "text") != "text":
            raise UsageError("`n` above 1, `tools` and `response_format` are not supported: leave them out.")
        turns = [message for message in self.messages if message.role in ("user", "assistant")]
        if not turns or turns[-1].role != "user":
            raise UsageError("The last message must be the user's question.")
        history, asked = [], ""
        for turn in turns[:-1]:
            if turn.role == "user":
                asked = turn.text()
            elif asked:
                history.append((asked, turn.text()))
                asked = ""
        return turns[-1].text(), history


class Requests:
    """Runs the blocking work of requests in threads: bounded in number, in time, and ended when the client goes."""

    def __init__(self, concurrency: int, seconds: float) -> None:
        self._concurrency = concurrency
        self._seconds = seconds
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[Progress], T], request: Request | None = None) -> T:
        """What `work` returns; with `request` it ends when that request's client has gone.

        Raises Overloaded, TimeoutError, Cancelled, and what `work` raises.
        """
        limiter = self._limiter = self._limiter or anyio.CapacityLimiter(self._concurrency)
        if limiter.statistics().tasks_waiting >= WAITING:
            raise Overloaded("The server is busy: try again in a moment.")
        progress = Progress()
        working = asyncio.ensure_future(
            anyio.to_thread.run_sync(work, progress, abandon_on_cancel=True, limiter=limiter)
        )
        waited: set[asyncio.Future[Any]] = {working}
        if request is not None:
            waited.add(asyncio.ensure_future(_gone(request)))
        try:
            await asyncio.wait(waited, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if any(other.done() for other in waited):
                raise Cancelled("The client has gone.")
            raise TimeoutError(f"The request took longer than {self._seconds:g} seconds.")
        finally:
            progress.stopped.set()
            for other in waited:
                other.cancel()


async def _gone(request: Request) -> None:
    """Return when the client of a request, whose body is read, has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def http_app(
    service: DocumentService, key: str | None, *, concurrency: int = CONCURRENCY, seconds: float = SECONDS
) -> RequestGuard:
    """The server as an ASGI application, behind the key or for this machine only."""
    app = FastAPI(
        title="pagequote",
        version=rag.__version__,
        description="Answers from your documents, every quote checked.",
        docs_url=None,
        redoc_url=None,
    )
    requests = Requests(concurrency, seconds)
    _add_errors(app, service)
    _add_documents(app, service, requests)
    _add_chat(app, service, requests)

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs() -> str:
        return docs_page(app.openapi())

    @app.get("/health")
    def health() -> Form:
        """Whether the server runs; needs no key."""
        return {"status": "ok", "version": rag.__version__}

    return RequestGuard(app, key, open_paths=("/health",))


def _add_documents(app: FastAPI, service: DocumentService, requests: Requests) -> None:
    @app.post("/search")
    async def search(given: SearchInput, request: Request) -> Form:
        """Passages for a query, best first."""
        return await requests.run(lambda _: service.search(given.query, given.k, given.where), request)

    @app.post("/ask")
    async def ask(given: AskInput, request: Request) -> Form:
        """An answer with checked citations."""

        def work(progress: Progress) -> Form:
            options: Any = {"history": given.history, "progress": progress}
            return answer_form(service.ask(given.question, given.k, given.where, **options))

        return await requests.run(work, request)

    @app.post("/verify")
    async def verify(given: VerifyInput, request: Request) -> Form:
        """The sentences and quotes of any text, checked without a model."""
        return await requests.run(
            lambda progress: service.verify(given.text, given.quotes, given.where, progress), request
        )

    @app.get("/documents")
    async def documents(offset: int = 0, limit: int = MOST_DOCUMENTS) -> Form:
        """The files with what became of each."""
        return await requests.run(lambda _: service.documents(offset, limit))

    @app.get("/page")
    async def page(file: str, page: int) -> Form:
        """The stored text of a page."""
        return await requests.run(lambda _: service.page(file, page))

    @app.get("/page.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
    async def picture(file: str, page: int, quote: str = "") -> Response:
        """A page of a PDF as a picture, with the quote marked."""
        png = await requests.run(lambda _: service.picture(file, page, quote))
        return Response(png, media_type="image/png", headers={"X-Content-Type-Options": "nosniff"})


def _add_chat(app: FastAPI, service: DocumentService, requests: Requests) -> None:
    pipeline = service.pipeline

    @app.get("/v1/models")
    def models() -> Form:
        """The one model: answers from the documents."""
        return {"object": "list", "data": [_model_form()]}

    @app.get("/v1/models/{model}")
    def model(model: str) -> Form:
        """The model, when it is that one."""
        _check_model(model, pipeline.model)
        return _model_form()

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(given: ChatInput, request: Request) -> Form | StreamingResponse:
        """An answer as a chat completion; `pagequote` holds its citations and verdicts."""
        _check_model(given.model, pipeline.model)
        question, history = given.question()
        check_question(question)

        def work(progress: Progress) -> Answer:
            return service.ask(
                question, given.pagequote.k, given.pagequote.where, history=history, progress=progress
            )

        completion = Completion(given, service)
        if given.stream:
            events = completion.events(requests.run(work, request))
            return StreamingResponse(events, media_type="text/event-stream")
        return completion.whole(await requests.run(work, request))


class Completion:
    """One chat completion in OpenAI's form, whole or as a stream of events."""

    def __init__(self, given: ChatInput, service: DocumentService) -> None:
        self._given = given
        self._service = service
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": given.model}

    def whole(self, answer: Answer) -> Form:
        """The response to a request that does not stream."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(self._pieces(answer))},
            "finish_reason": "stop",
            "logprobs": None,
        }
        usage = _usage_form(answer.usage)
        form = {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return {**form, MODEL: answer_form(answer)}

    async def events(self, answering: Coroutine[Any, Any, Answer]) -> AsyncIterator[str]:
        """Server-sent events: comments while the answer is made, then its checked sentences and footnotes.

        The last chunk has the finish reason and the field `pagequote`; an error is an event of its own.
        """
        task = asyncio.ensure_future(answering)
        try:
            yield self._event(self._chunk({"role": "assistant", "content": ""}))
            while not task.done():
                await asyncio.wait([task], timeout=KEEP_ALIVE)
                if not task.done():
                    yield ": working\n\n"
            answer = task.result()
            for piece in self._pieces(answer):
                yield self._event(self._chunk({"content": piece}))
            yield self._event({**self._chunk({}, "stop"), MODEL: answer_form(answer)})
            if (self._given.stream_options or {}).get("include_usage"):
                last = self._chunk({})
                yield self._event({**last, "choices": [], "usage": _usage_form(answer.usage)})
            yield "data: [DONE]\n\n"
        except Exception as error:  # noqa: BLE001 - the headers are gone: the error can only be an event
            yield self._event(_error_form(error, self._service)[1])
        finally:
            task.cancel()

    def _pieces(self, answer: Answer) -> list[str]:
        """The text in the pieces in which it is sent: sentence by sentence, then the footnotes."""
        language = language_for(answer.question, self._service.pipeline.settings.language)
        sentences, footnotes = answer_lines(answer, language)
        pieces = [sentence if i == 0 else f" {sentence}" for i, sentence in enumerate(sentences)]
        return pieces + [("\n\n" if i == 0 else "\n") + note for i, note in enumerate(footnotes)]

    def _chunk(self, delta: Form, finish_reason: str | None = None) -> Form:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    @staticmethod
    def _event(form: Form) -> str:
        return f"data: {json.dumps(form, ensure_ascii=False)}\n\n"


def _model_form() -> Form:
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "pagequote"}


def _check_model(name: str, in_force: str) -> None:
    """Raise HTTPException for a model that does not answer here."""
    if name not in (MODEL, in_force):
        raise HTTPException(404, f"There is no model {name[:80]!r}: use {MODEL!r}.")


def _usage_form(usage: Usage) -> Form:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


# -- errors -------------------------------------------------------------------------------------------------------


def _add_errors(app: FastAPI, service: DocumentService) -> None:
    async def failed(_request: Request, error: Exception) -> JSONResponse:
        status, form = _error_form(error, service)
        return JSONResponse(form, status, {"Retry-After": "1"} if status in (429, 503) else None)

    for kind in (RagError, TimeoutError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, failed)


def _error_form(error: Exception, service: DocumentService) -> tuple[int, Form]:
    """HTTP status and body, as OpenAI's errors are. Of an unexpected error nothing is told but that it happened."""
    parameter = None
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        parameter = ".".join(str(part) for part in first["loc"] if part != "body")
        status, code, text = 400, "invalid_request_error", f"{parameter or 'The request'}: {first['msg']}."
    elif isinstance(error, HTTPException):
        status, code = error.status_code, "model_not_found" if error.status_code == 404 else "http_error"
        text = str(error.detail)
    elif isinstance(error, TimeoutError):
        status, code, text = 504, "timeout", str(error)
    elif isinstance(error, Overloaded):
        status, code, text = 503, "overloaded", str(error)
    elif isinstance(error, RagError):
        fits = ((status, code) for kind, status, code in _STATUS if isinstance(error, kind))
        status, code = next(fits, (500, "failed"))
        text = service.sentence_of(error)
    else:
        logging.getLogger(__name__).error("A request failed.", exc_info=error)
        status, code, text = 500, "server_error", "The server failed: its log says why."
    kind = "invalid_request_error" if status < 500 else "server_error"
    return status, {"error": {"message": text, "type": kind, "param": parameter, "code": code}}


def serve(
    service: DocumentService, host: str, port: int, key: str | None, *, concurrency: int, seconds: float
) -> None:
    """Serve at `http://HOST:PORT` until interrupted."""
    app = http_app(service, key, concurrency=concurrency, seconds=seconds)
    uvicorn.run(app, host=host.strip("[]"), port=port, log_level="warning")
