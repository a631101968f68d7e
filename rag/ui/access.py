"""Who may reach the page: a password when one is set, the host name of the request, and headers for the browser.

Plain ASGI. Without the cookie of a login nothing behind it is reached: neither pages, nor media files, uploads or
the socket. The policy in the headers makes the browser refuse anything from another server, whatever a document says.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "pagequote_login"
LOGIN = "/login"
LOGOUT = "/logout"
LIFETIME = 12 * 3600
"""Seconds that a login lasts."""
VISITOR = "pagequote_visitor"
"""Name of the cookie that tells visitors apart, so that nobody writes in another's session."""
_VISITOR_LIFETIME = 365 * 24 * 3600
TRIES = 10
"""Wrong passwords a minute from one address before further ones from there are refused unread."""
_ADDRESSES = 10_000
"""Addresses whose wrong passwords are remembered."""
_LONGEST_FORM = 4096
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# Streamlit compiles its chart and table engines at run time, hence wasm-unsafe-eval; its styles are inline, and it
# loads our `page.js` as a blob. Only a script that runs already can make one.
POLICY = (
    "default-src 'self'; script-src 'self' blob: 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self' ws: wss:; "
    "worker-src 'self' blob:; object-src 'none'; frame-src 'none'; frame-ancestors 'none'; base-uri 'self'; "
    "form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class AccessControl:
    """ASGI middleware. With `password` None every request for a loopback name is let in."""

    def __init__(self, app: App, password: str | None = None) -> None:
        self._app = app
        self._password = password
        self._key = secrets.token_bytes(32)
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif self._password is None and not _for_loopback(scope):
            # a page elsewhere whose name was made to resolve to 127.0.0.1 (DNS rebinding)
            await _refuse(scope, send, 421, "This page is served to this machine only.")
        elif self._password is not None and scope["type"] == "http" and scope["path"] == LOGIN:
            await self._login(scope, receive, _with_headers(send))
        elif self._password is not None and scope["type"] == "http" and scope["path"] == LOGOUT:
            expired = f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
            headers = (b"set-cookie", expired.encode()), (b"location", LOGIN.encode())
            await _answer(_with_headers(send), 303, b"", *headers)
        elif self._password is None or self._logged_in(scope):
            await self._app(scope, receive, _with_headers(send, _new_visitor(scope)))
        elif (
            scope["type"] == "http" and scope["method"] == "GET" and "text/html" in _header(scope, b"accept")
        ):
            query = scope.get("query_string", b"").decode("latin-1")
            target = scope["path"] + (f"?{query}" if query else "")
            await _answer(
                _with_headers(send),
                303,
                b"",
                (b"location", f"{LOGIN}?{urlencode({'next': target})}".encode()),
            )
        else:
            await _refuse(scope, send, 401, "Log in first.")

    # -- the login --------------------------------------------------------------------------------------------

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            target = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("next", ["/"])[0]
            await self._form(send, 200, target)
            return
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        given, target = form.get("password", [""])[0], form.get("next", ["/"])[0]
        address = _address(scope)
        if self._throttled(address):
            await self._form(send, 429, target, "wait")
            return
        if not hmac.compare_digest(given.encode(), (self._password or "").encode()):
            self._remember_failure(address)
            await asyncio.sleep(0.5)
            await self._form(send, 403, target, "wrong")
            return
        expiry = str(int(time.time()) + LIFETIME)
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        attributes = f"Path=/; HttpOnly; SameSite=Strict; Max-Age={LIFETIME}{secure}"
        cookie = f"{COOKIE}={expiry}.{self._sign(expiry)}; {attributes}"
        location = (b"location", _local_target(target).encode())
        await _answer(send, 303, b"", (b"set-cookie", cookie.encode()), location)

    @staticmethod
    async def _form(send: Send, status: int, target: str, problem: str = "") -> None:
        page = Template(files(__package__).joinpath("login.html").read_text(encoding="utf-8"))
        body = page.substitute(
            next=html.escape(_local_target(target)),
            wrong="" if problem == "wrong" else "hidden",
            wait="" if problem == "wait" else "hidden",
        )
        await _answer(send, status, body.encode(), (b"content-type", b"text/html; charset=utf-8"))

    def _throttled(self, address: str) -> bool:
        times = self._failures.get(address) or deque[float]()
        return len(times) == TRIES and time.monotonic() - times[0] < 60

    def _remember_failure(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=TRIES)).append(time.monotonic())
        self._failures.move_to_end(address)
        while len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _logged_in(self, scope: Scope) -> bool:
        try:
            cookies = SimpleCookie(_header(scope, b"cookie"))
        except CookieError:
            return False
        if COOKIE not in cookies:
            return False
        expiry, _, signature = cookies[COOKIE].value.partition(".")
        genuine = hmac.compare_digest(signature.encode(), self._sign(expiry).encode())
        return genuine and time.time() < int(expiry)


def _for_loopback(scope: Scope) -> bool:
    host = _header(scope, b"host")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name.lower() in _LOOPBACK_HOSTS


def _header(scope: Scope, name: bytes) -> str:
    values = [value for key, value in scope.get("headers", ()) if key.lower() == name]
    return "; ".join(value.decode("latin-1") for value in values)


def _address(scope: Scope) -> str:
    """Who asks, as far as the network tells; of an IPv6 address the part that a household shares."""
    host = str((scope.get("client") or ("", 0))[0])
    return ":".join(host.split(":")[:4]) if host.count(":") > 1 else host


def _local_target(target: str) -> str:
    """A path on this server; anything else would make the login a springboard to another."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and target.isascii() and " " not in target else "/"


def _new_visitor(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """The header that gives a browser its secret when it asks for a page and has none yet."""
    page = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in _header(scope, b"accept")
    if not page or VISITOR in _header(scope, b"cookie"):
        return ()
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    kept = f"Path=/; HttpOnly; SameSite=Lax; Max-Age={_VISITOR_LIFETIME}{secure}"
    return ((b"set-cookie", f"{VISITOR}={secrets.token_urlsafe(24)}; {kept}".encode()),)


def _with_headers(send: Send, more: tuple[tuple[bytes, bytes], ...] = ()) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS, *more]
        await send(message)

    return sender


async def _body(receive: Receive) -> bytes:
    body = b""
    while len(body) <= _LONGEST_FORM:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body
    return b""


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4401, "reason": reason})
        return
    await _answer(
        _with_headers(send), status, reason.encode(), (b"content-type", b"text/plain; charset=utf-8")
    )


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    no_store = (b"cache-control", b"no-store")
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, no_store]})
    await send({"type": "http.response.body", "body": body})
