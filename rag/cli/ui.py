"""`rag ui`: the web page, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from rag.cli.options import examples, with_settings

if TYPE_CHECKING:
    from rag.settings import Settings

_PASSED_ON = ("index", "model", "embeddings", "prompt", "k", "max_cost", "strict", "cache", "offline")


@click.command(
    epilog=examples(
        "rag ui",
        "rag ui --model ollama:exaone3.5 --port 8080",
        "RAG_UI_PASSWORD=... rag ui --host 0.0.0.0 --folder /srv/documents",
        note="Needs the extra: pip install 'pagequote[ui]'. Without --host only this machine reaches the page.",
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535), help="Port.")
@click.option(
    "--uploads", default="", metavar="DIR", help="Where uploads are kept (default: beside the index)."
)
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(exists=True),
    metavar="DIR",
    help="A folder that visitors from other machines may index. Repeat for more.",
)
@click.option(
    "--runs", default="runs", show_default=True, metavar="DIR", help="Folder of the evaluation runs."
)
@click.option(
    "--max-upload", default=100, show_default=True, type=click.IntRange(1, 2000), help="Largest upload in MB."
)
@click.option("--browser/--no-browser", default=None, help="Open the page (default: at a terminal).")
@with_settings(*_PASSED_ON[1:-1])
def command(
    settings: Settings,
    host: str,
    port: int,
    uploads: str,
    folders: tuple[str, ...],
    runs: str,
    max_upload: int,
    browser: bool | None,
) -> int:
    """Serve a web page: ask questions, see the evidence, manage documents."""
    options = {
        "host": host,
        "port": port,
        "uploads": uploads,
        "folders": folders,
        "runs": runs,
        "upload_mib": max_upload,
        "browser": sys.stdout.isatty() if browser is None else browser,
        "flags": {n: getattr(settings, n) for n in _PASSED_ON if settings.origin(n) == "flag"},
    }
    # by name, not by import: the command line and the page know nothing of each other
    process = subprocess.Popen([sys.executable, "-m", "rag.ui.server", json.dumps(options)])
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C reaches the page too, which ends in order
            return process.wait()
