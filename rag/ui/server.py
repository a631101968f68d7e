"""Serves the page: how it was started, where it listens, and what a visitor may name.

`rag ui` runs `python -m rag.ui.server OPTIONS` with the options as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from rag.errors import MissingExtra, RagError, SettingsError, UsageError
from rag.settings import Settings, load_settings

VARIABLE = "PAGEQUOTE_UI"
"""Hands the options on to the script, which Streamlit runs again for every visitor and click."""
PAGE = Path(__file__).parent / "views" / "page.py"
_FONTS = "system-ui, 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', NanumGothic, sans-serif"
LARGEST_UPLOAD_MIB = 100


@dataclass(frozen=True, slots=True)
class UiOptions:
    """What `rag ui` was started with, beyond the settings."""

    host: str = "127.0.0.1"
    port: int = 8501
    uploads: str = ""
    """Folder that keeps uploaded documents; empty: beside the index."""
    folders: tuple[str, ...] = ()
    """Folders that visitors from other machines may name; on loopback any may be named."""
    runs: str = "runs"
    """Folder with evaluation runs."""
    upload_mib: int = LARGEST_UPLOAD_MIB
    """Largest uploaded file."""
    browser: bool = False
    """Whether to open the page in a browser once it is served."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Settings given on the command line."""

    @property
    def public(self) -> bool:
        """Whether other machines can reach the page."""
        return not is_loopback(self.host)

    def uploads_for(self, settings: Settings) -> Path:
        """The folder of the uploads of the index in force."""
        return (
            Path(self.uploads)
            if self.uploads
            else settings.folder.with_name(f"{settings.folder.name}-uploads")
        )

    def to_json(self) -> str:
        """For handing over to the process that serves the page."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        return cls(**(given | {"folders": tuple(given["folders"])}))


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
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from rag.ui.access import AccessControl
    from rag.ui.pages import PICTURE
    from rag.ui.workspace import workspace_for

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


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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


def folder_to_ingest(name: str, options: UiOptions) -> Path:
    """The folder or file that a visitor names. Raises UsageError when it is not there or not allowed."""
    if not name.strip() or "\0" in name:
        raise UsageError("Name a folder on the machine that serves this page.")
    path = Path(name.strip()).expanduser().resolve()
    allowed = [Path(folder).expanduser().resolve() for folder in options.folders]
    # the same words for both cases: they must not tell which folders exist
    refused = UsageError(
        f"{name.strip()} cannot be read from here: name a folder that was allowed with --folder."
    )
    if options.public and not any(path == folder or folder in path.parents for folder in allowed):
        raise refused
    if not path.exists():
        raise refused if options.public else UsageError(f"{path} does not exist: give a folder or a file.")
    return path


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
