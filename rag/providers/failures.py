"""Turns what goes wrong with a provider into one clear sentence that never holds a key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import time

from rag.errors import (
    AuthenticationFailed,
    BadResponse,
    ContextTooLong,
    MissingCapability,
    ModelNotFound,
    NetworkRefused,
    ProviderError,
    ProviderTimeout,
    RagError,
    RateLimited,
    ServerUnreachable,
)

_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|hf|lsv2|gsk|xai|AIza)[-_][\w*.-]{4,}|(?i:\bbearer\s+)\S+|\b[0-9a-f]{32}\b"
)
_LONG_SECRET = 8
"""Characters from which a secret is taken out wherever it stands; a shorter one only as a word of its own."""
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|prompt is too long|too many tokens"
    r"|input is too (?:large|long)|exceed\w* .{0,40}\btokens\b|larger than the max",
    re.I,
)
_HTTP_LIBRARIES = ("httpx", "httpcore", "anyio", "h11", "h2", "requests", "urllib3", "ssl", "socket")
_NOT_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "LocalProtocolError",
)


class ForeignProtocol(Exception):
    """An answer that no model's server gives; its text is the kind of content."""


@dataclass(frozen=True, slots=True)
class CallSite:
    """The model that was called, and how to speak of it."""

    spec: str
    server: str
    """Who answers: `OpenAI`, `the server at http://...`."""
    key_setting: str = ""
    """The variable that holds its key; empty when there is none."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Never to be shown; kept out of the repr because LangChain traces that of a model."""

    @property
    def subject(self) -> str:
        """`server` at the beginning of a sentence."""
        return self.server[:1].upper() + self.server[1:]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error for people, and whether the call may have been billed all the same."""

    error: RagError
    maybe_billed: bool = False


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with the given secrets, and whatever looks like a key, replaced by `***`."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _LONG_SECRET:
            text = text.replace(secret, "***")
        else:
            # a key "k" must not make `unknown` unreadable, which would also tell what the key is
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return _KEY_LIKE.sub("***", text)


def translate(error: BaseException, site: CallSite) -> Failure:
    """The failure that `error`, raised by a provider's library, stands for."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, NetworkRefused):
            return Failure(cause)
        if (protocol := _other_protocol(cause)) is not None:
            return Failure(
                BadResponse(
                    f"{site.subject} answers with {protocol}, not as a model's server for {site.spec}:"
                    " check the address, which often ends in /v1."
                )
            )
    if isinstance(error, RagError):
        return Failure(error)
    for cause in causes:
        status = getattr(cause, "status_code", None)
        if isinstance(status, int):
            return Failure(_from_status(status, cause, site))
    return _from_kind(error, causes, site)


def _other_protocol(cause: BaseException) -> str | None:
    """What a server speaks that does not speak the protocol; None when it may."""
    said = str(cause)
    if isinstance(cause, ForeignProtocol):
        return "a web page (HTML)" if "html" in said else f"content of the kind {said}"
    if type(cause).__name__ == "RemoteProtocolError" and "illegal" in said:
        return "something that is no HTTP"
    if "WRONG_VERSION_NUMBER" in said or "record layer failure" in said:
        return "something that is no TLS (an address with https:// for a server of http://?)"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _from_status(status: int, error: BaseException, site: CallSite) -> RagError:
    """What an answer with this HTTP status means; such a call is not billed."""
    said = _said(error, site)
    code = str(getattr(error, "code", "") or "")
    if status in (401, 403):
        fix = f"check {site.key_setting}" if site.key_setting else "set RAG_API_KEY if the server wants a key"
        return AuthenticationFailed(f"{site.subject} refused the key for {site.spec} ({status}): {fix}.")
    if code == "insufficient_quota":
        return ProviderError(f"The account at {site.server} has no credit left for {site.spec}: top it up.")
    if status == 429:
        message = (
            f"{site.subject} asks to slow down ({site.spec}, 429): try later, or set RAG_RPM or RAG_TPM."
        )
        return RateLimited(message, retry_after=_retry_after(error))
    too_long = code == "context_length_exceeded" or _TOO_LONG.search(said) is not None
    if too_long and status in (400, 413, 422, 500):
        return _too_long(site)
    if 300 <= status < 400:
        return BadResponse(
            f"{site.subject} redirects to another address ({status}), to which nothing was sent: "
            "set the address of the server itself."
        )
    if status == 404:
        return ModelNotFound(
            f"{site.subject} does not know the model {site.spec} (404): check its name and the address."
        )
    if status in (408, 409) or status >= 500:
        message = f"{site.subject} could not answer for {site.spec} ({status}{said}): try again later."
        return ServerUnreachable(message, retry_after=_retry_after(error))
    return MissingCapability(f"{site.subject} refused the request for {site.spec} ({status}{said}).")


def _from_kind(error: BaseException, causes: list[BaseException], site: CallSite) -> Failure:
    """What an error without an answer means, by the names of its classes: the libraries have no others in common."""
    names = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    sent = not names & set(_NOT_SENT)
    if any("Timeout" in name for name in names):
        message = (
            f"{site.subject} did not answer in time for {site.spec}: try again, or raise RAG_PATIENCE (with"
            " RAG_TIMEOUT, when that is set)."
        )
        return Failure(ProviderTimeout(message), maybe_billed=sent)
    no_json = any(isinstance(cause, json.JSONDecodeError) for cause in causes)
    if no_json or "APIResponseValidationError" in names:
        return Failure(_garbled(site, "its answer is not the JSON that the protocol says"), maybe_billed=True)
    if "APIConnectionError" in names or any(
        isinstance(cause, ConnectionError) or type(cause).__module__.split(".")[0].startswith(_HTTP_LIBRARIES)
        for cause in causes
    ):
        message = f"{site.subject} cannot be reached for {site.spec}: check that it runs, and the address."
        if sent:
            message = f"The connection to {site.server} broke off during an answer of {site.spec}: try again."
        return Failure(ServerUnreachable(message), maybe_billed=sent)
    if _TOO_LONG.search(str(error)):
        return Failure(_too_long(site))
    said = _said(error, site)
    if isinstance(error, KeyError | TypeError | AttributeError | ValueError) or "APIError" in names:
        return Failure(_garbled(site, f"its answer cannot be read{said}"), maybe_billed=True)
    return Failure(ProviderError(f"{site.spec} failed ({type(error).__name__}{said})."), maybe_billed=True)


def _too_long(site: CallSite) -> ContextTooLong:
    return ContextTooLong(
        f"The text is too long for {site.spec}: ask for fewer passages (-k) or smaller chunks."
    )


def _garbled(site: CallSite, what: str) -> BadResponse:
    """An answer that broke the protocol in a way that another try may get right."""
    error = BadResponse(f"{site.subject} answered wrongly for {site.spec}: {what}.")
    error.transient = True
    return error


def _said(error: BaseException, site: CallSite) -> str:
    """A comma and the first words of what the server said, without keys and control characters."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    text = str(message or getattr(error, "message", None) or error)
    # a cut must not leave half a key behind, so scrubbing comes first
    plain = "".join(c if c.isprintable() else " " for c in scrub(text, site.secrets))
    said = " ".join(plain.split())[:160].rstrip(".")
    return f", {said}" if said else ""


def _retry_after(error: BaseException) -> float | None:
    """Seconds from the headers `retry-after-ms` and `Retry-After` (a number, or a date)."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    milliseconds, given = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(float(milliseconds) / 1000, 0.0)
        return max(float(given), 0.0) if given is not None else None
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(str(given)).timestamp() - time(), 0.0)
    except (TypeError, ValueError):
        return None
