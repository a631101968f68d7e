"""The page served by the real `rag ui`, and a real browser that walks over it."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import clean_environment

CHROMIUM = "/usr/bin/chromium"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 300_000  # milliseconds: the machine that runs the tests may have much else to do
ANSWERED = re.compile(r"(?:evidence|근거): \S+")  # in the browser \w knows no Hangul


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, port: int = 0, **environment: str) -> Iterator[str]:
    """Run `rag ui` in `folder`; gives the address. `port` 0 is a free one."""
    port = port or free_port()
    command = [sys.executable, "-m", "rag.cli", "ui", "--no-browser", "--port", str(port), *arguments]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=clean_environment(**environment), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "rag ui ended"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health").close()
            return
        except urllib.error.HTTPError:  # it answers, and wants the password
            return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("rag ui does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Browser:
    """Chromium with a watch over everything that must not happen."""

    def __init__(self, playwright: Any) -> None:
        self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS, headless=True)
        self.hosts: set[str] = set()
        self.alarms: list[str] = []

    def page(self, address: str, **context: Any) -> Any:
        """A new visitor at `address`."""
        page = self._browser.new_context(**{"locale": "en-GB", **context}).new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self._requested(request.url))
        page.on("dialog", lambda dialog: self.alarms.append(f"dialog: {dialog.message}"))
        page.on("pageerror", lambda error: self.alarms.append(f"error: {error}"))
        page.on("console", lambda message: self._said(message))
        page.goto(address)
        return page

    def _requested(self, url: str) -> None:
        if url.startswith(("http", "ws")):
            self.hosts.add(url.split("/")[2].rpartition(":")[0])

    def _said(self, message: Any) -> None:
        # Streamlit looks for itself below the path of a page first, and is told 404; a wrong password 403
        if message.type == "error" and not re.search(r"status of 40[34]", message.text):
            self.alarms.append(f"console: {message.text}")

    def check(self) -> None:
        """Nothing ran that should not, and nothing was asked of another machine. Visitors leave."""
        alarms, hosts = list(self.alarms), set(self.hosts)
        for context in self._browser.contexts:
            context.close()
        assert not alarms, alarms
        assert hosts <= {"127.0.0.1"}, hosts

    def close(self) -> None:
        self._browser.close()


def ask(page: Any, question: str) -> None:
    """Ask and wait for the checked answer."""
    answers = page.get_by_text(ANSWERED)
    before = answers.count()
    send(page, question)
    answers.nth(before).wait_for()


def send(page: Any, question: str) -> None:
    """Ask without waiting for the answer."""
    box = page.locator('[data-testid="stChatInput"] textarea')
    box.fill(question)
    box.press("Enter")


def last_answer(page: Any) -> Any:
    """The last message of the assistant."""
    return page.locator('[data-testid="stChatMessage"]').last


def open_citation(page: Any, number: int = 0) -> Any:
    """Press a number of the last answer, the first is 0; gives the pane, its picture drawn and in view."""
    last_answer(page).locator(".pq-ref").nth(number).click()
    pane = page.locator(".st-key-pane")
    pane.locator(".pq-view img").wait_for()
    page.wait_for_function("() => document.querySelector('.pq-view img')?.naturalHeight > 0")
    page.wait_for_timeout(600)  # it is scrolled to once it is drawn
    return pane


def drawn(page: Any) -> None:
    """Wait until nothing is drawn again: meanwhile Streamlit fades what was there before."""
    faded = '[data-stale="true"], [data-testid="stSkeleton"]'
    page.wait_for_function("faded => !document.querySelector(faded)", arg=faded)
    page.wait_for_timeout(500)


def check_accessible(page: Any) -> None:
    """axe-core finds nothing serious on the page once it is drawn: WCAG 2.2 A and AA."""
    from axe_playwright_python.base import AXE_FILE_PATH

    drawn(page)
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)["violations"]
    serious = [
        (one["id"], node["html"][:200], node["failureSummary"][:300])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert not serious, serious


@contextlib.contextmanager
def visiting(
    browser: Browser, folder: Path, *arguments: str, port: int = 0, **environment: str
) -> Iterator[str]:
    """`serving`, and at the end the browser's watch is looked at while there is still a server."""
    with serving(folder, *arguments, port=port, **environment) as address:
        yield address
        browser.check()
