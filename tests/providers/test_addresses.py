"""Addresses of servers: no password is shown, and nothing is sent on to where a server redirects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rag.errors import BadResponse, ProviderError
from rag.index_location import address_passwords, shown_address
from rag.providers.registry import chat_model, embedding_model
from rag.settings import Settings, load_settings


class _Server(ThreadingHTTPServer):
    """Counts requests, and redirects them when it was given an address."""

    def __init__(self, target: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.requests = target, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.server.requests += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(307 if self.server.target else 500)
        if self.server.target:
            self.send_header("Location", self.server.target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _serving(target: str = "") -> Iterator[_Server]:
    server = _Server(target)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _call(kind: str, vendor: str, settings: Settings) -> None:
    if kind == "chat":
        chat_model(f"{vendor}:m", settings).invoke("A secret prompt")
    else:
        embedding_model(f"{vendor}:text-embedding-3-small", settings, dimension=4).embed(["A secret text"])


@pytest.mark.parametrize("kind", ["chat", "embeddings"])
@pytest.mark.parametrize("vendor", ["compatible", "openai"])
def test_nothing_is_sent_on_to_where_a_server_redirects(kind: str, vendor: str) -> None:
    with _serving() as other, _serving(f"{other.url}/chat/completions") as first:
        env = {
            "RAG_BASE_URL": first.url,
            "OPENAI_BASE_URL": first.url,
            "OPENAI_API_KEY": "key",
            "RAG_RETRIES": "0",
        }
        settings = load_settings({}, env=env, dotenv_path=None)
        with pytest.raises(BadResponse):
            _call(kind, vendor, settings)
        assert (first.requests > 0, other.requests) == (True, 0)


def test_a_password_in_an_address_is_never_shown() -> None:
    with _serving() as server:
        url = server.url.replace("://", "://someone:hunter%402hunter@")
        settings = load_settings({}, env={"RAG_BASE_URL": url, "RAG_RETRIES": "0"}, dotenv_path=None)
        with pytest.raises(ProviderError) as caught:
            chat_model("compatible:m", settings).invoke("Hello")
        assert "hunter" not in str(caught.value)
        assert "127.0.0.1" in str(caught.value)


def test_addresses_without_what_is_secret() -> None:
    assert shown_address("https://user:pa@ss@host:8/v1?key=abc") == "https://host:8/v1"
    assert shown_address("http://host/v1") == "http://host/v1"
    assert set(address_passwords("https://user:p%40ss@host/v1")) >= {"p%40ss", "p@ss", "user:p%40ss"}
    assert address_passwords("http://host/v1") == []
