"""Offline mode: this process opens no connection that leaves the machine.

An audit hook (PEP 578) sees every connect, send and name look-up of Python code before it happens, whatever
library it comes from. It cannot be removed, only switched, so it is installed once. Libraries that would rather
wait for a network than be refused one get their own switches.
"""

from __future__ import annotations

import os
import socket
import sys
from ipaddress import ip_address
from typing import Any

from rag.errors import NetworkRefused
from rag.settings import Settings

SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}
"""Environment variables that keep libraries from trying, here and in child processes."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_state = {"offline": False, "installed": False}


def apply_offline(settings: Settings) -> None:
    """Enter offline mode when the settings ask for it."""
    if settings.offline:
        enable_offline()


def enable_offline() -> None:
    """Refuse every connection of this process except to itself; NetworkRefused says what was wanted."""
    os.environ.update({**SWITCHES, "RAG_OFFLINE": "1"})
    for name in _PROXIES:  # a proxy on loopback would carry connections out unseen
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    if not _state["installed"]:
        sys.addaudithook(_watch)
        _state["installed"] = True
    _state["offline"] = True


def disable_offline() -> None:
    """Leave offline mode: for tests and long-lived programs. The libraries' switches stay as they are."""
    _state["offline"] = False
    os.environ.pop("RAG_OFFLINE", None)


def is_offline() -> bool:
    """Whether connections are refused at the moment."""
    return _state["offline"]


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _state["offline"] or not event.startswith("socket."):
        return
    if event in _CONNECTS:
        connection, address = arguments[0], arguments[-1]
        if getattr(connection, "family", None) in (socket.AF_INET, socket.AF_INET6):
            _require_local(address[0] if isinstance(address, tuple) and address else None)
    elif event in _LOOKUPS:
        _require_local(arguments[0])


def _require_local(host: object) -> None:
    if not is_local(host):
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        readable = "".join(c for c in name if c.isprintable())[:100]
        raise NetworkRefused(
            f"Offline mode (--offline, RAG_OFFLINE) refused a connection to {readable}: drop it to allow"
            " the network, or use what runs on this machine (extractive, e5-small, gguf:FILE)."
        )


def is_local(host: object) -> bool:
    """Whether a host of a connection is this machine; None and the empty name mean any of its own addresses."""
    if host is None or host in ("", b""):
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    name = name.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    except ValueError:
        return False
