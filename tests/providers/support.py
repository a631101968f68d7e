"""What the tests of providers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rag.providers.pacing import Retry
from rag.settings import Settings, load_settings
from tests.servers.openai_server import KEY, OpenAIServer

AT_ONCE = Retry(3, first=0.001, longest=0.002)
"""Three more tries, with pauses too short to wait for."""
CHAT = "openai:gpt-4o-mini"
EMBEDDINGS = "openai:text-embedding-3-small"


def settings_for(server: OpenAIServer, **flags: Any) -> Settings:
    """Settings under which every kind of provider talks to `server`, and nothing else is read."""
    given: dict[str, object] = {
        "openai_base_url": server.base_url,
        "openai_api_key": KEY,
        "base_url": server.base_url,
        "api_key": KEY,
        "azure_openai_endpoint": server.root,
        "azure_openai_api_key": KEY,
        "openai_api_version": "2024-10-21",
        "timeout": 30.0,
        **flags,
    }
    return load_settings(given, env={}, dotenv_path=None)


def price_file(folder: Path, **prices: tuple[float, float]) -> str:
    """A price list of the user's: spec to (input, output); `__` in a name stands for `:`."""
    path = folder / "prices.toml"
    lines = []
    for name, (given, made) in prices.items():
        lines.append(f'[models."{name.replace("__", ":")}"]\ninput = {given}\noutput = {made}\n')
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def seeds(count: int, fast: int = 12) -> list[Any]:
    """Seeds of random tests: a few for every run, the rest for `make test-all`."""
    return [*range(fast), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(fast, count))]
