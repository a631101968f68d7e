"""Search, ask and list each index folder of the arguments; print a line of JSON for each."""

from __future__ import annotations

import json
import sys

from rag.errors import RagError
from rag.pipeline import Pipeline
from rag.store import open_index


def use(location: str) -> None:
    """Every way of reading."""
    with open_index(location) as index:
        index.counts()
        index.document_statuses()
        for source in index.documents()[:3]:
            index.pages(source.file)
        index.search_keywords(["harbour", "mooring"], 5)
    with Pipeline.open(location, model="extractive") as pipeline:
        pipeline.ask("When did MV Tern hit the breakwater?")


for folder in sys.argv[1:]:
    error, text = None, ""
    try:
        use(folder)
    except RagError as caught:
        error, text = type(caught).__name__, str(caught)
    except Exception as caught:
        error, text = f"unexpected {type(caught).__name__}", repr(caught)[:500]
    print(json.dumps({"error": error, "text": text}), flush=True)
