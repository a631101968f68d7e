"""`rag serve`: the documents behind OpenAI's chat API and as JSON, for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rag.cli.app import EXIT_DONE
from rag.cli.options import ANSWERING, examples, with_settings
from rag.cli.output import tell
from rag.pipeline import Pipeline
from rag.server.access import key_for
from rag.server.service import DocumentService

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag serve --index /srv/handbook/.rag",
        "rag serve --model ollama:exaone3.5 --port 8080",
        "RAG_SERVER_KEY=... rag serve --host 0.0.0.0",
        note="Needs the extra: pip install 'pagequote[server]'. Clients use http://HOST:PORT/v1; more at /docs.",
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port.")
@click.option(
    "--concurrency",
    default=4,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Requests worked on at once.",
)
@click.option(
    "--request-timeout", "seconds", default=300.0, show_default=True, type=click.FloatRange(1), metavar="SECONDS",
    help="The longest that a request may take.",
)  # fmt: skip
@with_settings(*ANSWERING, "embeddings")
def command(settings: Settings, host: str, port: int, concurrency: int, seconds: float) -> int:
    """Serve the indexed documents over HTTP, as OpenAI's chat API and as JSON."""
    from rag.server.http_server import serve

    key = key_for(settings, host)
    with Pipeline.open(settings=settings, notify=tell, command="serve") as pipeline:
        tell(f"Listening at http://{host}:{port} (API: /v1, list of endpoints: /docs). Stop with Ctrl-C.")
        serve(DocumentService(pipeline), host, port, key, concurrency=concurrency, seconds=seconds)
    return EXIT_DONE
