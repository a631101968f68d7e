"""How the page was started: where it listens, and which folders a visitor may name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from rag.errors import UsageError
from rag.settings import Settings

VARIABLE = "PAGEQUOTE_UI"
"""Hands the options on to the script, which Streamlit runs again for every visitor and click."""
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


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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
