"""Offline mode refuses whatever would leave this machine, whoever wants it, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.errors import NetworkRefused
from rag.providers.offline import disable_offline, enable_offline, is_local, is_offline
from rag.providers.registry import chat_model, default_specs
from rag.settings import load_settings
from tests.providers.support import AT_ONCE, settings_for
from tests.servers.openai_server import KEY, OpenAIServer

OUTSIDE = "192.0.2.1"  # TEST-NET-1 (RFC 5737): belongs to nobody


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("HTTP_PROXY", "http_proxy", "RAG_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9" if "roxy" in name.lower() else "")
    enable_offline()
    yield
    disable_offline()


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


WAYS: dict[str, Callable[[], Any]] = {
    "connect": lambda: socket.socket().connect((OUTSIDE, 80)),
    "connect_ex": lambda: socket.socket().connect_ex((OUTSIDE, 80)),
    "create_connection": lambda: socket.create_connection(("example.com", 80)),
    "ipv6": lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
    "sendto": lambda: udp().sendto(b"x", (OUTSIDE, 53)),
    "sendmsg": lambda: udp().sendmsg([b"x"], [], 0, (OUTSIDE, 53)),
    "getaddrinfo": lambda: socket.getaddrinfo("example.com", 80),
    "address in figures": lambda: socket.getaddrinfo(OUTSIDE, 80, flags=socket.AI_NUMERICHOST),
    "gethostbyname": lambda: socket.gethostbyname("example.com"),
    "gethostbyaddr": lambda: socket.gethostbyaddr(OUTSIDE),
    "urllib": lambda: urllib.request.urlopen("http://example.com"),
    "asyncio": lambda: asyncio.run(asyncio.wait_for(asyncio.open_connection(OUTSIDE, 80), 5)),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_out(offline: None, way: str) -> None:
    with pytest.raises(NetworkRefused, match="--offline") as caught:
        WAYS[way]()
    assert (
        "example.com" in str(caught.value)
        or "192.0.2.1" in str(caught.value)
        or "2001:db8" in str(caught.value)
    )


def test_loopback_and_unix_sockets_still_work(offline: None) -> None:
    with OpenAIServer(reply="Yes.") as server:
        assert chat_model("compatible:x", settings_for(server), retry=AT_ONCE).invoke("Well?").text == "Yes."
    one, other = socket.socketpair()
    one.sendall(b"hello")
    assert other.recv(5) == b"hello"
    assert socket.getaddrinfo("localhost", 80)


def test_a_provider_in_the_cloud_says_so_at_once(offline: None) -> None:
    settings = load_settings({"openai_api_key": KEY, "offline": True}, env={}, dotenv_path=None)
    model = chat_model("openai:gpt-4o-mini", settings)  # with all its retries: none must be made
    for call in (model.invoke, lambda text: list(model.stream(text))):
        with pytest.raises(NetworkRefused, match=r"api\.openai\.com"):
            call("Well?")
    assert model.guards.meter.usage.calls == 0


def test_the_libraries_own_switches_are_set_and_proxies_dropped(offline: None) -> None:
    assert is_offline()
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["TRANSFORMERS_OFFLINE"] == "1"
    assert os.environ["RAG_OFFLINE"] == "1"  # child processes inherit it
    assert "HTTP_PROXY" not in os.environ
    assert "http_proxy" not in os.environ


def test_it_can_be_left_again() -> None:
    enable_offline()
    disable_offline()
    assert not is_offline()
    # the hook sees every name that is looked up; an address in figures needs no network to be
    assert socket.getaddrinfo(OUTSIDE, 80, flags=socket.AI_NUMERICHOST)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "a.localhost", "localhost.", "", None, "0.0.0.0"]
)
def test_this_machine(host: str | None) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "localhost.example.com", "8.8.8.8", "fe80::1%eth0", b"a.org"]
)
def test_other_machines(host: str | bytes) -> None:
    assert not is_local(host)


def test_offline_chooses_the_built_in_pair_even_when_a_key_is_set() -> None:
    settings = load_settings({"openai_api_key": KEY, "offline": True}, env={}, dotenv_path=None)
    assert default_specs(settings) == ("extractive", "e5-small")
    settings = load_settings({"openai_api_key": KEY}, env={}, dotenv_path=None)
    assert default_specs(settings) == ("openai:gpt-4o-mini", "openai:text-embedding-3-small")
    settings = load_settings({}, env={}, dotenv_path=None)
    assert default_specs(settings) == ("extractive", "e5-small")
    settings = load_settings({"model": "ollama:exaone3.5"}, env={}, dotenv_path=None)
    assert default_specs(settings) == ("ollama:exaone3.5", "e5-small")


def test_naming_providers_imports_none_of_them() -> None:
    code = (
        "import sys, rag.providers.registry, rag.providers.offline, rag.providers.specs, rag.usage.meter\n"
        "heavy = {'numpy','openai','langchain_openai','langchain_core','torch','transformers','httpx','tenacity'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def in_a_namespace(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code under scripts/offline.py, which `make test-offline` uses."""
    script = Path(__file__).parents[2] / "scripts" / "offline.py"
    command = [sys.executable, str(script), sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def namespaces() -> None:
    if (made := in_a_namespace("")).returncode == 2:
        pytest.skip(made.stderr.strip())


@pytest.mark.parametrize("way", ["connect_ex(('192.0.2.1', 80))", "connect(('2001:db8::1', 80))"])
def test_an_attempt_that_is_swallowed_is_counted(namespaces: None, way: str) -> None:
    family = "AF_INET6" if "::" in way else "AF_INET"
    code = (
        f"import contextlib, socket\nwith contextlib.suppress(OSError): socket.socket(socket.{family}).{way}"
    )
    assert in_a_namespace(code).returncode == 1


def test_a_look_up_of_another_process_is_counted(namespaces: None) -> None:
    inner = "import socket; socket.getaddrinfo('example.com', 80)"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {inner!r}], stderr=-3)"
    done = in_a_namespace(code)
    assert done.returncode == 1
    assert "tried to leave this machine" in done.stderr


def test_onnx_runtime_is_told_to_report_to_nobody() -> None:
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"  # set by importing rag, before ONNX Runtime is


@pytest.mark.slow
def test_embedding_reports_to_nobody(namespaces: None) -> None:
    """ONNX Runtime would, some seconds later and from native code that no Python hook sees."""
    code = (
        "import time\nfrom rag.providers.e5 import E5Embeddings\n"
        "print(len(E5Embeddings().embed_query('Where is it?')))\ntime.sleep(20)"
    )
    done = in_a_namespace(code)
    assert (done.stdout.strip(), done.returncode) == ("384", 0), done.stderr


def test_loopback_is_not_counted_and_the_commands_code_is_kept(namespaces: None) -> None:
    code = (
        "import socket, sys\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(('localhost', server.getsockname()[1])).sendall(b'x')\n"
        "sys.exit(7)"
    )
    done = in_a_namespace(code)
    assert (done.returncode, done.stderr) == (7, "Offline: nothing tried to leave this machine.\n")
