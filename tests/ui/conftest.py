"""The browser that walks over the page: see `served`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.served import CHROMIUM, Browser


@pytest.fixture
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("streamlit")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium")
    with sync_api.sync_playwright() as playwright:
        opened = Browser(playwright)
        yield opened
        opened.close()
