"""Where an index is kept: in a folder, or in a database that a URL names; and the folder for what lies beside it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit, urlunsplit

from platformdirs import user_config_path

_SECRET_PARAMETERS = (
    "password",
    "sslpassword",
    "scram_client_key",
    "scram_server_key",
    "oauth_client_secret",
)
"""What libpq takes as a secret; a `passfile` is only the name of a file."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_AMBIGUOUS = re.compile(r"[\s\x00-\x1f\x7f#]")
_PARAMETER = re.compile(r"[A-Za-z_%0-9]+\Z")
HIDDEN = "****"


def is_url(index: str) -> bool:
    """Whether the index is named by a URL."""
    return "://" in index


def split_url(index: str) -> SplitResult | None:
    """The URL taken apart; None unless it is certain where its password ends.

    A password with a `/`, `?`, `#` or `@` that was not escaped moves that end, and what follows it would pass for a
    host, a database or a parameter, which are shown.
    """
    rest = index.partition("://")[2]
    before = re.split("[/?]", rest, maxsplit=1)[0]
    if rest.count("@") > 1 or rest.count("@") != before.count("@"):
        return None
    if _AMBIGUOUS.search(index):  # a fragment; and urlsplit removes some control characters
        return None
    try:
        parts = urlsplit(index)
        index.encode()
    except ValueError:
        return None
    return parts if parts.scheme else None


def url_parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a URL as libpq reads them, to which `+` is no blank. Raises ValueError.

    What has no name of letters may be the rest of a password with an `&`.
    """
    pairs = [piece.partition("=") for piece in query.split("&") if piece]
    if not all(equals and _PARAMETER.match(name) for name, equals, _ in pairs):
        raise ValueError("a parameter has no name or no value")
    # bytes that are no UTF-8 stay the same bytes
    return [
        (unquote(name, errors="surrogateescape"), unquote(value, errors="surrogateescape"))
        for name, _, value in pairs
    ]


def url_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters as they are written in a URL, with their question mark; nothing when there are none."""
    written = urlencode(list(pairs), quote_via=quote, errors="surrogateescape")
    return f"?{written}" if written else ""


def redacted(index: str) -> str:
    """The index as it may be shown and kept: a URL without its password, or only its kind when that is doubtful."""
    if not is_url(index):
        return index
    parts = split_url(index)
    try:
        query = (
            [pair for pair in url_parameters(parts.query) if pair[0] not in _SECRET_PARAMETERS]
            if parts
            else []
        )
    except ValueError:
        parts = None
    if parts is None:
        scheme = index.partition("://")[0]
        return f"{scheme}://{HIDDEN}" if _SCHEME.match(scheme) else HIDDEN
    user, at, host = parts.netloc.rpartition("@")
    place = f"{user.partition(':')[0]}{at}{host}"
    # not urlunsplit, which leaves out the slashes of an empty host: a socket of this machine
    return f"{parts.scheme}://{place}{parts.path}{url_query(query)}"


def passwords_in(index: str) -> list[str]:
    """The passwords in a URL, as they are written there and as they are meant.

    All from the first colon to the last `@` is taken for one: too much is hidden rather than too little.
    """
    if not is_url(index):
        return []
    rest = index.partition("://")[2]
    found = [rest.rpartition("@")[0].partition(":")[2]]
    for piece in rest.partition("?")[2].split("&"):
        name, _, value = piece.partition("=")
        if unquote(name) in _SECRET_PARAMETERS:
            found.append(value)
    found += [unquote(password) for password in found]
    return [password for password in dict.fromkeys(found) if password]


def shown_address(url: str) -> str:
    """The address of a server without the user and the password that may stand in it."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    host, slash, path = rest.rpartition("@")[2].partition("/")
    return f"{scheme}://{host}{slash}{path.partition('?')[0]}"


def address_passwords(url: str) -> list[str]:
    """The password before the `@` of a server's address, also with its user, as written and as meant."""
    before = url.partition("://")[2].rpartition("@")[0]
    parts = [before, before.partition(":")[2]] if ":" in before else [before]
    return [part for part in dict.fromkeys(p for part in parts for p in (part, unquote(part))) if part]


def user_folder(index: str) -> Path:
    """The user's own folder for what belongs to an index that cannot be written beside it."""
    name = _without_user(index) if is_url(index) else os.path.abspath(index)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return user_config_path("pagequote", appauthor=False, roaming=True) / "indexes" / digest


def state_folder(index: str) -> Path:
    """The folder of the usage log, kept replies, sessions and pictures: that of the index, or the user's own."""
    return user_folder(index) if is_url(index) else Path(index)


def _without_user(index: str) -> str:
    """The URL without who asks: a changed password or role finds the same usage log."""
    parts = urlsplit(redacted(index))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
