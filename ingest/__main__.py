"""`python -m ingest` is `rag ingest`."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run the command. It is found by name: this package knows nothing of the command line above it."""
    import_module("rag.cli").main(["ingest", *sys.argv[1:]])


if __name__ == "__main__":
    main()
