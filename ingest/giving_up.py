"""When a run bears with an embedding model that fails, and when it ends."""

from __future__ import annotations

from collections.abc import Callable

from rag.errors import ProviderError

_LOST_GROUPS = 2
"""Groups of texts in a row that fail for a transient reason before the run gives up."""


class GaveUp(Exception):
    """The provider cannot be used for now; `cause` says why."""

    def __init__(self, cause: ProviderError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Patience:
    """Tries a provider once more after a passing failure, and not after another one."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._lost = 0

    def succeeded(self) -> None:
        """A group was embedded."""
        self._lost = 0

    def failed(self, error: ProviderError) -> None:
        """A group was not. Raises GaveUp when it makes no sense to go on."""
        self._lost += 1
        if not error.transient or self._lost >= _LOST_GROUPS:
            raise GaveUp(error) from error
        self._note(f"Embedding failed and will be tried once more: {error}")
