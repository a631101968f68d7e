"""Who looks at the page: what every page needs to know of a visit."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from rag.messages import Language, message
from rag.store import Snapshot
from rag.ui.sessions import Session
from rag.ui.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's session in the shared workspace, with the language of the texts."""

    workspace: Workspace
    session: Session
    language: Language
    pages: dict[str, st.Page] = field(default_factory=dict)
    """The pages by name, for going from one to another."""

    @property
    def index(self) -> Snapshot | None:
        """The index at its newest state; None when there is none yet."""
        return self.workspace.shared_index.index()

    def text(self, key: str, **values: object) -> str:
        """The message `key` in the visitor's language."""
        return message(key, self.language, **values)

    def save(self) -> None:
        """Write the session to the disk."""
        if self.session.exchanges:
            self.workspace.sessions.save(self.session)
