"""What a run is asked to do, beyond the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.limits import ReadOptions
from ingest.passwords import Passwords


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What a run is asked to do, beyond the settings."""

    globs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    retry: bool = False
    """Read again what could not be read before, although it has not changed."""
    rebuild: bool = False
    """Begin with an empty index; embeddings that were paid for are kept."""
    prune: bool = False
    """Take files that vanished from the folder out of the index."""
    dry_run: bool = False
    """Say what would be done and cost; change nothing."""
    passwords: Passwords = field(default_factory=Passwords)
    read: ReadOptions = field(default_factory=ReadOptions)
    """Limits and the way of reading. Its chunk sizes are replaced by those of the settings or the index."""
    wait: bool | float = True
    """Whether, or for how many seconds, to wait for another process that writes the index."""
