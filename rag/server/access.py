"""Who may reach a server: a key when one is set, otherwise only programs of this machine; and how much they may send.

Plain ASGI, so that it stands before everything else, MCP and HTTP alike.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.errors import SettingsError
from rag.providers.offline import is_local

if TYPE_CHECKING:
    from rag.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LARGEST_REQUEST = 2 * 1024 * 1024
"""Bytes of a request's body: the longest text that can be verified, in any script, with room to spare."""


def key_for(settings: Settings, host: str) -> str | None:
    """The key that clients must send, if any. Raises SettingsError when other machines can connect without one."""
    secret = settings.server_key
    if secret is not None and secret.get_secret_value():
        return secret.get_secret_value()
    if not is_local(host.strip("[]")) or host in ("", "0.0.0.0", "::"):  # noqa: S104 - looked for, not bound
        raise SettingsError(
            f"Other machines can reach {host}: set RAG_SERVER_KEY to the key that clients must send, or leave"
            " --host out."
        )
    return None


class RequestGuard:
    """ASGI middleware. With `key` None only requests for a loopback name, from a loopback page if from any, pass.

    `open_paths` need no key.
    """

    def __init__(self, app: App, key: str | None, open_paths: tuple[str, ...] = ()) -> None:
        self._app = app
        self._key = key
        self._open = open_paths

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get(b"content-length", "0")
        if self._key is None and not _from_this_machine(headers):
            # a page elsewhere whose name was made to resolve to 127.0.0.1 (DNS rebinding)
            await _refuse(
                send, 421, "wrong_host", "This server answers this machine only: set RAG_SERVER_KEY."
            )
        elif self._key is not None and scope["path"] not in self._open and not self._has_key(headers):
            await _refuse(
                send, 401, "invalid_api_key", "The key is missing or wrong: send `Authorization: Bearer KEY`."
            )
        elif not length.isdecimal() or int(length) > LARGEST_REQUEST:
            await _refuse(send, 413, "too_large", f"The request is larger than {LARGEST_REQUEST:,} bytes.")
        else:
            await self._app(scope, _limited(receive), send)

    def _has_key(self, headers: dict[bytes, str]) -> bool:
        kind, _, given = headers.get(b"authorization", "").partition(" ")
        expected = (self._key or "").encode()
        return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), expected)


def _from_this_machine(headers: dict[bytes, str]) -> bool:
    """Whether the names in Host and Origin are this machine's."""
    try:
        host = urlsplit(f"//{headers.get(b'host', '')}").hostname
        origin = headers.get(b"origin")
        page = (
            host if origin is None else urlsplit(origin).hostname
        )  # None for the `null` of a sandboxed page
        return bool(host and page) and is_local(host) and is_local(page)
    except ValueError:
        return False


def _limited(receive: Receive) -> Receive:
    """`receive`, which ends the request when a body without a length grows too large."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        return message if read <= LARGEST_REQUEST else {"type": "http.disconnect"}

    return limited


async def _refuse(send: Send, status: int, code: str, sentence: str) -> None:
    body = json.dumps(
        {"error": {"message": sentence, "type": "invalid_request_error", "code": code}}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
