"""Where an index is kept: in a folder, or in a database that a URL names; and the folder for what lies beside it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import click

_SECRET_PARAMETERS = ("password", "sslpassword")


def in_database(index: str) -> bool:
    """Whether the index is named by a URL."""
    return "://" in index


def shown(index: str) -> str:
    """The index as it may be shown and kept: a URL without its password."""
    if not in_database(index):
        return index
    try:
        parts = urlsplit(index)
    except ValueError:
        return re.sub(r"//[^/@]*@", "//****@", index)
    user, at, host = parts.netloc.rpartition("@")
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in _SECRET_PARAMETERS]
    place = f"{user.partition(':')[0]}{at}{host}"
    rest = f"?{urlencode(query)}" if query else ""
    # not urlunsplit, which leaves out the slashes of an empty host: a socket of this machine
    return f"{parts.scheme}://{place}{parts.path}{rest}"


def passwords_of(index: str) -> list[str]:
    """The passwords in a URL, as they are written there and as they are meant."""
    if not in_database(index):
        return []
    try:
        parts = urlsplit(index)
    except ValueError:
        return []
    written = parts.netloc.rpartition("@")[0].partition(":")[2]
    found = [written, unquote(written)]
    found += [value for name, value in parse_qsl(parts.query) if name in _SECRET_PARAMETERS]
    return [password for password in dict.fromkeys(found) if password]


def own_folder(index: str) -> Path:
    """The user's own folder for what belongs to an index that cannot be written beside it."""
    name = _without_user(index) if in_database(index) else os.path.abspath(index)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return Path(click.get_app_dir("pagequote")) / "indexes" / digest


def state_folder(index: str) -> Path:
    """The folder of receipts, kept replies, sessions and pictures: that of the index, or the user's own."""
    return own_folder(index) if in_database(index) else Path(index)


def _without_user(index: str) -> str:
    """The URL without who asks: a changed password or role finds the same receipts."""
    parts = urlsplit(shown(index))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
