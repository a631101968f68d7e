"""Access to the page: nothing is reached without the password, and headers forbid what is not ours."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pytest

from rag.ui.access import COOKIE, TRIES, VISITOR, AccessControl

PASSWORD = "정원의 열쇠 1"


async def _behind(scope: Any, receive: Any, send: Any) -> None:
    """What is behind the access control: it answers everything."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inside", b"yes")]})
    await send({"type": "http.response.body", "body": b"inside"})


class Visitor:
    """Speaks ASGI to the access control, and keeps cookies as a browser does."""

    def __init__(
        self, access: AccessControl, host: str = "localhost:8501", address: str = "192.0.2.1"
    ) -> None:
        self.access, self.host, self.address = access, host, address
        self.cookies: dict[str, str] = {}

    def get(self, path: str, accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
        return self.send("GET", path, accept=accept)

    def send(
        self, method: str, path: str, body: bytes = b"", accept: str = "*/*", kind: str = "http"
    ) -> tuple[int, dict[str, str], bytes]:
        path, _, query = path.partition("?")
        cookie = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        headers = [(b"host", self.host.encode()), (b"accept", accept.encode()), (b"cookie", cookie.encode())]
        scope = {
            "type": kind,
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "scheme": "http",
            "client": (self.address, 40000),
        }
        if kind == "http":
            scope["method"] = method
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.access(scope, receive, send))
        if kind == "websocket":
            return (101 if sent[0]["type"] == "websocket.accept" else 403), {}, b""
        got = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        if "set-cookie" in got:
            self.cookies |= {k: m.value for k, m in SimpleCookie(got["set-cookie"]).items()}
        return sent[0]["status"], got, b"".join(m.get("body", b"") for m in sent[1:])

    def log_in(self, password: str, target: str = "/") -> tuple[int, dict[str, str], bytes]:
        return self.send("POST", "/login", urlencode({"password": password, "next": target}).encode())


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr("rag.ui.access.asyncio.sleep", at_once)


@pytest.mark.parametrize(
    "path", ["/", "/documents", "/_stcore/health", "/media/abc.png", "/_stcore/upload_file/1/2"]
)
def test_nothing_is_reached_without_the_password(path: str) -> None:
    status, headers, body = Visitor(AccessControl(_behind, PASSWORD)).get(path)
    assert status == 401
    assert b"inside" not in body
    assert "x-inside" not in headers


def test_the_socket_is_not_reached_without_the_password() -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    assert visitor.send("GET", "/_stcore/stream", kind="websocket")[0] == 403
    visitor.log_in(PASSWORD)
    assert visitor.send("GET", "/_stcore/stream", kind="websocket")[0] == 101


def test_a_browser_is_led_to_the_login_and_back() -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    status, headers, _ = visitor.get("/documents?session=abc", accept="text/html")
    assert (status, headers["location"]) == (303, "/login?next=%2Fdocuments%3Fsession%3Dabc")
    status, _, form = visitor.get(headers["location"])
    assert status == 200
    assert b'value="/documents?session=abc"' in form
    status, _, form = visitor.log_in("a slip", "/documents?session=abc")
    assert status == 403
    assert b'value="/documents?session=abc"' in form
    status, headers, _ = visitor.log_in(PASSWORD, "/documents?session=abc")
    assert (status, headers["location"]) == (303, "/documents?session=abc")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Strict" in headers["set-cookie"]
    assert visitor.get("/")[2] == b"inside"


@pytest.mark.parametrize("wrong", ["", "정원의 열쇠", PASSWORD + " ", "x" * 5000])
def test_another_password_opens_nothing(wrong: str) -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    assert visitor.log_in(wrong)[0] == 403
    assert visitor.get("/")[0] == 401


@pytest.mark.parametrize("cookie", ["", "99999999999.", "99999999999.00ff", "abc", "1.2.3", "\u00e9.x"])
def test_a_made_up_cookie_opens_nothing(cookie: str) -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    visitor.cookies[COOKIE] = cookie
    assert visitor.get("/")[0] == 401


def test_a_cookie_with_a_later_expiry_opens_nothing() -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    visitor.log_in(PASSWORD)
    expiry, _, signature = visitor.cookies[COOKIE].partition(".")
    visitor.cookies[COOKIE] = f"{int(expiry) + 1}.{signature}"
    assert visitor.get("/")[0] == 401


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nset-cookie: x"]
)
def test_the_login_leads_nowhere_else(target: str) -> None:
    assert Visitor(AccessControl(_behind, PASSWORD)).log_in(PASSWORD, target)[1]["location"] == "/"


def test_markup_in_the_address_shows_as_text() -> None:
    form = Visitor(AccessControl(_behind, PASSWORD)).get('/login?next=/"><script>alert(1)</script>')[2]
    assert b"<script>" not in form


def test_guessing_is_slowed_down() -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    assert [visitor.log_in("guess")[0] for _ in range(TRIES)] == [403] * TRIES
    assert visitor.log_in(PASSWORD)[0] == 429


def test_who_guesses_locks_out_nobody_else() -> None:
    access = AccessControl(_behind, PASSWORD)
    for address in ("192.0.2.7", "2001:db8:1:2:3::4"):
        guesser = Visitor(access, address=address)
        for _ in range(TRIES):
            guesser.log_in("guess")
    assert Visitor(access, address="2001:db8:1:2:ffff::1").log_in(PASSWORD)[0] == 429
    assert Visitor(access, address="192.0.2.8").log_in(PASSWORD)[0] == 303


def test_every_browser_gets_a_secret_of_its_own_once() -> None:
    access = AccessControl(_behind)
    first, second = Visitor(access), Visitor(access)
    for visitor in (first, second):
        visitor.get("/", accept="text/html")
    secret = first.cookies[VISITOR]
    assert len(secret) > 20
    assert secret != second.cookies[VISITOR]
    assert "set-cookie" not in first.get("/", accept="text/html")[1]
    assert "set-cookie" not in second.get("/style.css")[1]


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST"])
def test_without_a_password_this_machine_is_served(host: str) -> None:
    assert Visitor(AccessControl(_behind), host).get("/")[2] == b"inside"


@pytest.mark.parametrize(
    "host", ["evil.example:8501", "localhost.evil.example", "192.168.0.7:8501", "", "[::1"]
)
def test_without_a_password_other_names_are_refused(host: str) -> None:
    assert Visitor(AccessControl(_behind), host).get("/")[0] == 421
    assert Visitor(AccessControl(_behind), host).send("GET", "/_stcore/stream", kind="websocket")[0] == 403


def test_every_answer_forbids_other_servers() -> None:
    visitor = Visitor(AccessControl(_behind, PASSWORD))
    visitor.log_in(PASSWORD)
    for path in ("/", "/login"):
        policy = visitor.get(path)[1]["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
