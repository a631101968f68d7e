"""Serves the page: `python -m rag.ui.server OPTIONS` with the options as JSON. `rag ui` starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.errors import MissingExtra, RagError
from rag.settings import Settings, load_settings
from rag.ui.options import UiOptions, require_password

VARIABLE = "PAGEQUOTE_UI"
"""Hands the options on to the script, which Streamlit runs anew for every visitor and click."""
PAGE = Path(__file__).parent / "views" / "page.py"
_FONTS = "system-ui, 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', NanumGothic, sans-serif"


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted. An error is one sentence on standard error."""
    try:
        options = UiOptions.from_json(arguments[0] if arguments else "{}")
        serve(options, load_settings(options.flags))
    except RagError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def serve(options: UiOptions, settings: Settings) -> None:
    """Serve the page until the process is interrupted.

    Raises SettingsError when a password is needed and missing, MissingExtra without Streamlit.
    """
    password = require_password(options, settings)
    if settings.offline:
        from rag.providers.offline import enable_offline

        enable_offline()
    os.environ[VARIABLE] = options.to_json()
    os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"  # before Streamlit reads its configuration
    try:
        import streamlit as st
        from starlette.middleware import Middleware
    except ImportError:
        raise MissingExtra("streamlit", "ui", "The web page") from None
    from rag.ui.gate import Gate

    sys.argv = [str(PAGE)]  # Streamlit looks for configuration files beside what was started
    st.App(PAGE, middleware=[Middleware(Gate, password=password)]).run(config=configuration(options))


def configuration(options: UiOptions) -> dict[str, Any]:
    """Streamlit's options: nothing is reported or fetched, and errors show nothing of the program's inside."""
    host = options.host.strip("[]")
    return {
        "browser.gatherUsageStats": False,
        "browser.serverAddress": "localhost" if options.public else host,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "logger.level": "warning",
        "runner.magicEnabled": False,
        "server.address": host,
        "server.port": options.port,
        "server.headless": not options.browser,
        "server.showEmailPrompt": False,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": options.upload_mib,
        "server.enableStaticServing": False,
        "server.enableXsrfProtection": True,
        "server.disconnectedSessionTTL": 300,
        "theme.font": _FONTS,
        "theme.headingFont": _FONTS,
        "theme.headingFontSizes": ["2rem", "1.4rem", "1.15rem", "1rem", "1rem", "1rem"],
        "theme.baseRadius": "0.5rem",
        "theme.light.primaryColor": "#1f5fae",
        "theme.dark.primaryColor": "#6aa5f0",
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
