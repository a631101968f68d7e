"""The threshold for declining that was fitted to an index: kept with it, read when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rag.pipeline.keeping import keep, kept

if TYPE_CHECKING:
    from rag.answering.calibrate import Calibration
    from rag.store import Index

_FILE = "calibration.json"
_FORMAT = 2


def keep_calibration(index: str, calibration: Calibration, embeddings: str) -> bool:
    """Keep it for the index at `index`; False when no folder for it can be written.

    `embeddings` is the identity of the weights that the scores come from.
    """
    form = {"format": _FORMAT, "embeddings": embeddings, **calibration.as_json()}
    return keep(index, _FILE, form) is not None


def kept_calibration(index: Index, notify: Callable[[str], None] = lambda _: None) -> Calibration | None:
    """What was kept for the index; None when there is nothing that can be read, or it fits other embeddings.

    `notify` gets a sentence in the latter case.
    """
    from rag.answering.calibrate import Calibration

    form = kept(index.location, _FILE)
    if not isinstance(form, dict) or form.get("format") != _FORMAT:
        return None
    found = Calibration.from_json(form)
    if found is not None and form.get("embeddings") != index.spec.embedding_id:
        notify("The index was calibrated for other embeddings: run `rag calibrate` again.")
        return None
    return found
