"""`rag mcp`: the documents as an MCP server, for agents."""

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
        "rag mcp --index /srv/handbook/.rag",
        "rag mcp --http --port 8765",
        "RAG_SERVER_KEY=... rag mcp --http --host 0.0.0.0",
        note="Needs the extra: pip install 'pagequote[mcp]'. docs/mcp.md has the configuration of common clients.",
    )
)
@click.option(
    "--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of standard input and output."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, with --http.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535), help="Port.")
@with_settings(*ANSWERING, "embeddings")
def command(settings: Settings, http: bool, host: str, port: int) -> int:
    """Serve the indexed documents to agents: search, ask, read pages, and verify the quotes of any text."""
    from rag.server.mcp_server import serve_http, serve_stdio

    key = key_for(settings, host) if http else None
    with Pipeline.open(settings=settings, notify=tell, command="mcp") as pipeline:
        service = DocumentService(pipeline)
        if http:
            tell(f"MCP at http://{host}:{port}/mcp. Stop with Ctrl-C.")
            serve_http(service, host, port, key)
        else:
            serve_stdio(service)
    return EXIT_DONE
