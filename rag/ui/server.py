"""Serves the page: how it was started, where it listens, and what a visitor may name.

`rag ui` runs `python -m rag.ui.server OPTIONS` with the options as JSON.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.errors import MissingExtra, RagError, SettingsError
from rag.providers.offline import enable_offline
from rag.settings import Settings, load_settings
from rag.ui.access import AccessControl
from rag.ui.pages import PICTURE
from rag.ui.workspace import VARIABLE, UiOptions, workspace_for

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
        enable_offline()
    os.environ[VARIABLE] = options.to_json()
    os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"  # before Streamlit reads its configuration
    try:
        import streamlit as st
        from starlette.middleware import Middleware
    except ImportError:
        raise MissingExtra("streamlit", "ui", "The web page") from None
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def picture(request: Request) -> Response:
        """A page's picture, behind the password as everything else."""
        workspace = await run_in_threadpool(workspace_for, options.to_json())
        png = await run_in_threadpool(workspace.picture, request.query_params)
        if png is None:
            return Response(status_code=404)
        return Response(png, media_type="image/png", headers={"cache-control": "private, max-age=300"})

    sys.argv = [str(PAGE)]  # Streamlit looks for configuration files beside what was started
    access = Middleware(AccessControl, password=password)
    app = st.App(PAGE, routes=[Route(PICTURE, picture)], middleware=[access])
    app.run(config=configuration(options))


def configuration(options: UiOptions) -> dict[str, Any]:
    """Streamlit's options: nothing is reported or fetched, and errors show nothing of the program's inside."""
    host = options.host.strip("[]")
    return {
        "browser.gatherUsageStats": False,
        "browser.serverAddress": "localhost" if options.public else host,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "logger.level": "warning",
        "runner.magicEnabled": False,
        # a full collection after each run, several a second while an answer is written, holds up the answer itself
        "runner.postScriptGC": False,
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
        "theme.baseRadius": "0.6rem",
        "theme.light.primaryColor": "#1f5fae",
        "theme.light.backgroundColor": "#ffffff",
        "theme.light.secondaryBackgroundColor": "#f4f5f7",
        "theme.light.textColor": "#1b2330",
        "theme.light.borderColor": "#d5dae1",
        # 4.5:1 or more on the background; `style.css` gives buttons of this colour dark letters
        "theme.dark.primaryColor": "#7fb2f5",
        "theme.dark.backgroundColor": "#12161c",
        "theme.dark.secondaryBackgroundColor": "#1b212a",
        "theme.dark.textColor": "#e7ebf0",
        "theme.dark.borderColor": "#37404d",
        "theme.dark.linkColor": "#8ab8f5",
    }


def require_password(options: UiOptions, settings: Settings) -> str | None:
    """The password that visitors must give, if any. Raises SettingsError when one is needed and missing."""
    secret = settings.ui_password
    if secret is not None and secret.get_secret_value():
        return secret.get_secret_value()
    if options.public:
        raise SettingsError(
            f"Other machines can reach {options.host}: set RAG_UI_PASSWORD first, or leave --host out."
        )
    return None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
