"""A loopback HTTP server that speaks the OpenAI and Azure OpenAI protocols, with faults on demand.

In a test:

    with OpenAIServer(reply=lambda request: "Hello.") as server:
        settings = load_settings({"base_url": server.base_url, "api_key": server.key, ...})

It records every request and counts what a provider would bill: tokens of cl100k_base, and each text embedded.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.toy_model import content_tokens, embed, encoding, logprobs, packed, tokens

KEY = "sk-test-5f2b0c9e7d314a68"
HANG_SECONDS = 30.0


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one request.

    Kinds that are not billed: 429, 500, 503, 401, 404, context, refuse (closed before anything is done).
    Billed, though the client gets nothing of use: hang, drop (closed instead of a reply), cut (broken off
    half-way), bad-json, wrong-dimension. Other protocols: html (a web page with status 200), not-http. `slow` is
    billed and answers rightly after `seconds`.
    """

    kind: str
    retry_after: str | None = None
    seconds: float = 0.05


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: dict[str, Any]
    number: int

    @property
    def texts(self) -> list[str]:
        given = self.body.get("input", [])
        return [given] if isinstance(given, str) else list(given)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages", []))


@dataclass
class Bill:
    """What the provider would charge for."""

    input_tokens: int = 0
    output_tokens: int = 0
    embedded_tokens: int = 0
    """Those of the input tokens that were for embeddings."""
    texts: Counter[str] = field(default_factory=Counter)
    lost_texts: int = 0
    """Texts billed in requests whose answer a fault spoilt."""
    replies: int = 0

    def cost(self, input_price: float, output_price: float, embedding_price: float | None = None) -> float:
        """US dollars at prices per million tokens; embeddings cost the input price unless theirs is given."""
        read = self.input_tokens - self.embedded_tokens
        embedded = self.embedded_tokens * (input_price if embedding_price is None else embedding_price)
        return (read * input_price + self.output_tokens * output_price + embedded) / 1e6


Faults = Callable[[Request], Fault | None]
_ERRORS = {
    "429": (429, "rate_limit_exceeded", "Rate limit reached for requests"),
    "500": (500, "server_error", "The server had an error while processing your request"),
    "503": (503, "service_unavailable", "The engine is currently overloaded"),
    "401": (
        401,
        "invalid_api_key",
        "Incorrect API key provided: {key}. You can find your API key in the console.",
    ),
    "404": (404, "model_not_found", "The model does not exist or you do not have access to it"),
    "context": (
        400,
        "context_length_exceeded",
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.",
    ),
}


class OpenAIServer:
    """The server; a context manager. `faults` is asked before each request, or is a list used up in order."""

    def __init__(
        self,
        *,
        reply: Callable[[Request], str] | str = "NOT_IN_DOCUMENTS",
        dimension: int = 64,
        key: str | None = KEY,
        faults: Faults | Iterable[Fault | None] = (),
        context_tokens: int | None = None,
        rejected_parameters: Iterable[str] = (),
        report_usage: bool = True,
        chunk_delay: float = 0.0,
        confidence: float | None = None,
    ) -> None:
        """`confidence`: the probability that is told of each yes or no, where probabilities are asked for."""
        self.key = key or ""
        self.dimension = dimension
        self.requests: list[Request] = []
        self.bill = Bill()
        self.context_tokens = context_tokens
        self.rejected_parameters = set(rejected_parameters)
        self.report_usage = report_usage
        self.chunk_delay = chunk_delay
        self.most_at_once = 0
        self.confidence = confidence
        self._reply = reply
        self._faults = faults if callable(faults) else _in_order(faults)
        self._lock = threading.Lock()
        self._active = 0
        self._closing = threading.Event()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread: threading.Thread | None = None

    @property
    def root(self) -> str:
        """Address without `/v1`: what Azure calls the endpoint."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def __enter__(self) -> OpenAIServer:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    def clear(self) -> None:
        """Forget requests and bill."""
        with self._lock:
            self.requests.clear()
            self.bill = Bill()

    def chat_requests(self) -> list[Request]:
        return [request for request in self.requests if "messages" in request.body]

    def embedding_requests(self) -> list[Request]:
        return [request for request in self.requests if "input" in request.body]

    def reply_to(self, request: Request) -> str:
        return self._reply if isinstance(self._reply, str) else self._reply(request)

    @contextlib.contextmanager
    def counted(self, request_of: Callable[[int], Request]) -> Iterator[tuple[Request, Fault | None]]:
        with self._lock:
            request = request_of(len(self.requests))
            self.requests.append(request)
            fault = self._faults(request)
            self._active += 1
            self.most_at_once = max(self.most_at_once, self._active)
        try:
            yield request, fault
        finally:
            with self._lock:
                self._active -= 1

    def charge(self, *, inputs: int, outputs: int = 0, texts: Iterable[str] = (), lost: bool = False) -> None:
        with self._lock:
            texts = list(texts)
            self.bill.input_tokens += inputs
            self.bill.output_tokens += outputs
            self.bill.embedded_tokens += inputs if texts else 0
            self.bill.texts.update(texts)
            self.bill.lost_texts += len(texts) if lost else 0
            self.bill.replies += 1

    def wait(self, seconds: float) -> None:
        self._closing.wait(seconds)


def _in_order(faults: Iterable[Fault | None]) -> Faults:
    rest = iter(faults)
    return lambda request: next(rest, None)


class _Disconnect(Exception):
    """The connection is closed without (the rest of) an answer."""


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAIServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if not self._authorised():
            return self._error("401")
        if urlsplit(self.path).path.endswith("/models"):
            names = ("test-chat", "test-embed")
            return self._json(200, {"object": "list", "data": [{"id": n, "object": "model"} for n in names]})
        return self._error("404")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw)
        except ValueError:
            return self._refuse("not JSON")
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(address.query)
        with (
            self.owner.counted(lambda n: Request(address.path, query, headers, body, n)) as (request, fault),
            contextlib.suppress(BrokenPipeError, ConnectionError),
        ):
            try:
                self._answer(request, fault)
            except _Disconnect:
                self._hang_up()
        return None

    def _answer(self, request: Request, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if not self._authorised():
            return self._error("401")
        if kind in _ERRORS:
            return self._error(kind, fault.retry_after if fault else None)
        if kind in ("refuse", "html", "not-http"):
            return self._other_protocol(kind)
        name = self._model(request)
        for parameter in self._unsupported(name, request.body):
            message = f"Unsupported parameter: '{parameter}' is not supported with this model."
            return self._refuse(message, "unsupported_parameter", parameter=parameter)
        if kind == "slow" and fault:
            time.sleep(fault.seconds)
        if request.path.endswith("/embeddings"):
            return self._embeddings(request, kind)
        if request.path.endswith("/chat/completions"):
            return self._chat(request, kind)
        return self._error("404")

    def _other_protocol(self, kind: str) -> None:
        if kind == "html":
            return self._send(200, b"<!doctype html><title>Login</title>", "text/html; charset=utf-8")
        if kind == "not-http":
            self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
        raise _Disconnect

    @property
    def _given_key(self) -> str:
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        return self.headers.get("api-key") or bearer

    def _authorised(self) -> bool:
        return not self.owner.key or self._given_key == self.owner.key

    def _model(self, request: Request) -> str:
        deployment = re.match(r"/openai/deployments/([^/]+)/", request.path)
        if deployment and "api-version" not in request.query:
            return "(no api-version)"
        return deployment[1] if deployment else str(request.body.get("model"))

    def _unsupported(self, model: str, body: dict[str, Any]) -> list[str]:
        refused = set(self.owner.rejected_parameters)
        if re.match(r"o\d|gpt-5", model):  # as OpenAI's reasoning models do
            refused |= {"max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"}
        given = {*body, *(f"{name}={value}" for name, value in body.items() if isinstance(value, str))}
        return sorted(refused & given)

    def _embeddings(self, request: Request, kind: str) -> None:
        texts = request.texts
        if not texts or any(not isinstance(text, str) or not text for text in texts):
            return self._refuse("'$.input' is invalid: empty strings are not allowed.")
        count = sum(tokens(text) for text in texts)
        self.owner.charge(
            inputs=count, texts=texts, lost=kind in {"hang", "drop", "cut", "bad-json", "wrong-dimension"}
        )
        self._spoil(kind)
        size = request.body.get("dimensions") or self.owner.dimension
        vectors = [embed(text, size + (3 if kind == "wrong-dimension" else 0)) for text in texts]
        as_base64 = request.body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": i, "embedding": packed(vector) if as_base64 else vector}
            for i, vector in enumerate(vectors)
        ]
        answer = {"object": "list", "data": data, "model": request.body.get("model", "")}
        if self.owner.report_usage:
            answer["usage"] = {"prompt_tokens": count, "total_tokens": count}
        return self._json(200, answer, cut=kind == "cut", bad=kind == "bad-json")

    def _chat(self, request: Request, kind: str) -> None:
        prompt = 3 + sum(4 + content_tokens(m.get("content") or "") for m in request.messages)
        if self.owner.context_tokens is not None and prompt > self.owner.context_tokens:
            return self._error("context")
        text, reason = self.owner.reply_to(request), "stop"
        limit = request.body.get("max_completion_tokens") or request.body.get("max_tokens")
        ids = encoding().encode(text, disallowed_special=())
        if limit is not None and len(ids) > limit:
            ids, reason = ids[:limit], "length"
            text = encoding().decode(ids)
        self.owner.charge(inputs=prompt, outputs=len(ids))
        self._spoil(kind)
        usage = {"prompt_tokens": prompt, "completion_tokens": len(ids), "total_tokens": prompt + len(ids)}
        if request.body.get("stream"):
            return self._stream(request, text, reason, usage, kind)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        if request.body.get("logprobs") and self.owner.confidence is not None:
            choice["logprobs"] = logprobs(text, self.owner.confidence)
        answer = {**self._head(request, "chat.completion"), "choices": [choice]}
        if self.owner.report_usage:
            answer["usage"] = usage
        return self._json(200, answer, cut=kind == "cut", bad=kind == "bad-json")

    def _head(self, request: Request, what: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{request.number}",
            "object": what,
            "created": 0,
            "model": request.body.get("model", ""),
        }

    def _stream(self, request: Request, text: str, reason: str, usage: dict[str, int], kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        head = self._head(request, "chat.completion.chunk")
        pieces = re.findall(r"\s*\S{1,8}", text) + re.findall(r"\s+\Z", text)
        self._event({**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for i, piece in enumerate(pieces):
            if kind == "cut" and i == len(pieces) // 2:
                raise _Disconnect
            if kind == "bad-json" and i == len(pieces) // 2:
                self._chunk(b'data: {"id": "chatcmpl", "choices": [{"index": 0, "del\n\n')
            if self.owner.chunk_delay:
                time.sleep(self.owner.chunk_delay)
            self._event(
                {**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            )
        if kind in ("cut", "bad-json"):
            raise _Disconnect
        self._event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if self.owner.report_usage and (request.body.get("stream_options") or {}).get("include_usage"):
            self._event({**head, "choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _spoil(self, kind: str) -> None:
        if kind == "hang":
            self.owner.wait(HANG_SECONDS)
        if kind in ("hang", "drop"):
            raise _Disconnect

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _error(self, kind: str, retry_after: str | None = None) -> None:
        status, code, message = _ERRORS[kind]
        # a real server echoes part of the key; this one echoes it whole, so that a leak shows
        self._refuse(message.format(key=self._given_key), code, status=status, retry_after=retry_after)

    def _refuse(
        self,
        message: str,
        code: str | None = None,
        *,
        status: int = 400,
        parameter: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": parameter, "code": code}
        headers = {"Retry-After": retry_after} if retry_after is not None else {}
        self._json(status, {"error": error}, headers=headers)

    def _json(
        self,
        status: int,
        value: dict[str, Any],
        *,
        headers: dict[str, str] | None = None,
        cut: bool = False,
        bad: bool = False,
    ) -> None:
        data = json.dumps(value).encode()
        if bad:
            data = data[: len(data) // 2]
        self._send(status, data, "application/json", headers=headers, cut=cut)

    def _send(
        self, status: int, data: bytes, kind: str, *, headers: dict[str, str] | None = None, cut: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, header in (headers or {}).items():
            self.send_header(name, header)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.wfile.flush()
        if cut:
            raise _Disconnect

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
